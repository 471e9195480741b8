//! Tokens on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::id::Id;
use tiltyard_model::role::Role;

/// Mints a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mint {
    /// A line for people.
    pub label: String,
    /// What it may do.
    pub role: Role,
    /// Where: scopes, or `["*"]`.
    pub scopes: Vec<String>,
    /// The queues of a worker, `git` excepted; `["default"]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    /// The identity; the label when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Labels on the identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// When it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// A token as it is known; never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Token")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// A line for people.
    pub label: String,
    /// The identity.
    pub owner: String,
    /// Labels on the identity.
    pub groups: Vec<String>,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub scopes: Vec<String>,
    /// The queues of a worker.
    pub queues: Option<Vec<String>>,
    /// The agent whose token it is.
    pub agent: Option<String>,
    /// When it was minted.
    pub created: Time,
    /// When it ends.
    pub expires: Option<Time>,
    /// When it was used last, to the minute.
    pub last_used: Option<Time>,
    /// When it was revoked.
    pub revoked: Option<Time>,
}

/// A new token, its text shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Minted {
    /// What is kept of it.
    #[serde(flatten)]
    pub view: View,
    /// `jst_` and 64 hexadecimal digits.
    pub token: String,
}
