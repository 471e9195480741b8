//! `git.check`: the checks of a change, run on it merged onto its newest base, in a clean clone (C21).

use super::{Files, Handed, Refused, Repository, RulesFile};
use crate::change::weigh::SecretFinding;
use crate::id::Id;
use crate::repository::settings::{Check, MergeMethod};
use crate::time::{DurationMs, TimeMs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The payload of `git.check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckPayload {
    /// The change.
    pub change: Id,
    /// Its repository.
    pub repository: Repository,
    /// Its commits.
    pub proposal: Handed,
    /// How it would land.
    pub method: MergeMethod,
    /// The message of a commit of ours: the title, and perhaps more lines.
    pub message: String,
    /// The time of a commit of ours, in milliseconds since 1970: always the same, so that the same work makes the
    /// same commit.
    pub commit_time_ms: TimeMs,
    /// What to run, in this order.
    pub checks: Vec<Check>,
    /// Digest of the base's `.tiltyard.toml` that the checks were chosen by; absent when it has none. A base with
    /// another one is answered by [`CheckResult::RulesChanged`], before anything is run.
    pub rules_sha256: Option<String>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Exit code 0.
    Passed,
    /// Another exit code, or a signal.
    Failed,
    /// It took too long and was ended.
    TimedOut,
    /// Its program is not there.
    Missing,
}

impl CheckStatus {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Missing => "missing",
        }
    }
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRun {
    /// Its name.
    pub name: String,
    /// How it went.
    pub status: CheckStatus,
    /// Its exit code, when it had one.
    pub exit: Option<i32>,
    /// How long it took.
    pub duration_ms: DurationMs,
    /// The end of its output; all of it is the attempt's log.
    pub log_tail: String,
}

/// Proof that a tree passed certain checks; handed back to the merge as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Green {
    /// The tree.
    pub tree: String,
    /// The agent's digest of the checks: names, arguments and time-outs.
    pub checks_sha256: String,
}

/// A change with its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The base it was merged onto.
    pub base: String,
    /// Where it leaves the base's history.
    pub merge_base: String,
    /// Its head.
    pub head: String,
    /// The commit that would land.
    pub commit: String,
    /// The tree that was checked.
    pub tree: String,
    /// SHA-256 of its diff against `merge_base`, made again: the proposing agent is not believed.
    pub diff_sha256: String,
    /// Its files, read again.
    pub files: Files,
    /// Secrets, looked for again.
    #[serde(default)]
    pub secrets: Vec<SecretFinding>,
    /// What came of each check, in their order.
    pub checks: Vec<CheckRun>,
    /// Set when each check passed.
    pub green: Option<Green>,
}

/// The result of `git.check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckResult {
    /// The checks ran, well or not.
    Checked(Box<Checked>),
    /// It does not go onto the base.
    Conflict {
        /// The base.
        base: String,
        /// The files, as many as fit.
        files: Vec<String>,
    },
    /// The base holds all of it already.
    Contained {
        /// The base.
        base: String,
    },
    /// The base has other rules: nothing was run.
    RulesChanged {
        /// The base.
        base: String,
        /// Its `.tiltyard.toml`.
        rules: Option<RulesFile>,
    },
    /// It cannot be checked.
    Refused(Refused),
}
