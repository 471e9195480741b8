//! Outcomes that the server has not confirmed yet, on disk before they are sent (C3).
//!
//! One file for each attempt. It is written under another name, synced, renamed, and its folder synced: whenever
//! the machine stops, a file under its own name is whole. A file that is not (a disk can lie) is set aside.

mod sealed;

pub use sealed::SealKey;

use crate::attempt::AttemptKey;
use crate::outcome::Outcome;
use crate::workspace::make_private;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Most outcomes that wait; beyond it an agent takes no work.
pub const MAX_OUTBOX_ENTRIES: usize = 10_000;
/// Most damaged files that are kept for a look; the oldest goes first.
pub const MAX_DAMAGED_FILES: usize = 100;
/// Longest file in bytes: an error, a result, and JSON's escapes around them.
pub const MAX_ENTRY_BYTES: u64 = 1024 * 1024;

/// The end of a file's name.
const ENTRY_SUFFIX: &str = ".outcome";
/// The end of the name of a file that is being written.
const PARTIAL_SUFFIX: &str = ".partial";
/// Where damaged files are put.
const DAMAGED_FOLDER: &str = "damaged";

/// Why an outcome was not taken, or the outbox not opened.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Too many outcomes wait.
    #[error("{MAX_OUTBOX_ENTRIES} outcomes wait for the server already: no more work until it takes them")]
    Full,
    /// Another outcome of that attempt is there; the first one stands.
    #[error("attempt {0} has another outcome already: the first one stands")]
    AlreadyTold(AttemptKey),
    /// It is too long.
    #[error("the outcome is {0} bytes as a file, more than {MAX_ENTRY_BYTES}")]
    TooLong(u64),
    /// The disk did not take it. Nothing was promised.
    #[error("cannot write the outbox {path}: {source}")]
    Disk {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file that was set aside when the outbox was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it is now.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The outbox of one agent.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    key: SealKey,
    waiting: Mutex<BTreeMap<AttemptKey, Outcome>>,
}

impl Outbox {
    /// Opens the outbox in `folder` or makes it. What was being written when the last process ended was never
    /// promised to anybody and goes; what is damaged, or was not written with this key, is set aside and told.
    ///
    /// # Errors
    /// [`OutboxError::Disk`] when the folder cannot be used.
    pub fn open(folder: &Path, key: SealKey) -> Result<(Self, Vec<Damage>), OutboxError> {
        let disk = |source| OutboxError::Disk { path: folder.to_owned(), source };
        make_private(folder).map_err(disk)?;
        let (waiting, damaged) = load(folder, &key).map_err(disk)?;
        let damage = damaged.into_iter().map(|damage| set_aside(folder, damage)).collect::<io::Result<_>>();
        let damage = damage.and_then(|damage| forget_oldest_damage(folder).map(|()| damage)).map_err(disk)?;
        sync_folder(folder).map_err(disk)?;
        Ok((Self { folder: folder.to_owned(), key, waiting: Mutex::new(waiting) }, damage))
    }

    /// Takes an outcome; it is on disk when this returns. The same one again is no error. Blocks for one or two
    /// writes to the disk.
    ///
    /// # Errors
    /// [`OutboxError`]; then nothing was promised, though after a disk error it may be there at the next start.
    pub fn put(&self, outcome: &Outcome) -> Result<(), OutboxError> {
        let mut waiting = self.waiting.lock();
        match waiting.get(&outcome.key) {
            Some(known) if known == outcome => return Ok(()),
            Some(_) => return Err(OutboxError::AlreadyTold(outcome.key.clone())),
            None if waiting.len() >= MAX_OUTBOX_ENTRIES => return Err(OutboxError::Full),
            None => {}
        }
        let disk = |source| OutboxError::Disk { path: self.folder.clone(), source };
        let bytes = sealed::seal(outcome, &self.key).map_err(disk)?;
        if bytes.len() as u64 > MAX_ENTRY_BYTES {
            return Err(OutboxError::TooLong(bytes.len() as u64));
        }
        self.write(&outcome.key, &bytes).map_err(disk)?;
        waiting.insert(outcome.key.clone(), outcome.clone());
        Ok(())
    }

    fn write(&self, key: &AttemptKey, bytes: &[u8]) -> io::Result<()> {
        let (partial, place) = (self.path(key, PARTIAL_SUFFIX), self.path(key, ENTRY_SUFFIX));
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, place)?;
        sync_folder(&self.folder)
    }

    /// Forgets an outcome: the server has taken it, or refused it for good. One that is not there is no error.
    ///
    /// # Errors
    /// [`OutboxError::Disk`] when the file stays; it will be told again, which is harmless.
    pub fn remove(&self, key: &AttemptKey) -> Result<(), OutboxError> {
        let mut waiting = self.waiting.lock();
        match std::fs::remove_file(self.path(key, ENTRY_SUFFIX)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(OutboxError::Disk { path: self.folder.clone(), source: error })
            }
            // Not synced: should it come back after a power cut, it is told again and refused as settled.
            _ => {
                waiting.remove(key);
                Ok(())
            }
        }
    }

    /// All outcomes that wait, by attempt.
    pub fn waiting(&self) -> Vec<Outcome> {
        self.waiting.lock().values().cloned().collect()
    }

    /// The outcome of one attempt, if it waits.
    pub fn find(&self, key: &AttemptKey) -> Option<Outcome> {
        self.waiting.lock().get(key).cloned()
    }

    /// How many more it can take.
    pub fn room(&self) -> usize {
        MAX_OUTBOX_ENTRIES.saturating_sub(self.waiting.lock().len())
    }

    fn path(&self, key: &AttemptKey, suffix: &str) -> PathBuf {
        self.folder.join(format!("{key}{suffix}"))
    }
}

type Loaded = (BTreeMap<AttemptKey, Outcome>, Vec<Damage>);

fn load(folder: &Path, key: &SealKey) -> io::Result<Loaded> {
    let (mut waiting, mut damaged) = (BTreeMap::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (name, file) = (entry.file_name(), entry.path());
        match name.to_str() {
            Some(name) if name.ends_with(PARTIAL_SUFFIX) => std::fs::remove_file(&file)?,
            Some(name) if name.ends_with(ENTRY_SUFFIX) => {
                match sealed::open(&file, name.trim_end_matches(ENTRY_SUFFIX), key) {
                    Ok(outcome) => drop(waiting.insert(outcome.key.clone(), outcome)),
                    Err(reason) => damaged.push(Damage { file, reason }),
                }
            }
            // The folder of damaged files, and whatever a person put here.
            _ => {}
        }
    }
    Ok((waiting, damaged))
}

fn set_aside(folder: &Path, damage: Damage) -> io::Result<Damage> {
    let aside = folder.join(DAMAGED_FOLDER);
    make_private(&aside)?;
    let place = aside.join(damage.file.file_name().unwrap_or_default());
    std::fs::rename(&damage.file, &place)?;
    Ok(Damage { file: place, reason: damage.reason })
}

fn forget_oldest_damage(folder: &Path) -> io::Result<()> {
    let aside = folder.join(DAMAGED_FOLDER);
    if !aside.exists() {
        return Ok(());
    }
    let mut files: Vec<_> = std::fs::read_dir(aside)?
        .filter_map(|entry| {
            entry.ok().and_then(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        })
        .collect();
    files.sort();
    let excess = files.len().saturating_sub(MAX_DAMAGED_FILES);
    files.iter().take(excess).try_for_each(|(_, file)| std::fs::remove_file(file))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
