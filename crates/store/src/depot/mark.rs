//! Whose bytes lie here. A server that was pointed at another database, or at an older copy of its own, knows rows of none
//! of them; without the mark it would take all for garbage.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the file, or of the object.
pub(super) const NAME: &str = "store-id";
/// Rights of the file.
const FILE_MODE: u32 = 0o600;

/// Whose bytes these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The identity of the store whose rows name the bytes.
    pub store: String,
    /// Its epoch.
    pub epoch: i64,
    /// It has had an event with this number: a copy of it that has not is older than the bytes.
    pub seq: i64,
    /// Nothing is removed until a person has looked: an older copy of the store was here.
    #[serde(default)]
    pub held: bool,
}

impl Mark {
    /// # Errors
    /// When the text is no mark.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let broken = |error: serde_json::Error| Error::Broken {
            statement: "read whose bytes these are",
            reason: error.to_string(),
        };
        serde_json::from_slice(text).map_err(broken)
    }

    pub(super) fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a word, numbers and a flag are JSON")
    }
}

/// # Errors
/// When the disk is broken.
pub(super) fn read_file(folder: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(folder.join(NAME)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read whose bytes these are", &error)),
    }
}

/// Whole or not at all, also for whoever reads meanwhile.
///
/// # Errors
/// When the disk is full or broken.
pub(super) fn write_file(folder: &Path, text: &[u8]) -> Result<()> {
    let write = || {
        // Servers of one folder write the same, or take turns; the number keeps their halves apart.
        let half = folder.join(format!("{NAME}.{}", std::process::id()));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&half)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&half, folder.join(NAME))?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| Error::io("write whose bytes these are", &error))
}
