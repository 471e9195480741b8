//! A gate: a stop that people decide. Who may decide and how many (`quorum`), what a vote does (`vote`), also one that
//! changes what it is about (`amend`) or sends its run back (`back`), when a gate ends by itself (`due`), when people are
//! told of it (`calendar`), and when a decision need not be made again (`reuse`).

pub mod amend;
pub mod back;
pub mod calendar;
pub mod missing;
pub mod quorum;
pub mod reuse;
pub mod vote;

#[cfg(test)]
mod tests;

use crate::id::Id;
use crate::time::TimeMs;
use quorum::Quorum;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest comment or reason that a vote carries, in bytes.
pub const MAX_COMMENT_BYTES: usize = 16 * 1024;
/// Votes that one gate keeps at most: more identities than any quorum can ask for.
pub const MAX_VOTES: usize = 256;
/// Most approvals with a patch that one gate takes: each makes a new version of its subject and asks everybody again, so
/// the votes of one gate are no limit to them.
pub const MAX_AMENDMENTS: usize = 20;
/// Largest patch that a vote carries, in bytes of JSON; it is kept with the vote.
pub const MAX_PATCH_BYTES: usize = 256 * 1024;
/// Longest question that a gate asks, in bytes of UTF-8; what is longer is put into an artifact.
pub const MAX_QUESTION_BYTES: usize = 16 * 1024;

/// Where a gate stands. All but `open` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for votes.
    Open,
    /// Enough approvals came.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// Its time ran out, and the time-out says approve.
    AutoApproved,
    /// Its time ran out, and the time-out says reject.
    Expired,
    /// Its run or change ended before it was decided.
    Cancelled,
    /// Its subject changed before it was decided.
    Superseded,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Approved,
        Self::Rejected,
        Self::AutoApproved,
        Self::Expired,
        Self::Cancelled,
        Self::Superseded,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::AutoApproved => "auto_approved",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }

    /// The state of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing can change it any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Open)
    }

    /// Whether what waits behind the gate may go on.
    pub const fn lets_pass(self) -> bool {
        matches!(self, Self::Approved | Self::AutoApproved)
    }

    /// The state after `end`; `None` when the gate has ended before, for then nothing may change it.
    pub const fn after(self, end: End) -> Option<Self> {
        match self {
            Self::Open => Some(end.state()),
            _ => None,
        }
    }
}

/// What ends a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The quorum is met.
    Approve,
    /// The first reject.
    Reject,
    /// The time-out, which says approve.
    TimeOutApproves,
    /// The time-out, which says reject.
    TimeOutRejects,
    /// What it belongs to ended.
    Cancel,
    /// Its subject changed.
    Supersede,
}

impl End {
    /// Every end.
    pub const ALL: [Self; 6] = [
        Self::Approve,
        Self::Reject,
        Self::TimeOutApproves,
        Self::TimeOutRejects,
        Self::Cancel,
        Self::Supersede,
    ];

    /// The state that it leads to.
    pub const fn state(self) -> State {
        match self {
            Self::Approve => State::Approved,
            Self::Reject => State::Rejected,
            Self::TimeOutApproves => State::AutoApproved,
            Self::TimeOutRejects => State::Expired,
            Self::Cancel => State::Cancelled,
            Self::Supersede => State::Superseded,
        }
    }
}

/// What a gate asks about; a decision is bound to its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// The bytes of an artifact.
    Artifact,
    /// A change's diff against its merge base (`git diff --full-index --binary`).
    Diff,
    /// A question's text in UTF-8.
    Question,
}

/// What the end of its time does to a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The gate is `auto_approved`.
    Approve,
    /// The gate is `expired`, which counts as a reject.
    Reject,
    /// The gate stays open.
    #[default]
    Nothing,
}

/// Whether who submitted the subject may decide on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SelfApproval {
    /// They may.
    Allowed,
    /// `no_self_approval`: nobody decides on what they submitted.
    Forbidden,
}

/// What happens to a quorum that asks for more people than the scope has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// It stays as it is: the gate waits until such people exist.
    Never,
    /// Where the scope has one human identity only, that one is asked twice, the second time with the id typed.
    WhenAlone,
}

/// Why an open gate cannot be approved, however many would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A check is red on the subject.
    ChecksFailed,
    /// The checks have not run on the subject.
    Unchecked,
    /// The subject does not fit onto its base.
    Conflict,
    /// The target was moved, but does not hold what was checked.
    Unproven,
}

impl Block {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChecksFailed => "checks_failed",
            Self::Unchecked => "unchecked",
            Self::Conflict => "conflict",
            Self::Unproven => "unproven",
        }
    }
}

/// One side of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Let it pass.
    Approve,
    /// Stop it.
    Reject,
}

impl Side {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// One vote as it is kept. An identity has one, and under a reduced quorum a second, confirmed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Vote {
    /// Who voted, with what made them a decider at that moment.
    #[serde(flatten)]
    pub voter: quorum::Voter,
    /// For or against.
    pub side: Side,
    /// When, in milliseconds since 1970.
    pub at_ms: TimeMs,
    /// What they had to say.
    pub comment: Option<String>,
    /// Whether the id was typed to confirm.
    pub confirmed: bool,
    /// The JSON Patch that came with it: of an approval, what made the subject that is approved; of a reject, what goes
    /// back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
}

/// How a gate ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ended {
    /// The identity whose act ended it; `None` for a time-out.
    pub by: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: TimeMs,
    /// The digest of the subject that took its place, for a superseded gate.
    pub next_subject_sha256: Option<String>,
    /// Where a reject sends its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<back::Back>,
}

impl Ended {
    /// Ended by somebody, or by its time-out.
    pub const fn by(by: Option<String>, at_ms: TimeMs) -> Self {
        Self { by, at_ms, next_subject_sha256: None, back: None }
    }
}

/// A gate, with all that its rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its id.
    pub id: Id,
    /// Where it stands.
    pub state: State,
    /// The digest of its subject, 64 hex digits in lower case.
    pub subject_sha256: String,
    /// The digests that its subject had before patches, oldest first.
    pub earlier_sha256: Vec<String>,
    /// Who decides, and how many.
    pub quorum: Quorum,
    /// Whether the submitter may decide.
    pub self_approval: SelfApproval,
    /// Whether one lone person may decide by being asked twice.
    pub reduction: Reduction,
    /// The identity that submitted the subject.
    pub submitter: Option<String>,
    /// The id that a confirmation types: of the change or the gate, as the caller was shown it.
    pub confirm_with: Vec<String>,
    /// Why it cannot be approved at present.
    pub block: Option<Block>,
    /// When its time is over, in milliseconds since 1970.
    pub expires_ms: Option<TimeMs>,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// The votes so far, oldest first.
    pub votes: Vec<Vote>,
    /// How it ended; `None` while open.
    pub ended: Option<Ended>,
}

/// What the time does to a gate at `now`: the end that is due, if any.
pub fn due(gate: &Gate, now: TimeMs) -> Option<End> {
    let over = gate.expires_ms.is_some_and(|expires| expires <= now);
    match gate.on_timeout {
        _ if gate.state.is_final() || !over => None,
        // What cannot be approved by a person is not approved by a clock either.
        OnTimeout::Approve if gate.block.is_some() => None,
        OnTimeout::Approve => Some(End::TimeOutApproves),
        OnTimeout::Reject => Some(End::TimeOutRejects),
        OnTimeout::Nothing => None,
    }
}
