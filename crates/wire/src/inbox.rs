//! The inbox on the wire: everything that waits for a person (D27).

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::id::Id;

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboxItem")]
pub struct View {
    /// `gate`, `question`, `change` or `dead_letter`.
    pub kind: String,
    /// The id to decide on: of the change where it is one, else of the gate or the letter.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// One line for people.
    pub title: String,
    /// How much waits behind it: tasks, or stages of a run.
    pub blocked: u64,
    /// Since when it waits.
    pub since: Time,
    /// When its time runs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Whether the caller can do something about it now.
    pub may_decide: bool,
    /// What is still missing, one sentence each; for a letter, what it died of.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The gate that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Id>,
    /// The run that it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
    /// The stage of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Id>,
    /// The task that died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// The command that helps.
    pub next: String,
}

/// Filters of `GET /inbox`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "InboxFilter")]
pub struct Filter {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `gate`, `question`, `change` or `dead_letter`; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
