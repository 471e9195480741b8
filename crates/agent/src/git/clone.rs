//! C11: a work clone, a folder with its own objects where a task's program edits.
//!
//! Each attempt has a folder `<task>-<generation>/` with `tree/` (the clone), `papers/` (prompt, criteria, comments:
//! beside the clone, so that they are never committed) and `out/` (diff and bundle).

use std::path::{Path, PathBuf};

use super::bundle::Incoming;
use super::command::GitError;
use super::fresh::Fresh;
use super::identity::Signature;
use super::mirror::{Mirror, head_ref};
use super::name::{Branch, Key, Oid, slug};

/// How much history a fresh clone has, in commits: enough for `git log` and `git blame` to be of use.
pub const CLONE_DEPTH_COMMITS: u32 = 200;

/// What the program starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The up-to-date base.
    Base,
    /// Sent back: the change's earlier head.
    Earlier(Incoming),
    /// It conflicted: the earlier head with the newest base half merged into it, markers in the files (C32).
    Resolve(Incoming),
}

/// A clone that is asked for.
#[derive(Debug)]
pub struct CloneRequest<'a> {
    /// The repository's mirror; it is fetched first.
    pub mirror: &'a Mirror,
    /// The task.
    pub task: &'a Key,
    /// Its generation, so that attempts do not meet.
    pub generation: u64,
    /// What is wanted, for the branch's name.
    pub title: &'a str,
    /// What to start from.
    pub start: Start,
    /// Who commits in it unless the program says otherwise, and when.
    pub signature: &'a Signature,
}

/// A work clone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WorkClone {
    /// The folder of all that belongs to the attempt.
    pub folder: PathBuf,
    /// The branch that is checked out, `tiltyard/<task>-<slug>`.
    pub branch: Branch,
    /// The target's head when it was made.
    pub base: Oid,
    /// What is checked out: the base, or the change's earlier head.
    pub start: Oid,
    /// Files with conflict markers, when it is to be resolved.
    pub conflicts: Vec<String>,
    /// Whether the base is being merged in.
    pub merging: bool,
    /// Where its history is cut short: commits whose parents it does not have.
    pub shallow: Vec<Oid>,
}

impl WorkClone {
    /// The clone: where the program runs.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// For files that the program reads and nobody commits.
    pub fn papers(&self) -> PathBuf {
        self.folder.join("papers")
    }

    /// For what is handed in.
    pub fn out(&self) -> PathBuf {
        self.folder.join("out")
    }
}

/// The folder of all work clones of this agent.
#[derive(Debug, Clone)]
pub struct WorkClones {
    pub(crate) root: PathBuf,
}

impl WorkClones {
    /// Takes the folder. Errors: it cannot be made.
    pub fn open(root: &Path) -> Result<Self, GitError> {
        std::fs::create_dir_all(root).map_err(GitError::io("open the folder of the clones"))?;
        let root = root.canonicalize().map_err(GitError::io("open the folder of the clones"))?;
        Ok(Self { root })
    }

    /// Makes a work clone of the up-to-date base. A folder that an earlier try of the same attempt left is removed.
    pub async fn create(&self, request: CloneRequest<'_>) -> Result<WorkClone, GitError> {
        let folder = self.root.join(format!("{}-{}", request.task, request.generation));
        super::cleanup::remove(&folder).await?;
        for part in ["tree", "papers", "out"] {
            std::fs::create_dir_all(folder.join(part)).map_err(GitError::io("make the clone's folder"))?;
        }
        let newest = request.mirror.fetch().await?;
        if let Start::Earlier(earlier) | Start::Resolve(earlier) = &request.start {
            request.mirror.import(earlier).await?;
        }
        let branch = format!("tiltyard/{}-{}", request.task, slug(request.title));
        let branch = Branch::try_from(branch).expect("a key and a slug have only plain characters");
        let mirror = request.mirror.repo();
        let clone = Fresh::init(mirror.git(), folder.join("tree"), newest.format()).await?;
        clone.belongs_to(&request.signature.by).await?;
        let (refspecs, depth) = wanted(&request);
        clone.fill(mirror, &refspecs, depth).await?;
        let base = clone.resolve(&origin(request.mirror)).await?;
        let start = match &request.start {
            Start::Base => base.clone(),
            Start::Earlier(earlier) | Start::Resolve(earlier) => earlier.head.clone(),
        };
        clone.checkout(&["--no-track", "-b", branch.as_str()], &start).await?;
        let merging = matches!(request.start, Start::Resolve(_));
        let conflicts = if merging { merge(&clone, &base, request.signature).await? } else { Vec::new() };
        // Read while all of it is ours.
        let shallow = shallow(clone.tree())?;
        Ok(WorkClone { folder, branch, base, start, conflicts, merging, shallow })
    }
}

fn shallow(tree: &Path) -> Result<Vec<Oid>, GitError> {
    const WHAT: &str = "read where the clone's history ends";
    let text = match std::fs::read_to_string(tree.join(".git/shallow")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(GitError::io(WHAT))?,
    };
    text.lines().map(|line| Oid::try_from(line).map_err(|_| GitError::unexpected(WHAT, line))).collect()
}

fn origin(mirror: &Mirror) -> String {
    format!("refs/remotes/origin/{}", mirror.branch())
}

/// What to fetch, and how much history: resolving needs the common ancestor, so all of it.
fn wanted(request: &CloneRequest<'_>) -> (Vec<String>, Option<u32>) {
    let mut refspecs = vec![format!("+{}:{}", request.mirror.upstream(), origin(request.mirror))];
    match &request.start {
        Start::Base => (refspecs, Some(CLONE_DEPTH_COMMITS)),
        Start::Earlier(earlier) | Start::Resolve(earlier) => {
            refspecs.push(format!("+{}:refs/tiltyard/earlier", head_ref(&earlier.change)));
            (refspecs, None)
        }
    }
}

/// Begins to merge the base and tells the files that conflict.
async fn merge(clone: &Fresh<'_>, base: &Oid, signature: &Signature) -> Result<Vec<String>, GitError> {
    let args = ["merge", "--quiet", "--no-commit", "--no-ff", "--no-edit", base.as_str()];
    let call = signature.signs(clone.call("merge the newest base in"));
    call.args(args).accept(&[0, 1]).run().await?;
    let args = ["diff", "--name-only", "--diff-filter=U", "-z", "--no-ext-diff"];
    let answer = clone.call("list the conflicts").args(args).run().await?;
    Ok(answer.parts().map(|path| String::from_utf8_lossy(path).into_owned()).collect())
}
