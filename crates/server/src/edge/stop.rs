//! Stopping: the word that goes through every connection and stream when the server is to end (O2).

use tokio::sync::watch;

/// How far the end has come; it only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not at all.
    Running,
    /// Nothing new is taken; what is in flight is finished.
    Draining,
    /// What is left is cut.
    Ended,
}

/// Says that the server is to stop: the first signal drains, the second ends.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Stage>);

/// Hears that the server is to stop. When every [`Stopper`] is gone, nobody could say so any more: that counts
/// as the end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Stage>);

/// A stopper and its ear.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(Stage::Running);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Moves on to `stage`; going back is not heard.
    pub fn reach(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let further = *now < stage;
            *now = (*now).max(stage);
            further
        });
    }
}

impl Stop {
    /// How far it is.
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Waits until it is at `stage` or further; returns how far it is then.
    pub async fn reached(mut self, stage: Stage) -> Stage {
        let waited = self.0.wait_for(|now| *now >= stage).await;
        waited.map_or(Stage::Ended, |now| *now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_only_moves_forward() {
        let (stopper, stop) = stop();
        let draining = tokio::spawn(stop.clone().reached(Stage::Draining));
        stopper.reach(Stage::Ended);
        stopper.reach(Stage::Draining);
        assert_eq!((draining.await.unwrap(), stop.stage()), (Stage::Ended, Stage::Ended));
    }

    #[tokio::test]
    async fn a_lost_stopper_is_the_end() {
        let (stopper, stop) = stop();
        drop(stopper);
        assert_eq!(stop.reached(Stage::Draining).await, Stage::Ended);
    }
}
