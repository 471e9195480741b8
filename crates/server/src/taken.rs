//! Work that was claimed and not yet handed over. A caller who goes away before the answer is written gives it back
//! at once: no attempt is counted for an answer that nobody got.

use std::sync::{Arc, Weak};
use tiltyard_engine::task::claim::{self, Claimed};
use tiltyard_engine::task::heartbeat::Held;
use tiltyard_engine::{Act, Engine, Pass, Urgency, agent};
use tiltyard_model::refusal::Refusal;
use tokio::runtime::Handle;

/// Who gives work back that is not handed over.
#[derive(Clone)]
pub(crate) struct Giver {
    engine: Weak<Engine>,
    runtime: Handle,
    pass: Pass,
}

impl Giver {
    /// One that acts for this caller.
    pub(crate) fn new(engine: &Arc<Engine>, runtime: Handle, pass: Pass) -> Self {
        Self { engine: Arc::downgrade(engine), runtime, pass }
    }

    fn give_back(&self, deed: impl FnOnce(&mut Act<'_>) -> Result<(), Refusal> + Send + 'static) {
        let giver = self.clone();
        self.runtime.spawn(async move {
            let Some(engine) = giver.engine.upgrade() else { return };
            if let Err(error) = engine.enter(giver.pass, Urgency::Urgent, deed).await {
                // The leases run out by themselves.
                tracing::warn!(target: "scheduler", %error, "work that nobody got could not be given back");
            }
        });
    }

    /// Work that was claimed just now.
    pub(crate) fn of(&self, tasks: Vec<Claimed>) -> Taken {
        Taken { tasks, giver: self.clone() }
    }
}

/// Work on its way to whoever asked for it.
pub(crate) struct Taken {
    tasks: Vec<Claimed>,
    giver: Giver,
}

impl Taken {
    /// Whether there was none.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What its text may take, in bytes.
    pub(crate) fn room_bytes(&self) -> usize {
        let bytes = |claimed: &Claimed| claimed.found.task.spec.payload.len() + crate::view::task::ROOM_BYTES;
        self.tasks.iter().map(bytes).sum::<usize>() + 16
    }

    /// It is in the caller's hands from here on.
    pub(crate) fn hand_over(mut self) -> Vec<Claimed> {
        std::mem::take(&mut self.tasks)
    }

    /// One after the other, each with what gives it back should it not get away.
    pub(crate) fn one_by_one(self) -> Vec<(Claimed, Receipt)> {
        let giver = self.giver.clone();
        let receipt = |claimed: &Claimed| Receipt { held: Some(claimed.held()), giver: giver.clone() };
        self.hand_over()
            .into_iter()
            .map(|claimed| {
                let receipt = receipt(&claimed);
                (claimed, receipt)
            })
            .collect()
    }

    /// Nobody waits for it any more.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub(crate) fn take_back(self, act: &mut Act<'_>) -> Result<(), Refusal> {
        claim::give_back(act, &self.hand_over())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        if !tasks.is_empty() {
            self.giver.give_back(move |act| claim::give_back(act, &tasks));
        }
    }
}

/// A task on its way out. Dropped before it is signed, the task goes back.
pub(crate) struct Receipt {
    held: Option<Held>,
    giver: Giver,
}

impl Receipt {
    /// From here on nobody can say that it did not arrive.
    pub(crate) fn sign(mut self) {
        self.held = None;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.giver.give_back(move |act| agent::unclaim(act, &[held]).map(drop));
        }
    }
}
