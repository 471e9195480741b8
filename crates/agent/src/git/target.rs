//! What a registered repository is, looked at without asking its configuration for anything that it could execute.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checkout::Checkout;
use super::command::{Git, GitError, Refused, RefusedCode};
use super::{AllowedRoots, Branch, Location};

/// What sort of target it is; decides how it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A bare repository on this machine: moved by a push, so that its owner's hooks judge it.
    Bare,
    /// A repository with a work tree on this machine, the branch checked out nowhere: only the branch is moved.
    Plain,
    /// The branch is checked out there: the work tree is moved with it, and must be clean.
    CheckedOut,
    /// A repository on a server: moved by a push.
    Remote,
}

/// A target and where its parts are.
#[derive(Debug)]
pub(crate) enum Target {
    Remote,
    Bare,
    Plain { git_dir: PathBuf },
    CheckedOut(Box<Checkout>),
}

impl Target {
    /// What sort it is.
    pub(crate) fn kind(&self) -> TargetKind {
        match self {
            Self::Remote => TargetKind::Remote,
            Self::Bare => TargetKind::Bare,
            Self::Plain { .. } => TargetKind::Plain,
            Self::CheckedOut(_) => TargetKind::CheckedOut,
        }
    }

    /// Looks at a location. Refused: parts of it lie outside the roots, or somebody is rebasing the branch there.
    pub(crate) async fn look(
        git: &Git,
        roots: &AllowedRoots,
        location: &Location,
        branch: &Branch,
    ) -> Result<Self, GitError> {
        let Location::Folder(path) = location else { return Ok(Self::Remote) };
        let found = Found::at(git, path).await?;
        roots.folder(&found.git_dir)?;
        roots.folder(&found.common_dir)?;
        let worktrees = worktrees(git, &found.common_dir).await?;
        let reference = branch.reference();
        for worktree in &worktrees {
            not_rebasing(&worktree.git_dir(git, &found).await?, &reference)?;
        }
        match worktrees.iter().find(|worktree| worktree.branch.as_deref() == Some(reference.as_str())) {
            Some(worktree) => {
                let tree = roots.folder(&worktree.path)?;
                let git_dir = worktree.git_dir(git, &found).await?;
                let checkout = Checkout::new(git, tree, git_dir, found.common_dir).await?;
                Ok(Self::CheckedOut(Box::new(checkout)))
            }
            None if found.bare => Ok(Self::Bare),
            None => Ok(Self::Plain { git_dir: found.common_dir }),
        }
    }
}

struct Found {
    git_dir: PathBuf,
    common_dir: PathBuf,
    bare: bool,
}

impl Found {
    async fn at(git: &Git, path: &Path) -> Result<Self, GitError> {
        const WHAT: &str = "look at the repository";
        let inner = path.join(".git");
        let dir = if inner.exists() { inner.clone() } else { path.to_owned() };
        let ask = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
        let call = git.call(WHAT).dir(&dir).foreign().args(ask);
        let text = call.run().await?.text();
        let mut lines = text.lines().map(PathBuf::from);
        let (Some(git_dir), Some(common_dir)) = (lines.next(), lines.next()) else {
            return Err(GitError::unexpected(WHAT, &text));
        };
        Ok(Self { git_dir, common_dir, bare: !inner.exists() })
    }
}

struct Worktree {
    path: PathBuf,
    branch: Option<String>,
}

impl Worktree {
    async fn git_dir(&self, git: &Git, found: &Found) -> Result<PathBuf, GitError> {
        let inner = self.path.join(".git");
        if !inner.exists() {
            return Ok(found.common_dir.clone());
        }
        let args = ["rev-parse", "--absolute-git-dir"];
        Ok(PathBuf::from(
            git.call("look at a work tree").dir(&inner).foreign().args(args).run().await?.text(),
        ))
    }
}

async fn worktrees(git: &Git, common_dir: &Path) -> Result<Vec<Worktree>, GitError> {
    let args = ["worktree", "list", "--porcelain", "-z"];
    let answer = git.call("list the work trees").dir(common_dir).foreign().args(args).run().await?;
    let mut all: Vec<Worktree> = Vec::new();
    for line in answer.parts() {
        let line = String::from_utf8_lossy(line);
        if let Some(path) = line.strip_prefix("worktree ") {
            all.push(Worktree { path: PathBuf::from(path), branch: None });
        } else if let (Some(branch), Some(last)) = (line.strip_prefix("branch "), all.last_mut()) {
            last.branch = Some(branch.to_owned());
        }
    }
    Ok(all)
}

/// A rebase of the branch has it detached, so it looks as if it were checked out nowhere; moving it now would
/// break the rebase's end.
fn not_rebasing(git_dir: &Path, reference: &str) -> Result<(), Refused> {
    for state in ["rebase-merge/head-name", "rebase-apply/head-name"] {
        let rebased = std::fs::read_to_string(git_dir.join(state)).unwrap_or_default();
        if rebased.trim() == reference {
            let reason = format!(
                "`{reference}` is being rebased in `{}`; finish or abort that first",
                git_dir.display()
            );
            return Err(Refused::new(RefusedCode::Unfinished, reason));
        }
    }
    Ok(())
}
