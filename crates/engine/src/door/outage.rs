//! A database that nobody could hear for a while, that was started anew, or whose clock was set: leases begin anew with the next
//! transaction (E4).

use crate::memory::lease;
use crate::memory::step::Step;
use tiltyard_model::time::DurationMs;

/// What two servers find a clock set by may differ by so much, in milliseconds, as each finds it out by an answer that took its time.
const LAG_MS: DurationMs = 5_000;

/// Whether leases must begin anew; over when the transaction that lets them do so is committed.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_there: bool,
    /// How far the database's clock has gone ahead by itself since (back, when negative), as far as no server has told.
    jumped_ms: DurationMs,
}

impl Outage {
    /// The database answers: whether nobody could be heard before, and how far its time lies after what was expected. Says whether
    /// that is news.
    pub(super) fn note(&mut self, is_there: bool, ahead_ms: DurationMs) -> bool {
        let is_news = is_there && !self.is_there;
        self.is_there |= is_there;
        if self.is_there {
            self.jumped_ms += ahead_ms;
        }
        is_news
    }

    /// Another server has let leases begin anew: what it found the clock set by is done in this memory too, once.
    pub(super) fn follow(&mut self, steps: &[Step]) {
        for step in steps {
            if let (true, Step::Lease(lease::Step::Anew { jumped_ms, .. })) = (self.is_there, step) {
                let left = self.jumped_ms - jumped_ms;
                self.jumped_ms = if left.abs() <= LAG_MS { 0 } else { left };
            }
        }
    }

    /// Memory was made from the rows: there is nothing in it that stands by the clock before.
    pub(super) fn forget_jump(&mut self) {
        self.jumped_ms = 0;
    }

    /// How far the clock that leases stand by has jumped, where they must begin anew.
    pub(super) fn is_there(&self) -> Option<DurationMs> {
        self.is_there.then_some(self.jumped_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: DurationMs = 3_600_000;

    fn told(jumped_ms: DurationMs) -> [Step; 1] {
        [Step::Lease(lease::Step::Anew { now: 5, jumped_ms })]
    }

    // E4: what a clock was set by is found by every server, and done once.
    #[test]
    fn e4_a_jump_is_done_once() {
        let mut outage = Outage::default();
        assert!(!outage.note(false, 40) && outage.is_there().is_none(), "an answer that took its time");
        assert!(outage.note(true, HOUR_MS));
        assert!(!outage.note(true, 20), "is known");
        outage.note(false, -30);
        assert_eq!(outage.is_there(), Some(HOUR_MS - 10));
        outage.follow(&told(0));
        assert_eq!(outage.is_there(), Some(HOUR_MS - 10), "of a server that has just started");
        outage.follow(&told(HOUR_MS + 700));
        assert_eq!(outage.is_there(), Some(0));
    }

    // E4: who hears of a jump from the others only, as it was frozen meanwhile, does not do it again.
    #[test]
    fn e4_a_jump_that_was_slept_through_is_not_done_again() {
        let mut outage = Outage::default();
        outage.follow(&told(HOUR_MS));
        outage.note(false, HOUR_MS);
        assert_eq!(outage.is_there(), None);
        outage.note(true, 0);
        assert_eq!(outage.is_there(), Some(0));
        outage.note(false, -HOUR_MS);
        outage.forget_jump();
        assert_eq!(outage.is_there(), Some(0));
    }
}
