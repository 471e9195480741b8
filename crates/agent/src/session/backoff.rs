//! Pauses between two tries to connect: growing, jittered so that a fleet does not come back as one, and never given
//! up.

use super::connection::Parting;
use std::time::Duration;

/// A connection that lived so long was a good one: the pauses begin anew.
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// Bounds of the pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { least: Duration::from_secs(1), most: Duration::from_secs(30) }
    }
}

/// The pauses of one session.
#[derive(Debug)]
pub(super) struct Pauses {
    bounds: Backoff,
    failures: u32,
}

impl Pauses {
    pub(super) fn new(bounds: Backoff) -> Self {
        Self { bounds, failures: 0 }
    }

    /// The pause after a connection has ended, or was not to be had.
    pub(super) fn next(&mut self, parting: &Parting) -> Duration {
        if parting.lived.is_some_and(|lived| lived >= GOOD_LIFE) {
            self.failures = 0;
        }
        let whole = match parting.error.is_passing() {
            true => doubled(self.bounds, self.failures),
            // A refused token is not mended within a second.
            false => self.bounds.most,
        };
        self.failures = self.failures.saturating_add(1);
        // Without randomness all of it is waited for.
        whole.mul_f64(jitter(getrandom::u32().unwrap_or(u32::MAX)))
    }
}

fn doubled(bounds: Backoff, failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
    bounds.least.saturating_mul(factor).min(bounds.most)
}

/// Between one half and all.
fn jitter(chance: u32) -> f64 {
    0.5 + f64::from(chance) / f64::from(u32::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_client::Error;

    fn parting(code: u16, lived_s: Option<u64>) -> Parting {
        let error = Error::Closed { code, reason: String::new() };
        Parting { error, lived: lived_s.map(Duration::from_secs) }
    }

    #[test]
    fn c1_pauses_double_from_1_s_to_30_s_and_are_jittered() {
        let bounds = Backoff::default();
        let whole: Vec<u64> = (0..8).map(|failures| doubled(bounds, failures).as_secs()).collect();
        assert_eq!(whole, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(doubled(bounds, 1_000), bounds.most);
        assert!((jitter(0) - 0.5).abs() < 1e-9 && (jitter(u32::MAX) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn c1_a_good_connection_begins_anew_and_a_refusal_waits_longest() {
        let mut pauses = Pauses::new(Backoff::default());
        for _ in 0..9 {
            pauses.next(&parting(1006, Some(1)));
        }
        assert!(pauses.next(&parting(1006, None)) >= Duration::from_secs(15));
        assert!(pauses.next(&parting(1006, Some(60))) <= Duration::from_secs(1));
        assert!(pauses.next(&parting(4401, Some(60))) >= Duration::from_secs(15));
    }
}
