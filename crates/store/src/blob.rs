//! Blobs: bytes by their digest, in files (`artifacts/aa/<sha256>`) or in objects of the same name. A blob is whole and
//! safe, file and folder, before anybody names it; it never changes afterwards (D21).

mod bucket;
mod folder;
mod hold;
mod spool;

use crate::depot::bucket::Shared;
use crate::error::Error;
use bucket::InBucket;
use folder::{Folder, Whose};
use hold::{Hold, Holds};
use spool::Draft;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;
use std::sync::Arc;
use tiltyard_model::time::{DAY_MS, DurationMs, TimeMs};

/// The folder of blobs in the data folder.
pub const FOLDER_NAME: &str = "artifacts";
/// In a place that servers share, what is younger is not removed: another server may be about to name it.
pub const GRACE_MS: DurationMs = DAY_MS;
/// Rights of folders: nobody else's business (SEC16).
const FOLDER_MODE: u32 = 0o700;
/// Rights of files.
const FILE_MODE: u32 = 0o600;
/// Hex digits of a SHA-256.
const SHA256_HEX_CHARS: usize = 64;
/// Bytes that are read together from a file.
const FILE_PIECE_BYTES: usize = 256 * 1024;
/// Bytes that are read together from a bucket, where each piece costs a way there and back.
const BUCKET_PIECE_BYTES: usize = 1024 * 1024;

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

/// All blobs of a place. Cheap to clone. Whatever is done with them blocks.
#[derive(Debug, Clone)]
pub struct Blobs {
    place: Place,
    holds: Holds,
}

#[derive(Debug, Clone)]
enum Place {
    /// Of this server alone.
    Own(Arc<Folder>),
    Shared(Arc<Folder>),
    Bucket(Arc<InBucket>),
}

/// A blob that is whole and safe. It stays for as long as this lives, and after that if a row names it. Other servers know
/// nothing of it: in a shared place its youth keeps it.
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
        Folder::open(data, Whose::Own)
            .map(|folder| Self::at(Place::Own(Arc::new(folder))))
            .map_err(|error| unopened(&error))
    }

    /// Opens the blobs of a folder that servers share; `instance` is a word that no other running one has.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open_shared(folder: &Path, instance: &str) -> Result<Self, Error> {
        let folder = Folder::open(folder, Whose::Shared(instance)).map_err(|error| unopened(&error))?;
        Ok(Self::at(Place::Shared(Arc::new(folder))))
    }

    /// The blobs of a bucket. What is not whole yet lies in the data folder.
    pub(crate) fn in_bucket(bucket: Shared, data: &Path) -> Result<Self, Error> {
        let place = InBucket::open(bucket, data).map_err(|error| unopened(&error))?;
        Ok(Self::at(Place::Bucket(Arc::new(place))))
    }

    fn at(place: Place) -> Self {
        Self { place, holds: Holds::default() }
    }

    /// Begins to write a blob of at most `limit` bytes.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub fn writer(&self, limit: u64) -> Result<Writer, Error> {
        let draft = match &self.place {
            Place::Own(folder) | Place::Shared(folder) => folder.spool.draft(limit)?,
            Place::Bucket(place) => place.spool.draft(limit)?,
        };
        Ok(Writer { blobs: self.clone(), draft })
    }

    /// A blob to read, and its size; `None` when there is none, also for what is no digest.
    ///
    /// # Errors
    /// When the disk is broken or the bucket does not answer.
    pub fn open_read(&self, sha256: &str) -> Result<Option<(Reader, u64)>, Error> {
        if !is_digest(sha256) {
            return Ok(None);
        }
        match &self.place {
            Place::Own(folder) | Place::Shared(folder) => {
                let found = folder.open_read(sha256)?;
                Ok(found.map(|(file, size)| (Reader(Source::File(file)), size)))
            }
            Place::Bucket(place) => {
                let source = || Source::Bucket(Arc::clone(&place.bucket), bucket::key(sha256));
                Ok(place.size(sha256)?.map(|size| (Reader(source()), size)))
            }
        }
    }

    /// Doubts that anything names a blob. Whoever is about to name it is faster: then there is nothing to doubt, or the
    /// doubt comes to nothing.
    pub fn doubt(&self, sha256: &str) -> Option<Doubt> {
        let doubt = is_digest(sha256).then(|| self.holds.doubt(sha256))??;
        Some(Doubt { place: self.place.clone(), sha256: sha256.to_owned(), doubt })
    }

    /// The blobs of one of 256 parts, at most `limit`.
    ///
    /// # Errors
    /// When the disk is broken or the bucket does not answer.
    pub fn in_part(&self, part: u8, limit: usize) -> Result<Vec<String>, Error> {
        match &self.place {
            Place::Own(folder) | Place::Shared(folder) => folder.in_part(part, limit),
            Place::Bucket(place) => place.in_part(part, limit),
        }
    }
}

/// A blob that is read, from wherever.
#[derive(Debug)]
pub struct Reader(Source);

#[derive(Debug)]
enum Source {
    File(File),
    Bucket(Shared, String),
}

impl Reader {
    /// Bytes that are best read together.
    pub fn piece_bytes(&self) -> usize {
        match self.0 {
            Source::File(_) => FILE_PIECE_BYTES,
            Source::Bucket(..) => BUCKET_PIECE_BYTES,
        }
    }

    /// Exactly `length` bytes from `offset` on. Blocks.
    ///
    /// # Errors
    /// When there are not so many, or they cannot be read.
    pub fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match &self.0 {
            Source::File(file) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
            Source::Bucket(bucket, key) => {
                let range = offset..offset + length as u64;
                let found = bucket.wait(bucket.get(key, Some(range))).map_err(io::Error::other)?;
                let found = found.filter(|bytes| bytes.len() == length);
                found.map(Vec::from).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

/// A doubt that anything names a blob: while the rows are asked, somebody may come to hold it.
#[derive(Debug)]
pub struct Doubt {
    place: Place,
    sha256: String,
    doubt: hold::Doubt,
}

impl Doubt {
    /// Removes the blob, unless somebody holds it by now; it may be gone already. In a shared place it stays while it is
    /// younger than [`GRACE_MS`].
    ///
    /// # Errors
    /// When the disk is broken or the bucket does not answer.
    pub fn remove(self, now: TimeMs) -> Result<(), Error> {
        let Self { place, sha256, doubt } = self;
        let removed = doubt.settle(|| match place {
            Place::Own(folder) => folder.remove(&sha256),
            Place::Shared(folder) if is_old(folder.put_at(&sha256)?, now) => folder.remove(&sha256),
            Place::Bucket(place) if is_old(place.put_at(&sha256)?, now) => place.remove(&sha256),
            Place::Shared(_) | Place::Bucket(_) => Ok(()),
        });
        removed.unwrap_or(Ok(()))
    }
}

fn is_old(put_at: Option<TimeMs>, now: TimeMs) -> bool {
    put_at.is_some_and(|at| at.saturating_add(GRACE_MS) < now)
}

/// A blob in the making. Dropped before [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    blobs: Blobs,
    draft: Draft,
}

impl Writer {
    /// Adds bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] beyond the limit; when the disk is full or broken.
    pub fn write(&mut self, part: &[u8]) -> Result<(), BlobError> {
        self.draft.write(part)
    }

    /// Puts the blob in its place. When this is `Ok`, it is safe there.
    ///
    /// # Errors
    /// [`BlobError::Digest`] when `expected` is another digest; when the disk is full or broken.
    pub fn finish(self, expected: Option<&str>) -> Result<Kept, BlobError> {
        let Self { blobs, draft } = self;
        let sha256 = draft.sha256();
        if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
            return Err(BlobError::Digest { found: sha256 });
        }
        // Held before it is there, so that nobody removes it in between.
        let hold = Arc::new(blobs.holds.hold(&sha256));
        match &blobs.place {
            Place::Own(folder) | Place::Shared(folder) => {
                folder.place(&draft, &sha256).map_err(|error| Error::io("keep an artifact", &error))?;
            }
            Place::Bucket(place) => place.place(&draft, &sha256)?,
        }
        Ok(Kept { sha256, size: draft.size, _hold: hold })
    }
}

fn is_digest(sha256: &str) -> bool {
    let hex = sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex && sha256.len() == SHA256_HEX_CHARS
}

fn unopened(error: &io::Error) -> Error {
    Error::io("open the artifacts", error)
}

/// Makes a folder for nobody else's eyes, unless it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

#[cfg(test)]
mod tests;
