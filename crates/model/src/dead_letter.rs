//! Dead letters (D10 to D12): tasks whose attempts are used up, kept for a person. Their moves, the order in
//! which they make room, and how a group of them is retried.

pub mod fingerprint;

use crate::refusal::{Code, Refusal};
use crate::time::{MINUTE_MS, TimeMs};
use serde::{Deserialize, Serialize};

/// Letters kept in a scope when no setting says otherwise (`dead_letters.max`).
pub const DEFAULT_MAX_LETTERS: usize = 500;
/// Longest reason of a dismissal, in characters.
pub const MAX_REASON_CHARS: usize = 1_000;
/// Most letters that a group retry may send as its second step.
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

/// A group's retry: one letter, then `first`, then the rest, never faster than the rate (D12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRetry {
    /// Size of the second step.
    pub first: u32,
    /// Letters a minute.
    pub rate_per_minute: u32,
}

/// How far a group's retry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Letters in the group.
    pub total: u32,
    /// Of those, sent so far.
    pub sent: u32,
    /// Of those sent, resolved.
    pub resolved: u32,
    /// Of those sent, dead again, dismissed or gone.
    pub failed: u32,
    /// When the last one was sent.
    pub last_sent: Option<TimeMs>,
}

/// What a group's retry does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStep {
    /// Send one more letter now.
    Send,
    /// Look again at this time: the rate forbids one now.
    WaitUntil(TimeMs),
    /// Wait for letters that were sent: the next step depends on them.
    WaitForOutcome,
    /// All were sent.
    Done,
    /// One of a probing step died again: the cause is not mended, the rest stays `pending`.
    Halt,
}

impl GroupRetry {
    /// Whether the plan is within its bounds.
    ///
    /// # Errors
    /// `invalid` with the field.
    pub fn admit(self) -> Result<Self, Refusal> {
        if !(1..=MAX_FIRST_LETTERS).contains(&self.first) {
            return Err(Refusal::field("/first", format!("must be 1 to {MAX_FIRST_LETTERS}")));
        }
        if !(1..=MAX_RATE_PER_MINUTE).contains(&self.rate_per_minute) {
            return Err(Refusal::field("/rate_per_minute", format!("must be 1 to {MAX_RATE_PER_MINUTE}")));
        }
        Ok(self)
    }

    /// What to do at `now`.
    pub fn next(self, progress: Progress, now: TimeMs) -> GroupStep {
        let probing = 1u32.saturating_add(self.first);
        if progress.sent >= progress.total {
            return GroupStep::Done;
        }
        if progress.failed > 0 && progress.sent <= probing {
            return GroupStep::Halt;
        }
        let step_is_full = progress.sent == 1 || progress.sent == probing;
        if step_is_full && progress.resolved < progress.sent {
            return GroupStep::WaitForOutcome;
        }
        let gap_ms = MINUTE_MS.div_euclid(i64::from(self.rate_per_minute.max(1)));
        match progress.last_sent.map(|last| last.saturating_add(gap_ms)) {
            Some(next) if next > now => GroupStep::WaitUntil(next),
            _ => GroupStep::Send,
        }
    }
}

#[cfg(test)]
mod tests;
