//! Counters and histograms that the engine keeps of itself; the edge renders them (O21).

use std::sync::atomic::{AtomicU64, Ordering};
use tiltyard_model::event::Type;

/// Upper bounds of the histograms of time, in microseconds.
pub const TIME_BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];
/// Upper bounds of the histogram of batch sizes.
pub const SIZE_BOUNDS: [u64; 14] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192];

/// How often each size was seen.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64; 14],
    buckets: [AtomicU64; 15],
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// Upper bounds, and how many lay at or below each: cumulative.
    pub buckets: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl Histogram {
    /// An empty one.
    pub const fn new(bounds: &'static [u64; 14]) -> Self {
        Self { bounds, buckets: [const { AtomicU64::new(0) }; 15], sum: AtomicU64::new(0) }
    }

    /// Counts one.
    pub fn see(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Reads it.
    pub fn shot(&self) -> Shot {
        let mut count = 0;
        let mut cumulative = |index: usize| {
            count += self.buckets[index].load(Ordering::Relaxed);
            count
        };
        let buckets =
            self.bounds.iter().enumerate().map(|(index, bound)| (*bound, cumulative(index))).collect();
        let count = cumulative(self.bounds.len());
        Shot { buckets, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Reads.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the engine counts.
#[derive(Debug)]
pub struct Metrics {
    /// Deeds of one transaction.
    pub batch_size: Histogram,
    /// Time of a commit, in microseconds.
    pub commit_us: Histogram,
    /// Time from entering the door to the answer, in microseconds.
    pub door_us: Histogram,
    /// Time from a task's becoming ready to its lease, in microseconds.
    pub start_us: Histogram,
    /// Time of a claim inside the door, in microseconds.
    pub claim_us: Histogram,
    /// Tasks submitted.
    pub submitted: Counter,
    /// Attempts started.
    pub started: Counter,
    /// Tasks succeeded.
    pub finished: Counter,
    /// Attempts failed or timed out.
    pub failed: Counter,
    /// Leases lost.
    pub lost: Counter,
    /// Claims that found nothing.
    pub idle_claims: Counter,
    /// Deeds turned away because too many waited.
    pub shed: Counter,
    /// Deeds that were refused.
    pub refused: Counter,
    /// Events written.
    pub events: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            batch_size: Histogram::new(&SIZE_BOUNDS),
            commit_us: Histogram::new(&TIME_BOUNDS_US),
            door_us: Histogram::new(&TIME_BOUNDS_US),
            start_us: Histogram::new(&TIME_BOUNDS_US),
            claim_us: Histogram::new(&TIME_BOUNDS_US),
            submitted: Counter::default(),
            started: Counter::default(),
            finished: Counter::default(),
            failed: Counter::default(),
            lost: Counter::default(),
            idle_claims: Counter::default(),
            shed: Counter::default(),
            refused: Counter::default(),
            events: Counter::default(),
        }
    }
}

impl Metrics {
    /// Counts an event: each tells of one thing that is counted.
    pub fn written(&self, kind: Type) {
        self.events.add(1);
        let counter = match kind {
            Type::TaskSubmitted => &self.submitted,
            Type::TaskSucceeded => &self.finished,
            Type::TaskFailed | Type::TaskDead => &self.failed,
            Type::TaskLeaseLost => &self.lost,
            _ => return,
        };
        counter.add(1);
    }

    /// Counts the start of an attempt.
    pub fn began(&self, waited_ms: i64) {
        self.started.add(1);
        self.start_us.see(waited_ms.max(0) as u64 * 1_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_closed_above() {
        let histogram = Histogram::new(&SIZE_BOUNDS);
        for value in [1, 2, 3, 1_000_000] {
            histogram.see(value);
        }
        let shot = histogram.shot();
        assert_eq!(shot.buckets[..3], [(1, 1), (2, 2), (4, 3)]);
        assert_eq!((shot.count, shot.sum), (4, 1_000_006));
    }
}
