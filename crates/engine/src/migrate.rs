//! The steps of a store's schema, with the server stopped (O10).

use crate::act::refusal_of;
use crate::clock::Clock;
use std::path::Path;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::time::TimeMs;
use tiltyard_store::migration::{ALL, Applied, Migration};
use tiltyard_store::sqlite::{self, Durability};
use tiltyard_store::{Error, Rows};

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number, from 1.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// When it was made in this store; `None` when it was not.
    pub applied_at: Option<TimeMs>,
}

/// The steps of the store that is open, and when each was made.
///
/// # Errors
/// When the store is broken.
pub fn steps(rows: &Rows) -> Result<Vec<Step>, Refusal> {
    let applied = tiltyard_store::migration::applied(rows).map_err(refusal_of)?;
    let step = |Applied { version, name, applied_at }| Step { version, name, applied_at };
    Ok(applied.into_iter().map(step).collect())
}

/// Why steps cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The store says no, or is broken.
    #[error(transparent)]
    Store(#[from] Error),
    /// There is nothing that could be taken back.
    #[error("there is no store in {0}: nothing was done")]
    NoStore(String),
    /// The system gives no randomness for a new store.
    #[error("the system gives no randomness: {0}")]
    System(String),
}

impl MigrateError {
    /// Whether the store itself is at fault: damaged, on a disk that fails, or without room.
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_storage())
    }
}

/// Every step that this program knows, and when it was made in the store of `folder`. Writes nothing; a folder
/// without a store has made none.
///
/// # Errors
/// When a server has the folder, or a newer program wrote the store.
pub fn status(folder: &Path) -> Result<Vec<Step>, MigrateError> {
    if !has_store(folder) {
        let unmade =
            |step: &Migration| Step { version: step.version, name: step.name.to_owned(), applied_at: None };
        return Ok(ALL.iter().map(unmade).collect());
    }
    let step = |made: Applied| Step { version: made.version, name: made.name, applied_at: made.applied_at };
    Ok(sqlite::migrations(folder)?.into_iter().map(step).collect())
}

/// Makes every step that the store lacks; the folder must exist. A store that holds anything is copied first.
///
/// # Errors
/// As [`status`]; a step that fails leaves the store as before it.
pub fn up(folder: &Path) -> Result<(), MigrateError> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|error| MigrateError::System(error.to_string()))?;
    let now = Clock::system().now().wall;
    let options = sqlite::Options { folder: folder.to_owned(), durability: Durability::Full, seed, now };
    Ok(sqlite::migrate_up(&options)?)
}

/// Takes steps back until the schema has `target`, after a copy of the store. What those steps held is gone from it.
///
/// # Errors
/// As [`up`]; when there is no store.
pub fn down(folder: &Path, target: i64) -> Result<(), MigrateError> {
    if !has_store(folder) {
        return Err(MigrateError::NoStore(folder.display().to_string()));
    }
    Ok(sqlite::migrate_down(folder, target, Clock::system().now().wall)?)
}

fn has_store(folder: &Path) -> bool {
    folder.join(sqlite::FILE_NAME).exists()
}
