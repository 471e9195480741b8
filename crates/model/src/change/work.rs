//! What goes between the server and an agent about a change: payloads and results of the kinds `change`,
//! `git.probe`, `git.check`, `git.merge` and `git.clean`. Agents know these words as `tiltyard_wire::work`.
//!
//! A task of a `git.` kind *succeeds* whenever its agent has an answer, also when the answer is a refusal (asking
//! again changes nothing until a person does something). It *fails* when asking again may help: git is out of
//! reach, a lock is held, the machine is full.
//!
//! A result has at most [`MAX_RESULT_BYTES`] of JSON: [`Fit::to_text`] shortens log tails and lists until it fits,
//! and counts what it left out. Diffs and bundles are artifacts, uploaded for the attempt before it is settled.
//! Readers ignore fields that they do not know.

mod check;
mod fit;
mod merge;
mod probe;
mod propose;

pub use check::{CheckPayload, CheckResult, CheckRun, CheckStatus, Checked, Green};
pub use fit::Fit;
pub use merge::{CleanPayload, End, How, MergePayload, MergeResult, Merged};
pub use probe::{ProbePayload, ProbeResult, TargetKind};
pub use propose::{
    ChangePayload, ChangeResult, Commit, Feedback, Given, Idea, Ignored, MAX_CRITERIA, MAX_IDEA_BYTES,
    Program, Start, Unchanged,
};

use crate::id::Id;
use crate::repository::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::task::attempt::MAX_RESULT_BYTES;

/// Looks at a repository that somebody registers (C19).
pub const PROBE_KIND: &str = "git.probe";
/// Runs the checks of a change merged onto its newest base (C21).
pub const CHECK_KIND: &str = "git.check";
/// Moves the target (C30).
pub const MERGE_KIND: &str = "git.merge";
/// Forgets a change in the mirror once it is final (C34).
pub const CLEAN_KIND: &str = "git.clean";
/// Longest text of a `.tiltyard.toml` that travels, in bytes; a longer one is told by its digest alone, and counts
/// as one that cannot be read.
pub const MAX_RULES_BYTES: usize = 32 * 1024;
/// Longest reason of a refusal, in bytes.
pub const MAX_REASON_BYTES: usize = 4 * 1024;

/// A registered repository, as its agent needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repository {
    /// Its scope; names are unique in it.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// `path` on the agent's machine, or `url`.
    #[serde(flatten)]
    pub source: Source,
    /// The target branch.
    pub branch: String,
}

/// Bytes that the server keeps: read with `GET /artifacts/{id}`, examined by their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stored {
    /// Their id; absent where the agent tells of what it has uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Their SHA-256, 64 hex digits in lower case.
    pub sha256: String,
    /// How many.
    pub bytes: u64,
}

/// The commits of a proposal, as one agent hands them to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handed {
    /// The target's head when it was made; the bundle holds what comes after.
    pub base: String,
    /// Its last commit.
    pub head: String,
    /// The git bundle.
    pub bundle: Stored,
}

/// The text of a base's `.tiltyard.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulesFile {
    /// SHA-256 of the whole text, 64 hex digits in lower case.
    pub sha256: String,
    /// The text; absent when it has more than [`MAX_RULES_BYTES`].
    pub text: Option<String>,
}

/// Why asking again changes nothing until a person does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The agent's stable word for it: `outside_roots`, `no_branch`, `unreadable`, `target_refused`, …
    pub code: String,
    /// What happened, why, and what to do next.
    pub reason: String,
}

/// The files of a change; those that do not fit into a result are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Files {
    /// The files, in the order of git.
    pub listed: Vec<super::diff::FileDiff>,
    /// How many more there are.
    pub more: u32,
}

#[cfg(test)]
mod tests;
