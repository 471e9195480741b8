//! How many tasks each queue has in each state: what screens show without touching the hot path.

use super::{Memory, Parts};
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

impl Memory {
    /// Counts a task's move; `None` is birth or death.
    pub fn count_move(&mut self, queue: i64, from: Option<State>, to: Option<State>) {
        self.change(move |parts| {
            apply(parts, queue, from, to);
            ((), Box::new(move |parts: &mut Parts| apply(parts, queue, to, from)))
        });
    }
}

fn apply(parts: &mut Parts, queue: i64, from: Option<State>, to: Option<State>) {
    if let Some(from) = from {
        parts.counts.add(queue, from, -1);
    }
    if let Some(to) = to {
        parts.counts.add(queue, to, 1);
    }
}
