//! Leases: an agent's time-limited hold on a task, with the generation as fencing token.

use super::attempt::Outcome;
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

/// The refusal of a generation that holds its task no more (D1): `outcome` is how its attempt ended, where there was
/// one that has ended. Its `reason` is that word, `restored`, or `superseded`.
pub fn stale(asked: i64, current: i64, outcome: Option<Outcome>) -> Refusal {
    let (reason, why) = match outcome {
        Some(Outcome::Cancelled) => ("cancelled", "it was cancelled".to_owned()),
        Some(Outcome::LeaseLost) => ("lease_lost", "its lease was lost".to_owned()),
        Some(Outcome::TimedOut) => ("timed_out", "it ran longer than it may".to_owned()),
        Some(Outcome::Succeeded | Outcome::Failed | Outcome::Released) => {
            ("settled", "it has been settled".to_owned())
        }
        None if current.saturating_sub(asked) >= RESTORE_STEP => {
            ("restored", "the store has been restored from a backup".to_owned())
        }
        None => ("superseded", format!("the task is at generation {current}")),
    };
    let text = format!("generation {asked} no longer holds this task, {why}: drop the work");
    Refusal::new(Code::StaleGeneration, text).with("generation", current).with("reason", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    // D1: who lost its hold is told how, not that somebody else has it.
    #[test]
    fn d1_a_stale_generation_is_told_why() {
        let reason = |asked, current, outcome| stale(asked, current, outcome).extra["reason"].clone();
        assert_eq!(reason(1, 1, Some(Outcome::Cancelled)), "cancelled");
        assert_eq!(reason(1, 2, Some(Outcome::LeaseLost)), "lease_lost");
        assert_eq!(reason(1, 1, Some(Outcome::Succeeded)), "settled");
        assert_eq!(reason(7, 2, None), "superseded");
        assert_eq!(reason(1, 1 + RESTORE_STEP, None), "restored");
    }
}
