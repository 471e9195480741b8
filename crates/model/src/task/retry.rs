//! Back-off: how long a failed task waits before its next attempt.

use crate::time::DurationMs;
use serde::{Deserialize, Serialize};

/// The shape of the growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackoffKind {
    /// Doubles with each failure.
    #[default]
    Exponential,
    /// Always the base.
    Fixed,
}

/// What chance adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Nothing.
    None,
    /// Anything from zero to the whole delay, so that failures of one cause do not come back together
    /// ("full jitter" of the AWS architecture blog).
    #[default]
    Full,
}

/// Back-off of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// The shape of the growth.
    pub kind: BackoffKind,
    /// The first delay in milliseconds.
    pub base_ms: DurationMs,
    /// The longest delay in milliseconds.
    pub max_ms: DurationMs,
    /// What chance adds.
    pub jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { kind: BackoffKind::Exponential, base_ms: 1_000, max_ms: 300_000, jitter: Jitter::Full }
    }
}

impl Backoff {
    /// Whether it is the default, which is not kept.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The delay after the `failures`-th failure (1 is the first); `chance` is from 0.0 to below 1.0.
    pub fn delay_ms(&self, failures: u32, chance: f64) -> DurationMs {
        let doublings = failures.saturating_sub(1).min(40);
        let grown = match self.kind {
            BackoffKind::Exponential => self.base_ms.saturating_mul(1 << doublings),
            BackoffKind::Fixed => self.base_ms,
        };
        let delay = grown.clamp(0, self.max_ms.max(0));
        match self.jitter {
            Jitter::None => delay,
            Jitter::Full => (delay as f64 * chance.clamp(0.0, 1.0)) as DurationMs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_doubles_up_to_its_limit() {
        let backoff = Backoff { jitter: Jitter::None, ..Backoff::default() };
        let delays: Vec<_> = (1..=11).map(|failures| backoff.delay_ms(failures, 0.5)).collect();
        assert_eq!(delays[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(delays[10], 300_000);
        assert_eq!(Backoff { kind: BackoffKind::Fixed, ..backoff }.delay_ms(9, 0.5), 1_000);
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_bounds(failures in 0u32.., chance in 0.0f64..1.0, base in 0i64.., max in 0i64..) {
            let backoff = Backoff { base_ms: base, max_ms: max, ..Backoff::default() };
            prop_assert!((0..=max).contains(&backoff.delay_ms(failures, chance)));
        }
    }
}
