//! The states of a stage, and why it is in one.

use serde::{Deserialize, Serialize};

/// Where a stage stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StageState")]
pub enum State {
    /// Waits for what it needs.
    Pending,
    /// May begin; a task waits for an agent.
    Ready,
    /// Under way.
    Running,
    /// Waits for a decision, an event, a time, or its next attempt.
    Waiting,
    /// Final: done.
    Succeeded,
    /// Final: failed, and not tried again by itself.
    Failed,
    /// Final: not run, by its condition or because of what it needs.
    Skipped,
    /// Final: called off.
    Cancelled,
}

impl State {
    /// Every state; the index is the number in a row.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Ready,
        Self::Running,
        Self::Waiting,
        Self::Succeeded,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The word on the wire, and what `stages.ID.state` is in expressions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
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

    /// Whether nothing moves it any more but a rerun, or a gate that sends the run back.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled)
    }

    /// Whether something of it was started and has not ended.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Ready | Self::Running | Self::Waiting)
    }
}

/// What is said of a stage that is tried once and whose agent was lost: that counts, for nobody knows how much was done.
pub const LOST_ONCE: &str =
    "its agent was lost while it ran; it may have done part of it. `retry: {max_attempts: 2}` tries again";

/// Why a stage is not running, or ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Why {
    /// Skipped: its condition is false.
    Condition,
    /// Skipped: what it needs did not succeed.
    Needs {
        /// The stage that it needs, by index.
        stage: u32,
        /// The stage that failed or was cancelled in the first place, by index.
        root: u32,
    },
    /// Waits for its next attempt.
    Backoff,
    /// Pending: all that it needs has ended, and an earlier attempt of it is still stopping.
    Stopping,
    /// Failed: so did its last attempt.
    Failed,
    /// Failed: it took longer than it may.
    TimedOut,
    /// Failed: its gate does not let pass.
    Rejected,
    /// Failed: so many of its items did.
    Items(u32),
    /// Cancelled: somebody called off this stage.
    Stage,
    /// Cancelled: the run was called off.
    Run,
}

/// The decision that sent a run back to a stage: its reason, patch and subject are with the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feedback {
    /// The gate's stage, by index.
    pub gate: u32,
    /// Which attempt of it.
    pub attempt: u32,
    /// The how-manieth round begins, from 1 on.
    pub round: u32,
}

/// Whether a stage that is a gate may take over an earlier decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Past {
    /// It may, where the subject is the same one ([`crate::gate::reuse`]).
    #[default]
    Counts,
    /// Somebody asked for this very stage again.
    AskAnew,
}

/// A stage of a run, as far as the next steps depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stage {
    /// Where it stands.
    pub state: State,
    /// How often it was begun in this run; it never goes back, so an outcome of an earlier attempt is known as that.
    pub attempt: u32,
    /// Failures since it last began by its needs.
    pub failures: u32,
    /// How many of its needs have not ended.
    pub unmet: u32,
    /// Why it is so.
    pub why: Option<Why>,
    /// What sent the run back to it.
    pub feedback: Option<Feedback>,
    /// Of a gate: how often it sent the run back, since a person last ran it again.
    pub sent_back: u32,
    /// Of a gate: whether earlier decisions count.
    pub past: Past,
}

impl Stage {
    pub(super) fn new(needs: usize) -> Self {
        Self {
            state: State::Pending,
            attempt: 0,
            failures: 0,
            unmet: u32::try_from(needs).unwrap_or(u32::MAX),
            why: None,
            feedback: None,
            sent_back: 0,
            past: Past::Counts,
        }
    }

    /// Whether its row is the same: all but what is counted anew when rows are read.
    pub fn is_kept_alike(&self, other: &Self) -> bool {
        let Self { state, attempt, failures, unmet: _, why, feedback, sent_back, past } = other;
        (self.state, self.attempt, self.failures, self.why) == (*state, *attempt, *failures, *why)
            && (self.feedback, self.sent_back, self.past) == (*feedback, *sent_back, *past)
    }

    /// Whether it needs no rerun: done, or left out by its own condition.
    pub fn is_done(&self) -> bool {
        self.state == State::Succeeded || (self.state == State::Skipped && self.why == Some(Why::Condition))
    }
}
