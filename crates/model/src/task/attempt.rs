//! Attempts: one try at a task by one agent, and what its end does to the task.

use super::State;
use super::retry::Backoff;
use crate::time::TimeMs;
use serde::{Deserialize, Serialize};

/// Longest result or error of an attempt in bytes; bigger things are artifacts.
pub const MAX_RESULT_BYTES: usize = 64 * 1024;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The agent did it.
    Succeeded,
    /// The agent says that it failed.
    Failed,
    /// It ran longer than `timeout_ms`.
    TimedOut,
    /// The lease ran out, or a new process of the agent holds nothing.
    LeaseLost,
    /// Given back, not counted.
    Released,
    /// The task was cancelled meanwhile.
    Cancelled,
}

impl Outcome {
    /// Every outcome; the index is the number in a row.
    pub const ALL: [Self; 6] =
        [Self::Succeeded, Self::Failed, Self::TimedOut, Self::LeaseLost, Self::Released, Self::Cancelled];

    /// The number in a row.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The outcome of a row's number.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// Whether it uses up one of `max_attempts`.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Released | Self::Cancelled)
    }
}

/// How the stop of a cancelled attempt went (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The agent is to be told.
    Requested,
    /// It knows.
    Acknowledged,
    /// Nothing of it runs any more.
    Stopped,
    /// It said nothing for 30 s.
    Unconfirmed,
}

impl Stop {
    /// Every step; the index is the number in a row.
    pub const ALL: [Self; 4] = [Self::Requested, Self::Acknowledged, Self::Stopped, Self::Unconfirmed];

    /// The number in a row.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The step of a row's number.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// Whether the attempt still takes its concurrency slot.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Acknowledged)
    }
}

/// One try at a task (D2).
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its number.
    pub generation: i64,
    /// Who tried.
    pub agent: String,
    /// The process that tried.
    pub instance: Option<String>,
    /// When it started.
    pub started_at: TimeMs,
    /// When it ended.
    pub ended_at: Option<TimeMs>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// What went wrong.
    pub error: Option<String>,
    /// JSON text.
    pub result: Option<String>,
    /// How its stop went.
    pub stop: Option<Stop>,
    /// The payload that it ran with, where a retry has edited the task's since: JSON text.
    pub payload: Option<String>,
}

/// What decides about a task after an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Attempts counted before this one.
    pub used: u32,
    /// Attempts allowed.
    pub max: u32,
    /// The task's back-off.
    pub backoff: Backoff,
    /// Whether the agent says that another try could help.
    pub retryable: bool,
    /// Whether success of this kind needs a decision.
    pub needs_decision: bool,
    /// From 0.0 to below 1.0, drawn by the caller.
    pub chance: f64,
    /// Now.
    pub now: TimeMs,
}

/// Where a task goes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The next state.
    pub state: State,
    /// When it may run again, for `scheduled`.
    pub run_at: Option<TimeMs>,
    /// Attempts counted after this one.
    pub used: u32,
}

/// The rows from `running` of the table of moves.
pub fn after(outcome: Outcome, facts: Facts) -> Next {
    let used = facts.used + u32::from(outcome.counts());
    let exhausted = used >= facts.max;
    let to = |state| Next { state, run_at: None, used };
    match outcome {
        Outcome::Succeeded if facts.needs_decision => to(State::Waiting),
        Outcome::Succeeded => to(State::Succeeded),
        Outcome::Released => to(State::Ready),
        Outcome::Cancelled => to(State::Cancelled),
        Outcome::LeaseLost if exhausted => to(State::Dead),
        Outcome::LeaseLost => to(State::Ready),
        Outcome::Failed | Outcome::TimedOut if exhausted || !facts.retryable => to(State::Dead),
        Outcome::Failed | Outcome::TimedOut => {
            let wait_ms = facts.backoff.delay_ms(used, facts.chance);
            Next { run_at: Some(facts.now.saturating_add(wait_ms)), ..to(State::Scheduled) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(used: u32) -> Facts {
        Facts {
            used,
            max: 3,
            backoff: Backoff::default(),
            retryable: true,
            needs_decision: false,
            chance: 0.5,
            now: 10_000,
        }
    }

    // The table of moves in domain.md, the rows from `running`.
    #[test]
    fn every_outcome_has_its_row() {
        assert_eq!(
            after(Outcome::Succeeded, facts(0)),
            Next { state: State::Succeeded, run_at: None, used: 1 }
        );
        let decided = Facts { needs_decision: true, ..facts(0) };
        assert_eq!(after(Outcome::Succeeded, decided).state, State::Waiting);
        assert_eq!(after(Outcome::Released, facts(2)), Next { state: State::Ready, run_at: None, used: 2 });
        assert_eq!(after(Outcome::LeaseLost, facts(1)).state, State::Ready);
        assert_eq!(after(Outcome::LeaseLost, facts(2)).state, State::Dead);
        for outcome in [Outcome::Failed, Outcome::TimedOut] {
            assert_eq!(
                after(outcome, facts(0)),
                Next { state: State::Scheduled, run_at: Some(10_500), used: 1 }
            );
            assert_eq!(after(outcome, facts(2)), Next { state: State::Dead, run_at: None, used: 3 });
            assert_eq!(after(outcome, Facts { retryable: false, ..facts(0) }).state, State::Dead);
        }
        assert_eq!(after(Outcome::Cancelled, facts(2)).state, State::Cancelled);
    }

    #[test]
    fn codes_read_back() {
        assert!(Outcome::ALL.iter().all(|outcome| Outcome::from_code(outcome.code()) == Some(*outcome)));
        assert!(Stop::ALL.iter().all(|stop| Stop::from_code(stop.code()) == Some(*stop)));
    }
}
