//! Dead letters on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tiltyard_model::id::Id;

/// A dead letter as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// The task that died.
    pub task: Id,
    /// `pending retrying resolved dismissed`.
    pub status: String,
    /// The task's line for people.
    pub title: String,
    /// The task's lane.
    pub queue: String,
    /// What sort of work.
    pub kind: String,
    /// The task's category.
    pub category: Option<String>,
    /// The last error.
    pub error: String,
    /// Who tried last.
    pub agent: Option<String>,
    /// When it died.
    pub failed_at: Time,
    /// Attempts of its last life.
    pub attempts: u32,
    /// How often it was retried.
    pub retries: u32,
    /// Its group: letters of one cause.
    pub fingerprint: String,
    /// Why it was dismissed.
    pub reason: Option<String>,
    /// The payload that it died with.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
    /// The payload before a retry edited it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub original_payload: Option<Box<RawValue>>,
    /// Labels, priority and what else is known of the task.
    pub metadata: serde_json::Value,
}

/// Filters of `GET /dead-letters`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "DeadLetterFilter")]
pub struct Filter {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `pending retrying resolved dismissed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// How many letters there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetterStats")]
pub struct Stats {
    /// Wait for a person.
    pub pending: u64,
    /// Run again.
    pub retrying: u64,
    /// Succeeded after a retry.
    pub resolved: u64,
    /// Set aside.
    pub dismissed: u64,
    /// How many are meant to be kept a scope.
    pub limit: u64,
}

/// Letters of one cause (D12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub fingerprint: String,
    /// What sort of work.
    pub kind: String,
    /// One of the errors.
    pub error: String,
    /// How many are pending.
    pub pending: u64,
    /// How many there are.
    pub total: u64,
    /// When the first one died.
    pub first_at: Time,
    /// When the last one died.
    pub last_at: Time,
}

/// Sets a letter aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dismiss {
    /// Why.
    pub reason: String,
}

/// Does one thing to many letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeadLetterBulk")]
pub struct Bulk {
    /// What to do.
    pub action: BulkAction,
    /// To these; or
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<Id>,
    /// to all that the filter finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// That a filter without any criterion means all of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Why, for `dismiss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be done to many letters at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DeadLetterBulkAction")]
pub enum BulkAction {
    /// Run them again.
    Retry,
    /// Set them aside.
    Dismiss,
    /// Back to pending.
    Reopen,
    /// Gone for good.
    Delete,
}

/// Retries a group: first some, then the rest at a stated rate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryGroup {
    /// The scope; the token's only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How many at once, to see whether it helps; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
    /// The rest at this rate; they wait for another call when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<u32>,
}

/// What a retry of a group did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryGroupAnswer {
    /// How many were pending.
    pub matched: u64,
    /// How many run again at once.
    pub started: u64,
    /// How many follow at the rate.
    pub scheduled: u64,
}
