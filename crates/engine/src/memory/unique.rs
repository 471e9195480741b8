//! Which task holds which unique key: a hash map, verified against the row. A random key in an index of the task's
//! table would cost five times on enqueue.

use super::{Memory, Parts};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tiltyard_model::time::TimeMs;

/// Holds by hash and by task.
#[derive(Debug, Default)]
pub struct Holds {
    by_hash: HashMap<i64, (i64, Option<TimeMs>)>,
    by_task: HashMap<i64, i64>,
}

impl Holds {
    /// The task that holds a hash at `now`.
    pub fn holder(&self, hash: i64, now: TimeMs) -> Option<i64> {
        let (task, until) = self.by_hash.get(&hash)?;
        until.is_none_or(|until| until > now).then_some(*task)
    }

    /// Whether a task's hold ends with the task.
    pub fn ends_with_task(&self, task: i64) -> bool {
        let hold = self.by_task.get(&task).and_then(|hash| self.by_hash.get(hash));
        hold.is_some_and(|(_, until)| until.is_none())
    }

    /// Tasks whose timed hold is over at `now`.
    pub fn over(&self, now: TimeMs, limit: usize) -> Vec<i64> {
        let over = self.by_hash.values().filter(|(_, until)| until.is_some_and(|until| until <= now));
        over.map(|(task, _)| *task).take(limit).collect()
    }

    /// Every hold: task, hash, end.
    pub fn all(&self) -> impl Iterator<Item = (i64, i64, Option<TimeMs>)> {
        self.by_hash.iter().map(|(hash, (task, until))| (*task, *hash, *until))
    }

    /// Knows a hold.
    pub fn put(&mut self, hash: i64, task: i64, until: Option<TimeMs>) -> Option<(i64, Option<TimeMs>)> {
        self.by_task.insert(task, hash);
        let before = self.by_hash.insert(hash, (task, until));
        if let Some((other, _)) = before.filter(|(other, _)| *other != task) {
            self.by_task.remove(&other);
        }
        before
    }

    fn end(&mut self, task: i64) -> Option<(i64, Option<TimeMs>)> {
        let hash = self.by_task.remove(&task)?;
        self.by_hash.remove(&hash).map(|(_, until)| (hash, until))
    }
}

/// The hash of a unique key in its scope: FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>), then mixed.
/// The row is what decides, so a collision costs a look-up and nothing else.
pub fn hash_of(scope: i64, key: &str) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in scope.to_le_bytes().iter().chain(key.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 32)) as i64
}

/// A step of a unique key, or of how many tasks wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A task takes a hold, from whoever had it.
    Take {
        /// The hash of the key.
        hash: i64,
        /// The task's key.
        task: i64,
        /// Until when; as long as the task when absent.
        until: Option<TimeMs>,
    },
    /// A task's hold ends.
    End {
        /// The task's key.
        task: i64,
    },
    /// So many more (or fewer) pending tasks wait for a task.
    Await {
        /// The task's key.
        task: i64,
        /// How many.
        by: i64,
    },
}

impl Parts {
    pub(super) fn apply_unique(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Take { hash, task, until } => Some(match self.unique.put(hash, task, until) {
                Some((task, until)) => Step::Take { hash, task, until },
                None => Step::End { task },
            }),
            Step::End { task } => self.unique.end(task).map(|(hash, until)| Step::Take { hash, task, until }),
            Step::Await { task, by } => {
                await_by(self, task, by);
                Some(Step::Await { task, by: -by })
            }
        }
    }
}

impl Memory {
    /// A task takes a hold.
    pub fn hold(&mut self, hash: i64, task: i64, until: Option<TimeMs>) {
        self.step(Step::Take { hash, task, until });
    }

    /// A task's hold ends.
    pub fn end_hold(&mut self, task: i64) {
        self.step(Step::End { task });
    }

    /// So many more (or fewer) pending tasks wait for `task`.
    pub fn await_more(&mut self, task: i64, by: i64) {
        self.step(Step::Await { task, by });
    }
}

fn await_by(parts: &mut Parts, task: i64, by: i64) {
    let count = i64::from(parts.awaited.get(&task).copied().unwrap_or_default()) + by;
    if count > 0 {
        parts.awaited.insert(task, count as u32);
    } else {
        parts.awaited.remove(&task);
    }
}
