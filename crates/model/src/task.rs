//! Tasks: one unit of work, with a payload, a priority and a lifecycle (`domain.md`, Task).

pub mod admission;
pub mod attempt;
pub mod lease;
pub mod retry;

use crate::id::Id;
use crate::time::{DurationMs, HOUR_MS, TimeMs};
use retry::Backoff;
use serde::{Deserialize, Serialize};

/// The queue of a task that names none.
pub const DEFAULT_QUEUE: &str = "default";
/// The queue of the internal tasks of changes.
pub const GIT_QUEUE: &str = "git";
/// The kind whose success needs a decision before it counts.
pub const CHANGE_KIND: &str = "change";
/// Lowest priority.
pub const MIN_PRIORITY: u8 = 1;
/// Highest priority; runs first.
pub const MAX_PRIORITY: u8 = 10;
/// Priority of a task that names none.
pub const DEFAULT_PRIORITY: u8 = 5;
/// What one step of priority weighs in waiting time (D5).
pub const PRIORITY_STEP_MS: DurationMs = 600_000;
/// Wall time of one attempt when none is named.
pub const DEFAULT_TIMEOUT_MS: DurationMs = HOUR_MS;
/// Attempts of a task that names none.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;

/// Where a task stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TaskState")]
pub enum State {
    /// Waits for its dependencies.
    Pending,
    /// Waits for its time.
    Scheduled,
    /// May be claimed.
    Ready,
    /// An agent holds a lease.
    Running,
    /// Done by its agent, waits for a decision.
    Waiting,
    /// Final: done.
    Succeeded,
    /// Final until a person retries: its attempts are used up.
    Dead,
    /// Final until a person retries: called off.
    Cancelled,
}

impl State {
    /// Every state, in the order of a board's columns.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Scheduled,
        Self::Ready,
        Self::Running,
        Self::Waiting,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The number in a row.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The state of a row's number; `None` for another number.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing moves it any more but a person's retry.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }
}

/// What becomes of a task whose dependency ended badly (D7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDependencyFailure {
    /// It is cancelled too.
    #[default]
    Cancel,
    /// It runs all the same.
    Run,
}

/// A limit on how many tasks of one key run at once, in the scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Concurrency {
    /// The key.
    pub key: String,
    /// At most so many run at once.
    pub limit: u32,
}

/// A limit on how many tasks of one key start a minute, in the scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// The key.
    pub key: String,
    /// At most so many start in any 60 s.
    pub per_minute: u32,
}

/// A key under which the scope has at most one such task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unique {
    /// The key.
    pub key: String,
    /// How long it holds from submission; until the task is final when absent.
    pub for_ms: Option<DurationMs>,
}

/// What a submission asks for: everything about a task that does not move by itself. A schedule keeps one as JSON: a field that
/// is added later has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The scope.
    pub scope: String,
    /// The lane.
    pub queue: String,
    /// What sort of work.
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// JSON text for the worker.
    pub payload: String,
    /// 1 to 10; 10 runs first.
    pub priority: u8,
    /// Rarely used fields, kept together.
    pub extras: Extras,
    /// Must succeed first.
    pub depends_on: Vec<Id>,
    /// Not before.
    pub run_at: Option<TimeMs>,
    /// Past it, unfinished work is cancelled.
    pub deadline: Option<TimeMs>,
    /// Wall time of one attempt.
    pub timeout_ms: DurationMs,
    /// Attempts before it is dead.
    pub max_attempts: u32,
    /// At most one such task.
    pub unique: Option<Unique>,
}

/// The fields of a task that most tasks leave alone; one JSON column in the store.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extras {
    /// For people and filters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// For people and filters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// An agent must have all of them; sorted, without doubles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// How long to wait after a failure.
    #[serde(skip_serializing_if = "Backoff::is_default")]
    pub backoff: Backoff,
    /// Limit on running ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Limit on starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Only this agent may take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assign_to: Option<String>,
    /// What a failed dependency does.
    #[serde(skip_serializing_if = "is_cancel")]
    pub on_dependency_failure: OnDependencyFailure,
}

impl Extras {
    /// Whether nothing is set: such tasks keep no extras at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn is_cancel(value: &OnDependencyFailure) -> bool {
    *value == OnDependencyFailure::Cancel
}

/// A task as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id; its time is when the task was submitted.
    pub id: Id,
    /// What was asked for. `run_at` moves with the back-off of failures.
    pub spec: Spec,
    /// Who submitted it.
    pub created_by: String,
    /// Where it stands.
    pub state: State,
    /// Grows by one with every lease.
    pub generation: i64,
    /// Attempts counted in this life.
    pub used: u32,
    /// How many dependencies are unfinished.
    pub waits_for: u32,
    /// When it last became ready.
    pub ready_at: Option<TimeMs>,
    /// The current attempt, or the last one.
    pub attempt: Option<attempt::Attempt>,
    /// The length of the lease, while it runs.
    pub lease_ms: Option<DurationMs>,
    /// 0 to 1, as the agent says.
    pub progress: Option<f64>,
    /// What the agent says it does.
    pub message: Option<String>,
    /// When it became final.
    pub ended_at: Option<TimeMs>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// The change it made.
    pub change: Option<Id>,
}

/// A task's place in the order of its queue: what became ready earlier and what has the higher priority has
/// the lower key (D5). It never changes while the task is ready, so nothing starves.
pub const fn sort_key(ready_at: TimeMs, priority: u8) -> i64 {
    ready_at - priority as i64 * PRIORITY_STEP_MS
}

/// The first state of a task, and of one that is retried (`domain.md`, first row of the moves).
pub const fn first_state(unfinished_dependencies: usize, run_at: Option<TimeMs>, now: TimeMs) -> State {
    match run_at {
        _ if unfinished_dependencies > 0 => State::Pending,
        Some(time) if time > now => State::Scheduled,
        _ => State::Ready,
    }
}

/// What a pending task does when a dependency has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDependency {
    /// It still waits for others.
    Stay,
    /// It goes on, to this state.
    Go(State),
    /// It is cancelled with its dependency.
    Cancel,
}

/// Rules D7 and the `pending` rows: `succeeded` tells how the dependency ended, `left` how many others are
/// unfinished.
pub const fn after_dependency(
    succeeded: bool,
    left: usize,
    rule: OnDependencyFailure,
    run_at: Option<TimeMs>,
    now: TimeMs,
) -> AfterDependency {
    match rule {
        OnDependencyFailure::Cancel if !succeeded => AfterDependency::Cancel,
        _ if left > 0 => AfterDependency::Stay,
        _ => AfterDependency::Go(first_state(0, run_at, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn states_have_codes_and_words() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::from_code(8), None);
        assert_eq!(State::from_code(-1), None);
    }

    proptest! {
        // D5: ten minutes of waiting weigh as much as one step of priority.
        #[test]
        fn d5_ageing_weighs_as_priority(time in 0i64..1 << 45, low in 1u8..10) {
            prop_assert_eq!(sort_key(time, low + 1), sort_key(time - 600_000, low));
            prop_assert!(sort_key(time, low + 1) < sort_key(time, low));
            prop_assert!(sort_key(time, low) < sort_key(time + 1, low));
        }
    }

    #[test]
    fn the_first_state_follows_dependencies_then_time() {
        assert_eq!(first_state(1, Some(9), 5), State::Pending);
        assert_eq!(first_state(0, Some(9), 5), State::Scheduled);
        assert_eq!(first_state(0, Some(5), 5), State::Ready);
        assert_eq!(first_state(0, None, 5), State::Ready);
    }

    // D7: a dependency that ended badly moves its dependents by their own rule.
    #[test]
    fn d7_dependents_follow_their_rule() {
        use AfterDependency::{Cancel, Go, Stay};
        use OnDependencyFailure as Rule;
        assert_eq!(after_dependency(false, 3, Rule::Cancel, None, 0), Cancel);
        assert_eq!(after_dependency(false, 1, Rule::Run, None, 0), Stay);
        assert_eq!(after_dependency(false, 0, Rule::Run, None, 0), Go(State::Ready));
        assert_eq!(after_dependency(true, 0, Rule::Cancel, Some(9), 0), Go(State::Scheduled));
        assert_eq!(after_dependency(true, 2, Rule::Cancel, None, 0), Stay);
    }
}
