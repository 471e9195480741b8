//! Which task holds which unique key: a hash map, verified against the row. A random key in an index of the task's
//! table would cost five times on enqueue.

use super::{Memory, Parts};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use tiltyard_model::time::TimeMs;

/// A task that holds a key, and until when; as long as the task when absent.
type Held = (i64, Option<TimeMs>);

/// Holds by hash, by task and by time.
#[derive(Debug, Default)]
pub struct Holds {
    by_hash: HashMap<i64, Held>,
    /// Holds of other keys that have the hash of one in `by_hash`.
    collisions: HashMap<i64, Vec<Held>>,
    by_task: HashMap<i64, i64>,
    by_time: BTreeSet<(TimeMs, i64)>,
}

impl Holds {
    /// The tasks that hold a key with this hash, over or not: which of them holds which key, its row says.
    pub fn holders(&self, hash: i64) -> impl Iterator<Item = Held> {
        let others = self.collisions.get(&hash).into_iter().flatten();
        self.by_hash.get(&hash).into_iter().chain(others).copied()
    }

    /// Whether a task's hold ends with the task.
    pub fn ends_with_task(&self, task: i64) -> bool {
        self.held(task).is_some_and(|(_, until)| until.is_none())
    }

    fn held(&self, task: i64) -> Option<(i64, Option<TimeMs>)> {
        let hash = *self.by_task.get(&task)?;
        self.holders(hash).find(|(holder, _)| *holder == task).map(|(_, until)| (hash, until))
    }

    /// Tasks whose timed hold is over at `now`.
    pub fn over(&self, now: TimeMs, limit: usize) -> Vec<i64> {
        let over = self.by_time.iter().take_while(|(until, _)| *until <= now);
        over.map(|(_, task)| *task).take(limit).collect()
    }

    /// Every hold: task, hash, end.
    pub fn all(&self) -> impl Iterator<Item = (i64, i64, Option<TimeMs>)> {
        let tasks = self.by_task.keys().filter_map(|task| Some((*task, self.held(*task)?)));
        tasks.map(|(task, (hash, until))| (task, hash, until))
    }

    /// Knows a task's hold; gives what it held before.
    pub fn put(&mut self, hash: i64, task: i64, until: Option<TimeMs>) -> Option<(i64, Option<TimeMs>)> {
        let before = self.end(task);
        self.by_task.insert(task, hash);
        self.by_time.extend(until.map(|until| (until, task)));
        match self.by_hash.entry(hash) {
            Entry::Vacant(free) => drop(free.insert((task, until))),
            Entry::Occupied(_) => self.collisions.entry(hash).or_default().push((task, until)),
        }
        before
    }

    fn end(&mut self, task: i64) -> Option<(i64, Option<TimeMs>)> {
        let (hash, until) = self.held(task)?;
        self.by_task.remove(&task);
        if let Some(until) = until {
            self.by_time.remove(&(until, task));
        }
        let others = self.collisions.get_mut(&hash);
        if self.by_hash.get(&hash).is_some_and(|(holder, _)| *holder == task) {
            match others.and_then(Vec::pop) {
                Some(other) => self.by_hash.insert(hash, other),
                None => self.by_hash.remove(&hash),
            };
        } else if let Some(others) = others {
            others.retain(|(holder, _)| *holder != task);
        }
        if self.collisions.get(&hash).is_some_and(Vec::is_empty) {
            self.collisions.remove(&hash);
        }
        Some((hash, until))
    }
}

/// The hash of a unique key in its scope: FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>), then mixed.
/// The rows are what decides, so a collision costs a look-up and nothing else.
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
    /// A task takes a hold.
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
                Some((hash, until)) => Step::Take { hash, task, until },
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

#[cfg(test)]
mod tests {
    use super::*;

    // D7: keys that share a hash are both held, whichever ends first.
    #[test]
    fn d7_a_collision_takes_no_hold_away() {
        let mut holds = Holds::default();
        assert_eq!(
            (holds.put(7, 1, None), holds.put(7, 2, Some(50)), holds.put(7, 3, None)),
            (None, None, None)
        );
        assert_eq!(holds.holders(7).count(), 3);
        assert!(holds.ends_with_task(1) && !holds.ends_with_task(2) && holds.ends_with_task(3));
        assert_eq!((holds.over(49, 9), holds.over(50, 9)), (vec![], vec![2]));
        assert_eq!(holds.put(8, 1, Some(60)), Some((7, None)), "one task holds one key");
        assert_eq!((holds.end(2), holds.end(2)), (Some((7, Some(50))), None));
        assert_eq!(holds.holders(7).collect::<Vec<_>>(), [(3, None)]);
        assert_eq!((holds.end(3), holds.end(1)), (Some((7, None)), Some((8, Some(60)))));
        assert!(holds.all().next().is_none() && holds.by_hash.is_empty() && holds.by_time.is_empty());
    }
}
