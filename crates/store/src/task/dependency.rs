//! Which task waits for which.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::task::OnDependencyFailure;

/// Writes that `task` waits for `on`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, task: i64, on: i64) -> Result<()> {
    tx.put(sql!("dependency/put"), &[task.into(), on.into()])
}

/// Takes it away; false when it was not there.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, task: i64, on: i64) -> Result<bool> {
    Ok(tx.run(sql!("dependency/delete"), &[task.into(), on.into()])? == 1)
}

/// What a task waits for.
///
/// # Errors
/// When the store is broken.
pub fn of(rows: &Rows, task: i64) -> Result<Vec<i64>> {
    rows.all(sql!("dependency/of"), &[task.into()], |row| row.int(0))
}

/// Who waits for a task.
///
/// # Errors
/// When the store is broken.
pub fn dependents(rows: &Rows, on: i64) -> Result<Vec<i64>> {
    rows.all(sql!("dependency/dependents"), &[on.into()], |row| row.int(0))
}

/// How many of a task's dependencies are still to come, by its rule for those that end badly.
///
/// # Errors
/// When the store is broken.
pub fn unfinished(rows: &Rows, task: i64, rule: OnDependencyFailure) -> Result<u32> {
    let any_end = rule == OnDependencyFailure::Run;
    Ok(rows.number(sql!("dependency/unfinished"), &[task.into(), any_end.into()])? as u32)
}

/// A dependency of a task that has ended badly, when there is one.
///
/// # Errors
/// When the store is broken.
pub fn failed(rows: &Rows, task: i64) -> Result<Option<i64>> {
    rows.one(sql!("dependency/failed"), &[task.into()], |row| row.int(0))
}

/// Keeps how many dependencies a task names.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn recount(tx: &Tx, task: i64, waits_for: u32) -> Result<()> {
    tx.put(sql!("dependency/recount"), &[task.into(), waits_for.into()])
}
