//! Catching up with what other servers did.

use super::step::Step;
use super::{Memory, Parts, lease};
use crate::act::Effect;
use crate::journal::Page;

/// What came of a page of another server.
#[derive(Debug, Clone, PartialEq)]
pub struct CaughtUp {
    /// Whether something could have become claimable: claims that wait are worth another try.
    pub claimable: bool,
    /// What is to be done outside, by whoever has the agent or the stream.
    pub effects: Vec<Effect>,
}

/// A page does not follow on what this memory knows: one before it is missing, or was done twice. The memory must be
/// rebuilt from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal does not follow on: it says that the log ends with {told}, memory says {here}")]
pub struct OutOfStep {
    /// Where the log ends, as the page tells.
    pub told: i64,
    /// Where it ends here, with the page.
    pub here: i64,
}

impl Memory {
    /// Does what the transaction of another server did, for good. Only between transactions of our own.
    ///
    /// # Errors
    /// [`OutOfStep`] when the page does not follow on what is known here.
    pub fn catch_up(&mut self, page: Page) -> Result<CaughtUp, OutOfStep> {
        let Page { last_seq, effects, steps } = page;
        let before = self.parts.ready.changes();
        for step in steps {
            self.parts.follow(&step);
            self.parts.apply(step);
        }
        // The rows of the scopes' sequences and of counts are written by whoever changed them.
        self.parts.grown.clear();
        self.parts.counts.forget_unwritten();
        self.redo_caught_up();
        if self.parts.last_seq != last_seq {
            return Err(OutOfStep { told: last_seq, here: self.parts.last_seq });
        }
        let claimable = self.parts.ready.changes() != before && !self.parts.ready.is_empty();
        Ok(CaughtUp { claimable, effects })
    }
}

impl Memory {
    /// Becomes as `fresh` is, which was made from the store just now: what was known is not to be trusted. What only ever stood in
    /// memory stays. Gives what is to be done outside because of what was missed.
    pub(crate) fn begin_anew(&mut self, fresh: Self) -> Vec<Effect> {
        self.rollback();
        let mut parts = fresh.parts;
        let before = &mut self.parts;
        before.tokens.become_as(&parts.tokens);
        parts.tokens = before.tokens.clone();
        parts.letters.limit = before.letters.limit.clone();
        parts.last_key = parts.last_key.max(before.last_key);
        parts.presence.extend(before.presence.drain());
        parts.connections.extend(before.connections.drain());
        parts.served.extend(before.served.drain());
        parts.online.extend(before.online.drain());
        parts.claimed_with.extend(before.claimed_with.drain());
        parts.turns = std::mem::take(&mut before.turns);
        parts.storage_low = before.storage_low;
        self.parts = parts;
        self.redo_caught_up();
        // Whoever streams is looked at again, whichever way it was let in.
        vec![Effect::SignInEnded]
    }
}

impl Parts {
    /// Who took what elsewhere counts for whose turn it is here (D6).
    fn follow(&mut self, step: &Step) {
        let Step::Lease(lease::Step::Put(lease)) = step else { return };
        let Some((queue, lane)) = self.names.lane(lease.lane) else { return };
        if self.leases.get(lease.task).is_none() {
            self.turns.took(lease.agent, lane.category.as_deref());
            self.ready.pass_turn(queue);
        }
    }
}

#[cfg(test)]
mod tests;
