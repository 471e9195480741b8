//! Migrations (O10): numbered steps of the schema, each up and down, one transaction each.

use crate::backend::sql;
use crate::error::{Error, Result};
use crate::rows::{Rows, failure};
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
    pub(crate) sqlite: Script,
    pub(crate) postgres: Script,
}

/// What a step does to one kind of store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
}

macro_rules! text {
    ($($part:literal),+) => { include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $($part),+)) };
}

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration {
            version: $version,
            name: $name,
            sqlite: Script {
                up: text!("sqlite/migration/", $file, ".up.sql"),
                down: text!("sqlite/migration/", $file, ".down.sql"),
            },
            postgres: Script {
                up: text!("postgres/migration/", $file, ".up.sql"),
                down: text!("postgres/migration/", $file, ".down.sql"),
            },
        }
    };
}

/// Every step, in order.
pub const ALL: &[Migration] = &[
    migration!(1, "start", "0001_start"),
    migration!(2, "task_count", "0002_task_count"),
    migration!(3, "task_phase", "0003_task_phase"),
    migration!(4, "part", "0004_part"),
    migration!(5, "run", "0005_run"),
];

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

const LEDGER: &str = sql!("migration/ledger").sqlite;
const RECORD: &str = sql!("migration/record").sqlite;
const FORGET: &str = sql!("migration/forget").sqlite;
const VERSION: &str = sql!("migration/version").sqlite;
const COPY: &str = sql!("migration/copy").sqlite;

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
        refuse_newer(version(connection)?, steps)?;
    } else {
        connection.execute_batch(LEDGER).map_err(|error| failure("migration/ledger", &error))?;
    }
    let have = version(connection)?;
    let lacking: Vec<&Migration> = steps.iter().filter(|step| step.version > have).collect();
    if have > 0 && !lacking.is_empty() {
        back_up(connection, backups, have, now)?;
    }
    lacking.into_iter().try_for_each(|step| {
        one_transaction(connection, step.sqlite.up, |connection| {
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
    refuse_newer(version(connection)?, ALL)?;
    let have = version(connection)?;
    if have > target {
        back_up(connection, backups, have, now)?;
    }
    let undone = ALL.iter().rev().filter(|step| step.version > target && step.version <= have);
    for step in undone {
        one_transaction(connection, step.sqlite.down, |connection| {
            connection.execute(FORGET, [step.version])
        })?;
    }
    Ok(())
}

/// Every step that this program knows, and when it was made in the store that is read.
///
/// # Errors
/// [`Error::Newer`] when a newer program wrote the store; when it is broken.
pub fn applied(rows: &Rows) -> Result<Vec<Applied>> {
    listed(rows)
}

/// The same, of a store that has a ledger.
pub(crate) fn listed(rows: &Rows) -> Result<Vec<Applied>> {
    refuse_newer(rows.number(sql!("migration/version"), &[])?, ALL)?;
    let made = rows.all(sql!("migration/list"), &[], |row| Ok((row.int(0)?, row.int(1)?)))?;
    let applied = |step: &Migration| Applied {
        version: step.version,
        name: step.name.to_owned(),
        applied_at: made.iter().find(|(version, _)| *version == step.version).map(|(_, at)| *at),
    };
    Ok(ALL.iter().map(applied).collect())
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

/// The version as it is, unless a newer program wrote the store.
pub(crate) fn refuse_newer(found: i64, steps: &[Migration]) -> Result<i64> {
    let known = steps.last().map_or(0, |step| step.version);
    if found > known { Err(Error::Newer { found, known }) } else { Ok(found) }
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
