//! Queues: named lanes of tasks, each with its own pause switch and limits.

use crate::refusal::{Fault, Refusal};
use serde::{Deserialize, Serialize};

/// How a queue chooses the agent of a task (D6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// Whoever asks, scopes and queues in turn.
    #[default]
    Fair,
    /// The connected agent with the fewest leases.
    LeastLoaded,
    /// The agent that last did the same category, while it has a free slot.
    Affinity,
    /// The connected agents in turn.
    RoundRobin,
}

impl Assignment {
    /// Every way; the index is the number in a row.
    pub const ALL: [Self; 4] = [Self::Fair, Self::LeastLoaded, Self::Affinity, Self::RoundRobin];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::LeastLoaded => "least_loaded",
            Self::Affinity => "affinity",
            Self::RoundRobin => "round_robin",
        }
    }
}

/// Whether a queue hands out work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// It does.
    #[default]
    Open,
    /// A person stopped it; nothing starts.
    Paused,
    /// What runs finishes, nothing starts.
    Draining,
}

/// The switches and limits of a queue. A queue exists from its first task on; these are its defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether it hands out work.
    pub flow: Flow,
    /// At most so many of its tasks run at once; unlimited when absent.
    pub concurrency_limit: Option<u32>,
    /// At most so many of its tasks start in any 60 s; unlimited when absent.
    pub rate_per_minute: Option<u32>,
    /// How it chooses agents.
    pub assignment: Assignment,
    /// Whether its dead tasks become dead letters (D10).
    pub dead_letters: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flow: Flow::Open,
            concurrency_limit: None,
            rate_per_minute: None,
            assignment: Assignment::Fair,
            dead_letters: true,
        }
    }
}

impl Settings {
    /// Whether the limits make sense.
    ///
    /// # Errors
    /// 422 with every wrong field.
    pub fn admit(&self) -> Result<(), Refusal> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, field: &str, error: &str| {
            if !ok {
                faults.push(Fault { field: field.to_owned(), error: error.to_owned() });
            }
        };
        check(
            self.concurrency_limit != Some(0),
            "/concurrency_limit",
            "must be at least 1; pause the queue to stop it",
        );
        check(
            self.rate_per_minute != Some(0),
            "/rate_per_minute",
            "must be at least 1; pause the queue to stop it",
        );
        Refusal::from_faults(faults).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_is_a_pause_and_refused() {
        assert!(Settings::default().admit().is_ok());
        let zero = Settings { concurrency_limit: Some(0), rate_per_minute: Some(0), ..Settings::default() };
        assert_eq!(zero.admit().expect_err("zero").faults.len(), 2);
    }
}
