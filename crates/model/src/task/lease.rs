//! Leases: an agent's time-limited hold on a task, with the generation as fencing token.

use crate::refusal::{Code, Refusal};
use crate::time::DurationMs;

/// Shortest lease in milliseconds.
pub const MIN_LEASE_MS: DurationMs = 1_000;
/// Longest lease in milliseconds.
pub const MAX_LEASE_MS: DurationMs = 3_600_000;
/// Lease of a claim that names none.
pub const DEFAULT_LEASE_MS: DurationMs = 30_000;
/// What a restore adds to generations (E9).
pub const RESTORE_STEP: i64 = 1_000_000;
/// How long a cancelled attempt may take to confirm that it stopped (D4).
pub const STOP_CONFIRM_MS: DurationMs = 30_000;

/// Whether a lease may last so long.
///
/// # Errors
/// 422 with the bounds.
pub fn admit(lease_ms: DurationMs) -> Result<DurationMs, Refusal> {
    if (MIN_LEASE_MS..=MAX_LEASE_MS).contains(&lease_ms) {
        Ok(lease_ms)
    } else {
        Err(Refusal::field("/lease_ms", format!("must be {MIN_LEASE_MS} to {MAX_LEASE_MS} milliseconds")))
    }
}

/// The refusal of a generation that is not the current one (D1).
pub fn stale(asked: i64, current: i64) -> Refusal {
    Refusal::new(
        Code::StaleGeneration,
        format!("generation {asked} no longer holds this task (it is at {current}): drop the work, another attempt owns it"),
    )
    .with("generation", current)
}
