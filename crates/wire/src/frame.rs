//! The agent protocol (C2): JSON text frames with a `type`. Both sides ignore unknown fields; a field added
//! later is optional, so that old frames decode for ever.

mod read;

use crate::agent::Resources;
use crate::task::View;
use crate::task::work::{Dropped, Lease, Reported, VerdictStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tiltyard_model::id::Id;

/// The protocol that this program speaks; the server serves this one and the one before.
pub const PROTOCOL: u32 = 1;
/// Largest frame in bytes.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;
/// How often the server sends `ping`, in milliseconds.
pub const PING_EVERY_MS: u64 = 10_000;
/// A side that has heard nothing for so long, in milliseconds, takes the connection for dead: a cut network says
/// nothing by itself.
pub const MAX_SILENCE_MS: u64 = 30_000;

/// From the agent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// Who it is; the first frame.
    Hello(Hello),
    /// It starts an assigned task.
    Accept(Lease),
    /// It cannot take an assigned task: it goes back, not counted.
    Refuse(Refuse),
    /// Prolongs all its leases (D9).
    Renew(Renew),
    /// How far a task is.
    Progress(Progress),
    /// Adds to an attempt's log.
    Log(LogChunk),
    /// An outcome; repeated until `settled` comes (C3).
    Settle(Settle),
    /// It has begun to stop a cancelled attempt (D4).
    Stopping(Lease),
    /// Nothing of a cancelled attempt runs any more (D4).
    Stopped(Lease),
    /// What its machine has left.
    Resources(Resources),
    /// Answers `ping`.
    Pong(Ping),
}

/// To the agent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAgent {
    /// Answers `hello`.
    Welcome(Welcome),
    /// A task to do, already leased.
    Assign(Box<Assign>),
    /// Answers `settle`: the outcome may be forgotten.
    Settled(Settled),
    /// These leases live on.
    Keep(Keep),
    /// These are no longer the agent's: stop the work, forget the outcome.
    Drop(Drop),
    /// Stop this attempt.
    Cancel(Cancel),
    /// Finish what runs, take nothing new.
    Drain(Drain),
    /// Say `pong`; sent every [`PING_EVERY_MS`].
    Ping(Ping),
    /// A frame could not be read or taken.
    Error(Error),
}

/// Who an agent is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// The protocol it speaks.
    pub protocol: u32,
    /// Its name.
    pub name: String,
    /// This process: another one for each start.
    pub instance: String,
    /// Its program's version.
    #[serde(default)]
    pub version: String,
    /// The machine it runs on.
    #[serde(default)]
    pub host: String,
    /// How many tasks it takes at once.
    pub slots: u32,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The kinds of tasks it does; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// The queues it takes from; `default` and `git` when empty.
    #[serde(default)]
    pub queues: Vec<String>,
    /// What it holds (D31); outcomes still in its outbox count as held.
    #[serde(default, deserialize_with = "read::leases")]
    pub holds: Vec<Lease>,
}

/// How an agent is to behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// The protocol of this connection.
    pub protocol: u32,
    /// The server's version.
    pub server: String,
    /// The store's epoch.
    pub epoch: i64,
    /// How long its leases last.
    pub lease_ms: i64,
    /// How often it renews them.
    pub renew_every_ms: i64,
    /// How long a program has between TERM and KILL.
    pub stop_grace_ms: i64,
    /// Whether it is to take nothing new.
    #[serde(default)]
    pub draining: bool,
}

/// A task to do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Assign {
    /// The task, with its generation.
    pub task: View,
    /// How long the lease lasts.
    pub lease_ms: i64,
}

/// Why an assigned task goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refuse {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// One sentence.
    pub reason: String,
}

/// All leases of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renew {
    /// What it holds.
    #[serde(deserialize_with = "read::leases")]
    pub leases: Vec<Lease>,
    /// Whether it takes nothing new, because its process is about to end: nothing is assigned to it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// What it does, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogChunk {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// Where `text` begins, in bytes.
    pub offset: u64,
    /// The text.
    pub text: String,
}

/// An outcome.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FrameSettle")]
pub struct Settle {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// What happened.
    pub outcome: Reported,
    /// For `succeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<Box<RawValue>>,
    /// For `failed` and `timed_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether another try could help; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

/// What became of an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FrameSettled")]
pub struct Settled {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// Whether it was taken. A refused one is recorded and forgotten too.
    pub status: VerdictStatus,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Leases that live on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keep {
    /// These.
    #[serde(deserialize_with = "read::leases")]
    pub leases: Vec<Lease>,
}

/// Leases that are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drop {
    /// These.
    pub leases: Vec<Dropped>,
}

/// Stop an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FrameCancel")]
pub struct Cancel {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
    /// Why.
    pub reason: String,
}

/// Finish and take nothing new, or take work again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drain {
    /// True to drain, false to resume.
    pub draining: bool,
}

/// Are you there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ping {
    /// Comes back in the answer.
    #[serde(default)]
    pub nonce: u64,
}

/// A frame was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// The code of the refusal.
    pub code: String,
    /// One sentence.
    pub detail: String,
    /// The request id of the frame.
    pub request_id: String,
    /// Nothing was wrong with the frame, but not now: say it again after so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}
