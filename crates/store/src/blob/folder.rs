//! Blobs in a folder: `aa/<sha256>`, put there whole by a rename.

use super::spool::{Draft, Spool};
use super::{FOLDER_NAME, make_folder};
use crate::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tiltyard_model::time::TimeMs;

/// A folder of blobs.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    pub(super) spool: Spool,
}

/// Whose folder it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    /// This server's alone.
    Own,
    /// That of several; this one is known by the word.
    Shared(&'a str),
}

impl Folder {
    pub(super) fn open(place: &Path, whose: Whose<'_>) -> io::Result<Self> {
        let root = place.join(FOLDER_NAME);
        make_folder(&root)?;
        let spool = match whose {
            Whose::Own => Spool::own(&root)?,
            Whose::Shared(instance) => Spool::shared(&root, instance)?,
        };
        Ok(Self { root, spool })
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.root.join(&sha256[..2]).join(sha256)
    }

    pub(super) fn place(&self, draft: &Draft, sha256: &str) -> io::Result<()> {
        let folder = self.root.join(&sha256[..2]);
        if !folder.exists() {
            make_folder(&folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        // The same bytes may lie there already; then one of the two equal files stays.
        draft.file.sync_all()?;
        std::fs::rename(&draft.path, folder.join(sha256))?;
        File::open(folder)?.sync_all()
    }

    pub(super) fn open_read(&self, sha256: &str) -> Result<Option<(File, u64)>, Error> {
        let broken = |error: io::Error| Error::io("read an artifact", &error);
        match File::open(self.path(sha256)) {
            Ok(file) => {
                let size = file.metadata().map_err(broken)?.len();
                Ok(Some((file, size)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(error)),
        }
    }

    /// When it was put there; `None` when it is gone.
    pub(super) fn put_at(&self, sha256: &str) -> Result<Option<TimeMs>, Error> {
        match std::fs::metadata(self.path(sha256)).and_then(|found| found.modified()) {
            Ok(at) => {
                let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(Some(TimeMs::try_from(since.as_millis()).unwrap_or(TimeMs::MAX)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at an artifact", &error)),
        }
    }

    pub(super) fn remove(&self, sha256: &str) -> Result<(), Error> {
        match std::fs::remove_file(self.path(sha256)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove an artifact", &error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn in_part(&self, part: u8, limit: usize) -> Result<Vec<String>, Error> {
        let broken = |error: io::Error| Error::io("look for artifacts", &error);
        let entries = match std::fs::read_dir(self.root.join(format!("{part:02x}"))) {
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
