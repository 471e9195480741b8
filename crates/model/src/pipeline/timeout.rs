//! How long a stage may take, where it says nothing and at most.

use super::{MAX_WAIT_MS, Uses, Work};
use crate::task::{DEFAULT_TIMEOUT_MS, admission};
use crate::time::{DurationMs, HOUR_MS};

/// Wall time of a call to somewhere else, where its stage says nothing.
pub const DEFAULT_HTTP_TIMEOUT_MS: DurationMs = 30_000;
/// Longest wall time of a call to somewhere else.
pub const MAX_HTTP_TIMEOUT_MS: DurationMs = HOUR_MS;

/// The longest that may be said beside this word of `uses`; a gate says it in its `with`.
pub(super) fn most_ms(uses: &str) -> DurationMs {
    match uses {
        "command" | "agent" | "change" => admission::MAX_TIMEOUT_MS,
        "http" => MAX_HTTP_TIMEOUT_MS,
        _ => MAX_WAIT_MS,
    }
}

impl Work {
    /// How long it may take: one attempt of a task or a call, all of anything else. `None`: as long as it takes. What
    /// waits for people, for other runs or for items that do has no end that fits all of them, so it has none unless its
    /// stage says one.
    pub const fn time_out_ms(&self) -> Option<DurationMs> {
        match (self.timeout_ms, &self.uses) {
            (Some(said), _) => Some(said),
            (None, Uses::Command | Uses::Agent | Uses::Change) => Some(DEFAULT_TIMEOUT_MS),
            (None, Uses::Http(_)) => Some(DEFAULT_HTTP_TIMEOUT_MS),
            (None, Uses::Gate(_) | Uses::Wait(_) | Uses::Pipeline(_) | Uses::Foreach(_)) => None,
        }
    }
}
