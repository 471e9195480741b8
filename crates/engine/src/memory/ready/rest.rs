//! Lanes and queues that rest until their rate lets something start again. They are found to rest when somebody would
//! have taken from them, and come back by themselves when their second has come.

use std::collections::{BTreeSet, HashMap};

/// What rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Sleeper {
    /// A lane, for its rate key.
    Lane(i64),
    /// A queue, for its own rate.
    Queue(i64),
}

/// The scope's key, and the key of a rate.
pub(super) type RateKey = (i64, String);

/// What rests, by the second of the wall clock at which it ends, and by rate.
#[derive(Debug, Default)]
pub(super) struct Rests {
    by_second: BTreeSet<(i64, RateKey, Sleeper)>,
    by_key: HashMap<RateKey, BTreeSet<(i64, Sleeper)>>,
    seen: i64,
}

impl Rests {
    /// Something rests for a rate until a second.
    pub(super) fn add(&mut self, sleeper: Sleeper, rate: RateKey, until: i64) {
        self.by_key.entry(rate.clone()).or_default().insert((until, sleeper));
        self.by_second.insert((until, rate, sleeper));
    }

    /// What has rested enough at a second. A wall clock that was set back wakes everything: whatever is too early rests
    /// again when it is met.
    pub(super) fn over(&mut self, second: i64) -> Vec<Sleeper> {
        let is_back = second < std::mem::replace(&mut self.seen, second);
        let mut over = Vec::new();
        while self.by_second.first().is_some_and(|(until, ..)| is_back || *until <= second) {
            let Some((until, rate, sleeper)) = self.by_second.pop_first() else { break };
            if let Some(others) = self.by_key.get_mut(&rate) {
                others.remove(&(until, sleeper));
                if others.is_empty() {
                    self.by_key.remove(&rate);
                }
            }
            over.push(sleeper);
        }
        over
    }

    /// What rests for a rate, whose starts are others now.
    pub(super) fn of(&mut self, rate: &RateKey) -> Vec<Sleeper> {
        let all = self.by_key.remove(rate).unwrap_or_default();
        for (until, sleeper) in &all {
            self.by_second.remove(&(*until, rate.clone(), *sleeper));
        }
        all.into_iter().map(|(_, sleeper)| sleeper).collect()
    }
}
