//! The end of a session: nothing new is taken, what runs may finish or goes back, outcomes are told.

use super::{Phase, Winding};
use crate::slots::Intake;
use crate::stop::StopReason;
use tokio::sync::watch;
use tokio::time::timeout;

/// What the process around a session wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shutdown {
    /// Go on.
    #[default]
    No,
    /// End in order: take nothing new, finish or give back what runs, tell the outcomes.
    Orderly,
    /// End at once: what runs is ended by its shims, what was not told is told by the next process.
    AtOnce,
}

/// Waits for the wish and carries it out. Without anybody left to wish it never ends.
pub(super) async fn wind_down(winding: Winding, mut shutdown: watch::Receiver<Shutdown>) {
    if shutdown.wait_for(|wish| *wish != Shutdown::No).await.is_err() {
        std::future::pending::<()>().await;
    }
    let at_once = async {
        if shutdown.wait_for(|wish| *wish == Shutdown::AtOnce).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = at_once => {}
        () = orderly(&winding) => {}
    }
    winding.phase.send_replace(Phase::Closing);
}

async fn orderly(winding: &Winding) {
    let (roster, times) = (&winding.roster, &winding.times);
    let slots = roster.host().slots();
    slots.set_intake(Intake::Draining);
    winding.phase.send_replace(Phase::Draining);
    if timeout(times.finish, slots.idle()).await.is_err() {
        slots.stop_all(StopReason::ShuttingDown);
        // Bounded by the graces: TERM, KILL, and the time to confirm.
        slots.idle().await;
    }
    // Without a connection there is nobody to tell; the outbox keeps it.
    if winding.status.borrow().connected {
        let _ = timeout(times.flush, roster.empty()).await;
    }
}
