//! The ready order (D5, D6): lanes of ready tasks, and which one is next for whom.
//!
//! Tasks that are alike for the choice share a lane; a lane that a limit blocks is passed over as a whole, so blocked
//! work never enters the scan. Scopes take turns, and the queues of a scope take turns; within a queue the lowest
//! sort key is first.

mod limit;
mod pick;

pub use limit::{Rates, SECONDS_OF_A_RATE, Step as RateStep};
pub use pick::{Block, Pick, Want};

use super::Memory;
use limit::Slots;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::{Assignment, Flow, Settings};
use tiltyard_model::task::sort_key;
use tiltyard_model::time::TimeMs;

/// A ready task's place: its sort key, then its key.
pub type Place = (i64, i64);

/// One lane and what is ready in it.
#[derive(Debug)]
struct LaneState {
    queue: i64,
    lane: Arc<Lane>,
    places: BTreeSet<Place>,
}

/// One queue and its lanes.
#[derive(Debug)]
struct QueueState {
    scope: i64,
    settings: Settings,
    running: u32,
    ready: usize,
    /// The head of each lane that has one.
    heads: BTreeSet<(Place, i64)>,
}

/// What may be claimed, in order.
#[derive(Debug, Default)]
pub struct Ready {
    lanes: HashMap<i64, LaneState>,
    queues: HashMap<i64, QueueState>,
    /// Queues of each scope, in turn.
    turns: HashMap<i64, VecDeque<i64>>,
    /// Scopes, in turn.
    scopes: VecDeque<i64>,
    slots: Slots,
    rates: Rates,
    /// Grows whenever something could have become claimable.
    changes: u64,
}

impl Ready {
    /// Knows a queue and its settings.
    pub(super) fn know_queue(&mut self, key: i64, scope: i64, settings: &Settings) {
        self.changes += 1;
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.settings = settings.clone();
            return;
        }
        let fresh =
            QueueState { scope, settings: settings.clone(), running: 0, ready: 0, heads: BTreeSet::new() };
        self.queues.insert(key, fresh);
        if !self.turns.contains_key(&scope) {
            self.scopes.push_back(scope);
        }
        self.turns.entry(scope).or_default().push_back(key);
    }

    /// Forgets a queue that was made and taken back.
    pub(super) fn forget_queue(&mut self, key: i64) {
        if let Some(queue) = self.queues.remove(&key)
            && let Some(turns) = self.turns.get_mut(&queue.scope)
        {
            turns.retain(|other| *other != key);
        }
    }

    /// Knows a lane.
    pub(super) fn know_lane(&mut self, key: i64, queue: i64, lane: Arc<Lane>) {
        self.lanes.entry(key).or_insert(LaneState { queue, lane, places: BTreeSet::new() });
    }

    /// Forgets a lane that was made and taken back.
    pub(super) fn forget_lane(&mut self, key: i64) {
        self.lanes.remove(&key);
    }

    /// Puts a task in its place.
    pub fn insert(&mut self, lane: i64, place: Place) {
        self.changes += 1;
        self.with_heads(lane, |places| {
            places.insert(place);
        });
    }

    /// Takes a task out; false when it was not there.
    pub fn remove(&mut self, lane: i64, place: Place) -> bool {
        let mut was_there = false;
        self.with_heads(lane, |places| was_there = places.remove(&place));
        was_there
    }

    /// Changes the places of a lane and keeps the head that its queue knows.
    fn with_heads(&mut self, lane: i64, change: impl FnOnce(&mut BTreeSet<Place>)) {
        let Some(state) = self.lanes.get_mut(&lane) else { return };
        let Some(queue) = self.queues.get_mut(&state.queue) else { return };
        let (head, count) = (state.places.first().copied(), state.places.len());
        change(&mut state.places);
        queue.ready = queue.ready + state.places.len() - count;
        let now = state.places.first().copied();
        if head != now {
            if let Some(head) = head {
                queue.heads.remove(&(head, lane));
            }
            if let Some(now) = now {
                queue.heads.insert((now, lane));
            }
        }
    }

    /// A lease of that lane began: it takes a slot of its queue and of its key.
    pub fn take(&mut self, lane: i64) {
        let Some(state) = self.lanes.get(&lane) else { return };
        if let Some(queue) = self.queues.get_mut(&state.queue) {
            queue.running += 1;
        }
        if let Some(concurrency) = &state.lane.concurrency {
            self.slots.take(&state.lane.scope, &concurrency.key);
        }
    }

    /// A lease of that lane ended.
    pub fn free(&mut self, lane: i64) {
        self.changes += 1;
        let Some(state) = self.lanes.get(&lane) else { return };
        if let Some(queue) = self.queues.get_mut(&state.queue) {
            queue.running = queue.running.saturating_sub(1);
        }
        if let Some(concurrency) = &state.lane.concurrency {
            self.slots.free(&state.lane.scope, &concurrency.key);
        }
    }

    /// How many tasks of a queue run.
    pub fn running(&self, queue: i64) -> u32 {
        self.queues.get(&queue).map_or(0, |queue| queue.running)
    }

    /// How many tasks of a concurrency key run in a scope.
    pub fn running_of_key(&self, scope: &str, key: &str) -> u32 {
        self.slots.running(scope, key)
    }

    /// The starts of the last minute.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Starts read from the store, or counted.
    pub fn rates_mut(&mut self) -> &mut Rates {
        &mut self.rates
    }

    /// How many tasks are ready.
    pub fn len(&self) -> usize {
        self.queues.values().map(|queue| queue.ready).sum()
    }

    /// Whether nothing is ready.
    pub fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.ready == 0)
    }

    /// Grows whenever something could have become claimable.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Says that something could have become claimable: a minute has gone on.
    pub fn touch(&mut self) {
        self.changes += 1;
    }

    /// How many ready tasks of its queue stand before a place, at most `limit`.
    pub fn before(&self, queue: i64, place: Place, limit: usize) -> usize {
        let lanes = self.lanes.values().filter(|state| state.queue == queue);
        lanes.map(|state| state.places.range(..place).take(limit).count()).sum::<usize>().min(limit)
    }

    /// The ready task of a queue that starts next, while nothing holds the queue back.
    pub fn head_of(&self, queue: i64) -> Option<Place> {
        self.queues.get(&queue).and_then(|queue| queue.heads.first()).map(|(place, _)| *place)
    }

    /// Queues with ready work: key, how they choose agents, and the category of their first task.
    pub fn waiting_queues(&self) -> impl Iterator<Item = (i64, Assignment, Option<&str>)> {
        self.queues.iter().filter(|(_, queue)| queue.ready > 0).map(|(key, queue)| {
            let lane = queue.heads.first().and_then(|(_, lane)| self.lanes.get(lane));
            (*key, queue.settings.assignment, lane.and_then(|lane| lane.lane.category.as_deref()))
        })
    }

    /// Its parts as text, for the comparison with a rebuild.
    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (key, lane) in self.lanes.iter().filter(|(_, lane)| !lane.places.is_empty()) {
            all.insert(format!("ready {key}"), format!("{:?}", lane.places));
        }
        for (key, queue) in &self.queues {
            let text = format!("running {} ready {} heads {:?}", queue.running, queue.ready, queue.heads);
            all.insert(format!("order {key}"), text);
        }
        self.slots.summary(all);
    }

    /// Whether a queue hands out work at all.
    fn is_open(queue: &QueueState) -> bool {
        queue.settings.flow == Flow::Open
            && queue.settings.concurrency_limit.is_none_or(|limit| queue.running < limit)
    }
}

/// A step of the ready order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A task may be claimed.
    Insert {
        /// The key of its lane.
        lane: i64,
        /// Its place.
        place: Place,
    },
    /// A task may no longer be claimed.
    Remove {
        /// The key of its lane.
        lane: i64,
        /// Its place.
        place: Place,
    },
}

impl Ready {
    pub(super) fn apply(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Insert { lane, place } => {
                self.insert(lane, place);
                Some(Step::Remove { lane, place })
            }
            Step::Remove { lane, place } => self.remove(lane, place).then_some(Step::Insert { lane, place }),
        }
    }
}

impl Memory {
    /// Makes a task claimable.
    pub fn make_ready(&mut self, lane: i64, task: i64, ready_at: TimeMs, priority: u8) {
        self.step(Step::Insert { lane, place: (sort_key(ready_at, priority), task) });
    }

    /// Makes a task no longer claimable.
    pub fn unready(&mut self, lane: i64, task: i64, ready_at: TimeMs, priority: u8) {
        self.take_out(lane, (sort_key(ready_at, priority), task));
    }

    /// Takes a place out of its lane.
    pub fn take_out(&mut self, lane: i64, place: Place) {
        self.step(Step::Remove { lane, place });
    }
}
