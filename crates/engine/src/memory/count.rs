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
}

impl Counts {
    /// The counts of one queue, by state's number.
    pub fn of(&self, queue: i64) -> [i64; STATES] {
        self.by_queue.get(&queue).copied().unwrap_or_default()
    }

    /// Adds to one count.
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
        if let Some(from) = from {
            self.add(queue, from, -1);
        }
        if let Some(to) = to {
            self.add(queue, to, 1);
        }
        Step { queue, from: to, to: from }
    }
}

impl Memory {
    /// Counts a task's move; `None` is birth or death.
    pub fn count_move(&mut self, queue: i64, from: Option<State>, to: Option<State>) {
        self.step(Step { queue, from, to });
    }
}
