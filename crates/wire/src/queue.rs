//! Queues on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::queue::Assignment;

/// A queue as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Queue")]
pub struct View {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Whether a person stopped it.
    pub paused: bool,
    /// Whether what runs finishes and nothing starts.
    pub draining: bool,
    /// At most so many of its tasks run at once.
    pub concurrency_limit: Option<u32>,
    /// At most so many start a minute.
    pub rate_per_minute: Option<u32>,
    /// How it chooses agents.
    pub assignment: Assignment,
    /// Whether its dead tasks become dead letters.
    pub dead_letters: bool,
    /// How many of its tasks are in each state.
    pub counts: Counts,
    /// How long the task that starts next has been ready; one of lower priority may have waited longer.
    pub next_ready_ms: Option<i64>,
}

/// How many tasks are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Wait for dependencies.
    pub pending: u64,
    /// Wait for their time.
    pub scheduled: u64,
    /// May be claimed.
    pub ready: u64,
    /// Run.
    pub running: u64,
    /// Wait for a decision.
    pub waiting: u64,
    /// Done.
    pub succeeded: u64,
    /// Attempts used up.
    pub dead: u64,
    /// Called off.
    pub cancelled: u64,
}

/// What a person may change. Absent fields stay; `null` lifts a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "QueuePatch")]
pub struct Patch {
    /// The scope; the token's only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Stop or go on (false also ends a drain).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// At most so many run at once.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<Option<u32>>,
    /// At most so many start a minute.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<Option<u32>>,
    /// How it chooses agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// Whether its dead tasks become dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<bool>,
}

/// Tells a field that is `null` from one that is absent.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
