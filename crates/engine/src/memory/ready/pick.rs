//! Which ready task is next for somebody.

use super::{LaneState, Place, QueueState, Ready, limit::queue_key};
use std::collections::VecDeque;
use tiltyard_model::role::Reach;
use tiltyard_model::time::TimeMs;

/// Lanes of one queue that are looked at for one pick; what is behind them waits for the next.
const MAX_LANES_A_PICK: usize = 10_000;

/// Who asks, and what for.
#[derive(Debug, Clone)]
pub struct Want {
    /// The agent's name.
    pub agent: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The kinds that it does; `None` for all.
    pub kinds: Option<Vec<String>>,
    /// From these queues; empty for all.
    pub queues: Vec<String>,
    /// From these scopes.
    pub reach: Reach,
    /// The queues that the token may use; `None` for all.
    pub allowed: Option<Vec<String>>,
}

/// A task that was picked and taken out of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Its key.
    pub task: i64,
    /// The key of its lane.
    pub lane: i64,
    /// The key of its queue.
    pub queue: i64,
    /// The key of its scope.
    pub scope: i64,
    /// Its place.
    pub place: Place,
}

impl Want {
    /// Whether it is meant for a queue of a scope.
    pub fn names(&self, scope: &str, queue: &str) -> bool {
        self.reach.covers(scope)
            && (self.queues.is_empty() || self.queues.iter().any(|name| name == queue))
            && self.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == queue))
    }
}

impl Ready {
    /// The next task for `want` at `now`, without taking it; the turn passes on.
    pub fn next(&mut self, want: &Want, now: TimeMs) -> Option<Pick> {
        for _ in 0..self.scopes.len() {
            let scope = self.scopes.pop_front()?;
            self.scopes.push_back(scope);
            if let Some(pick) = self.next_of_scope(scope, want, now) {
                return Some(pick);
            }
        }
        None
    }

    fn next_of_scope(&mut self, scope: i64, want: &Want, now: TimeMs) -> Option<Pick> {
        let turns = self.turns.get(&scope)?.len();
        for _ in 0..turns {
            let queues = self.turns.get_mut(&scope)?;
            let key = queues.pop_front()?;
            queues.push_back(key);
            if let Some(pick) = self.next_of_queue(key, want, now) {
                return Some(pick);
            }
        }
        None
    }

    /// The turn passes on from a queue that somebody was served from elsewhere, as [`Ready::next`] passes it on here.
    pub(in crate::memory) fn pass_turn(&mut self, queue: i64) {
        let Some(scope) = self.queues.get(&queue).map(|queue| queue.scope) else { return };
        pass(&mut self.scopes, scope);
        if let Some(queues) = self.turns.get_mut(&scope) {
            pass(queues, queue);
        }
    }

    fn next_of_queue(&self, key: i64, want: &Want, now: TimeMs) -> Option<Pick> {
        let queue = self.queues.get(&key).filter(|queue| queue.ready > 0 && Self::is_open(queue))?;
        if self.queue_rate_is_used_up(key, queue, now) {
            return None;
        }
        let fits = |lane: &LaneState| {
            want.names(&lane.lane.scope, &lane.lane.queue)
                && lane.lane.fits(&want.agent, &want.capabilities)
                && lane.lane.is_done_by(want.kinds.as_deref())
        };
        let heads = queue.heads.iter().take(MAX_LANES_A_PICK);
        heads
            .filter_map(|(place, lane)| Some((*place, *lane, self.lanes.get(lane)?)))
            .find(|(_, _, lane)| fits(lane) && self.blocked_by(queue.scope, lane, now).is_none())
            .map(|(place, lane, _)| Pick { task: place.1, lane, queue: key, scope: queue.scope, place })
    }

    fn queue_rate_is_used_up(&self, key: i64, queue: &QueueState, now: TimeMs) -> bool {
        let used_up = |limit| self.rates.started(queue.scope, &queue_key(key), now / 1_000) >= limit;
        queue.settings.rate_per_minute.is_some_and(used_up)
    }

    fn blocked_by(&self, scope: i64, lane: &LaneState, now: TimeMs) -> Option<Block> {
        if let Some(concurrency) = &lane.lane.concurrency
            && self.slots.running(&lane.lane.scope, &concurrency.key) >= concurrency.limit
        {
            return Some(Block::Concurrency);
        }
        if let Some(rate) = &lane.lane.rate
            && self.rates.started(scope, &rate.key, now / 1_000) >= rate.per_minute
        {
            return Some(Block::Rate);
        }
        None
    }

    /// What blocks a lane at `now`, the queue's own limits included: for `why` (D8).
    pub fn block_of(&self, lane: i64, now: TimeMs) -> Option<Block> {
        let state = self.lanes.get(&lane)?;
        let queue = self.queues.get(&state.queue)?;
        if queue.settings.concurrency_limit.is_some_and(|limit| queue.running >= limit) {
            return Some(Block::QueueLimit);
        }
        if self.queue_rate_is_used_up(state.queue, queue, now) {
            return Some(Block::QueueRate);
        }
        self.blocked_by(queue.scope, state, now)
    }

    /// The rates that a start of this lane counts against: (scope, key).
    pub fn rates_of(&self, lane: i64) -> Vec<(i64, String)> {
        let Some(state) = self.lanes.get(&lane) else { return Vec::new() };
        let Some(queue) = self.queues.get(&state.queue) else { return Vec::new() };
        let own = state.lane.rate.as_ref().map(|rate| (queue.scope, rate.key.clone()));
        let of_queue = queue.settings.rate_per_minute.map(|_| (queue.scope, queue_key(state.queue)));
        own.into_iter().chain(of_queue).collect()
    }
}

/// Moves all up to and with `key` to the end.
fn pass(turns: &mut VecDeque<i64>, key: i64) {
    if let Some(place) = turns.iter().position(|other| *other == key) {
        turns.rotate_left(place + 1);
    }
}

/// What blocks a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// As many of its key run as may.
    Concurrency,
    /// As many of its key started this minute as may.
    Rate,
    /// As many of its queue run as may.
    QueueLimit,
    /// As many of its queue started this minute as may.
    QueueRate,
}

#[cfg(test)]
mod tests;
