//! Schedules: what starts a pipeline or a task by itself, and when.

use crate::task::Submit;
use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::id::Id;
use tiltyard_model::schedule::kept::Became;
use tiltyard_model::schedule::{Missed, Overlap};

/// A schedule as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub struct View {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Five fields, or six with the second first; `null` for an interval.
    pub cron: Option<String>,
    /// The IANA name of the zone that `cron` goes by.
    pub timezone: Option<String>,
    /// The interval; `null` for `cron`.
    pub every_ms: Option<i64>,
    /// Slots are whole intervals after this.
    pub from: Option<Time>,
    /// The pipeline that it starts, always in its newest version.
    pub pipeline: Option<String>,
    /// The input of its runs.
    pub input: Option<serde_json::Value>,
    /// The task that it starts.
    pub task: Option<Box<Submit>>,
    /// What becomes of slots that nobody started within a minute.
    pub missed: Missed,
    /// What becomes of a slot while what an earlier one started is not over.
    pub overlap: Overlap,
    /// Whether it rests.
    pub paused: bool,
    /// Grows with every change of it.
    pub revision: i64,
    /// The next five slots; none while it is paused.
    pub next: Vec<Time>,
    /// What became of the last slot.
    pub last: Option<Last>,
    /// Who saved it: what it starts is started in this name.
    pub saved_by: String,
    /// When it was saved last.
    pub updated_at: Time,
}

/// What became of a slot.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ScheduleLast")]
pub struct Last {
    /// The slot.
    pub slot: Time,
    /// What was done.
    pub became: Became,
    /// The task that was started; of a `duplicate` the one that was there.
    pub task: Option<Id>,
    /// The run that was started.
    pub run: Option<Id>,
    /// What refused it.
    pub error: Option<String>,
}

/// Saves a schedule: `cron` or `every_ms`, and `pipeline` or `task`. One that says something new begins now; the same again changes
/// nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SchedulePut")]
pub struct Put {
    /// The scope; the token's only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Five fields, or six with the second first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub cron: Option<String>,
    /// The IANA name of the zone that `cron` goes by; `UTC` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The interval, at least a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_000, max = 31_622_400_000i64))]
    pub every_ms: Option<i64>,
    /// Slots are whole intervals after this; after what it was before, or now, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// A pipeline to start, always in its newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The input of its runs; `{}` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<serde_json::Value>,
    /// A task to start, as it would be submitted; its template is taken as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<Submit>>,
    /// What becomes of slots that nobody started within a minute; `run_once` when absent.
    pub missed: Missed,
    /// What becomes of a slot while what an earlier one started is not over; `skip` when absent.
    pub overlap: Overlap,
    /// Whether it rests.
    pub paused: bool,
}

/// What says the same again.
impl From<View> for Put {
    fn from(view: View) -> Self {
        Self {
            scope: Some(view.scope),
            cron: view.cron,
            timezone: view.timezone,
            every_ms: view.every_ms,
            from: view.from,
            pipeline: view.pipeline,
            input: view.input,
            task: view.task,
            missed: view.missed,
            overlap: view.overlap,
            paused: view.paused,
        }
    }
}
