//! Tasks on the wire: submissions, views, the worker protocol.

pub mod command;
pub mod work;

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tiltyard_model::id::Id;
use tiltyard_model::task::attempt::{Outcome, Stop};
use tiltyard_model::task::retry::Backoff;
use tiltyard_model::task::{OnDependencyFailure, State};

/// A new task. Only `kind` and `title` are required, and a template may give them too.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// Where it belongs; the token's only scope when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Which lane; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// `command`, `change`, or any slug that a worker knows; the template's when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// One line for people, at most 200 characters; the template's when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 200))]
    pub title: String,
    /// Any JSON for the worker, at most 256 KiB; `{}` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub payload: Option<Box<RawValue>>,
    /// 1 to 10, 10 runs first; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub priority: Option<u8>,
    /// For people and filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// For people and filters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// An agent must have all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Tasks that must succeed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Id>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Time>,
    /// Past it, unfinished work is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Wall time of one attempt; an hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800_000))]
    pub timeout_ms: Option<i64>,
    /// Attempts before it is dead; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub max_attempts: Option<u32>,
    /// How long to wait after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// A second task with the key in the scope returns the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// How long the key holds; until the task is final when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_for_ms: Option<i64>,
    /// Tasks of one key run at once at most `concurrency_limit` times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// The limit of the key; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency_limit: Option<u32>,
    /// Tasks of one key start at most `rate_per_minute` times a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
    /// The limit of the key; required with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate_per_minute: Option<u32>,
    /// Only this agent may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign_to: Option<String>,
    /// What a failed dependency does; `cancel` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_dependency_failure: Option<OnDependencyFailure>,
    /// A template whose fields are taken where this submission names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A task as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Task")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// Its lane.
    pub queue: String,
    /// What sort of work.
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// Any JSON for the worker.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
    /// 1 to 10.
    pub priority: u8,
    /// For people and filters.
    pub category: Option<String>,
    /// For people and filters.
    pub labels: Vec<String>,
    /// An agent must have all of them.
    pub capabilities: Vec<String>,
    /// Tasks that must succeed first.
    pub depends_on: Vec<Id>,
    /// Not before.
    pub run_at: Option<Time>,
    /// Past it, unfinished work is cancelled.
    pub deadline: Option<Time>,
    /// Wall time of one attempt.
    pub timeout_ms: i64,
    /// Attempts before it is dead.
    pub max_attempts: u32,
    /// How long to wait after a failure.
    pub backoff: Backoff,
    /// Its unique key.
    pub unique_key: Option<String>,
    /// How long that holds.
    pub unique_for_ms: Option<i64>,
    /// Its concurrency key.
    pub concurrency_key: Option<String>,
    /// The limit of that.
    pub concurrency_limit: Option<u32>,
    /// Its rate key.
    pub rate_key: Option<String>,
    /// The limit of that.
    pub rate_per_minute: Option<u32>,
    /// Only this agent may take it.
    pub assign_to: Option<String>,
    /// What a failed dependency does.
    pub on_dependency_failure: OnDependencyFailure,
    /// Where it stands.
    pub state: State,
    /// Grows by one with every lease.
    pub generation: i64,
    /// Attempts counted so far.
    pub attempts: u32,
    /// Who has it, or had it last.
    pub agent: Option<String>,
    /// What is left of the lease, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_in_ms: Option<i64>,
    /// 0 to 1, as the agent says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// What the agent says it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was submitted.
    pub created_at: Time,
    /// When it last became ready.
    pub ready_at: Option<Time>,
    /// When its last attempt started.
    pub started_at: Option<Time>,
    /// When it became final.
    pub ended_at: Option<Time>,
    /// The last attempt's result.
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<Box<RawValue>>,
    /// The last attempt's error.
    pub error: Option<String>,
    /// Why it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How the stop of its last attempt went, once it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The change it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Id>,
    /// Whether its texts hold control or direction-changing characters (SEC17).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspicious: bool,
    /// Why it does not run, when the list was asked for it (`?why=true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// A task in the answer to a batch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// Its lane.
    pub queue: String,
    /// What sort of work.
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// 1 to 10.
    pub priority: u8,
    /// Where it stands.
    pub state: State,
    /// When it was submitted.
    pub created_at: Time,
}

/// Many new tasks, all or nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBatch {
    /// The scope, for what names none; the token's only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// At most 10,000.
    pub tasks: Vec<Submit>,
}

/// What became of a batch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BatchAnswer {
    /// One a submission, in order; for a duplicate the first task of the key.
    pub tasks: Vec<Brief>,
    /// Which submissions were duplicates.
    pub duplicates: Vec<Duplicate>,
}

/// A submission whose unique key was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicate {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The task that holds the key.
    pub id: Id,
}

/// Filters of `GET /tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TaskFilter")]
pub struct Filter {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The state; several by comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// One of its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Who has it or had it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Words of the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The run whose parts they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Whether to say of each why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<bool>,
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

/// What a person may change of a task that is not final. Absent fields stay; `null` clears.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TaskPatch")]
pub struct Patch {
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub title: Option<String>,
    /// 1 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub priority: Option<u8>,
    /// For people and filters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// For people and filters; null clears.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub category: Option<Option<String>>,
    /// Not before; null clears.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Option<Time>>,
    /// Past it, unfinished work is cancelled; null clears.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Option<Time>>,
    /// Only this agent may take it; null clears.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub assign_to: Option<Option<String>>,
}

/// Tells a field that is `null` from one that is absent.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Calls a task off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TaskCancel")]
pub struct Cancel {
    /// Why, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Runs a dead or cancelled task again, attempts fresh.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Another priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Only this agent may take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assign_to: Option<String>,
    /// Another payload; the old one stays visible in the attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub payload: Option<Box<RawValue>>,
}

/// Does one thing to many tasks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TaskBulk")]
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
    /// The priority, for `set_priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
}

/// What can be done to many tasks at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TaskBulkAction")]
pub enum BulkAction {
    /// Call them off.
    Cancel,
    /// Run them again.
    Retry,
    /// Give them another priority.
    SetPriority,
}

/// What became of an act on many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BulkAnswer {
    /// How many it was meant for.
    pub matched: u64,
    /// How many it changed.
    pub changed: u64,
}

/// Why a task does not run (D8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// Its state.
    pub state: State,
    /// One sentence for a person.
    pub summary: String,
    /// Every reason, the one to mend first first.
    pub reasons: Vec<Reason>,
}

/// One reason why a task does not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskReason")]
pub struct Reason {
    /// Which: `dependency queue_paused queue_draining queue_limit queue_rate concurrency rate capability kind
    /// assigned agent_offline agents_busy no_agent decision time stopping order final running`.
    pub code: String,
    /// One sentence for a person.
    pub text: String,
    /// What it is about: an id, a queue, an agent, a key, a capability, a time.
    pub about: Option<String>,
}

/// One attempt (D2).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Its generation.
    pub generation: i64,
    /// Who tried.
    pub agent: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// How it ended; null while it runs.
    pub outcome: Option<Outcome>,
    /// Its error.
    pub error: Option<String>,
    /// Its result.
    #[schemars(with = "Option<serde_json::Value>")]
    pub result: Option<Box<RawValue>>,
    /// Where its log is.
    pub log: String,
    /// How its stop went (D4).
    pub stop: Option<Stop>,
    /// The payload it ran with, where a retry has edited the task's since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub payload: Option<Box<RawValue>>,
}

/// Which log to read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogQuery {
    /// The attempt; the last one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// From this byte on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Whether to go on as it grows (SSE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
}

/// Tasks and what they wait for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    /// The tasks, at most 1,000.
    pub nodes: Vec<Brief>,
    /// Which waits for which.
    pub edges: Vec<Edge>,
}

/// `task` waits for `depends_on`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// The one that waits.
    pub task: Id,
    /// The one it waits for.
    pub depends_on: Id,
}
