//! The wish that a running attempt ends: said once, heard by whoever runs it.

use tokio::sync::watch;

/// Why an attempt is to end before its program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A person, a dependency or a deadline cancelled the task (D4).
    Cancelled,
    /// The server told the agent to drop it: the lease is somebody else's (D31). Its outcome is not reported.
    Dropped,
    /// The agent ends; the task goes back without counting as an attempt.
    ShuttingDown,
}

/// The speaking half. Cloning it is cheap; dropping every clone is not a wish to stop.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Option<StopReason>>);

/// The hearing half.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<Option<StopReason>>);

/// A new pair: nothing is wished yet.
pub fn stop_pair() -> (Stopper, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), StopSignal(receiver))
}

impl Stopper {
    /// Asks for the end. The first reason stands; true when this was the first.
    pub fn stop(&self, reason: StopReason) -> bool {
        self.0.send_if_modified(|wish| {
            let first = wish.is_none();
            wish.get_or_insert(reason);
            first
        })
    }

    /// What was asked for, if anything was.
    pub fn wish(&self) -> Option<StopReason> {
        *self.0.borrow()
    }
}

impl StopSignal {
    /// What was asked for, if anything was.
    pub fn wish(&self) -> Option<StopReason> {
        *self.0.borrow()
    }

    /// Waits until the end is asked for; for ever when nobody is left to ask.
    pub async fn stopped(&mut self) -> StopReason {
        loop {
            if let Some(reason) = self.wish() {
                return reason;
            }
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stands() {
        let (stopper, signal) = stop_pair();
        assert_eq!(signal.wish(), None);
        assert!(stopper.stop(StopReason::Cancelled));
        assert!(!stopper.stop(StopReason::Dropped));
        assert_eq!(
            (stopper.wish(), signal.wish()),
            (Some(StopReason::Cancelled), Some(StopReason::Cancelled))
        );
    }
}
