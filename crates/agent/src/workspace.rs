//! The agent's work folder: one folder for each attempt, for nobody's eyes but the agent's (SEC16).

mod folder;

pub use folder::{AttemptFolder, Leftover};

use crate::attempt::AttemptKey;
use crate::process::RunAs;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

/// Rights of folders that only the agent may enter.
pub(crate) const PRIVATE_FOLDER_MODE: u32 = 0o700;
/// Locked by the agent that uses the folder.
const LOCK_FILE: &str = ".lock";
/// Most leftovers that one look returns.
pub const MAX_LEFTOVERS: usize = 10_000;

/// Why there is no work folder.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// Another agent uses it.
    #[error("{0} is used by another agent: give each agent a folder of its own, or stop the other one")]
    InUse(PathBuf),
    /// It belongs to somebody else, who could change what is in it.
    #[error(
        "{path} belongs to user {owner}, not to the user of this agent: give another folder, or change its owner"
    )]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// It cannot be made or opened.
    #[error("cannot use {path}: {source}")]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The work folder of one agent; nobody else can open it while this lives.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    _lock: File,
}

impl Workspace {
    /// Opens the folder `root` or makes it, with the rights 0700.
    ///
    /// # Errors
    /// [`WorkspaceError`] when it cannot be had for this agent alone.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let unusable = |source| WorkspaceError::Unusable { path: root.to_owned(), source };
        make_private(root).map_err(unusable)?;
        let root = root.canonicalize().map_err(unusable)?;
        let owner = std::fs::metadata(&root).map_err(unusable)?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(WorkspaceError::ForeignOwner { path: root, owner });
        }
        let lock =
            OpenOptions::new().create(true).append(true).open(root.join(LOCK_FILE)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(WorkspaceError::InUse(root)),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folder of an attempt. One of that name that is there already is removed first.
    ///
    /// # Errors
    /// When it cannot be made, or the old one cannot be removed because something of it still runs.
    pub fn create(&self, key: &AttemptKey) -> io::Result<AttemptFolder> {
        let folder = self.folder(key);
        if folder.holder()?.is_some() {
            let text = format!(
                "{} is still held: an earlier program of this folder has not ended",
                folder.path().display()
            );
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        folder.remove()?;
        folder.make()?;
        Ok(folder)
    }

    /// The folder of an attempt, whether it is there or not.
    pub fn folder(&self, key: &AttemptKey) -> AttemptFolder {
        AttemptFolder::new(key.clone(), self.root.join(key.to_string()))
    }

    /// The folders that earlier processes left, sorted, at most [`MAX_LEFTOVERS`]. What bears another name is
    /// not ours and is left alone.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn leftovers(&self) -> io::Result<Vec<Leftover>> {
        let names =
            std::fs::read_dir(&self.root)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut keys: Vec<AttemptKey> =
            names.filter_map(|name| name.parse().ok()).take(MAX_LEFTOVERS).collect();
        keys.sort();
        Ok(keys.iter().map(|key| Leftover::new(self.folder(key))).collect())
    }
}

/// Gives a folder with all that is in it to another user; of links themselves, not of what they point to.
///
/// # Errors
/// When an owner cannot be changed: only root may.
pub(crate) fn give_tree(path: &Path, user: RunAs) -> io::Result<()> {
    lchown(path, Some(user.uid), Some(user.gid))?;
    if !std::fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    std::fs::read_dir(path)?.try_for_each(|entry| give_tree(&entry?.path(), user))
}

/// Makes a folder that only its owner may enter, or takes everybody else's rights from one that is there.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER_MODE).create(folder)?;
    let mode = std::fs::metadata(folder)?.permissions().mode();
    if mode & 0o777 == PRIVATE_FOLDER_MODE {
        return Ok(());
    }
    std::fs::set_permissions(folder, Permissions::from_mode(PRIVATE_FOLDER_MODE))
}
