//! Work that was claimed and not yet handed over. A caller who goes away before the answer is written gives it back
//! at once: no attempt is counted for an answer that nobody got.

use std::sync::{Arc, Weak};
use tiltyard_engine::task::claim::Claimed;
use tiltyard_engine::{Act, Engine, Pass, Urgency, agent};
use tiltyard_model::id::Id;
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

    /// Nobody waits for it any more.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub(crate) fn take_back(self, act: &mut Act<'_>) -> Result<(), Refusal> {
        agent::unclaim(act, &leases(&self.hand_over()))
    }
}

fn leases(tasks: &[Claimed]) -> Vec<(Id, i64)> {
    tasks.iter().map(|claimed| (claimed.found.task.id, claimed.found.task.generation)).collect()
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        let (leases, giver) = (leases(&self.tasks), self.giver.clone());
        self.giver.runtime.spawn(async move {
            let Some(engine) = giver.engine.upgrade() else { return };
            let given =
                engine.enter(giver.pass, Urgency::Urgent, move |act| agent::unclaim(act, &leases)).await;
            if let Err(error) = given {
                // The leases run out by themselves.
                tracing::warn!(target: "scheduler", %error, "work that nobody got could not be given back");
            }
        });
    }
}
