//! Agents on the wire.

use crate::task::work::Lease;
use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::agent::State;

pub use tiltyard_model::agent::Resources;

/// An agent as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Agent")]
pub struct View {
    /// Its name, unique in the store.
    pub name: String,
    /// Its present process.
    pub instance: Option<String>,
    /// What it is doing.
    pub state: State,
    /// Whether it speaks the agent protocol now.
    pub connected: bool,
    /// Whether it was told to take nothing new; also of one that is not there.
    #[serde(default)]
    pub draining: bool,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Its program's version.
    pub version: String,
    /// The machine it runs on.
    pub host: String,
    /// How many tasks it takes at once.
    pub slots: u32,
    /// What it last said of its machine.
    pub resources: Option<Resources>,
    /// What it holds, in the caller's scopes.
    pub leases: Vec<Lease>,
    /// When it was first seen.
    pub created_at: Time,
    /// When it last said anything.
    pub last_heartbeat: Option<Time>,
}

/// Makes an agent's name known and mints its token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Its name.
    pub name: String,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The scopes of its token; the caller's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// A new agent and its token, shown once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The agent.
    pub agent: View,
    /// Its token, shown once.
    pub token: String,
}

/// One invalid message of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// What was wrong.
    pub error: String,
    /// What was done: `warned slowed closed`.
    pub action: String,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disconnect {
    /// When.
    pub at: Time,
    /// The process that was connected.
    pub instance: Option<String>,
    /// Why.
    pub reason: String,
}
