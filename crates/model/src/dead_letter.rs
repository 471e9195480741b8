//! Dead letters (D10 to D12): tasks whose attempts are used up, kept for a person. Their moves, the order in
//! which they make room, and how a group is retried.

pub mod fingerprint;

use crate::id::Id;
use crate::refusal::{Code, Refusal};
use crate::time::{MINUTE_MS, TimeMs};
use serde::{Deserialize, Serialize};

/// Letters kept in a scope when no setting says otherwise (`dead_letters.max`).
pub const DEFAULT_MAX_LETTERS: usize = 500;
/// Longest reason of a dismissal, in characters.
pub const MAX_REASON_CHARS: usize = 1_000;
/// Characters of the error that stands for a group.
pub const MAX_SAMPLE_CHARS: usize = 1_000;
/// Most letters that a group retry may send at once.
pub const MAX_FIRST_LETTERS: u32 = 1_000;
/// Fastest group retry, in letters a minute.
pub const MAX_RATE_PER_MINUTE: u32 = 6_000;

/// Where a letter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for a person.
    Pending,
    /// Its task runs again.
    Retrying,
    /// Its task succeeded after a retry.
    Resolved,
    /// A person set it aside.
    Dismissed,
}

/// What moves a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// A person retries the letter.
    Retry,
    /// Its task was retried as a task, without the letter being named.
    Revive,
    /// Its task succeeded.
    Succeed,
    /// Its task died again.
    DieAgain,
    /// Its task was cancelled while it was retried.
    Cancel,
    /// A person sets it aside.
    Dismiss,
    /// A person takes it back.
    Reopen,
}

impl Move {
    /// Every move.
    pub const ALL: [Self; 7] =
        [Self::Retry, Self::Revive, Self::Succeed, Self::DieAgain, Self::Cancel, Self::Dismiss, Self::Reopen];

    const fn verb(self) -> &'static str {
        match self {
            Self::Retry | Self::Revive => "retried",
            Self::Succeed => "resolved",
            Self::DieAgain => "added again",
            Self::Cancel | Self::Dismiss => "dismissed",
            Self::Reopen => "reopened",
        }
    }
}

impl State {
    /// Every state; the index is the number in a row.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Retrying, Self::Resolved, Self::Dismissed];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
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

    /// The state of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Where a move leads.
    ///
    /// # Errors
    /// `wrong_state` when the letter cannot make that move, with the state it is in.
    pub fn after(self, step: Move) -> Result<Self, Refusal> {
        match (self, step) {
            (Self::Pending, Move::Retry | Move::Revive) | (Self::Dismissed, Move::Revive) => {
                Ok(Self::Retrying)
            }
            (Self::Retrying, Move::Succeed) => Ok(Self::Resolved),
            (Self::Retrying, Move::DieAgain) | (Self::Dismissed, Move::Reopen) => Ok(Self::Pending),
            // Who cancels the second try has given the letter up.
            (Self::Pending, Move::Dismiss) | (Self::Retrying, Move::Cancel) => Ok(Self::Dismissed),
            _ => Err(self.wrong(step.verb())),
        }
    }

    /// Whether letter and payload may be deleted: not while the task runs again on that payload.
    ///
    /// # Errors
    /// `wrong_state` for a letter that is `retrying`.
    pub fn may_delete(self) -> Result<(), Refusal> {
        if self == Self::Retrying { Err(self.wrong("deleted")) } else { Ok(()) }
    }

    /// Whether the letter goes when there are too many (D11).
    pub const fn may_evict(self) -> bool {
        matches!(self, Self::Resolved | Self::Dismissed)
    }

    fn wrong(self, verb: &str) -> Refusal {
        let state = self.as_str();
        Refusal::new(Code::WrongState, format!("the letter is {state}, so it cannot be {verb}"))
            .with("state", state)
    }
}

/// What the limit on letters asks for (D11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many resolved and dismissed letters go, the oldest first by the time they turned so, then by id.
    pub evict: usize,
    /// So many letters are still too many: `dead_letter.limit_exceeded`, and health is `degraded`.
    pub over: usize,
}

/// How room is made in a scope that holds `kept` letters, of which `evictable` may go.
pub const fn room(kept: usize, evictable: usize, max: usize) -> Room {
    let excess = kept.saturating_sub(max);
    let evict = if excess < evictable { excess } else { evictable };
    Room { evict, over: excess - evict }
}

/// How a group is retried (D12): some letters now, to see whether it helps, the rest at a stated rate. People ask for
/// one, look, ask for a few, look, and ask for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupRetry {
    /// So many at once; without a rate all of them when absent, with one none.
    pub first: Option<u32>,
    /// The rest, so many a minute; they stay `pending` when absent.
    pub rate_per_minute: Option<u32>,
}

/// When a letter of a group runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// At once.
    Now,
    /// Not before this time.
    At(TimeMs),
    /// When somebody asks again.
    Later,
}

impl GroupRetry {
    /// Whether the plan is within its bounds.
    ///
    /// # Errors
    /// `invalid` with the field.
    pub fn admit(self) -> Result<Self, Refusal> {
        if self.first.is_some_and(|first| !(1..=MAX_FIRST_LETTERS).contains(&first)) {
            return Err(Refusal::field("/first", format!("must be 1 to {MAX_FIRST_LETTERS}")));
        }
        if self.rate_per_minute.is_some_and(|rate| !(1..=MAX_RATE_PER_MINUTE).contains(&rate)) {
            return Err(Refusal::field("/rate_per_minute", format!("must be 1 to {MAX_RATE_PER_MINUTE}")));
        }
        Ok(self)
    }

    /// When the letter at `index`, the oldest being 0, has its turn.
    pub fn turn(self, index: u32, now: TimeMs) -> Turn {
        match (self.first, self.rate_per_minute) {
            (None, None) => Turn::Now,
            (Some(first), _) if index < first => Turn::Now,
            (Some(_), None) => Turn::Later,
            (first, Some(rate)) => {
                // Whoever went at once counts: the first of the rest has waited its share too.
                let place = i64::from(index) - first.map_or(0, |first| i64::from(first) - 1);
                match place * MINUTE_MS / i64::from(rate.max(1)) {
                    0 => Turn::Now,
                    wait_ms => Turn::At(now.saturating_add(wait_ms)),
                }
            }
        }
    }
}

/// A letter with what people need to know of its task.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// The task that died.
    pub task: Id,
    /// Where it stands.
    pub state: State,
    /// Its group.
    pub fingerprint: String,
    /// The task's category.
    pub category: Option<String>,
    /// The last error.
    pub error: String,
    /// Who tried last.
    pub agent: Option<String>,
    /// When the task died.
    pub failed_at: TimeMs,
    /// Attempts of its last life.
    pub attempts: u32,
    /// How often it was retried.
    pub retries: u32,
    /// Why it was dismissed.
    pub reason: Option<String>,
    /// The payload that the task has now: JSON text.
    pub payload: String,
    /// The payload before a retry edited it.
    pub original_payload: Option<String>,
    /// The task's line for people.
    pub title: String,
    /// The task's lane.
    pub queue: String,
    /// What sort of work.
    pub kind: String,
    /// The task's priority.
    pub priority: u8,
    /// The task's labels.
    pub labels: Vec<String>,
    /// Who submitted the task.
    pub created_by: String,
}

/// Letters of one cause in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The scope.
    pub scope: String,
    /// The name of the group.
    pub fingerprint: String,
    /// What sort of work.
    pub kind: String,
    /// One of the errors, cut after [`MAX_SAMPLE_CHARS`] characters.
    pub error: String,
    /// How many are pending.
    pub pending: u64,
    /// How many there are.
    pub total: u64,
    /// When the first one died.
    pub first_at: TimeMs,
    /// When the last one died.
    pub last_at: TimeMs,
}

#[cfg(test)]
mod tests;
