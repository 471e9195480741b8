//! How many tasks each queue has in each state: what screens show without touching the hot path.

use super::Memory;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tiltyard_model::task::State;

/// How many states there are.
const STATES: usize = State::ALL.len();

/// Counts by queue and state.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    by_queue: HashMap<i64, [i64; STATES]>,
    /// How the counts of final states differ from their rows: what the present transaction has to write.
    unwritten: HashMap<(i64, State), i64>,
}

impl Counts {
    /// The counts of one queue, by state's number.
    pub fn of(&self, queue: i64) -> [i64; STATES] {
        self.by_queue.get(&queue).copied().unwrap_or_default()
    }

    /// Adds to one count what its row says.
    pub fn add(&mut self, queue: i64, state: State, by: i64) {
        self.by_queue.entry(queue).or_default()[state as usize] += by;
    }
}

/// A task moved; `None` is birth or death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The key of its queue.
    pub queue: i64,
    /// Where it was.
    pub from: Option<State>,
    /// Where it is.
    pub to: Option<State>,
}

impl Counts {
    pub(super) fn apply(&mut self, step: Step) -> Step {
        let Step { queue, from, to } = step;
        self.shift(queue, from, -1);
        self.shift(queue, to, 1);
        Step { queue, from: to, to: from }
    }

    fn shift(&mut self, queue: i64, state: Option<State>, by: i64) {
        let Some(state) = state else { return };
        self.add(queue, state, by);
        if state.is_final() {
            *self.unwritten.entry((queue, state)).or_default() += by;
        }
    }

    /// What the present transaction has to write of ended tasks: queue, state, how many more.
    pub fn take_unwritten(&mut self) -> impl Iterator<Item = (i64, State, i64)> {
        let unwritten = std::mem::take(&mut self.unwritten).into_iter();
        unwritten.filter(|(_, by)| *by != 0).map(|((queue, state), by)| (queue, state, by))
    }

    /// Somebody else has written it, or nothing of it happened.
    pub(super) fn forget_unwritten(&mut self) {
        self.unwritten.clear();
    }
}

impl Memory {
    /// Counts a task's move; `None` is birth or death.
    pub fn count_move(&mut self, queue: i64, from: Option<State>, to: Option<State>) {
        self.step(Step { queue, from, to });
    }
}
