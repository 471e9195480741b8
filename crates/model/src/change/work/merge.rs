//! `git.merge`: newest base, checks on exactly the tree that lands, compare-and-swap, proof (C30, C34); and
//! `git.clean`: what the mirror may forget afterwards.

use super::{CheckPayload, CheckRun, Green, Refused, Repository, RulesFile};
use crate::id::Id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The payload of `git.merge`: that of the checks, and what was agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MergePayload {
    /// As for the checks: what must pass on the tree that lands.
    #[serde(flatten)]
    pub check: CheckPayload,
    /// The digest of the diff that was agreed on (D24, D26): another one is [`MergeResult::SubjectChanged`].
    pub subject_sha256: String,
    /// Checks that passed before, on the very same tree they need not run again.
    pub green: Option<Green>,
}

/// How a change came to be in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The agent moved the target now.
    Moved,
    /// It had moved it before; a crash hid it.
    Found,
    /// Its head is in the target's history: a person merged it.
    Elsewhere,
    /// A commit with the same diff is in the target's history: a person picked it.
    SameDiff,
    /// The target has all of it: merging it changes nothing.
    Contained,
}

impl How {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Found => "found",
            Self::Elsewhere => "elsewhere",
            Self::SameDiff => "same_diff",
            Self::Contained => "contained",
        }
    }

    /// Whether it landed by this agent's hand: then the tree must be the one that was checked.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::Moved | Self::Found)
    }
}

/// A change that is in the target, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// The commit that holds it, in the target's history when it was read back.
    pub commit: String,
    /// That commit's tree, as read back.
    pub tree: String,
    /// The tree on which the checks were green; must be `tree` where [`How::is_own`].
    pub checked_tree: Option<String>,
    /// Where the target stood before, when it was moved by this agent.
    pub base: Option<String>,
    /// Where the target stood when it was read back.
    pub target: String,
    /// How it came there.
    pub how: How,
    /// The checks that were run now; empty when earlier ones hold for the very same tree.
    #[serde(default)]
    pub checks: Vec<CheckRun>,
}

/// The result of `git.merge`. Whatever is not `merged` has left the target untouched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MergeResult {
    /// The target is proven to hold it.
    Merged(Merged),
    /// Somebody moved the target meanwhile.
    BaseMoved {
        /// The base that was tested.
        was: String,
        /// The base now.
        now: String,
    },
    /// It does not go onto the newest base.
    Conflict {
        /// The base.
        base: String,
        /// The files, as many as fit.
        files: Vec<String>,
    },
    /// A check did not pass on the tree that would have landed.
    ChecksFailed {
        /// The base.
        base: String,
        /// The tree.
        tree: String,
        /// What came of each check.
        checks: Vec<CheckRun>,
    },
    /// The target's checkout has work in it, which is never overwritten.
    DirtyTarget {
        /// The paths, as many as fit.
        files: Vec<String>,
    },
    /// What was agreed on is not what would land.
    SubjectChanged {
        /// The digest of the diff as it is.
        diff_sha256: String,
    },
    /// The base has other rules: nothing was run.
    RulesChanged {
        /// The base.
        base: String,
        /// Its `.tiltyard.toml`.
        rules: Option<RulesFile>,
    },
    /// The target said no, or something else that asking again does not change.
    Refused(Refused),
}

/// The payload of `git.clean`; its result is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CleanPayload {
    /// The change.
    pub change: Id,
    /// Its repository.
    pub repository: Repository,
    /// How the change ended.
    pub end: End,
}

/// How a change ended, as far as its mirror is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum End {
    /// Merged: what the mirror has of it goes only when the target still holds this commit.
    Merged {
        /// The commit that landed.
        commit: String,
    },
    /// Rejected or closed.
    Dropped,
}
