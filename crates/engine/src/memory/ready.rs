//! The ready order (D5, D6): lanes of ready tasks, and which one is next for whom.
//!
//! Tasks that are alike for the choice share a lane. A lane that a limit blocks is in no list that is looked at: what
//! blocks it knows it, and puts it back. An asker looks only at lanes that it could take from ([`index`]), in queues
//! that could start something ([`turn`]). Scopes take turns, and the queues of a scope take turns; within a queue the
//! lowest sort key is first.

mod index;
mod limit;
mod pick;
mod rest;
mod turn;
mod woken;

pub use limit::{Rates, SECONDS_OF_A_RATE, Step as RateStep};
pub use pick::{Block, Pick, Want};
pub use woken::Woken;

use super::Memory;
use index::{Head, Open};
use limit::Slots;
use rest::{Rests, Sleeper};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::{Assignment, Flow, Settings};
use tiltyard_model::task::sort_key;
use tiltyard_model::time::TimeMs;
use turn::Rota;
use woken::Opened;

/// A ready task's place: its sort key, then its key.
pub type Place = (i64, i64);

/// One lane and what is ready in it.
#[derive(Debug)]
struct LaneState {
    queue: i64,
    lane: Arc<Lane>,
    places: BTreeSet<Place>,
    /// Its head, while nothing blocks it.
    shown: Option<Head>,
    /// Whether it waits for its rate.
    rests: bool,
    /// How many of its leases and stops there are.
    running: u32,
    /// Since when it has neither ready tasks nor leases, as a place in [`Idle`].
    idle: Option<u64>,
}

/// One queue and its lanes.
#[derive(Debug)]
struct QueueState {
    scope: i64,
    settings: Settings,
    running: u32,
    ready: usize,
    /// The head of each lane that has one, blocked or not.
    heads: BTreeSet<Head>,
    /// Those that nothing blocks.
    open: Open,
    /// Whether it waits for its rate.
    rests: bool,
}

/// Lanes without ready tasks and leases, in the order in which they became so.
#[derive(Debug, Default)]
struct Idle {
    turns: u64,
    by_turn: BTreeMap<u64, i64>,
}

/// A queue, for those who look for the next task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Its key.
    pub key: i64,
    /// Its scope's key and name.
    pub scope: (i64, &'a str),
    /// Its name.
    pub name: &'a Arc<str>,
    /// Its switches and limits.
    pub settings: &'a Settings,
}

/// What may be claimed, in order.
#[derive(Debug, Default)]
pub struct Ready {
    lanes: HashMap<i64, LaneState>,
    queues: HashMap<i64, QueueState>,
    rota: Rota,
    slots: Slots,
    rates: Rates,
    asleep: Rests,
    count: usize,
    idle: Idle,
    /// Grows whenever something could have become claimable.
    changes: u64,
    opened: Opened,
}

impl Ready {
    /// Knows the name of a scope.
    pub(super) fn know_scope(&mut self, key: i64, name: &str) {
        self.rota.know_scope(key, name);
    }

    /// Knows a queue and its settings.
    pub(super) fn know_queue(&mut self, known: Known<'_>) {
        self.changes += 1;
        if let Some(queue) = self.queues.get_mut(&known.key) {
            queue.settings = known.settings.clone();
            queue.rests = false;
            return self.stand(known.key);
        }
        let fresh = QueueState {
            scope: known.scope.0,
            settings: known.settings.clone(),
            running: 0,
            ready: 0,
            heads: BTreeSet::new(),
            open: Open::default(),
            rests: false,
        };
        self.queues.insert(known.key, fresh);
        self.rota.know(known.key, known.scope, known.name);
    }

    /// Forgets a queue that was made and taken back.
    pub(super) fn forget_queue(&mut self, key: i64) {
        if let Some(queue) = self.queues.remove(&key) {
            self.count -= queue.ready;
        }
        self.rota.forget(key);
        self.opened.forget_queue(key);
    }

    /// Knows a lane.
    pub(super) fn know_lane(&mut self, key: i64, queue: i64, lane: Arc<Lane>) {
        let fresh = || LaneState {
            queue,
            lane,
            places: BTreeSet::new(),
            shown: None,
            rests: false,
            running: 0,
            idle: None,
        };
        self.lanes.entry(key).or_insert_with(fresh);
        self.note_idle(key);
    }

    /// Forgets a lane that was made and taken back.
    pub(super) fn forget_lane(&mut self, key: i64) {
        if let Some(at) = self.lanes.remove(&key).and_then(|lane| lane.idle) {
            self.idle.by_turn.remove(&at);
        }
    }

    /// Lanes that nothing is ready in and nothing runs of, longest idle first: those above `keep`, at most `limit`.
    pub fn idle_lanes(&self, keep: usize, limit: usize) -> Vec<i64> {
        let over = self.idle.by_turn.len().saturating_sub(keep).min(limit);
        self.idle.by_turn.values().take(over).copied().collect()
    }

    fn note_idle(&mut self, key: i64) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        match (lane.places.is_empty() && lane.running == 0, lane.idle) {
            (true, None) => {
                self.idle.turns += 1;
                lane.idle = Some(self.idle.turns);
                self.idle.by_turn.insert(self.idle.turns, key);
            }
            (false, Some(at)) => {
                lane.idle = None;
                self.idle.by_turn.remove(&at);
            }
            _ => {}
        }
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
    fn with_heads(&mut self, key: i64, change: impl FnOnce(&mut BTreeSet<Place>)) {
        let Some(state) = self.lanes.get_mut(&key) else { return };
        let Some(queue) = self.queues.get_mut(&state.queue) else { return };
        let (head, count) = (state.places.first().copied(), state.places.len());
        change(&mut state.places);
        queue.ready = queue.ready + state.places.len() - count;
        self.count = self.count + state.places.len() - count;
        let now = state.places.first().copied();
        if head == now {
            return;
        }
        if let Some(head) = head {
            queue.heads.remove(&(head, key));
        }
        queue.heads.extend(now.map(|now| (now, key)));
        if let Some(concurrency) = &state.lane.concurrency {
            match (head, now) {
                (None, Some(_)) => self.slots.join(&state.lane.scope, concurrency, key),
                (Some(_), None) => self.slots.leave(&state.lane.scope, concurrency, key),
                _ => {}
            }
        }
        if head.is_none() || now.is_none() {
            self.note_idle(key);
        }
        self.show(key);
    }

    /// Shows a lane's head to those who look, or no longer.
    fn show(&mut self, key: i64) {
        let Some(state) = self.lanes.get_mut(&key) else { return };
        let Some(queue) = self.queues.get_mut(&state.queue) else { return };
        let limit = state.lane.concurrency.as_ref();
        let blocked = state.rests || limit.is_some_and(|limit| self.slots.is_full(&state.lane.scope, limit));
        let head = state.places.first().filter(|_| !blocked).map(|place| (*place, key));
        if head == state.shown {
            return;
        }
        queue.open.replace(&state.lane, state.shown, head);
        if state.shown.is_none() {
            self.opened.queue(state.queue);
        }
        state.shown = head;
        let queue = state.queue;
        self.stand(queue);
    }

    /// Lets a queue stand in line while it could start something.
    fn stand(&mut self, key: i64) {
        let Some(queue) = self.queues.get(&key) else { return };
        if self.rota.stand(key, !queue.open.is_empty() && !queue.rests && Self::is_open(queue)) {
            self.opened.queue(key);
        }
    }

    /// A lease of that lane began: it takes a slot of its queue and of its key.
    pub fn take(&mut self, lane: i64) {
        let Some(state) = self.lanes.get_mut(&lane) else { return };
        state.running += 1;
        let key = state.queue;
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.running += 1;
        }
        if let Some(concurrency) = &state.lane.concurrency {
            let full = self.slots.take(&state.lane.scope, &concurrency.key);
            full.into_iter().for_each(|lane| self.show(lane));
        }
        self.note_idle(lane);
        self.stand(key);
    }

    /// A lease of that lane ended.
    pub fn free(&mut self, lane: i64) {
        self.changes += 1;
        let Some(state) = self.lanes.get_mut(&lane) else { return };
        state.running = state.running.saturating_sub(1);
        let key = state.queue;
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.running = queue.running.saturating_sub(1);
        }
        if let Some(concurrency) = &state.lane.concurrency {
            let let_go = self.slots.free(&state.lane.scope, &concurrency.key);
            let_go.into_iter().for_each(|lane| self.show(lane));
        }
        self.note_idle(lane);
        self.stand(key);
    }

    /// An agent holds less than it did, so it may have room for more.
    pub(super) fn has_room(&mut self, agent: i64) {
        self.opened.agent(agent);
    }

    /// Lets go what has rested enough.
    fn wake(&mut self, now: TimeMs) {
        for sleeper in self.asleep.over(now / 1_000) {
            self.set_resting(sleeper, false);
        }
    }

    fn set_resting(&mut self, sleeper: Sleeper, rests: bool) {
        match sleeper {
            Sleeper::Lane(key) => {
                self.lanes.entry(key).and_modify(|lane| lane.rests = rests);
                self.show(key);
            }
            Sleeper::Queue(key) => {
                self.queues.entry(key).and_modify(|queue| queue.rests = rests);
                self.stand(key);
            }
        }
    }

    /// A step of the starts that rates count.
    pub(super) fn apply_rate(&mut self, step: RateStep) -> Option<RateStep> {
        for rate in step.lets_go() {
            for sleeper in self.asleep.of(&rate) {
                self.set_resting(sleeper, false);
            }
        }
        self.rates.apply(step)
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
        self.count
    }

    /// Whether nothing is ready.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Grows whenever something could have become claimable.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Says that anything could have become claimable for somebody.
    pub fn touch(&mut self) {
        self.changes += 1;
        self.opened.all();
    }

    /// How many ready tasks of its queue stand before a place, at most `limit`.
    pub fn before(&self, queue: i64, place: Place, limit: usize) -> usize {
        let heads = self.queues.get(&queue).map(|queue| queue.heads.range(..(place, i64::MIN)));
        let lanes = heads.into_iter().flatten().filter_map(|(_, lane)| self.lanes.get(lane));
        lanes.flat_map(|state| state.places.range(..place)).take(limit).count()
    }

    /// The ready task of a queue that starts next, while nothing holds the queue back.
    pub fn head_of(&self, queue: i64) -> Option<Place> {
        self.queues.get(&queue).and_then(|queue| queue.heads.first()).map(|(place, _)| *place)
    }

    /// How the queues that could start something choose agents.
    pub fn in_line(&self) -> impl Iterator<Item = Assignment> {
        self.rota.in_line().filter_map(|key| self.queues.get(&key)).map(|queue| queue.settings.assignment)
    }

    /// The queue from which somebody would be served next, how it chooses agents, and the category of the task.
    pub fn first_for(&self, want: &Want) -> Option<(i64, Assignment, Option<&str>)> {
        self.rota.find(want, |key| {
            let queue = self.queues.get(&key)?;
            let lane = self.lanes.get(&queue.open.first(want)?.1)?;
            Some((key, queue.settings.assignment, lane.lane.category.as_deref()))
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
        // What a rate holds back is found out when it is met, so not even those who know the same know that alike.
        for (key, lane) in self.lanes.iter().filter(|(_, lane)| lane.lane.rate.is_none()) {
            all.extend(lane.shown.map(|shown| (format!("open {key}"), format!("{shown:?}"))));
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
