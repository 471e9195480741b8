//! Times that are told, not judged: the machine may have other things to do.

use std::fmt;
use std::time::Duration;

/// Some times.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// One more.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The shortest.
    pub(crate) fn shortest(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    /// The one that so many in a hundred do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let [p50, p99, max] = [50, 99, 100].map(|percent| ms(self.percentile(percent)));
        write!(f, "p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms of {}", self.0.len())
    }
}
