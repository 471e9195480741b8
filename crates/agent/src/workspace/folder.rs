//! The folder of one attempt.

use super::make_private;
use crate::attempt::AttemptKey;
use crate::process::RunAs;
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;

/// Where the program works.
const WORK_FOLDER: &str = "work";
/// Where the program puts its result.
const OUTPUT_FOLDER: &str = "out";
/// The result.
const OUTPUT_FILE: &str = "output.json";
/// Locked by the shim for as long as anything of the program lives.
const HELD_FILE: &str = "held";

/// The folder of one attempt: `work` and `out` are the program's, the rest is the agent's.
#[derive(Debug, Clone)]
pub struct AttemptFolder {
    key: AttemptKey,
    path: PathBuf,
}

impl AttemptFolder {
    pub(super) fn new(key: AttemptKey, path: PathBuf) -> Self {
        Self { key, path }
    }

    pub(super) fn make(&self) -> io::Result<()> {
        [self.path.clone(), self.work(), self.path.join(OUTPUT_FOLDER)]
            .iter()
            .try_for_each(|path| make_private(path))
    }

    /// Whose folder it is.
    pub fn key(&self) -> &AttemptKey {
        &self.key
    }

    /// Where it is; logs lie here.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the program works.
    pub fn work(&self) -> PathBuf {
        self.path.join(WORK_FOLDER)
    }

    /// The file for the program's result (`$TILTYARD_OUTPUT`).
    pub fn output_file(&self) -> PathBuf {
        self.path.join(OUTPUT_FOLDER).join(OUTPUT_FILE)
    }

    /// What stays locked while anything of the program lives.
    pub fn held_file(&self) -> PathBuf {
        self.path.join(HELD_FILE)
    }

    /// The folders that are the program's own.
    pub fn open_to_program(&self) -> Vec<PathBuf> {
        vec![self.work(), self.path.join(OUTPUT_FOLDER)]
    }

    /// Gives the program's folders to the user it runs as.
    ///
    /// # Errors
    /// When the owner cannot be changed: only root may.
    pub fn give_to(&self, user: RunAs) -> io::Result<()> {
        self.open_to_program().iter().try_for_each(|path| chown(path, Some(user.uid), Some(user.gid)))
    }

    /// What the program put into its result file, at most `limit` bytes and one more (so that too much shows);
    /// `None` when there is no such file. A link is not followed: the program has no say in what we read.
    ///
    /// # Errors
    /// When it is no plain file or cannot be read.
    pub fn output(&self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open_output() {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link"));
            }
            Err(error) => return Err(error.into()),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn open_output(&self) -> rustix::io::Result<File> {
        // Without waiting: a named pipe must not hold the agent up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let own = rustix::fs::open(&self.path, flags | OFlags::DIRECTORY, Mode::empty())?;
        let out = rustix::fs::openat(&own, OUTPUT_FOLDER, flags | OFlags::DIRECTORY, Mode::empty())?;
        rustix::fs::openat(&out, OUTPUT_FILE, flags, Mode::empty()).map(File::from)
    }

    /// The lock file, when something of the program still lives.
    pub(super) fn holder(&self) -> io::Result<Option<File>> {
        let file = match File::open(self.held_file()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => Ok(Some(file)),
        }
    }

    /// Whether something of its program still lives; what cannot be found out counts as alive.
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.holder(), Ok(None))
    }

    /// Removes the folder with all that is in it; links in it are removed, not followed. Nothing of the program
    /// must be alive. A folder that is not there is no error.
    ///
    /// # Errors
    /// When something of it stays.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                unlock_folders(&self.path)?;
                gone(std::fs::remove_dir_all(&self.path))
            }
            answer => gone(answer),
        }
    }
}

fn gone(answer: io::Result<()>) -> io::Result<()> {
    match answer {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        answer => answer,
    }
}

/// Some programs leave folders that may not be written to, even by their owner (package caches).
fn unlock_folders(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(super::PRIVATE_FOLDER_MODE))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // The kind of the entry itself: a link to a folder is no folder.
        if entry.file_type()?.is_dir() {
            unlock_folders(&entry.path())?;
        }
    }
    Ok(())
}

/// A folder of an attempt that an earlier process of this agent made.
#[derive(Debug)]
pub struct Leftover {
    folder: AttemptFolder,
}

impl Leftover {
    pub(super) fn new(folder: AttemptFolder) -> Self {
        Self { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &AttemptFolder {
        &self.folder
    }

    /// Waits until nothing of its program lives any more: the shim ends it, holds a lock as long, and lets go
    /// last. False when that takes longer than `limit`. An agent says that it holds nothing only after this.
    ///
    /// # Errors
    /// When the lock cannot be tried.
    pub async fn ended(&self, limit: Duration) -> io::Result<bool> {
        let Some(file) = self.folder.holder()? else { return Ok(true) };
        let (sender, receiver) = oneshot::channel();
        // A thread of its own, which nobody joins: a wait for a lock cannot be called off.
        std::thread::spawn(move || sender.send(file.lock()));
        match tokio::time::timeout(limit, receiver).await {
            Ok(Ok(answer)) => answer.map(|()| true),
            _ => Ok(false),
        }
    }
}
