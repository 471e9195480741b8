//! C19: what an agent tells about a repository that somebody wants to register.

use serde::{Deserialize, Serialize};

use super::checkout::Standing;
use super::command::GitError;
use super::mirror::{Mirrors, Source};
use super::name::Oid;
use super::target::{Target, TargetKind};

/// A repository as the agent found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The target branch's head.
    pub head: Oid,
    /// The head's tree.
    pub tree: Oid,
    /// What sort of target it is.
    pub kind: TargetKind,
    /// The text of `.tiltyard.toml` at the head.
    pub rules: Option<String>,
    /// Paths that differ in a checked-out target (at most 50): it is registered, but refuses merges until clean.
    pub dirty: Vec<String>,
}

impl Mirrors {
    /// Looks at a repository, and makes its mirror. Refused with the reason: outside the roots, unreadable, no such
    /// branch, unreadable rules, somebody rebases the branch.
    pub async fn probe(&self, source: &Source) -> Result<Probe, GitError> {
        let mirror = self.mirror(source).await?;
        let head = mirror.fetch().await?;
        let tree = mirror.repo().tree_of(&head).await?;
        let rules = mirror.rules_at(&head).await?;
        let target =
            Target::look(mirror.repo().git(), self.roots(), mirror.location(), mirror.branch()).await?;
        let dirty = match &target {
            Target::CheckedOut(checkout) => {
                checkout.takes(&mirror, &head).await?;
                match checkout.standing(&head).await? {
                    Standing::Clean => Vec::new(),
                    Standing::Dirty(paths) => paths,
                }
            }
            _ => Vec::new(),
        };
        Ok(Probe { head, tree, kind: target.kind(), rules, dirty })
    }
}
