//! Limits: how many of a key run, and how many started in the last minute.

use super::index::entry;
use crate::memory::Memory;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tiltyard_model::task::Concurrency;

/// How far back a rate looks.
pub const SECONDS_OF_A_RATE: i64 = 60;

/// How many tasks of each concurrency key run, by scope and key, and which lanes with ready tasks that holds back.
#[derive(Debug, Default)]
pub(super) struct Slots {
    scopes: HashMap<String, HashMap<String, Slot>>,
}

/// One concurrency key.
#[derive(Debug, Default)]
struct Slot {
    running: u32,
    /// Lanes with ready tasks, by the limit that they name.
    lanes: BTreeSet<(u32, i64)>,
}

impl Slots {
    pub(super) fn running(&self, scope: &str, key: &str) -> u32 {
        self.scopes.get(scope).and_then(|keys| keys.get(key)).map_or(0, |slot| slot.running)
    }

    pub(super) fn is_full(&self, scope: &str, of: &Concurrency) -> bool {
        self.running(scope, &of.key) >= of.limit
    }

    /// A lane has ready tasks.
    pub(super) fn join(&mut self, scope: &str, of: &Concurrency, lane: i64) {
        self.slot(scope, &of.key).lanes.insert((of.limit, lane));
    }

    /// A lane has none any more.
    pub(super) fn leave(&mut self, scope: &str, of: &Concurrency, lane: i64) {
        self.slot(scope, &of.key).lanes.remove(&(of.limit, lane));
        self.prune(scope, &of.key);
    }

    /// One more runs; gives the lanes that this holds back.
    pub(super) fn take(&mut self, scope: &str, key: &str) -> Vec<i64> {
        let slot = self.slot(scope, key);
        slot.running += 1;
        slot.limited_to(slot.running)
    }

    /// One less runs; gives the lanes that this lets go.
    pub(super) fn free(&mut self, scope: &str, key: &str) -> Vec<i64> {
        let slot = self.slot(scope, key);
        let let_go = slot.limited_to(slot.running);
        slot.running = slot.running.saturating_sub(1);
        self.prune(scope, key);
        let_go
    }

    fn slot(&mut self, scope: &str, key: &str) -> &mut Slot {
        entry(entry(&mut self.scopes, scope), key)
    }

    /// Drops what is empty.
    fn prune(&mut self, scope: &str, key: &str) {
        let Some(keys) = self.scopes.get_mut(scope) else { return };
        if keys.get(key).is_some_and(|slot| slot.running == 0 && slot.lanes.is_empty()) {
            keys.remove(key);
        }
        if keys.is_empty() {
            self.scopes.remove(scope);
        }
    }

    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (scope, keys) in &self.scopes {
            for (key, slot) in keys {
                all.insert(format!("slots {scope} {key}"), format!("{} {:?}", slot.running, slot.lanes));
            }
        }
    }
}

impl Slot {
    fn limited_to(&self, limit: u32) -> Vec<i64> {
        self.lanes.range((limit, i64::MIN)..=(limit, i64::MAX)).map(|(_, lane)| *lane).collect()
    }
}

/// Starts by second, of rate keys and of queues with a rate.
#[derive(Debug, Default)]
pub struct Rates {
    starts: HashMap<(i64, String), Vec<(i64, u32)>>,
}

impl Rates {
    /// Counts starts of a key of a scope at a second (of the wall clock).
    pub fn count(&mut self, scope: i64, key: &str, second: i64, starts: u32) {
        let seconds = self.starts.entry((scope, key.to_owned())).or_default();
        seconds.retain(|(at, _)| *at > second - SECONDS_OF_A_RATE);
        match seconds.iter_mut().find(|(at, _)| *at == second) {
            Some((_, count)) => *count += starts,
            None => seconds.push((second, starts)),
        }
    }

    /// Takes counted starts back.
    pub fn uncount(&mut self, scope: i64, key: &str, second: i64, starts: u32) {
        let Some(seconds) = self.starts.get_mut(&(scope, key.to_owned())) else { return };
        if let Some((_, count)) = seconds.iter_mut().find(|(at, _)| *at == second) {
            *count = count.saturating_sub(starts);
        }
    }

    /// Starts of the 60 seconds that end with `second`.
    pub fn started(&self, scope: i64, key: &str, second: i64) -> u32 {
        let Some(seconds) = self.starts.get(&(scope, key.to_owned())) else { return 0 };
        let counts = seconds.iter().filter(|(at, _)| *at > second - SECONDS_OF_A_RATE && *at <= second);
        counts.map(|(_, count)| count).sum()
    }

    /// The first second after `second` at which fewer than `limit` starts count, while nothing else starts.
    pub(super) fn opens_at(&self, scope: i64, key: &str, limit: u32, second: i64) -> i64 {
        let starts = self.starts.get(&(scope, key.to_owned())).map_or(&[][..], Vec::as_slice);
        let window = starts.iter().filter(|(at, _)| *at > second - SECONDS_OF_A_RATE && *at <= second);
        let mut counted: Vec<_> = window.copied().collect();
        counted.sort_unstable();
        let mut left: u32 = counted.iter().map(|(_, count)| count).sum();
        for (at, count) in counted {
            left -= count;
            if left < limit {
                return at + SECONDS_OF_A_RATE;
            }
        }
        second + SECONDS_OF_A_RATE
    }

    /// Whether any key has no start in the 60 seconds that end with `second`.
    fn has_old(&self, second: i64) -> bool {
        self.starts.values().any(|seconds| is_over(seconds, second))
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
}

/// Starts of one key, by second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starts {
    scope: i64,
    key: Box<str>,
    seconds: Vec<(i64, u32)>,
}

impl Step {
    /// The rates by which more may start after this step.
    pub(super) fn lets_go(&self) -> Vec<(i64, String)> {
        match self {
            Self::Uncount { scope, key, .. } => vec![(*scope, String::from(&**key))],
            Self::Back(starts) => {
                starts.iter().map(|Starts { scope, key, .. }| (*scope, String::from(&**key))).collect()
            }
            Self::Count { .. } | Self::Prune { .. } => Vec::new(),
        }
    }
}

/// A step of the starts that rates count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// One more start at a second.
    Count {
        /// The key of the scope.
        scope: i64,
        /// The key of the rate.
        key: Box<str>,
        /// The second of the wall clock.
        second: i64,
    },
    /// One start less at a second.
    Uncount {
        /// The key of the scope.
        scope: i64,
        /// The key of the rate.
        key: Box<str>,
        /// The second of the wall clock.
        second: i64,
    },
    /// Keys without a start in the 60 seconds that end with this one are forgotten.
    Prune {
        /// The second of the wall clock.
        second: i64,
    },
    /// These are as they were.
    Back(Vec<Starts>),
}

impl Rates {
    pub(super) fn apply(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Count { scope, key, second } => {
                let before = self.with_old(scope, &key, second);
                self.count(scope, &key, second, 1);
                Some(before.map_or(Step::Uncount { scope, key, second }, |starts| Step::Back(vec![starts])))
            }
            Step::Uncount { scope, key, second } => {
                self.uncount(scope, &key, second, 1);
                Some(Step::Count { scope, key, second })
            }
            Step::Prune { second } => {
                let old = self.starts.extract_if(|_, seconds| is_over(seconds, second));
                let old = old.map(|((scope, key), seconds)| Starts { scope, key: key.into(), seconds });
                Some(Step::Back(old.collect()))
            }
            Step::Back(starts) => {
                let back = |Starts { scope, key, seconds }| ((scope, String::from(key)), seconds);
                self.starts.extend(starts.into_iter().map(back));
                None
            }
        }
    }

    /// The starts of a key, when counting one at `second` lets go of older ones.
    fn with_old(&self, scope: i64, key: &str, second: i64) -> Option<Starts> {
        let seconds = self.starts.get(&(scope, key.to_owned()))?;
        let has_old = seconds.iter().any(|(at, _)| *at <= second - SECONDS_OF_A_RATE);
        has_old.then(|| Starts { scope, key: key.into(), seconds: seconds.clone() })
    }

    /// Its parts as text, for comparisons.
    pub(in crate::memory) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for ((scope, key), seconds) in &self.starts {
            let counted: BTreeMap<_, _> = seconds.iter().copied().filter(|(_, count)| *count > 0).collect();
            if !counted.is_empty() {
                all.insert(format!("starts {scope} {key}"), format!("{counted:?}"));
            }
        }
    }
}

fn is_over(seconds: &[(i64, u32)], second: i64) -> bool {
    seconds.iter().all(|(at, _)| *at <= second - SECONDS_OF_A_RATE)
}

impl Memory {
    /// A start counts against a rate at a second of the wall clock.
    pub fn count_start(&mut self, scope: i64, key: &str, second: i64) {
        self.step(Step::Count { scope, key: Box::from(key), second });
    }

    /// Forgets rates without a start in the 60 seconds that end with `second`.
    pub fn prune_rates(&mut self, second: i64) {
        if self.ready.rates().has_old(second) {
            self.step(Step::Prune { second });
        }
    }
}

/// The name under which a queue's own rate is counted.
pub(super) fn queue_key(queue: i64) -> String {
    format!("queue {queue}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_sixty_seconds_of_any_sixty() {
        let mut rates = Rates::default();
        rates.count(1, "k", 100, 2);
        rates.count(1, "k", 130, 1);
        assert_eq!(rates.started(1, "k", 159), 3);
        assert_eq!(rates.started(1, "k", 160), 1);
        assert_eq!(rates.started(2, "k", 130), 0);
        rates.uncount(1, "k", 130, 1);
        assert_eq!(rates.started(1, "k", 160), 0);
        let back = rates.apply(Step::Prune { second: 1_000 });
        assert!(rates.is_empty());
        rates.apply(back.expect("a way back"));
        assert_eq!(rates.started(1, "k", 159), 2);
    }
}
