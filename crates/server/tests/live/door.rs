//! The door, held shut by a test.

use crate::support::soon;
use futures_util::FutureExt;
use std::sync::{Arc, mpsc};
use tiltyard_engine::{Act, Engine, Pass, Urgency};
use tiltyard_model::refusal::Refusal;

/// A deed that works for as long as the test wants.
pub(crate) struct Bolt {
    release: mpsc::Sender<()>,
}

impl Bolt {
    /// Shuts the door; it is shut when this returns.
    pub(crate) async fn shut(engine: &Arc<Engine>) -> Self {
        let (release, opened) = mpsc::channel::<()>();
        let (tell, shut) = tokio::sync::oneshot::channel();
        let deed = move |_: &mut Act<'_>| {
            let _ = tell.send(());
            let _ = opened.recv();
            Ok(())
        };
        stand(engine, deed);
        soon(shut).await.unwrap();
        Self { release }
    }

    /// Opens it.
    pub(crate) fn open(self) {
        let _ = self.release.send(());
    }
}

/// As many deeds as one transaction takes at most.
const BATCH_DEEDS: usize = 1_024;

/// What stands in the urgent line from now on is another transaction.
pub(crate) fn next_transaction(engine: &Arc<Engine>) {
    for _ in 0..BATCH_DEEDS {
        stand(engine, |_| Ok(()));
    }
}

/// Stands in the urgent line; nobody waits for the answer.
pub(crate) fn stand(
    engine: &Arc<Engine>,
    deed: impl FnOnce(&mut Act<'_>) -> Result<(), Refusal> + Send + 'static,
) -> Option<Result<(), Refusal>> {
    engine.enter(Pass::system(), Urgency::Urgent, deed).now_or_never()
}

/// Fills the urgent line of a door that is shut.
pub(crate) fn fill_urgent(engine: &Arc<Engine>) {
    while stand(engine, |_| Ok(())).is_none() {}
}
