//! Bytes on their way in: a file of this server's own, until all of them are there and known by their digest.

use super::{BlobError, FILE_MODE, make_folder};
use crate::error::Error;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where blobs are written before they are whole.
const INCOMING: &str = "incoming";
/// What another server left there for so long is nobody's any more.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The folder of what is not whole yet.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    instance: String,
    next: AtomicU64,
}

impl Spool {
    /// A folder of one server; what it held before is nobody's any more.
    pub(super) fn own(root: &Path) -> io::Result<Self> {
        let spool = Self::make(root, String::new())?;
        for left in std::fs::read_dir(&spool.folder)? {
            std::fs::remove_file(left?.path())?;
        }
        Ok(spool)
    }

    /// A folder of several servers: only what has lain there for long goes. The age is told by the folder's own clock.
    pub(super) fn shared(root: &Path, instance: &str) -> io::Result<Self> {
        let spool = Self::make(root, format!("{instance}-"))?;
        let probe = spool.folder.join(format!("{instance}.now"));
        let now = File::create(&probe)?.metadata()?.modified()?;
        for left in std::fs::read_dir(&spool.folder)? {
            let left = left?;
            // Its server may have ended it in this moment.
            let Ok(written) = left.metadata().and_then(|found| found.modified()) else { continue };
            if now.duration_since(written).is_ok_and(|age| age > ABANDONED_AFTER) {
                remove(&left.path())?;
            }
        }
        remove(&probe)?;
        Ok(spool)
    }

    fn make(root: &Path, instance: String) -> io::Result<Self> {
        let folder = root.join(INCOMING);
        make_folder(&folder)?;
        Ok(Self { folder, instance, next: AtomicU64::new(0) })
    }

    /// Begins a file of at most `limit` bytes.
    pub(super) fn draft(&self, limit: u64) -> Result<Draft, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{}{number}.part", self.instance));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(&path);
        let file = file.map_err(|error| Error::io("begin an artifact", &error))?;
        Ok(Draft { path, file, digest: Sha256::new(), size: 0, limit })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Bytes that are not whole yet. Dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) path: PathBuf,
    pub(super) file: File,
    digest: Sha256,
    pub(super) size: u64,
    limit: u64,
}

impl Draft {
    pub(super) fn write(&mut self, part: &[u8]) -> Result<(), BlobError> {
        self.size += part.len() as u64;
        if self.size > self.limit {
            return Err(BlobError::TooLarge { limit: self.limit });
        }
        self.digest.update(part);
        self.file.write_all(part).map_err(|error| Error::io("write an artifact", &error))?;
        Ok(())
    }

    pub(super) fn sha256(&self) -> String {
        hex::encode(self.digest.clone().finalize())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Where it was put into its place it is not there any more; what stays behind is removed at a later start.
        let _ = std::fs::remove_file(&self.path);
    }
}
