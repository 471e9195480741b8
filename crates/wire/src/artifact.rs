//! Stored bytes on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::id::Id;

/// For which attempt bytes are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PutQuery {
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// The generation that holds its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// A file name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which of the outputs that the task's payload names they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// Whose bytes are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetQuery {
    /// The task that is handed them: they must be of its scope, or they are not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
}

/// Where bytes are stored, and under which name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PostQuery {
    /// The scope; the token's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A file name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Stored bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Artifact")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// The SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// Their media type.
    pub media_type: String,
    /// A file name for people.
    pub name: Option<String>,
    /// Which output they are.
    #[serde(default)]
    pub output: Option<String>,
}
