//! What goes, and when: clones and references go after the end of a change, and after a merge only when the target
//! is proven to hold it (C34). Some clones of failed attempts are kept to be looked at.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::clone::{WorkClone, WorkClones};
use super::command::{GitError, Refused, RefusedCode};
use super::mirror::Mirror;
use super::name::{Key, Oid};

/// How many clones of failed attempts are kept.
pub const MAX_KEPT_CLONES: usize = 5;

/// The folders of check clones begin with this.
pub(crate) const CHECK_PREFIX: &str = "check-";
/// Bundles that are being fetched begin with this.
pub(crate) const BUNDLE_PREFIX: &str = "bundle-";

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum ChangeEnd {
    /// It was merged as this commit, which is looked for again.
    Merged {
        /// The commit that landed.
        commit: Oid,
    },
    /// It was rejected or closed.
    Rejected,
}

impl WorkClones {
    /// Removes an attempt's folder.
    pub fn remove(&self, clone: &WorkClone) -> Result<(), GitError> {
        remove_folder(&self.inside(&clone.folder)?)
    }

    /// Keeps a failed attempt's folder under `kept/`, the oldest beyond [`MAX_KEPT_CLONES`] go; tells where it is.
    pub fn keep(&self, clone: &WorkClone) -> Result<PathBuf, GitError> {
        const WHAT: &str = "keep the clone";
        let folder = self.inside(&clone.folder)?;
        let kept = self.root.join("kept");
        fs::create_dir_all(&kept).map_err(GitError::io(WHAT))?;
        let to = kept.join(folder.file_name().unwrap_or_default());
        remove_folder(&to)?;
        fs::rename(&folder, &to).map_err(GitError::io(WHAT))?;
        let mut all = folders_in(&kept)?;
        all.retain(|other| *other != to);
        all.sort_by_key(|path| fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok());
        let excess = (all.len() + 1).saturating_sub(MAX_KEPT_CLONES);
        all.iter().take(excess).try_for_each(|path| remove_folder(path))?;
        Ok(to)
    }

    /// Every attempt that has a clone, kept ones apart: its task and generation.
    pub fn attempts(&self) -> Result<Vec<(Key, u64)>, GitError> {
        let attempt = |path: PathBuf| {
            let (task, generation) = path.file_name()?.to_str()?.rsplit_once('-')?;
            Some((Key::try_from(task).ok()?, generation.parse().ok()?))
        };
        Ok(folders_in(&self.root)?.into_iter().filter_map(attempt).collect())
    }

    /// Removes the folder of one attempt.
    pub fn remove_attempt(&self, task: &Key, generation: u64) -> Result<(), GitError> {
        remove_folder(&self.root.join(format!("{task}-{generation}")))
    }

    /// Removes what a killed agent left of check clones and bundles in `folder`; at the next start, once its programs
    /// have ended.
    pub fn sweep_checks(folder: &Path) -> Result<(), GitError> {
        if !folder.exists() {
            return Ok(());
        }
        remove_folders(folder, CHECK_PREFIX)?;
        remove_folders(folder, BUNDLE_PREFIX)
    }

    /// A folder that is named from outside must be one of ours.
    fn inside(&self, folder: &Path) -> Result<PathBuf, GitError> {
        match folder.strip_prefix(&self.root) {
            Ok(rest) if rest.components().count() == 1 && folder.file_name().is_some() => {
                Ok(folder.to_owned())
            }
            _ => {
                let reason = format!("`{}` is not a clone of this agent", folder.display());
                Err(Refused::new(RefusedCode::NotGenuine, reason).into())
            }
        }
    }
}

impl Mirror {
    /// Drops what is kept of a change. Refused: it is said to be merged, but the target does not hold it.
    pub async fn forget(&self, change: &Key, end: &ChangeEnd) -> Result<(), GitError> {
        if let ChangeEnd::Merged { commit } = end {
            let head = self.fetch().await?;
            let proven = self.repo().has(commit).await? && self.repo().is_ancestor(commit, &head).await?;
            if !proven {
                let reason = format!("`{}` does not hold {commit}; its proposal is kept", self.branch());
                return Err(Refused::new(RefusedCode::NotProven, reason).into());
            }
        }
        let prefix = format!("refs/changes/{change}/");
        for (reference, _) in self.repo().references(&prefix).await? {
            self.repo().unset(&reference).await?;
        }
        Ok(())
    }
}

/// Removes the folders whose names begin so.
pub(crate) fn remove_folders(root: &Path, prefix: &str) -> Result<(), GitError> {
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    folders_in(root)?.into_iter().filter(named).try_for_each(|path| remove_folder(&path))
}

fn folders_in(root: &Path) -> Result<Vec<PathBuf>, GitError> {
    let entries = fs::read_dir(root).map_err(GitError::io("list the clones"))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// A folder that goes when this is dropped, also when the work in it is called off: with whatever a program made of
/// it (see [`remove_folder`]), on a thread of its own.
#[derive(Debug)]
pub(crate) struct Fleeting(PathBuf);

impl Fleeting {
    /// Makes a folder in `root` whose name begins so.
    pub(crate) fn make(root: &Path, prefix: &str) -> Result<Self, GitError> {
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(root);
        Ok(Self(made.map_err(GitError::io("make a folder"))?.keep()))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it now.
    pub(crate) async fn remove(self) -> Result<(), GitError> {
        remove(&self.0).await
    }
}

impl Drop for Fleeting {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.0);
        if !folder.exists() {
            return;
        }
        let going = move || {
            if let Err(error) = remove_folder(&folder) {
                tracing::warn!(target: "agent", folder = %folder.display(), %error, "a folder stays behind");
            }
        };
        match tokio::runtime::Handle::try_current() {
            // Nobody waits for it; should the process end first, the next one sweeps.
            Ok(runtime) => drop(runtime.spawn_blocking(going)),
            Err(_) => going(),
        }
    }
}

/// [`remove_folder`] on a thread that may take its time: what a build leaves has many files.
pub(crate) async fn remove(folder: &Path) -> Result<(), GitError> {
    let folder = folder.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_folder(&folder)).await;
    removed.map_err(|error| GitError::io("remove a clone")(std::io::Error::other(error)))?
}

/// Removes a folder and all in it, links themselves and not what they point to. Programs leave folders that may not
/// be written (a Go module cache): those are opened first.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), GitError> {
    const WHAT: &str = "remove a clone";
    let Ok(meta) = fs::symlink_metadata(folder) else { return Ok(()) };
    if !meta.is_dir() {
        return fs::remove_file(folder).map_err(GitError::io(WHAT));
    }
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    open_up(folder);
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(GitError::io(WHAT)(error)),
        _ => Ok(()),
    }
}

/// Best effort: what cannot be opened makes the removal fail, and that is reported.
fn open_up(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).ok();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            open_up(&path);
        }
    }
}
