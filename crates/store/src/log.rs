//! Logs of attempts: files that only grow (`logs/<task>/<generation>.log`). What was acknowledged is on disk; what
//! is sent again is not written again.

use crate::blob::make_folder;
use crate::error::Error;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of logs in the data folder.
pub const FOLDER_NAME: &str = "logs";
/// Largest log of an attempt, in bytes. The agent keeps head and tail of a longer one (C10).
pub const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes of one read.
pub const MAX_READ_BYTES: usize = 1024 * 1024;
/// Rights of files (SEC16).
const FILE_MODE: u32 = 0o600;
/// Locks for all logs together: two writers of one log take turns.
const LOCKS: usize = 64;

/// Why text is not kept.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It begins beyond the end of what is there: something is missing between.
    #[error("the log has {length} bytes: send what follows them first")]
    Gap {
        /// How many bytes there are.
        length: u64,
    },
    /// The log would be too long.
    #[error("the log would have more than {limit} bytes")]
    TooLong {
        /// How many bytes it may have.
        limit: u64,
    },
    /// The disk does not do what it must.
    #[error(transparent)]
    Store(#[from] Error),
}

/// All logs of a data folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Logs {
    root: Arc<Path>,
    locks: Arc<[Mutex<()>; LOCKS]>,
}

impl Logs {
    /// Opens the logs of a data folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let root = data.join(FOLDER_NAME);
        make_folder(&root).map_err(|error| Error::io("open the logs", &error))?;
        Ok(Self { root: root.into(), locks: Arc::new(std::array::from_fn(|_| Mutex::new(()))) })
    }

    /// Adds text to the log of an attempt of the task with this key, and says how long the log is now. Text that
    /// begins before the log's end was sent before: only what goes beyond it is written. When this is `Ok`, all of
    /// it is on disk.
    ///
    /// # Errors
    /// [`LogError::Gap`], [`LogError::TooLong`]; when the disk is full or broken.
    pub fn append(&self, task: i64, generation: i64, offset: u64, text: &[u8]) -> Result<u64, LogError> {
        let _turn = self.locks[task.unsigned_abs() as usize % LOCKS].lock();
        let broken = |error: io::Error| Error::io("write a log", &error);
        let mut file = self.open_write(task, generation).map_err(broken)?;
        let length = file.metadata().map_err(broken)?.len();
        let end = offset.saturating_add(text.len() as u64);
        if offset > length {
            return Err(LogError::Gap { length });
        }
        if end > MAX_LOG_BYTES {
            return Err(LogError::TooLong { limit: MAX_LOG_BYTES });
        }
        if end > length {
            let known = (length - offset) as usize;
            file.seek(SeekFrom::Start(length)).map_err(broken)?;
            file.write_all(&text[known..]).map_err(broken)?;
        }
        // Also what was written before: its acknowledgement may be what got lost, together with its fsync.
        file.sync_data().map_err(broken)?;
        Ok(end.max(length))
    }

    fn open_write(&self, task: i64, generation: i64) -> io::Result<File> {
        let path = self.path(task, generation);
        match OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let folder = self.folder(task);
        if !folder.exists() {
            make_folder(&folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(&path)?;
        File::open(&folder)?.sync_all()?;
        Ok(file)
    }

    /// At most `limit` (and [`MAX_READ_BYTES`]) bytes of a log from `offset` on; empty at its end, and where there is
    /// no log.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn read(&self, task: i64, generation: i64, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        let broken = |error: io::Error| Error::io("read a log", &error);
        let mut file = match File::open(self.path(task, generation)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(broken(error)),
        };
        file.seek(SeekFrom::Start(offset)).map_err(broken)?;
        let mut found = Vec::new();
        file.take(limit.min(MAX_READ_BYTES) as u64).read_to_end(&mut found).map_err(broken)?;
        Ok(found)
    }

    /// How many bytes the log of an attempt has; `None` when there is none.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn length(&self, task: i64, generation: i64) -> Result<Option<u64>, Error> {
        match std::fs::metadata(self.path(task, generation)) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at a log", &error)),
        }
    }

    /// The keys of tasks that have logs, at most `limit`, of one of 256 parts.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn tasks(&self, part: u8, limit: usize) -> Result<Vec<i64>, Error> {
        let broken = |error: io::Error| Error::io("look for logs", &error);
        let key = |entry: io::Result<std::fs::DirEntry>| match entry {
            Ok(entry) => entry.file_name().to_str()?.parse::<i64>().ok().map(Ok),
            Err(error) => Some(Err(broken(error))),
        };
        let keys = std::fs::read_dir(&self.root).map_err(broken)?.filter_map(key);
        let own = |key: &Result<i64, Error>| key.as_ref().map_or(true, |key| key & 0xff == i64::from(part));
        keys.filter(own).take(limit).collect()
    }

    /// Removes every log of a task; there may be none.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn remove(&self, task: i64) -> Result<(), Error> {
        let _turn = self.locks[task.unsigned_abs() as usize % LOCKS].lock();
        match std::fs::remove_dir_all(self.folder(task)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove a log", &error)),
            _ => Ok(()),
        }
    }

    fn folder(&self, task: i64) -> PathBuf {
        self.root.join(task.to_string())
    }

    fn path(&self, task: i64, generation: i64) -> PathBuf {
        self.folder(task).join(format!("{generation}.log"))
    }
}

#[cfg(test)]
mod tests;
