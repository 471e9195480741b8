//! Migrations (O10): numbered steps of the schema, each up and down, one transaction each.

use crate::error::{Error, Result};
use crate::rows::failure;
use rusqlite::Connection;
use std::path::Path;
use tiltyard_model::time::TimeMs;

/// One step.
#[derive(Debug)]
pub struct Migration {
    /// Its number, from 1.
    pub version: i64,
    /// Its name.
    pub name: &'static str,
    up: &'static str,
    down: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration {
            version: $version,
            name: $name,
            up: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/", $file, ".up.sql")),
            down: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/", $file, ".down.sql")),
        }
    };
}

/// Every step, in order.
pub const ALL: &[Migration] = &[migration!(1, "start", "0001_start")];

/// A step and when it was made in this store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// When.
    pub applied_at: Option<TimeMs>,
}

const LEDGER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/ledger.sql"));
const RECORD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/record.sql"));
const FORGET: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/forget.sql"));
const VERSION: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/version.sql"));
const COPY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/copy.sql"));
const LIST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/list.sql"));

/// The version of the store's schema; 0 for a new one.
pub(crate) fn version(connection: &Connection) -> Result<i64> {
    connection.query_row(VERSION, [], |row| row.get(0)).map_err(|error| failure("migration/version", &error))
}

/// The newest version that this program knows.
pub fn newest() -> i64 {
    ALL.last().map_or(0, |step| step.version)
}

/// Makes every step that this store lacks, after a backup of a store that holds anything (O10).
pub(crate) fn up(connection: &Connection, backups: &Path, now: TimeMs) -> Result<()> {
    make(connection, ALL, backups, now)
}

fn make(connection: &Connection, steps: &[Migration], backups: &Path, now: TimeMs) -> Result<()> {
    if ledger_is_there(connection)? {
        refuse_newer(connection, steps)?;
    } else {
        connection.execute_batch(LEDGER).map_err(|error| failure("migration/ledger", &error))?;
    }
    let have = version(connection)?;
    let lacking: Vec<&Migration> = steps.iter().filter(|step| step.version > have).collect();
    if have > 0 && !lacking.is_empty() {
        back_up(connection, backups, have, now)?;
    }
    lacking.into_iter().try_for_each(|step| {
        one_transaction(connection, step.up, |connection| {
            connection.execute(RECORD, rusqlite::params![step.version, step.name, now])
        })
    })
}

/// Writes a whole, consistent copy beside the store: made under another name, synced, then named.
fn back_up(connection: &Connection, folder: &Path, have: i64, now: TimeMs) -> Result<()> {
    let io = |error: std::io::Error| Error::io("back up before a migration", &error);
    std::fs::create_dir_all(folder).map_err(io)?;
    let name = folder.join(format!("before-migration-{have}-{now}.db"));
    let part = name.with_extension("part");
    if part.exists() {
        std::fs::remove_file(&part).map_err(io)?;
    }
    let copied = connection.execute(COPY, [part.to_string_lossy()]);
    copied.map_err(|error| failure("migration/copy", &error))?;
    std::fs::File::open(&part).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(&part, &name).map_err(io)?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

/// Takes steps back until the schema has `target`.
///
/// # Errors
/// When a step's `down` fails; the store is then as before that step.
pub(crate) fn down(connection: &Connection, target: i64, backups: &Path, now: TimeMs) -> Result<()> {
    refuse_newer(connection, ALL)?;
    let have = version(connection)?;
    if have > target {
        back_up(connection, backups, have, now)?;
    }
    let undone = ALL.iter().rev().filter(|step| step.version > target && step.version <= have);
    for step in undone {
        one_transaction(connection, step.down, |connection| connection.execute(FORGET, [step.version]))?;
    }
    Ok(())
}

/// Every step that this program knows, and when it was made here.
pub(crate) fn list(connection: &Connection) -> Result<Vec<Applied>> {
    refuse_newer(connection, ALL)?;
    let broken = |error: rusqlite::Error| failure("migration/list", &error);
    let mut statement = connection.prepare(LIST).map_err(broken)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, TimeMs>(1)?)))
        .map_err(broken)?;
    let made: Vec<(i64, TimeMs)> = rows.collect::<rusqlite::Result<_>>().map_err(broken)?;
    let applied = |step: &Migration| Applied {
        version: step.version,
        name: step.name.to_owned(),
        applied_at: made.iter().find(|(version, _)| *version == step.version).map(|(_, at)| *at),
    };
    Ok(ALL.iter().map(applied).collect())
}

/// Every step that this program knows, and when it was made in the store that is read.
///
/// # Errors
/// When the store is broken.
pub fn applied(rows: &crate::rows::Rows) -> Result<Vec<Applied>> {
    list(&rows.connection)
}

/// Every step, none of them made: a store that is not there yet.
pub(crate) fn none() -> Vec<Applied> {
    ALL.iter()
        .map(|step| Applied { version: step.version, name: step.name.to_owned(), applied_at: None })
        .collect()
}

/// A store without a ledger is a new one.
fn ledger_is_there(connection: &Connection) -> Result<bool> {
    connection.table_exists(None, "migration").map_err(|error| failure("migration/ledger", &error))
}

fn refuse_newer(connection: &Connection, steps: &[Migration]) -> Result<()> {
    let (found, known) = (version(connection)?, steps.last().map_or(0, |step| step.version));
    if found > known { Err(Error::Newer { found, known }) } else { Ok(()) }
}

fn one_transaction(
    connection: &Connection,
    text: &str,
    record: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
) -> Result<()> {
    let run = || -> rusqlite::Result<()> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(text)?;
        record(connection)?;
        connection.execute_batch("COMMIT")
    };
    run().map_err(|error| {
        // The error that is reported is the first one; a failed rollback changes nothing about it.
        let _ = connection.execute_batch("ROLLBACK");
        failure("migration", &error)
    })
}

#[cfg(test)]
mod tests;
