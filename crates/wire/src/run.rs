//! Runs of pipelines on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tiltyard_model::id::Id;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State as StageState;

/// A run as it is (D22).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// One line for people.
    pub title: Option<String>,
    /// The pipeline that it was started by; null where the definition came with the request.
    pub pipeline: Option<String>,
    /// The number of the pipeline then.
    pub number: Option<i64>,
    /// The SHA-256 of its definition's canonical form.
    pub sha256: String,
    /// Where it stands.
    pub state: State,
    /// How far it is.
    pub progress: Progress,
    /// The gates that it waits for, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Id>,
    /// The first stage that failed, and why, in one line.
    pub error: Option<String>,
    /// The run that it is a stage of.
    pub parent: Option<Parent>,
    /// The schedule that started it.
    pub schedule: Option<String>,
    /// Who started it.
    pub started_by: String,
    /// When it was made.
    pub created_at: Time,
    /// When it left the queue.
    pub begun_at: Option<Time>,
    /// When it ended last; null while it moves.
    pub ended_at: Option<Time>,
    /// How often it was run again.
    pub reruns: u32,
    /// How the stops of a cancelled run go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
    /// A command that helps to go on, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What it was given; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub input: Option<Box<RawValue>>,
    /// Its stages in the order of the definition; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<Stage>>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunProgress")]
pub struct Progress {
    /// Its stages.
    pub stages: u32,
    /// Those that have ended.
    pub ended: u32,
    /// Items of all lists that are known.
    pub items: u32,
    /// Those that have ended.
    pub items_ended: u32,
    /// Those that have failed or were cancelled.
    pub items_failed: u32,
}

/// The run that a run is a stage of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunParent")]
pub struct Parent {
    /// The run.
    pub run: Id,
    /// Its stage.
    pub stage: String,
    /// The item of that stage's list, from 0 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The run that nobody's stage started.
    pub root: Id,
}

/// How the stops of a run went (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunStopping")]
pub struct Stopping {
    /// How much was told to stop.
    pub asked: u32,
    /// How much did.
    pub stopped: u32,
    /// Of how much nobody knows.
    pub unconfirmed: u32,
}

/// A stage of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunStage")]
pub struct Stage {
    /// Its id.
    pub id: String,
    /// What it uses.
    pub uses: String,
    /// Where it stands. A task that waits for an agent and one that runs are both `ready`: its task says which.
    pub state: StageState,
    /// The how-manieth attempt in this run; 0 before the first.
    pub attempt: u32,
    /// Why it is not running, or ended as it did.
    pub why: Option<String>,
    /// Its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// Its gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Id>,
    /// Its run of another pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
    /// The numbers of its list, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
    /// What it put out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// When its attempt began.
    pub began_at: Option<Time>,
    /// When its attempt ended.
    pub ended_at: Option<Time>,
    /// What went wrong.
    pub error: Option<String>,
    /// A command that helps to go on, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The numbers of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunItems")]
pub struct Items {
    /// How many there are.
    pub total: u32,
    /// How many are under way.
    pub open: u32,
    /// How many have succeeded.
    pub succeeded: u32,
    /// How many have failed or were cancelled.
    pub failed: u32,
}

/// Something that a stage put out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunOutput")]
pub struct Output {
    /// What it is called.
    pub name: String,
    /// `document`, `text` or `file`.
    pub kind: String,
    /// The artifact with its bytes.
    pub artifact: Option<Id>,
    /// How many bytes.
    pub size: Option<u64>,
    /// Their media type.
    pub media_type: Option<String>,
}

/// An item of a stage's list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunItem")]
pub struct Item {
    /// Its place in the list, from 0 on.
    pub index: u32,
    /// Where it stands.
    pub state: StageState,
    /// How often it was begun.
    pub attempts: u32,
    /// What it is.
    #[schemars(with = "Value")]
    pub value: Box<RawValue>,
    /// Its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// Its gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Id>,
    /// Its run of another pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
    /// What came of it, where that is small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub result: Option<Box<RawValue>>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An artifact of a run, and which stage put it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunArtifact")]
pub struct Artifact {
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
    /// The stage.
    pub stage: String,
    /// Which attempt of it.
    pub attempt: u32,
    /// The item of its list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// What the stage calls it.
    pub output: String,
}

/// Starts a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RunStart")]
pub struct Start {
    /// The scope; the token's only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A published pipeline; or
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// that pipeline as it was with this number; or
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// a definition of its own: a text in YAML, or its JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<Definition>,
    /// What it is given, as the pipeline's `input` describes it; `{}` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub input: Option<Box<RawValue>>,
    /// One line for people, at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A definition inside of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "PipelineDefinition")]
pub enum Definition {
    /// YAML, or JSON as a text: mistakes have lines and columns.
    Text(String),
    /// JSON.
    Object(serde_json::Map<String, Value>),
}

/// Filters of `GET /runs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RunFilter")]
pub struct Filter {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The state; several by comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The pipeline that it was started by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The schedule that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Words of the title, or of the pipeline's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
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

/// Filters of the items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RunItemFilter")]
pub struct ItemQuery {
    /// The state; several by comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000; not together with a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// Calls a run off.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RunCancel")]
pub struct Cancel {
    /// Why, for people; at most 1,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Runs a run again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RunRerun")]
pub struct Rerun {
    /// From this stage on, with all that need it; whatever was not done when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_stage: Option<String>,
}
