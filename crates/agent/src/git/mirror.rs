//! The private mirror of a registered repository: a bare git folder with its own objects, in the agent's folder.
//!
//! References in it: `refs/upstream/<branch>` is the target as last seen; `refs/changes/<change>/head` a proposal,
//! `refs/changes/<change>/landing/<head>/<commit>` a commit that was about to land, kept so that a crash after the
//! push is recognised as a merge.

mod fetching;
mod idle;
mod stale;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;

use super::cleanup::Fleeting;
use super::command::{Git, GitError, Refused, RefusedCode};
use super::private::{Private, Take, Trust, remote_head};
use super::target::Target;
use super::{AllowedRoots, Branch, Key, Location, Oid};
use fetching::Fetching;

/// The largest `.tiltyard.toml` that is read, in bytes.
pub const MAX_RULES_BYTES: u64 = 256 * 1024;
/// The exit code of a git that a signal ended.
const KILLED: i32 = -1;
/// What a killed process may have left in the folder begins with this.
const QUARANTINE_PREFIX: &str = "quarantine-";
/// The file at the root of a repository with its checks and rules.
pub const RULES_FILE: &str = ".tiltyard.toml";

/// A registered repository, as a task names it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// Its name in its scope.
    pub name: Key,
    /// Its path or address, as a person wrote it.
    pub location: String,
    /// The branch that changes are merged into.
    pub branch: Branch,
}

/// All mirrors of this agent. One process at a time uses the folder.
#[derive(Debug)]
pub struct Mirrors {
    git: Git,
    root: PathBuf,
    roots: AllowedRoots,
    locks: Mutex<HashMap<PathBuf, Arc<Locks>>>,
    /// By place and branch and not by name: a target that is registered twice is still one target.
    turns: Mutex<HashMap<(String, Branch), Turn>>,
    _held: std::fs::File,
}

/// The right to move a target.
type Turn = Arc<tokio::sync::Mutex<()>>;

#[derive(Debug, Default)]
struct Locks {
    fetching: Fetching,
    /// The mirror, once this process has looked at it.
    opened: tokio::sync::Mutex<Option<Private>>,
}

impl Mirrors {
    /// Takes the folder for this process. Errors: it cannot be made, or another process holds it.
    pub fn open(git: Git, root: &Path, roots: AllowedRoots) -> Result<Self, GitError> {
        const WHAT: &str = "open the folder of the mirrors";
        std::fs::create_dir_all(root).map_err(GitError::io(WHAT))?;
        let held = std::fs::File::create(root.join("lock")).map_err(GitError::io(WHAT))?;
        if flock(&held, FlockOperation::NonBlockingLockExclusive).is_err() {
            let reason = format!(
                "another agent process uses `{}`; stop it, or give this one its own data folder",
                root.display()
            );
            return Err(Refused::new(RefusedCode::Busy, reason).into());
        }
        let root = root.canonicalize().map_err(GitError::io(WHAT))?;
        stale::remove_locks(&root);
        for prefix in [QUARANTINE_PREFIX, idle::GONE_PREFIX] {
            if let Err(error) = super::cleanup::remove_folders(&root, prefix) {
                tracing::warn!(target: "agent", %error, "what an earlier process left stays behind");
            }
        }
        Ok(Self { git, root, roots, locks: Mutex::default(), turns: Mutex::default(), _held: held })
    }

    /// The folders that registered repositories may lie in.
    pub fn roots(&self) -> &AllowedRoots {
        &self.roots
    }

    /// The mirror of a repository; made when it is not there yet. Refused: the location is not admitted, there is
    /// no repository, or it has no such branch.
    pub async fn mirror(&self, source: &Source) -> Result<Mirror, GitError> {
        let location = self.roots.admit(&source.location)?;
        let (dir, locks) = self.place(source);
        let repo = self.open_once(&dir, &locks, &location, source).await?;
        idle::mark(&dir);
        let (branch, turn) = (source.branch.clone(), self.turn(&location, &source.branch));
        Ok(Mirror { repo, location, branch, roots: self.roots.clone(), locks, turn })
    }

    /// Made and configured by whoever comes first; two at once would meet in its files.
    async fn open_once(
        &self,
        dir: &Path,
        locks: &Locks,
        location: &Location,
        source: &Source,
    ) -> Result<Private, GitError> {
        let mut opened = locks.opened.lock().await;
        if let Some(repo) = opened.as_ref().filter(|_| dir.join("objects").is_dir()) {
            return Ok(repo.clone());
        }
        let known = dir.join("config").is_file();
        let format = if known { format_of(dir)? } else { self.ask_format(location, source).await? };
        let repo = Private::open(&self.git, dir, format).await?;
        Ok(opened.insert(repo).clone())
    }

    fn turn(&self, location: &Location, branch: &Branch) -> Turn {
        let place = location.argument().to_string_lossy().into_owned();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry((place, branch.clone())).or_default().clone()
    }

    /// Packs what is loose in every mirror and drops what nobody refers to since two weeks. Run it when there is time;
    /// tells how many could not be tidied.
    pub async fn tidy(&self) -> Result<usize, GitError> {
        let mut failed = 0;
        for dir in std::fs::read_dir(&self.root).map_err(GitError::io("list the mirrors"))?.flatten() {
            let dir = dir.path();
            if dir.extension().is_none_or(|end| end != "git") {
                continue;
            }
            let locks = self.locks_of(&dir);
            let repo = Private::open(&self.git, &dir, format_of(&dir)?).await?;
            if let Err(error) = tidy(&repo, &locks).await {
                tracing::warn!(target: "agent", mirror = %dir.display(), %error, "a mirror was not tidied");
                failed += 1;
            }
        }
        Ok(failed)
    }

    /// A repository registered anew at another place gets another folder.
    fn place(&self, source: &Source) -> (PathBuf, Arc<Locks>) {
        let digest = super::diff::hex(&Sha256::digest(source.location.as_bytes()));
        let dir = self.root.join(format!("{}-{}.git", source.name, &digest[..12]));
        let locks = self.locks_of(&dir);
        (dir, locks)
    }

    fn locks_of(&self, dir: &Path) -> Arc<Locks> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry(dir.to_owned()).or_default().clone()
    }

    async fn ask_format(&self, location: &Location, source: &Source) -> Result<&'static str, GitError> {
        let head = remote_head(&self.git, location, &source.branch).await;
        let head = head.map_err(|error| unreadable(location, error))?;
        head.map(|oid| oid.format()).ok_or_else(|| no_branch(&source.branch))
    }
}

/// A mirror that is ready to be used; cheap to clone.
#[derive(Debug, Clone)]
pub struct Mirror {
    repo: Private,
    location: Location,
    branch: Branch,
    roots: AllowedRoots,
    locks: Arc<Locks>,
    turn: Turn,
}

impl Mirror {
    /// Brings the target branch up to date and tells its head. Refused: the branch or the repository is gone.
    pub async fn fetch(&self) -> Result<Oid, GitError> {
        self.locks.fetching.fetch(|| self.fetch_now()).await
    }

    async fn fetch_now(&self) -> Result<Oid, GitError> {
        let refspecs = [format!("+{}:{}", self.branch.reference(), self.upstream())];
        let taken = self.repo.take(
            "fetch the target branch",
            Take {
                from: self.location.argument(),
                reach: self.location.reach(),
                refspecs: &refspecs,
                trust: Trust::Registered,
                depth: None,
            },
        );
        let complaint = taken.await.map_err(|error| match &error {
            GitError::Failed { reason, .. } if reason.contains("couldn't find remote ref") => {
                no_branch(&self.branch)
            }
            _ => unreadable(&self.location, error),
        })?;
        if complaint.contains("shallow roots are not allowed") {
            return Err(shallow().into());
        }
        self.repo.resolve(&self.upstream()).await
    }

    /// The target's head as last fetched.
    pub async fn head(&self) -> Result<Oid, GitError> {
        self.repo.resolve(&self.upstream()).await
    }

    /// The text of `.tiltyard.toml` in a commit; `None` when it has none. Refused: it is a link, too large or not
    /// text.
    pub async fn rules_at(&self, commit: &Oid) -> Result<Option<String>, GitError> {
        const WHAT: &str = "read .tiltyard.toml";
        let args = ["ls-tree", "-z", "--full-tree", commit.as_str(), "--", RULES_FILE];
        let entry = self.repo.call(WHAT).args(args).run().await?.text();
        let Some((mode_and_oid, _)) = entry.split_once('\t') else { return Ok(None) };
        let mut parts = mode_and_oid.split(' ');
        let (mode, blob) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
        if !mode.starts_with("100") {
            return Err(bad_rules("it is not a plain file").into());
        }
        let answer = self.repo.call(WHAT).args(["cat-file", "blob", blob]).limit(MAX_RULES_BYTES).run().await;
        let bytes = match answer {
            Err(GitError::TooMuch { .. }) => return Err(bad_rules("it is larger than 256 KiB").into()),
            other => other?.stdout,
        };
        String::from_utf8(bytes).map(Some).map_err(|_| bad_rules("it is not UTF-8 text").into())
    }

    /// Packs what is loose and drops what nobody refers to since two weeks. Run it when nothing else is to do.
    pub async fn tidy(&self) -> Result<(), GitError> {
        tidy(&self.repo, &self.locks).await
    }

    /// Whether a commit keeps files in Git LFS. What is committed of those is a pointer, which only a filter turns into
    /// the file, and no filter of a repository's is ever run here.
    pub(crate) async fn keeps_files_elsewhere(&self, commit: &Oid) -> Result<bool, GitError> {
        let args = ["grep", "--quiet", "-e", "filter=lfs", commit.as_str(), "--", ".gitattributes"];
        let call = self.repo.call("look for Git LFS").attributes_of(commit.empty_tree()).args(args);
        Ok(call.accept(&[0, 1]).run().await?.code == 0)
    }

    /// Where the repository is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The branch that changes are merged into.
    pub fn branch(&self) -> &Branch {
        &self.branch
    }

    /// The git folder.
    pub(crate) fn repo(&self) -> &Private {
        &self.repo
    }

    /// The name of the target's head in here.
    pub(crate) fn upstream(&self) -> String {
        format!("refs/upstream/{}", self.branch)
    }

    /// Looks at the target itself.
    pub(crate) async fn target(&self) -> Result<Target, GitError> {
        Target::look(self.repo.git(), &self.roots, &self.location, &self.branch).await
    }

    /// A folder beside the mirrors, where there is room for what may be large; gone when dropped.
    pub(crate) fn quarantine(&self) -> Result<Fleeting, GitError> {
        Fleeting::make(self.repo.dir().parent().unwrap_or_else(|| Path::new("/")), QUARANTINE_PREFIX)
    }

    /// One merge at a time (C30).
    pub(crate) async fn lock_for_merge(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }
}

/// The reference of a proposal's head.
pub(crate) fn head_ref(change: &Key) -> String {
    format!("refs/changes/{change}/head")
}

/// The reference of the merged commit that is being checked.
pub(crate) fn candidate_ref(change: &Key) -> String {
    format!("refs/changes/{change}/candidate")
}

/// Where the references of commits stand that were about to land for a head of a change. There may be several: a
/// push that was given up may still arrive.
pub(crate) fn landings_of(change: &Key, head: &Oid) -> String {
    format!("refs/changes/{change}/landing/{head}/")
}

async fn tidy(repo: &Private, locks: &Locks) -> Result<(), GitError> {
    let _one_at_a_time = locks.fetching.pause().await;
    let args = ["gc", "--quiet", "--prune=2.weeks.ago"];
    repo.call("tidy the mirror").args(args).run().await.map(|_| ())
}

fn format_of(dir: &Path) -> Result<&'static str, GitError> {
    let config =
        std::fs::read_to_string(dir.join("config")).map_err(GitError::io("read a mirror's configuration"))?;
    Ok(if config.contains("sha256") { "sha256" } else { "sha1" })
}

fn no_branch(branch: &Branch) -> GitError {
    let reason = format!("the repository has no branch `{branch}`; create it, or register another branch");
    Refused::new(RefusedCode::NoBranch, reason).into()
}

/// What git says of a folder that is no repository, or none for us. Everything else (a full disk, a lock, a git that
/// was killed) may pass.
const FINAL: &[&str] = &[
    "not a git repository",
    "does not appear to be a git repository",
    "dubious ownership",
    "ermission denied",
];

fn shallow() -> Refused {
    let reason = "the repository is a shallow clone: its history is cut short, so that nothing can be merged or \
                  proven; run `git fetch --unshallow` in it, or register the repository that it came from";
    Refused::new(RefusedCode::Unreadable, reason)
}

/// On this machine "there is no repository" is final; over the network it may pass.
fn unreadable(location: &Location, error: GitError) -> GitError {
    match (location, error) {
        (Location::Folder(path), GitError::Failed { reason, code, .. })
            if code != KILLED && FINAL.iter().any(|mark| reason.contains(mark)) =>
        {
            let reason = format!("`{}` cannot be read as a git repository: {reason}", path.display());
            Refused::new(RefusedCode::Unreadable, reason).into()
        }
        (_, error) => error,
    }
}

fn bad_rules(why: &str) -> Refused {
    let reason = format!("`{RULES_FILE}` cannot be read: {why}; mend it on the target branch");
    Refused::new(RefusedCode::RulesUnreadable, reason)
}
