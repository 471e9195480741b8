//! What was assigned on this connection and not accepted yet. The lease stands from the claim on; an agent that does
//! not begin must not sit on the work until that runs out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tiltyard_engine::task::heartbeat::Held;
use tokio::time::sleep_until;

/// How long an agent may take to accept an assigned task, in milliseconds. Then it is taken back, uncounted, and goes
/// elsewhere. A word from the attempt (progress, log, outcome) accepts it as well; a renewal does not.
pub(crate) const ACCEPT_WITHIN_MS: u64 = 10_000;

/// Assigned tasks that wait to be accepted, the oldest first; never more than the agent has slots.
#[derive(Debug)]
pub(super) struct Offers {
    open: VecDeque<(Held, Instant)>,
    within: Duration,
}

impl Offers {
    /// None yet.
    pub(super) fn new(within: Duration) -> Self {
        Self { open: VecDeque::new(), within }
    }

    /// A task was assigned.
    pub(super) fn put(&mut self, held: Held) {
        self.open.push_back((held, Instant::now() + self.within));
    }

    /// The agent has begun it, refused it, or was told to stop it.
    pub(super) fn close(&mut self, held: Held) {
        self.open.retain(|(open, _)| *open != held);
    }

    /// What nobody accepted in time; waits until there is something. May be dropped and called again.
    pub(super) async fn overdue(&mut self) -> Vec<Held> {
        let Some((_, first)) = self.open.front() else { return std::future::pending().await };
        sleep_until((*first).into()).await;
        let now = Instant::now();
        let count = self.open.partition_point(|(_, until)| *until <= now);
        self.open.drain(..count).map(|(held, _)| held).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn what_is_accepted_is_not_overdue() {
        let id = "task_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap();
        let held = |generation| Held { id, generation };
        let mut offers = Offers::new(Duration::ZERO);
        assert!(offers.overdue().now_or_never().is_none());
        for generation in 1..=3 {
            offers.put(held(generation));
        }
        offers.close(held(2));
        assert_eq!(offers.overdue().await, [held(1), held(3)]);
        assert!(offers.overdue().now_or_never().is_none());
    }
}
