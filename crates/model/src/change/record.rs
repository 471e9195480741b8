//! A change as it is kept: what its rules decide by, and what its page shows (C33).

use super::comment::Comment;
use super::step::Tries;
use super::weigh::{Reason, SecretFinding};
use super::work::{ChangeResult, CheckRun, Commit, Feedback, Files, Green, Handed, How, RulesFile, Stored};
use super::{State, Tier};
use crate::id::Id;
use crate::time::TimeMs;
use serde::{Deserialize, Serialize};

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its id; its time is when it was proposed.
    pub id: Id,
    /// Its scope.
    pub scope: String,
    /// The task that made it.
    pub task: Id,
    /// The repository.
    pub repository: String,
    /// Where it stands.
    pub state: State,
    /// The gate that is open, or was decided last.
    pub gate: Option<Id>,
    /// The digest of its diff: what a decision names.
    pub subject_sha256: Option<String>,
    /// How risky it is, once it is weighed.
    pub tier: Option<Tier>,
    /// Everything else.
    pub record: Record,
    /// When it last moved, in milliseconds since 1970.
    pub updated_at: TimeMs,
}

/// What is kept of a change beside what is looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// One line for people.
    pub title: String,
    /// The target branch.
    pub branch: String,
    /// The identity that submitted the idea.
    pub submitted_by: String,
    /// The agent that the submitter named, if any.
    pub assign_to: Option<String>,
    /// The last proposal.
    pub proposal: Option<Heads>,
    /// The rules file of the base that it is judged by.
    pub rules: Option<RulesFile>,
    /// The digest of all rules that it is judged by, those of the server included: others judge it anew.
    pub rules_sha256: Option<String>,
    /// The internal task at work for it, or the last one.
    pub git: Option<Id>,
    /// What the intent and the outcome of the merge under way share (D52).
    pub act: Option<Id>,
    /// How often it went back, since a person last sent it back.
    pub tries: Tries,
    /// How often its checks began anew because the rules of its base had changed.
    pub rechecks: u32,
    /// What the last attempt left of a proposal that a person had sent back, when that is all there is to check: then
    /// people decide, whatever comes of it.
    pub unchanged: Option<String>,
    /// What was checked last.
    pub judged: Option<Judged>,
    /// Its files: as its agent tells them until the checks have found them.
    pub files: Files,
    /// Why it has its tier.
    pub reasons: Vec<Reason>,
    /// What people agreed on.
    pub approval: Option<Approval>,
    /// Files that do not fit the newest base.
    pub conflicts: Vec<String>,
    /// Why it ended, or is where it is.
    pub reason: Option<String>,
    /// The comments that it was sent back with last.
    pub comments: Vec<Comment>,
    /// What became of the attempts so far, for the next one; oldest first.
    pub feedback: Vec<Feedback>,
    /// How it landed.
    pub merge: Option<Merge>,
    /// Why its task ended while its merge ran: it is closed when that does not land.
    pub closing: Option<String>,
}

/// The commits of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// The attempt's generation.
    pub generation: i64,
    /// Who made it.
    pub agent: String,
    /// The target's head when its clone was made.
    pub base: String,
    /// Its last commit.
    pub head: String,
    /// That commit's tree.
    pub tree: String,
    /// Its diff.
    pub diff: Stored,
    /// Its commits.
    pub bundle: Stored,
}

impl Heads {
    /// As another agent gets it.
    pub fn handed(&self) -> Handed {
        Handed { base: self.base.clone(), head: self.head.clone(), bundle: self.bundle.clone() }
    }
}

/// One proposal, as the page shows it: diffs between attempts are between these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its commits.
    pub heads: Heads,
    /// Where it leaves the target's history.
    pub merge_base: String,
    /// When, in milliseconds since 1970.
    pub at_ms: TimeMs,
    /// The files.
    pub files: Files,
    /// The commits, newest first.
    pub commits: Vec<Commit>,
    /// What the agent's own scan found.
    pub secrets: Vec<SecretFinding>,
}

impl Proposal {
    /// The proposal of an attempt; `diff` and `bundle` bear the ids of the uploaded artifacts.
    pub fn of(result: ChangeResult, generation: i64, agent: String, at_ms: TimeMs) -> Self {
        let ChangeResult { base, merge_base, head, tree, diff, bundle, files, commits, secrets } = result;
        let heads = Heads { generation, agent, base, head, tree, diff, bundle };
        Self { heads, merge_base, at_ms, files, commits, secrets }
    }
}

/// What was checked, on which base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The base.
    pub base: String,
    /// The commit that would land.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// Set when each check passed.
    pub green: Option<Green>,
}

/// One run of the checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The internal task that ran them; its log has all of their output.
    pub task: Id,
    /// The attempt that was checked.
    pub generation: i64,
    /// The tree they ran on.
    pub tree: String,
    /// When they ended, in milliseconds since 1970.
    pub at_ms: TimeMs,
    /// What came of each.
    pub runs: Vec<CheckRun>,
}

/// What people agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The gate.
    pub gate: Id,
    /// The digest of the diff.
    pub subject_sha256: String,
}

/// How a change landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The commit on the target branch.
    pub commit: String,
    /// Its tree, as read back from the target.
    pub tree: String,
    /// The target's head before, where it was moved by us.
    pub base: Option<String>,
    /// How it came there.
    pub how: How,
    /// When, in milliseconds since 1970.
    pub at_ms: TimeMs,
}
