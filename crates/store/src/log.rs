//! Logs of attempts: text that only grows, in files or in the objects of a bucket. What was acknowledged is safe; what is sent
//! again is not written again.

mod bucket;
mod folder;
mod segment;

use crate::depot::bucket::Shared;
use crate::error::Error;
use bucket::InBucket;
use folder::Folder;
use std::path::Path;
use std::sync::Arc;

/// The folder of logs in the data folder.
pub const FOLDER_NAME: &str = "logs";
/// Largest log of an attempt, in bytes. The agent keeps head and tail of a longer one (C10).
pub const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes of one read.
pub const MAX_READ_BYTES: usize = 1024 * 1024;

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

/// What an answer to new text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It is safe.
    Kept,
    /// It will be, or [`Logs::flush`] says that it is not: whoever sent it keeps it until the attempt's end is on record. In a
    /// bucket it is gathered with what follows.
    Soon,
}

/// All logs of a place. Cheap to clone. Whatever is done with them blocks.
#[derive(Debug, Clone)]
pub struct Logs(Place);

#[derive(Debug, Clone)]
enum Place {
    Folder(Arc<Folder>),
    Bucket(InBucket),
}

impl Logs {
    /// Opens the logs of a folder; servers may share it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Folder::open(folder).map(|folder| Self(Place::Folder(Arc::new(folder))))
    }

    /// The logs of a bucket.
    pub(crate) fn in_bucket(bucket: Shared) -> Self {
        Self(Place::Bucket(InBucket::new(bucket)))
    }

    /// Adds text to the log of an attempt of the task with this key, and says how long the log is now. Text that
    /// begins before the log's end was sent before: only what goes beyond it is written. When this is `Ok`, all of
    /// it is safe.
    ///
    /// # Errors
    /// [`LogError::Gap`], [`LogError::TooLong`]; when the disk is full or broken, or the bucket does not answer.
    pub fn append(&self, task: i64, generation: i64, offset: u64, text: &[u8]) -> Result<u64, LogError> {
        self.append_as((task, generation), offset, text, Promise::Kept)
    }

    /// The same with another promise, for an attempt: key of the task and generation.
    ///
    /// # Errors
    /// As [`Logs::append`].
    pub fn append_as(
        &self,
        attempt: (i64, i64),
        offset: u64,
        text: &[u8],
        promise: Promise,
    ) -> Result<u64, LogError> {
        match &self.0 {
            Place::Folder(folder) => folder.append(attempt.0, attempt.1, offset, text),
            Place::Bucket(bucket) => bucket.append(attempt, offset, text, promise),
        }
    }

    /// Makes safe what was promised here. Ask before the end of an attempt is put on record.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub fn flush(&self, task: i64, generation: i64) -> Result<(), Error> {
        match &self.0 {
            Place::Folder(_) => Ok(()),
            Place::Bucket(bucket) => bucket.flush(task, generation),
        }
    }

    /// Whether [`Logs::flush`] may have something to do, in which case it blocks.
    pub fn gathers(&self) -> bool {
        matches!(self.0, Place::Bucket(_))
    }

    /// At most `limit` (and [`MAX_READ_BYTES`]) bytes of a log from `offset` on; empty at its end, and where there is
    /// no log.
    ///
    /// # Errors
    /// When the disk is broken, or the bucket does not answer.
    pub fn read(&self, task: i64, generation: i64, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        match &self.0 {
            Place::Folder(folder) => folder.read(task, generation, offset, limit),
            Place::Bucket(bucket) => bucket.read(task, generation, offset, limit),
        }
    }

    /// How many bytes the log of an attempt has; `None` when there is none.
    ///
    /// # Errors
    /// When the disk is broken, or the bucket does not answer.
    pub fn length(&self, task: i64, generation: i64) -> Result<Option<u64>, Error> {
        match &self.0 {
            Place::Folder(folder) => folder.length(task, generation),
            Place::Bucket(bucket) => bucket.length(task, generation),
        }
    }

    /// The keys of tasks that have logs, at most `limit`, of one of 256 parts.
    ///
    /// # Errors
    /// When the disk is broken, or the bucket does not answer.
    pub fn tasks(&self, part: u8, limit: usize) -> Result<Vec<i64>, Error> {
        match &self.0 {
            Place::Folder(folder) => folder.tasks(part, limit),
            Place::Bucket(bucket) => bucket.tasks(part, limit),
        }
    }

    /// Removes every log of a task; there may be none.
    ///
    /// # Errors
    /// When the disk is broken, or the bucket does not answer.
    pub fn remove(&self, task: i64) -> Result<(), Error> {
        match &self.0 {
            Place::Folder(folder) => folder.remove(task),
            Place::Bucket(bucket) => bucket.remove(task),
        }
    }
}

#[cfg(test)]
mod tests;
