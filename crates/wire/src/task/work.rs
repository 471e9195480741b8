//! The worker protocol over plain HTTP: claim, heartbeat, settle.

use super::View;
use crate::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tiltyard_model::id::Id;

/// Most tasks of one claim, and most items of one settle.
pub const MAX_CLAIM_TASKS: usize = 1_000;
/// Longest wait of a claim in milliseconds.
pub const MAX_WAIT_MS: u64 = 30_000;
/// Where a claim's answer stops, in bytes; the rest stays ready.
pub const MAX_CLAIM_BYTES: usize = 8 * 1024 * 1024;

/// Asks for work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Who asks; an unknown name registers itself.
    pub agent: String,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Asked again with the same one within the lease, the same tasks come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_id: Option<String>,
    /// From these queues; `["default"]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// At most so many, 1 to 1,000; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub max: Option<usize>,
    /// How long the leases last; 30,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<i64>,
    /// How long to wait for work, 0 to 30,000; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 30_000))]
    pub wait_ms: Option<u64>,
    /// From this scope only; all of the token's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// The tasks that a claim got.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Claimed {
    /// In the order in which they should start.
    pub tasks: Vec<View>,
}

/// Prolongs one lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The generation that holds the lease.
    pub generation: i64,
    /// The new length; as before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<i64>,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub progress: Option<f64>,
    /// What it does, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The lease after a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatAnswer {
    /// The generation that holds it.
    pub generation: i64,
    /// How long it lasts from now.
    pub lease_expires_in_ms: i64,
}

/// A lease: a task and the generation that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
}

/// A lease that an agent must drop, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// The code of the refusal.
    pub code: String,
}

/// Prolongs all leases of an agent at once (D9).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentHeartbeat {
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The new length; as before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<i64>,
    /// What it holds; a new process that holds nothing ends the old leases.
    pub leases: Vec<Lease>,
}

/// What became of the leases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentHeartbeatAnswer {
    /// These live on.
    pub keep: Vec<Lease>,
    /// These are no longer the agent's.
    pub drop: Vec<Dropped>,
}

/// Settles one task as done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// The generation that did it.
    pub generation: i64,
    /// Any JSON, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<Box<RawValue>>,
}

/// Settles one task as failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// The generation that failed.
    pub generation: i64,
    /// What happened, at most 64 KiB.
    pub error: String,
    /// Whether another try could help; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

/// Gives one task back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The generation that held it.
    pub generation: i64,
}

/// Adds to the log of a running attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The generation that writes.
    pub generation: i64,
    /// Where `text` begins, in bytes; what is there already is not written again.
    pub offset: u64,
    /// What to add.
    pub text: String,
}

/// How long the log is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogAnswer {
    /// The next offset, in bytes.
    pub offset: u64,
}

/// What became of a settle of one task.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WorkSettled")]
pub struct Settled {
    /// The task.
    pub id: Id,
    /// The generation that was settled.
    pub generation: i64,
    /// Where the task stands now.
    pub state: tiltyard_model::task::State,
    /// Whether this had been said before.
    pub replayed: bool,
}

/// Settles many, and takes the next ones along.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WorkSettle")]
pub struct Settle {
    /// At most 1,000.
    pub items: Vec<SettleItem>,
    /// Asks for the next ones in the same breath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// One outcome.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleItem {
    /// The task.
    pub id: Id,
    /// The generation that says so.
    pub generation: i64,
    /// What happened.
    pub outcome: Reported,
    /// For `succeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<Box<RawValue>>,
    /// For `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// For `failed`: whether another try could help; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

/// What an agent may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// Done.
    Succeeded,
    /// Not done.
    Failed,
    /// Ran out of `timeout_ms`.
    TimedOut,
    /// Given back.
    Released,
}

/// What became of one outcome.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The task.
    pub id: Id,
    /// Whether it was taken.
    pub status: VerdictStatus,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Whether an outcome was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictStatus {
    /// It was.
    Accepted,
    /// It had been before (E8).
    Replayed,
    /// It was not.
    Refused,
}

/// What became of a settle of many.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SettleAnswer {
    /// One an item, in order.
    pub verdicts: Vec<Verdict>,
    /// The next tasks, when a claim rode along.
    pub tasks: Vec<View>,
    /// Why the claim that rode along got nothing, when it was refused; the outcomes stand all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_refused: Option<Box<Problem>>,
}
