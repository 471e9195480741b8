//! A schedule as it is kept: when, what, and how far it has come.

use super::{Missed, Overlap, Timing};
use crate::id::Id;
use crate::refusal::{Code, Fault, Refusal};
use crate::slug::is_slug;
use crate::task::Spec;
use crate::task::admission::{faults as task_faults, is_internal_kind};
use crate::time::TimeMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most schedules of a scope.
pub const MAX_SCHEDULES: usize = 1_000;
/// So many of the slots to come are shown.
pub const MAX_SHOWN_SLOTS: usize = 5;
/// Slots of a schedule of which it is kept what became of them.
pub const MAX_KEPT_STARTS: u32 = 100;
/// Largest input of a pipeline, in bytes of its JSON.
pub const MAX_INPUT_BYTES: usize = 256 * 1024;

/// What a schedule starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A run of the newest version of a pipeline.
    Pipeline {
        /// Its name.
        name: String,
        /// The run's input.
        input: Value,
    },
    /// A task.
    Task(Box<Spec>),
}

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its scope.
    pub scope: String,
    /// Its name, a slug.
    pub name: String,
    /// Grows with every change of it.
    pub revision: i64,
    /// When it starts something.
    pub timing: Timing,
    /// What it starts.
    pub what: What,
    /// What becomes of slots that nobody started in time.
    pub missed: Missed,
    /// What becomes of a slot while what an earlier one started is not over.
    pub overlap: Overlap,
    /// Whether it rests.
    pub paused: bool,
    /// Until here every slot has been dealt with.
    pub last_at: TimeMs,
    /// The next slot; `None` where there is none before the year 10000.
    pub next_at: Option<TimeMs>,
    /// What became of the last slot.
    pub last: Option<Last>,
    /// Who saved it: what it starts is started in this name.
    pub saved_by: String,
    /// When it was saved last.
    pub updated_at: TimeMs,
}

/// What became of the last slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Last {
    /// The slot.
    pub at: TimeMs,
    /// What was done.
    pub became: Became,
    /// The task or the run: the one that was started, or the one that holds the task's unique key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thing: Option<Id>,
    /// What kept it from being started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// Something was started.
    Started,
    /// Something was made, and waits for what earlier slots started.
    Queued,
    /// Nothing: nobody was there in time.
    Missed,
    /// Nothing: what an earlier slot started is not over.
    Overlapped,
    /// Nothing: a task that holds the same unique key is there.
    Duplicate,
    /// Nothing: it was refused.
    Refused,
}

impl Became {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Queued => "queued",
            Self::Missed => "missed",
            Self::Overlapped => "overlapped",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }

    /// The word in `schedule.skipped`; `None` where something was started.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Started | Self::Queued => None,
            Self::Missed => Some("missed"),
            Self::Overlapped => Some("overlap"),
            Self::Duplicate => Some("duplicate"),
            Self::Refused => Some("error"),
        }
    }
}

impl Missed {
    /// The word in a row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
        }
    }

    /// The rule of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::RunOnce, Self::Skip].into_iter().find(|rule| rule.as_str() == word)
    }
}

impl Overlap {
    /// The word in a row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Allow => "allow",
        }
    }

    /// The rule of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Skip, Self::Queue, Self::Allow].into_iter().find(|rule| rule.as_str() == word)
    }
}

impl Schedule {
    /// The slots to come, as far as they are shown; none while it is paused.
    pub fn upcoming(&self) -> Vec<TimeMs> {
        let Some(table) = self.timing.timetable().ok().filter(|_| !self.paused) else { return Vec::new() };
        std::iter::successors(table.next(self.last_at), |at| table.next(*at)).take(MAX_SHOWN_SLOTS).collect()
    }

    /// Whether it says the same as another: when, what, and how.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.timing, &self.what, self.missed, self.overlap, self.paused)
            == (&other.timing, &other.what, other.missed, other.overlap, other.paused)
    }
}

/// Every fault of a schedule, each with its place; empty when it may be kept.
pub fn faults(schedule: &Schedule) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut fault = |field: &str, error: &str| {
        found.push(Fault { field: field.to_owned(), error: error.to_owned() });
    };
    if !is_slug(&schedule.name) {
        fault("/name", "must be a slug: 1 to 64 of a-z, 0-9, _ and -");
    }
    match &schedule.what {
        What::Pipeline { name, input } => {
            if !is_slug(name) {
                fault("/pipeline", "must name a published pipeline");
            }
            if input.to_string().len() > MAX_INPUT_BYTES {
                fault("/input", "must be at most 256 KiB of JSON");
            }
        }
        What::Task(spec) => {
            let own = "the schedule says when, and starts it anew each time: leave it out";
            for (field, is_said) in [
                ("/task/depends_on", !spec.depends_on.is_empty()),
                ("/task/run_at", spec.run_at.is_some()),
                ("/task/deadline", spec.deadline.is_some()),
            ] {
                if is_said {
                    fault(field, own);
                }
            }
            if spec.scope != schedule.scope {
                fault("/task/scope", "must be that of the schedule, or be left out");
            }
            if is_internal_kind(&spec.kind) {
                fault("/task/kind", "kinds that begin with `git.` are the server's own");
            }
            for Fault { field, error } in task_faults(spec) {
                fault(&format!("/task{field}"), &error);
            }
        }
    }
    if let Err(refusal) = schedule.timing.timetable() {
        found.extend(refusal.faults);
    }
    found
}

/// Refuses one more than a scope may have.
///
/// # Errors
/// 422 at `/name`.
pub fn admit_another(count: usize) -> Result<(), Refusal> {
    if count < MAX_SCHEDULES {
        return Ok(());
    }
    let text = format!("the scope has {MAX_SCHEDULES} schedules: remove one first");
    Err(Refusal::fault(Code::Invalid, "/name", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    // D29: a scope has at most so many, and rules are kept by their words.
    #[test]
    fn d29_limits_and_words() {
        assert!(admit_another(MAX_SCHEDULES - 1).is_ok() && admit_another(MAX_SCHEDULES).is_err());
        for rule in [Missed::RunOnce, Missed::Skip] {
            assert_eq!(Missed::parse(rule.as_str()), Some(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
        for rule in [Overlap::Skip, Overlap::Queue, Overlap::Allow] {
            assert_eq!(Overlap::parse(rule.as_str()), Some(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
        assert_eq!((Missed::parse("never"), Overlap::parse("")), (None, None));
        assert_eq!(serde_json::to_value(Became::Overlapped).unwrap(), Became::Overlapped.as_str());
    }
}
