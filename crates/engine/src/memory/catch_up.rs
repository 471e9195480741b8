//! Catching up with what other servers did.

use super::connection::Link;
use super::step::Step;
use super::{Memory, Parts, lease, presence};
use crate::act::Effect;
use crate::journal::Page;
use tiltyard_model::agent::Agent;

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
            if step == Step::Presence(presence::Step::Asked) {
                self.asked();
            }
            self.parts.follow(&step);
            // Told by a server that has made its memory anew, and does not know better yet.
            if !self.parts.is_stale(&step) {
                self.parts.apply(step);
            }
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
        parts.keep_presence(before);
        parts.claimed_with.extend(before.claimed_with.drain());
        parts.turns = std::mem::take(&mut before.turns);
        parts.storage_low = before.storage_low;
        self.parts = parts;
        self.redo_caught_up();
        self.ask_others();
        // Stops, drains and ends that were missed are nowhere told: whoever is connected begins anew.
        vec![Effect::LostTrack]
    }
}

impl Parts {
    /// Takes over what only stood in the memory before, of agents that are still there; who was found silent meanwhile stays so.
    fn keep_presence(&mut self, before: &mut Self) {
        for (agent, heard) in before.presence.drain().filter(|(agent, _)| self.names.agent(*agent).is_some())
        {
            let kept = self.presence.entry(agent).or_insert(heard);
            *kept = if kept.1 < heard.1 { heard } else { *kept };
        }
        let is_there = |agent: &i64| self.names.agent(*agent).is_some();
        let is_connected = |agent: &i64| self.names.agent(*agent).is_some_and(Agent::is_connected);
        self.told.extend(before.told.drain().filter(|(agent, _)| is_there(agent)));
        self.machines.extend(before.machines.drain().filter(|(agent, _)| is_connected(agent)));
        self.served.extend(before.served.drain().filter(|(agent, _)| is_there(agent)));
        self.online.extend(before.online.drain().filter(is_connected));
        for (agent, link) in before.connections.drain().filter(|(agent, _)| is_there(agent)) {
            let is_open = link.is_open && is_connected(&agent);
            let kept = self.connections.entry(agent).or_insert(Link { is_open, ..link });
            if kept.number < link.number {
                *kept = Link { is_open, ..link };
            }
        }
    }

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
