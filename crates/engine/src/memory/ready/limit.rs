//! Limits: how many of a key run, and how many started in the last minute.

use std::collections::{BTreeMap, HashMap};

/// How far back a rate looks.
pub const SECONDS_OF_A_RATE: i64 = 60;

/// How many tasks of each concurrency key run, by scope.
#[derive(Debug, Default)]
pub(super) struct Slots {
    running: HashMap<(String, String), u32>,
}

impl Slots {
    pub(super) fn running(&self, scope: &str, key: &str) -> u32 {
        self.running.get(&(scope.to_owned(), key.to_owned())).copied().unwrap_or_default()
    }

    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for ((scope, key), running) in &self.running {
            all.insert(format!("slots {scope} {key}"), running.to_string());
        }
    }

    pub(super) fn take(&mut self, scope: &str, key: &str) {
        *self.running.entry((scope.to_owned(), key.to_owned())).or_default() += 1;
    }

    pub(super) fn free(&mut self, scope: &str, key: &str) {
        let name = (scope.to_owned(), key.to_owned());
        if let Some(running) = self.running.get_mut(&name) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(&name);
            }
        }
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

    /// Forgets keys without a start in the 60 seconds that end with `second`.
    pub fn prune(&mut self, second: i64) {
        self.starts.retain(|_, seconds| seconds.iter().any(|(at, _)| *at > second - SECONDS_OF_A_RATE));
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
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
        rates.prune(1_000);
        assert!(rates.is_empty());
    }
}
