//! Unique keys: which task holds which, by hash; the word itself stands in the task's row.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};
use crate::task::boot::{Between, ROWS_OF_A_PAGE, paged};
use tiltyard_model::time::TimeMs;

/// A hold on a unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The task's key.
    pub task: i64,
    /// The hash of scope and unique key.
    pub hash: i64,
    /// Until when; until the task is final when `None`.
    pub until: Option<TimeMs>,
}

/// Calls `each` with every hold, and `between` after each page.
///
/// # Errors
/// When the store is broken; what `between` says.
pub fn all(rows: &Rows, between: Between<'_>, mut each: impl FnMut(Hold)) -> Result<()> {
    paged(i64::MIN, between, |after| {
        rows.all(sql!("unique/all"), &[after.into(), ROWS_OF_A_PAGE.into()], |row| {
            let task = row.int(0)?;
            each(Hold { task, hash: row.int(1)?, until: row.opt_int(2)? });
            Ok(task)
        })
    })
}

/// Writes a hold.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, hold: Hold) -> Result<()> {
    tx.put(sql!("unique/put"), &[hold.task.into(), hold.hash.into(), hold.until.into()])
}

/// Ends a hold.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn end(tx: &Tx, task: i64) -> Result<()> {
    tx.put(sql!("unique/end"), &[task.into()])
}
