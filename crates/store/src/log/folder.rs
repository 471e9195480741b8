//! Logs in a folder: files that only grow (`<task>/<generation>.log`). Bytes have their place by their offset, so two servers
//! that write the same ones into a shared file do no harm.

use super::{FOLDER_NAME, LogError, MAX_LOG_BYTES, MAX_READ_BYTES};
use crate::blob::make_folder;
use crate::error::Error;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Rights of files (SEC16).
const FILE_MODE: u32 = 0o600;
/// Locks for all logs together: two writers of one log take turns.
const LOCKS: usize = 64;

/// A folder of logs.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    locks: [Mutex<()>; LOCKS],
}

impl Folder {
    pub(super) fn open(place: &Path) -> Result<Self, Error> {
        let root = place.join(FOLDER_NAME);
        make_folder(&root).map_err(|error| Error::io("open the logs", &error))?;
        Ok(Self { root, locks: std::array::from_fn(|_| Mutex::new(())) })
    }

    pub(super) fn append(
        &self,
        task: i64,
        generation: i64,
        offset: u64,
        text: &[u8],
    ) -> Result<u64, LogError> {
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

    pub(super) fn read(
        &self,
        task: i64,
        generation: i64,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
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

    pub(super) fn length(&self, task: i64, generation: i64) -> Result<Option<u64>, Error> {
        match std::fs::metadata(self.path(task, generation)) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at a log", &error)),
        }
    }

    pub(super) fn tasks(&self, part: u8, limit: usize) -> Result<Vec<i64>, Error> {
        let broken = |error: io::Error| Error::io("look for logs", &error);
        let key = |entry: io::Result<std::fs::DirEntry>| match entry {
            Ok(entry) => entry.file_name().to_str()?.parse::<i64>().ok().map(Ok),
            Err(error) => Some(Err(broken(error))),
        };
        let keys = std::fs::read_dir(&self.root).map_err(broken)?.filter_map(key);
        let own = |key: &Result<i64, Error>| key.as_ref().map_or(true, |key| key & 0xff == i64::from(part));
        keys.filter(own).take(limit).collect()
    }

    pub(super) fn remove(&self, task: i64) -> Result<(), Error> {
        let _turn = self.locks[task.unsigned_abs() as usize % LOCKS].lock();
        match std::fs::remove_dir_all(self.folder(task)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove a log", &error)),
            _ => Ok(()),
        }
    }

    fn folder(&self, task: i64) -> PathBuf {
        self.root.join(task.to_string())
    }

    pub(super) fn path(&self, task: i64, generation: i64) -> PathBuf {
        self.folder(task).join(format!("{generation}.log"))
    }
}
