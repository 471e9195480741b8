//! Dead letters in memory: how many each scope has, and which tasks run again because of one, so that a task without a
//! letter costs nothing when it ends.

use super::Memory;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tiltyard_model::dead_letter::{DEFAULT_MAX_LETTERS, State};

/// How many letters of a scope stand where, by the state's number.
pub type Counts = [i64; State::ALL.len()];

/// How many letters a scope keeps; a setting that changes while the server runs.
#[derive(Debug, Clone)]
pub struct Limit(Arc<AtomicUsize>);

impl Default for Limit {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(DEFAULT_MAX_LETTERS)))
    }
}

impl Limit {
    /// Reads it.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets it; the next letter makes room by it.
    pub fn set(&self, max: usize) {
        self.0.store(max, Ordering::Relaxed);
    }
}

/// Letters by task, and how many.
#[derive(Debug, Default)]
pub struct Letters {
    /// How many a scope keeps.
    pub limit: Limit,
    retrying: HashMap<i64, i64>,
    counts: HashMap<i64, Counts>,
}

impl Letters {
    /// The letter for which a task runs again.
    pub fn retrying(&self, task: i64) -> Option<i64> {
        self.retrying.get(&task).copied()
    }

    /// How many letters of a scope stand where.
    pub fn of(&self, scope: i64) -> Counts {
        self.counts.get(&scope).copied().unwrap_or_default()
    }

    /// A letter is in a state, or no longer; gives the way back.
    pub(super) fn apply(&mut self, step: Step) -> Step {
        if let Some(from) = step.from {
            self.counts.entry(step.scope).or_default()[from as usize] -= 1;
            self.retrying.remove(&step.task);
        }
        if let Some(to) = step.to {
            self.counts.entry(step.scope).or_default()[to as usize] += 1;
            if to == State::Retrying {
                self.retrying.insert(step.task, step.letter);
            }
        }
        Step { from: step.to, to: step.from, ..step }
    }

    /// Its parts as text, for comparisons.
    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (scope, counts) in self.counts.iter().filter(|(_, counts)| **counts != Counts::default()) {
            all.insert(format!("letters {scope}"), format!("{counts:?}"));
        }
        for (task, letter) in &self.retrying {
            all.insert(format!("retrying {task}"), letter.to_string());
        }
    }

    /// What the store has counted, at start.
    pub fn add(&mut self, scope: i64, state: State, count: i64) {
        self.counts.entry(scope).or_default()[state as usize] += count;
    }

    /// A letter that is retried, at start.
    pub fn know(&mut self, task: i64, letter: i64) {
        self.retrying.insert(task, letter);
    }
}

/// A letter's step; from nothing it is born, to nothing it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The key of its scope.
    pub scope: i64,
    /// The key of its task.
    pub task: i64,
    /// Its key.
    pub letter: i64,
    /// Where it was.
    pub from: Option<State>,
    /// Where it is.
    pub to: Option<State>,
}

impl Memory {
    /// A letter makes a step.
    pub fn step_letter(&mut self, step: Step) {
        self.step(step);
    }
}
