//! What stages and items put out.

use super::row::{NO_ITEM, number};
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::OutputKind;

/// Largest JSON that lies in the row beside its artifact, in bytes.
pub const MAX_VALUE_BYTES: usize = 16 * 1024;

/// Whose outputs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of {
    /// The key of the run.
    pub run: i64,
    /// The stage, by index.
    pub stage: u32,
    /// The attempt at it.
    pub attempt: u32,
    /// The item of its list, by place; `None` for the stage's own.
    pub item: Option<u32>,
}

/// An output to write.
#[derive(Debug, Clone, Copy)]
pub struct Put<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What sort of thing it is.
    pub kind: OutputKind,
    /// The key of the artifact that holds it.
    pub artifact: Option<i64>,
    /// JSON text, of at most [`MAX_VALUE_BYTES`]; a text is a JSON string.
    pub value: Option<&'a str>,
}

/// An output as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What it is called.
    pub name: String,
    /// What sort of thing it is.
    pub kind: OutputKind,
    /// Where its bytes are; `None` where the value is all of it.
    pub stored: Option<Stored>,
    /// JSON text, where it is small.
    pub value: Option<String>,
}

/// The artifact that holds an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: Id,
    /// The SHA-256 of the bytes, 64 hex digits in lower case.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// Their media type.
    pub media_type: String,
    /// A file name for people.
    pub name: Option<String>,
}

/// Keeps an output.
///
/// # Errors
/// When the store is broken or the disk is full; [`crate::Error::Constraint`] when there is one of that name.
pub fn put(tx: &Tx, of: Of, new: &Put<'_>) -> Result<()> {
    let parameters = [
        of.run.into(),
        of.stage.into(),
        of.attempt.into(),
        item(of).into(),
        new.name.into(),
        code(new.kind).into(),
        new.artifact.into(),
        new.value.into(),
    ];
    tx.put(sql!("run_output/put"), &parameters)
}

/// The outputs of one attempt, or of one item in it, by name.
///
/// # Errors
/// When the store is broken.
pub fn of(rows: &Rows, of: Of) -> Result<Vec<Output>> {
    let parameters = [of.run.into(), of.stage.into(), of.attempt.into(), item(of).into()];
    rows.all(sql!("run_output/of"), &parameters, |row| output(rows, row))
}

/// One output.
///
/// # Errors
/// When the store is broken.
pub fn one(rows: &Rows, of: Of, name: &str) -> Result<Option<Output>> {
    let parameters = [of.run.into(), of.stage.into(), of.attempt.into(), item(of).into(), name.into()];
    rows.one(sql!("run_output/one"), &parameters, |row| output(rows, row))
}

/// One output of each item after the item `after` (-1 from the first on), by the item; those that have none are left out.
///
/// # Errors
/// When the store is broken.
pub fn of_items(
    rows: &Rows,
    (run, stage, attempt): (i64, u32, u32),
    name: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<(u32, Output)>> {
    let after = after.max(NO_ITEM);
    let parameters = [run.into(), stage.into(), attempt.into(), after.into(), name.into(), limit.into()];
    rows.all(sql!("run_output/items"), &parameters, |row| Ok((number(row, 8)?, output(rows, row)?)))
}

/// Of each stage of a run what the attempt that it is in has put out, by stage and name, without the values.
///
/// # Errors
/// When the store is broken.
pub fn current(rows: &Rows, run: i64) -> Result<Vec<(u32, Output)>> {
    rows.all(sql!("run_output/current"), &[run.into()], |row| Ok((number(row, 8)?, output(rows, row)?)))
}

/// What an earlier attempt at a stage put out counts for a later one, which has put out nothing.
///
/// # Errors
/// As [`put`].
pub fn reuse(tx: &Tx, (run, stage): (i64, u32), from_attempt: u32, to_attempt: u32) -> Result<()> {
    let parameters = [run.into(), stage.into(), from_attempt.into(), to_attempt.into()];
    tx.put(sql!("run_output/reuse"), &parameters)
}

fn item(of: Of) -> i64 {
    of.item.map_or(NO_ITEM, i64::from)
}

fn code(kind: OutputKind) -> i64 {
    match kind {
        OutputKind::Document => 0,
        OutputKind::Text => 1,
        OutputKind::File => 2,
    }
}

fn output(rows: &Rows, row: &Row<'_>) -> Result<Output> {
    let stored = match row.opt_int(2)? {
        Some(key) if row.opt_text(4)?.is_some() => Some(Stored {
            id: rows.id(Noun::Artifact, key),
            sha256: row.text(4)?,
            size: row.int(5)? as u64,
            media_type: row.text(6)?,
            name: row.opt_text(7)?,
        }),
        _ => None,
    };
    let kind = match row.int(1)? {
        0 => OutputKind::Document,
        1 => OutputKind::Text,
        2 => OutputKind::File,
        kind => return Err(row.unreadable(format!("no sort of output has number {kind}"))),
    };
    Ok(Output { name: row.text(0)?, kind, stored, value: row.opt_text(3)? })
}
