//! Changes on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::id::Id;

/// A change as it is (C18), with all that happened to it (C33).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct View {
    /// Its id.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// The task that made it.
    pub task: Id,
    /// The repository.
    pub repository: String,
    /// One line for people.
    pub title: String,
    /// `open checking review queued merging merged rejected conflicted closed`.
    pub state: String,
    /// The target branch.
    pub branch: String,
    /// Who made it.
    pub agent: Option<String>,
    /// Who submitted the idea.
    pub submitted_by: String,
    /// The attempt's generation.
    pub generation: i64,
    /// The commit it is based on.
    pub base: Option<String>,
    /// Its last commit.
    pub head: Option<String>,
    /// Its tree, on the base that was checked last.
    pub tree: Option<String>,
    /// The digest of its diff: what a decision names.
    pub subject_sha256: Option<String>,
    /// 1 safe, 2 review, 3 sensitive.
    pub tier: Option<u8>,
    /// Why that tier.
    pub reasons: Vec<Reason>,
    /// The files that it changes.
    pub files: Vec<File>,
    /// The last run of the checks.
    pub checks: Vec<CheckRun>,
    /// The gate that is open, or decided last.
    pub gate: Option<Id>,
    /// How it landed.
    pub merge: Option<Merge>,
    /// Files that do not fit the newest base.
    pub conflicts: Vec<String>,
    /// Why it ended, or is where it is.
    pub reason: Option<String>,
    /// The comments it was sent back with last.
    pub comments: Vec<Comment>,
    /// How often its checks sent it back to its agent.
    pub fixes: u32,
    /// When it was proposed.
    pub created_at: Time,
    /// When it last moved.
    pub updated_at: Time,
    /// All that happened to it (C33): told of one change, absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Box<History>>,
}

/// All that happened to a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeHistory")]
pub struct History {
    /// What was asked for, in full.
    pub prompt: String,
    /// When it is right.
    pub criteria: Vec<String>,
    /// The attempts, newest first.
    pub attempts: Vec<Try>,
    /// The runs of the checks, newest first.
    pub checks: Vec<CheckRound>,
    /// Its gates with their votes, newest first.
    pub gates: Vec<crate::gate::View>,
}

/// One attempt, and what it proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeAttempt")]
pub struct Try {
    /// Its generation.
    pub generation: i64,
    /// Who tried.
    pub agent: String,
    /// When it started.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// `succeeded failed timed_out lease_lost released cancelled`; absent while it runs.
    pub outcome: Option<String>,
    /// Its error.
    pub error: Option<String>,
    /// Where its log is.
    pub log: String,
    /// What it proposed, if anything.
    pub proposal: Option<Proposed>,
}

/// What an attempt proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeProposal")]
pub struct Proposed {
    /// The commit it was based on.
    pub base: String,
    /// Its last commit.
    pub head: String,
    /// The digest of its diff.
    pub subject_sha256: String,
    /// The artifact with its diff: diffs between attempts are between these.
    pub diff: Option<Id>,
    /// The artifact with its commits, a git bundle.
    pub bundle: Option<Id>,
    /// The files that it changes, as many as its agent listed.
    pub files: Vec<File>,
    /// How many more there are.
    pub more_files: u32,
}

/// One run of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRound {
    /// The internal task that ran them; its log has all of their output.
    pub task: Id,
    /// The attempt that was checked.
    pub generation: i64,
    /// When they ended.
    pub at: Time,
    /// What came of each.
    pub runs: Vec<CheckRun>,
}

/// One reason for a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeReason")]
pub struct Reason {
    /// The tier that it gives.
    pub tier: u8,
    /// The rule.
    pub rule: String,
    /// The file; absent for rules of the whole.
    pub file: Option<String>,
    /// One sentence.
    pub text: String,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path.
    pub path: String,
    /// Where it came from, for a rename or copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `added modified deleted renamed copied mode`.
    pub status: String,
    /// Lines that are new.
    pub added: u32,
    /// Lines that are gone.
    pub deleted: u32,
    /// Whether it is no text.
    pub binary: bool,
}

/// One run of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRun {
    /// Its name.
    pub name: String,
    /// `passed failed timed_out missing`.
    pub status: String,
    /// Its exit code.
    pub exit: Option<i32>,
    /// How long it took.
    pub duration_ms: i64,
    /// The end of its output.
    pub log_tail: String,
    /// The tree it ran on.
    pub tree: String,
}

/// How a change landed (C34).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merge {
    /// The commit on the target branch.
    pub commit: String,
    /// Its tree, as read back from the target.
    pub tree: String,
    /// The target's head before; null where others moved it.
    pub base: Option<String>,
    /// When.
    pub at: Time,
}

/// A comment on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The file; the whole change when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line of the new file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What to do about it.
    pub text: String,
}

/// Filters of `GET /changes`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ChangeFilter")]
pub struct Filter {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// Sends a change back to its agent with comments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SendBack {
    /// The digest of what was seen (422 `subject_required` without).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_sha256: Option<String>,
    /// What to do about it; at least one.
    pub comments: Vec<Comment>,
}

/// What a decision on a change did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// The change after it.
    pub change: View,
    /// The gate after it.
    pub gate: crate::gate::View,
    /// Whether the same identity had said the same before.
    pub replayed: bool,
}
