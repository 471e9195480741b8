//! `change`: a program edits a clone, and the agent proposes what came of it (C11).

use super::{Files, Handed, Repository, Stored};
use crate::change::comment::Comment;
use crate::change::step::RedCheck;
use crate::change::weigh::SecretFinding;
use crate::id::Id;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Largest idea in bytes of JSON: what a person submits as a task's payload. What the server adds fits beside it.
pub const MAX_IDEA_BYTES: usize = 128 * 1024;
/// Most criteria of an idea.
pub const MAX_CRITERIA: usize = 100;

/// What a person submits: the payload of a task of kind `change`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idea {
    /// The repository, by its name in the task's scope.
    pub repository: String,
    /// What to do, in full; the task's title when empty.
    #[serde(default)]
    pub prompt: String,
    /// What does it; the agent's own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// When it is right.
    #[serde(default)]
    pub criteria: Vec<String>,
    /// What the server had added to a payload that is submitted once more: made anew.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub given: Ignored,
}

/// Anything, passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// What does the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Program {
    /// One that the agent knows by name: `claude`, `codex`.
    Known(String),
    /// A program and its arguments; no shell.
    Argv(Vec<String>),
}

/// The payload of `change` as its agent gets it: the idea, and what the server adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangePayload {
    /// The repository's name.
    pub repository: String,
    /// What to do, in full.
    pub prompt: String,
    /// What does it; the agent's own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// When it is right.
    #[serde(default)]
    pub criteria: Vec<String>,
    /// Added by the server.
    pub given: Given,
}

/// What the server adds to an idea.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Given {
    /// The repository.
    pub repository: Repository,
    /// The change, from its second attempt on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Id>,
    /// What the clone begins with.
    pub start: Start,
    /// What became of the attempts so far, oldest first; the last one is what to act on.
    #[serde(default)]
    pub feedback: Vec<Feedback>,
}

/// What a clone begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Start {
    /// The newest base.
    Base,
    /// The earlier proposal, sent back.
    Earlier(Handed),
    /// The earlier proposal with the newest base half merged in: conflicts are marked in the files (C32).
    Resolve(Handed),
}

/// Why an attempt was not the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Feedback {
    /// Checks were red (C21).
    Checks {
        /// The attempt's generation.
        generation: i64,
        /// Which, each with the end of its log.
        red: Vec<RedCheck>,
    },
    /// It did not fit onto the newest base (C32).
    Conflict {
        /// The attempt's generation.
        generation: i64,
        /// In these files.
        files: Vec<String>,
    },
    /// A person sent it back (C23).
    Comments {
        /// The attempt's generation.
        generation: i64,
        /// Who.
        by: String,
        /// What to do about it.
        comments: Vec<Comment>,
    },
}

impl Feedback {
    /// In a few words, for people.
    pub fn in_words(&self) -> String {
        const MAX_NAMED: usize = 5;
        match self {
            Self::Checks { red, .. } => format!("red: {}", crate::change::step::names(red)),
            Self::Conflict { files, .. } => {
                let named = files.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = files.len().saturating_sub(MAX_NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("a conflict in {named}{more}")
            }
            Self::Comments { by, .. } => format!("sent back by {by}"),
        }
    }
}

/// The result of `change`: a proposal. Diff and bundle were uploaded for this very attempt before it is settled.
/// A program that did nothing, skipped its checks or was denied a tool has failed: there is no result then (C11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeResult {
    /// The target's head when the clone was made.
    pub base: String,
    /// Where the proposal leaves the target's history.
    pub merge_base: String,
    /// Its last commit.
    pub head: String,
    /// That commit's tree.
    pub tree: String,
    /// `git diff --full-index --binary` from `merge_base` to `head`: what a decision binds (D24).
    pub diff: Stored,
    /// The git bundle of the commits since `base`.
    pub bundle: Stored,
    /// The files.
    #[serde(default)]
    pub files: Files,
    /// The commits, newest first.
    #[serde(default)]
    pub commits: Vec<Commit>,
    /// What the scan for secrets found before anything left the machine (C24).
    #[serde(default)]
    pub secrets: Vec<SecretFinding>,
}

/// The other result of `change`: an earlier proposal came back, and the program added nothing that could be proposed.
/// The proposal stands as it is, and people decide (C21, C32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unchanged {
    /// What the program left, as the beginning of a sentence.
    pub unchanged: String,
}

/// A commit of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Its author's name.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}
