//! Which ready task is next for somebody.

use super::limit::queue_key;
use super::rest::Sleeper;
use super::{LaneState, Place, QueueState, Ready};
use tiltyard_model::queue::Assignment;
use tiltyard_model::role::Reach;
use tiltyard_model::time::TimeMs;

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
    /// The next task for `want` at `now`, without taking it; the turn passes on. What a rate holds back is put to rest
    /// where it is met, so that the next look does not meet it.
    pub fn next(&mut self, want: &Want, now: TimeMs) -> Option<Pick> {
        self.wake(now);
        loop {
            let first = |key| Some((key, self.queues.get(&key)?.open.first(want)?));
            let (queue, (place, lane)) = self.rota.find(want, first)?;
            if self.rests(queue, lane, now) {
                continue;
            }
            self.rota.serve(queue);
            let scope = self.queues.get(&queue).map_or(0, |queue| queue.scope);
            return Some(Pick { task: place.1, lane, queue, scope, place });
        }
    }

    /// The turn passes on from a queue that somebody was served from elsewhere, as [`Ready::next`] passes it on here.
    pub(in crate::memory) fn pass_turn(&mut self, queue: i64) {
        self.rota.serve(queue);
    }

    /// Puts a queue or its lane to rest when the starts of its rate are used up.
    fn rests(&mut self, key: i64, lane: i64, now: TimeMs) -> bool {
        let second = now / 1_000;
        let (Some(queue), Some(state)) = (self.queues.get(&key), self.lanes.get(&lane)) else { return false };
        let scope = queue.scope;
        let of_queue =
            queue.settings.rate_per_minute.map(|limit| (Sleeper::Queue(key), queue_key(key), limit));
        let own = state.lane.rate.as_ref();
        let own = own.map(|rate| (Sleeper::Lane(lane), rate.key.clone(), rate.per_minute));
        let used_up = |(_, rate, limit): &(_, String, u32)| self.rates.started(scope, rate, second) >= *limit;
        let Some((sleeper, rate, limit)) = of_queue.into_iter().chain(own).find(used_up) else {
            return false;
        };
        let until = self.rates.opens_at(scope, &rate, limit, second);
        self.asleep.add(sleeper, (scope, rate), until);
        self.set_resting(sleeper, true);
        true
    }

    fn queue_rate_is_used_up(&self, key: i64, queue: &QueueState, now: TimeMs) -> bool {
        let used_up = |limit| self.rates.started(queue.scope, &queue_key(key), now / 1_000) >= limit;
        queue.settings.rate_per_minute.is_some_and(used_up)
    }

    fn blocked_by(&self, scope: i64, lane: &LaneState, now: TimeMs) -> Option<Block> {
        if let Some(concurrency) = &lane.lane.concurrency
            && self.slots.is_full(&lane.lane.scope, concurrency)
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

    /// Whether a start of this lane may hold the next one back, or say whose turn it is.
    pub fn is_limited(&self, lane: i64) -> bool {
        let Some(state) = self.lanes.get(&lane) else { return true };
        let Some(queue) = self.queues.get(&state.queue) else { return true };
        let own = state.lane.concurrency.is_some() || state.lane.rate.is_some();
        let settings = &queue.settings;
        let of_queue = settings.concurrency_limit.is_some() || settings.rate_per_minute.is_some();
        own || of_queue || settings.assignment == Assignment::Affinity
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
