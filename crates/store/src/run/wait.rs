//! Stages that wait for an event, and how far the log has been looked through for each.

use super::row::{part, place};
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::event::Type;
use tiltyard_model::run::{Part, wait};

/// A wait to write.
#[derive(Debug, Clone, Copy)]
pub struct Put<'a> {
    /// The key of the run.
    pub run: i64,
    /// Whose it is.
    pub part: Part,
    /// The key of the scope of the run.
    pub scope: i64,
    /// The type of the event.
    pub kind: Type,
    /// Only one about this thing.
    pub subject: Option<&'a str>,
    /// The last event that need not be looked at.
    pub seen_seq: i64,
}

/// A wait as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The key of the run.
    pub run: i64,
    /// Whose it is.
    pub part: Part,
    /// The key of the scope of the run.
    pub scope: i64,
    /// What ends it.
    pub wait: wait::Wait,
    /// The last event that was looked at.
    pub seen_seq: i64,
}

/// Keeps a wait.
///
/// # Errors
/// When the store is broken or the disk is full; [`crate::Error::Constraint`] when the part waits already.
pub fn put(tx: &Tx, new: &Put<'_>) -> Result<()> {
    let [stage, attempt, item, item_attempt] = place(new.part);
    let parameters = [
        new.run.into(),
        stage.into(),
        attempt.into(),
        item.into(),
        item_attempt.into(),
        new.scope.into(),
        new.kind.code().into(),
        new.subject.into(),
        new.seen_seq.into(),
    ];
    tx.put(sql!("run_wait/put"), &parameters)
}

/// Keeps how far the log has been looked through; false when nobody waits there any more.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn advance(tx: &Tx, run: i64, part: Part, seen_seq: i64) -> Result<bool> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters =
        [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into(), seen_seq.into()];
    tx.must(sql!("run_wait/advance"), &parameters)
}

/// Removes a wait: it is over. One that is not there is no mistake.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn end(tx: &Tx, run: i64, part: Part) -> Result<()> {
    let [stage, attempt, item, item_attempt] = place(part);
    tx.put(
        sql!("run_wait/end"),
        &[run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into()],
    )
}

/// One wait.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, run: i64, part: Part) -> Result<Option<Found>> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters = [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into()];
    rows.one(sql!("run_wait/get"), &parameters, found)
}

/// Waits, after `offset` of them; the one that has looked least far comes first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, offset: u32, limit: u32) -> Result<Vec<Found>> {
    rows.all(sql!("run_wait/page"), &[limit.into(), offset.into()], found)
}

/// How many there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, limit: u32) -> Result<u64> {
    Ok(rows.number(sql!("run_wait/count"), &[limit.into()])? as u64)
}

fn found(row: &Row<'_>) -> Result<Found> {
    let kind = row.int(7)?;
    let wait = wait::Wait {
        kind: Type::from_code(kind).ok_or_else(|| row.unreadable(format!("no type has number {kind}")))?,
        subject: row.opt_text(8)?,
        scope: row.text(6)?,
        after_seq: row.int(10)?,
    };
    Ok(Found { run: row.int(0)?, part: part(row, 1)?, scope: row.int(5)?, wait, seen_seq: row.int(9)? })
}
