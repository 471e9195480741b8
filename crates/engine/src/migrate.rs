//! The steps of a store's schema (O10): of an embedded one with its server stopped.

use crate::act::refusal_of;
use crate::clock::Clock;
use crate::place::Place;
use std::path::Path;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::time::TimeMs;
use tiltyard_store::migration::{ALL, Applied, Migration};
use tiltyard_store::sqlite::{self, Durability};
use tiltyard_store::{Error, Rows, postgres};

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

/// Every step that this program knows, and when it was made in the store. Writes nothing; a place without a store has made
/// none. A shared store is looked at whoever serves it.
///
/// # Errors
/// When a server has the folder, when no database answers, or a newer program wrote the store.
pub fn status(place: &Place) -> Result<Vec<Step>, MigrateError> {
    let made = match place {
        Place::Folder(folder) if !has_store(folder) => {
            let unmade = |step: &Migration| Step {
                version: step.version,
                name: step.name.to_owned(),
                applied_at: None,
            };
            return Ok(ALL.iter().map(unmade).collect());
        }
        Place::Folder(folder) => sqlite::migrations(folder)?,
        Place::Database(url) => postgres::migrations(&shared(url)?)?,
    };
    let step = |made: Applied| Step { version: made.version, name: made.name, applied_at: made.applied_at };
    Ok(made.into_iter().map(step).collect())
}

/// Makes every step that the store lacks; a folder must exist. An embedded store that holds anything is copied first; servers
/// of a shared one may go on, and whoever else makes the same step at once makes it once.
///
/// # Errors
/// As [`status`]; a step that fails leaves the store as before it.
pub fn up(place: &Place) -> Result<(), MigrateError> {
    match place {
        Place::Folder(folder) => {
            let (durability, now) = (Durability::Full, Clock::system().now().wall);
            let options = sqlite::Options { folder: folder.clone(), durability, seed: seed()?, now };
            Ok(sqlite::migrate_up(&options)?)
        }
        Place::Database(url) => Ok(postgres::migrate_up(&shared(url)?)?),
    }
}

/// Takes steps back until the schema has `target`, of an embedded store after a copy of it. What those steps held is gone.
///
/// # Errors
/// As [`up`]; when there is no store; when a server of a shared one was seen a moment ago.
pub fn down(place: &Place, target: i64) -> Result<(), MigrateError> {
    match place {
        Place::Folder(folder) if !has_store(folder) => {
            Err(MigrateError::NoStore(folder.display().to_string()))
        }
        Place::Folder(folder) => Ok(sqlite::migrate_down(folder, target, Clock::system().now().wall)?),
        Place::Database(url) => Ok(postgres::migrate_down(&shared(url)?, target)?),
    }
}

fn shared(url: &str) -> Result<postgres::Options, MigrateError> {
    // Settings are not read here: what works everywhere.
    Ok(postgres::Options { sessions: postgres::Sessions::Mixed, ..postgres::Options::new(url, seed()?) })
}

fn seed() -> Result<[u8; 16], MigrateError> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|error| MigrateError::System(error.to_string()))?;
    Ok(seed)
}

fn has_store(folder: &Path) -> bool {
    folder.join(sqlite::FILE_NAME).exists()
}
