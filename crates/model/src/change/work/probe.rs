//! `git.probe`: an agent looks at a repository, and makes its private mirror.

use super::{Refused, Repository, RulesFile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The payload of `git.probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbePayload {
    /// What to look at.
    pub repository: Repository,
}

/// What sort of target it is; decides how it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A bare repository on the agent's machine.
    Bare,
    /// A repository with a work tree there, the branch checked out nowhere.
    Plain,
    /// The branch is checked out there.
    CheckedOut,
    /// A repository on a server.
    Remote,
}

/// The result of `git.probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ProbeResult {
    /// It can be used.
    Found {
        /// The target branch's head.
        head: String,
        /// That commit's tree.
        tree: String,
        /// What sort of target it is.
        target: TargetKind,
        /// The `.tiltyard.toml` at the head.
        rules: Option<RulesFile>,
        /// Paths that differ in a checked-out target: it refuses merges until they are gone.
        #[serde(default)]
        dirty: Vec<String>,
    },
    /// It cannot.
    Refused(Refused),
}
