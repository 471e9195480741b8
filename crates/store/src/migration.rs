//! Migrations (O10): numbered steps of the schema, each up and down, one transaction each.

use crate::error::{Error, Result};
use crate::rows::failure;
use rusqlite::Connection;
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
const LIST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/migration/list.sql"));

/// The version of the store's schema; 0 for a new one.
pub(crate) fn version(connection: &Connection) -> Result<i64> {
    connection.query_row(VERSION, [], |row| row.get(0)).map_err(|error| failure("migration/version", &error))
}

/// The newest version that this program knows.
pub fn newest() -> i64 {
    ALL.last().map_or(0, |step| step.version)
}

/// Makes every step that this store lacks.
pub(crate) fn up(connection: &Connection, now: TimeMs) -> Result<()> {
    if ledger_is_there(connection)? {
        refuse_newer(connection)?;
    } else {
        connection.execute_batch(LEDGER).map_err(|error| failure("migration/ledger", &error))?;
    }
    let have = version(connection)?;
    ALL.iter().filter(|step| step.version > have).try_for_each(|step| {
        one_transaction(connection, step.up, |connection| {
            connection.execute(RECORD, rusqlite::params![step.version, step.name, now])
        })
    })
}

/// Takes steps back until the schema has `target`.
///
/// # Errors
/// When a step's `down` fails; the store is then as before that step.
pub(crate) fn down(connection: &Connection, target: i64) -> Result<()> {
    refuse_newer(connection)?;
    let have = version(connection)?;
    let undone = ALL.iter().rev().filter(|step| step.version > target && step.version <= have);
    for step in undone {
        one_transaction(connection, step.down, |connection| connection.execute(FORGET, [step.version]))?;
    }
    Ok(())
}

/// Every step that this program knows, and when it was made here.
pub(crate) fn list(connection: &Connection) -> Result<Vec<Applied>> {
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

/// A store without a ledger is a new one.
fn ledger_is_there(connection: &Connection) -> Result<bool> {
    connection.table_exists(None, "migration").map_err(|error| failure("migration/ledger", &error))
}

fn refuse_newer(connection: &Connection) -> Result<()> {
    let (found, known) = (version(connection)?, newest());
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
