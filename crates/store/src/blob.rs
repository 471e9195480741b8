//! Blobs: bytes in files, by their digest (`artifacts/aa/<sha256>`). A blob is whole and on disk, file and folder,
//! before anybody names it; it never changes afterwards (D21).

mod hold;

use crate::error::Error;
use hold::{Hold, Holds};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder of blobs in the data folder.
pub const FOLDER_NAME: &str = "artifacts";
/// Where blobs are written before they are whole; emptied at every start.
const INCOMING: &str = "incoming";
/// Rights of folders: nobody else's business (SEC16).
const FOLDER_MODE: u32 = 0o700;
/// Rights of files.
const FILE_MODE: u32 = 0o600;
/// Hex digits of a SHA-256.
const SHA256_HEX_CHARS: usize = 64;

/// Why bytes are not kept.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There are more of them than may be.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// How many may be.
        limit: u64,
    },
    /// They are not those that were announced.
    #[error("the bytes have the digest {found}, not the announced one")]
    Digest {
        /// The digest that they have.
        found: String,
    },
    /// The disk does not do what it must.
    #[error(transparent)]
    Store(#[from] Error),
}

/// All blobs of a data folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: Arc<Path>,
    next: Arc<AtomicU64>,
    holds: Holds,
}

/// A blob that is whole and on disk. It stays there for as long as this lives, and after that if a row names it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The SHA-256 of its bytes, 64 hex digits in lower case.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    _hold: Arc<Hold>,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        (&self.sha256, self.size) == (&other.sha256, other.size)
    }
}

impl Eq for Kept {}

impl Blobs {
    /// Opens the blobs of a data folder, and forgets what was being written when the program last ended. The caller
    /// has the folder for itself.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let root = data.join(FOLDER_NAME);
        let broken = |error: io::Error| Error::io("open the artifacts", &error);
        make_folder(&root).map_err(broken)?;
        let incoming = root.join(INCOMING);
        make_folder(&incoming).map_err(broken)?;
        for left in std::fs::read_dir(&incoming).map_err(broken)? {
            std::fs::remove_file(left.map_err(broken)?.path()).map_err(broken)?;
        }
        Ok(Self { root: root.into(), next: Arc::default(), holds: Holds::default() })
    }

    /// Begins to write a blob of at most `limit` bytes.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub fn writer(&self, limit: u64) -> Result<Writer, Error> {
        let name = format!("{}.part", self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.root.join(INCOMING).join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path);
        let file = file.map_err(|error| Error::io("begin an artifact", &error))?;
        let (root, holds) = (Arc::clone(&self.root), self.holds.clone());
        Ok(Writer { root, holds, path, file, digest: Sha256::new(), size: 0, limit })
    }

    /// A blob to read, and its size; `None` when there is none, also for what is no digest.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn open_read(&self, sha256: &str) -> Result<Option<(File, u64)>, Error> {
        let Some(path) = path_of(&self.root, sha256) else { return Ok(None) };
        let broken = |error: io::Error| Error::io("read an artifact", &error);
        match File::open(path) {
            Ok(file) => {
                let size = file.metadata().map_err(broken)?.len();
                Ok(Some((file, size)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(error)),
        }
    }

    /// Doubts that anything names a blob. Whoever is about to name it is faster: then there is nothing to doubt, or the
    /// doubt comes to nothing.
    pub fn doubt(&self, sha256: &str) -> Option<Doubt> {
        let path = path_of(&self.root, sha256)?;
        let doubt = self.holds.doubt(sha256)?;
        Some(Doubt { path, doubt })
    }

    /// The blobs of one of the 256 folders, at most `limit`.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn in_folder(&self, folder: u8, limit: usize) -> Result<Vec<String>, Error> {
        let broken = |error: io::Error| Error::io("look for artifacts", &error);
        let entries = match std::fs::read_dir(self.root.join(format!("{folder:02x}"))) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(broken(error)),
        };
        let name = |entry: io::Result<std::fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(broken)
        };
        entries.take(limit).map(name).collect()
    }
}

/// A doubt that anything names a blob: while the rows are asked, somebody may come to hold it.
#[derive(Debug)]
pub struct Doubt {
    path: PathBuf,
    doubt: hold::Doubt,
}

impl Doubt {
    /// Removes the blob, unless somebody holds it by now; it may be gone already.
    ///
    /// # Errors
    /// When the disk is broken.
    pub fn remove(self) -> Result<(), Error> {
        let Self { path, doubt } = self;
        match doubt.settle(|| std::fs::remove_file(path)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove an artifact", &error))
            }
            _ => Ok(()),
        }
    }
}

/// A blob in the making. Dropped before [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    root: Arc<Path>,
    holds: Holds,
    path: PathBuf,
    file: File,
    digest: Sha256,
    size: u64,
    limit: u64,
}

impl Writer {
    /// Adds bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] beyond the limit; when the disk is full or broken.
    pub fn write(&mut self, part: &[u8]) -> Result<(), BlobError> {
        self.size += part.len() as u64;
        if self.size > self.limit {
            return Err(BlobError::TooLarge { limit: self.limit });
        }
        self.digest.update(part);
        self.file.write_all(part).map_err(|error| Error::io("write an artifact", &error))?;
        Ok(())
    }

    /// Puts the blob in its place. When this is `Ok`, file and folder are on disk.
    ///
    /// # Errors
    /// [`BlobError::Digest`] when `expected` is another digest; when the disk is full or broken.
    pub fn finish(self, expected: Option<&str>) -> Result<Kept, BlobError> {
        let sha256 = hex::encode(self.digest.clone().finalize());
        if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
            return Err(BlobError::Digest { found: sha256 });
        }
        // Held before it is there, so that nobody removes it in between.
        let hold = Arc::new(self.holds.hold(&sha256));
        self.place(&sha256).map_err(|error| Error::io("keep an artifact", &error))?;
        Ok(Kept { sha256, size: self.size, _hold: hold })
    }

    fn place(&self, sha256: &str) -> io::Result<()> {
        let Some(path) = path_of(&self.root, sha256) else { return Err(io::ErrorKind::InvalidInput.into()) };
        let Some(folder) = path.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
        if !folder.exists() {
            make_folder(folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        // The same bytes may lie there already; then one of the two equal files stays.
        self.file.sync_all()?;
        std::fs::rename(&self.path, &path)?;
        File::open(folder)?.sync_all()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // After `finish` it is not there any more; what stays behind is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn path_of(root: &Path, sha256: &str) -> Option<PathBuf> {
    let hex = sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex && sha256.len() == SHA256_HEX_CHARS).then(|| root.join(&sha256[..2]).join(sha256))
}

/// Makes a folder for nobody else's eyes, unless it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

#[cfg(test)]
mod tests;
