//! What the engine rebuilds its memory from at start.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::Rows;
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::Stop;
use tiltyard_model::time::{DurationMs, TimeMs};

/// Most rows that are in memory at once while it is made from the store.
pub const ROWS_OF_A_PAGE: i64 = 10_000;

/// What is done between two pages: whoever reads for long may have to say that it is still there.
pub type Between<'a> = &'a mut dyn FnMut() -> Result<()>;

/// A ready task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its key.
    pub key: i64,
    /// The key of its lane.
    pub lane: i64,
    /// Since when.
    pub ready_at: TimeMs,
    /// 1 to 10.
    pub priority: u8,
}

/// A running task, or a cancelled one whose attempt has not stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its key.
    pub key: i64,
    /// The key of its lane.
    pub lane: i64,
    /// The generation.
    pub generation: i64,
    /// The key of the agent.
    pub agent: i64,
    /// Its process.
    pub instance: Option<String>,
    /// The hash of the claim's id.
    pub claim: Option<i64>,
    /// The length of the lease.
    pub lease_ms: DurationMs,
    /// When the attempt started.
    pub started_at: TimeMs,
    /// Wall time of the attempt.
    pub timeout_ms: DurationMs,
    /// Attempts counted before.
    pub used: u32,
    /// How the stop stands, for a cancelled one.
    pub stop: Option<Stop>,
    /// What sort of work.
    pub kind: String,
}

/// Calls `each` with every ready task and the key of its queue, and `between` after each page.
///
/// # Errors
/// When the store is broken; what `between` says.
pub fn ready(rows: &Rows, between: Between<'_>, mut each: impl FnMut(Ready, i64)) -> Result<()> {
    paged(i64::MIN, between, |after| {
        rows.all(sql!("task/boot_ready"), &[after.into(), ROWS_OF_A_PAGE.into()], |row| {
            let (key, lane) = (row.int(0)?, row.int(1)?);
            each(Ready { key, lane, ready_at: row.int(2)?, priority: row.int(3)? as u8 }, row.int(4)?);
            Ok(key)
        })
    })
}

/// Calls `each` with the key of the queue of every task in this state, which is not final, and `between` after each page.
///
/// # Errors
/// As [`ready`].
pub fn moving(rows: &Rows, state: State, between: Between<'_>, mut each: impl FnMut(i64)) -> Result<()> {
    paged(i64::MIN, between, |after| {
        let parameters = [state.code().into(), after.into(), ROWS_OF_A_PAGE.into()];
        rows.all(sql!("task/boot_moving"), &parameters, |row| {
            each(row.int(1)?);
            row.int(0)
        })
    })
}

/// Calls `each` with every running task and every cancelled one whose attempt has not stopped, and `between` after each page.
///
/// # Errors
/// As [`ready`].
pub fn held(rows: &Rows, between: Between<'_>, mut each: impl FnMut(Held)) -> Result<()> {
    paged(i64::MIN, between, |after| {
        rows.all(sql!("task/boot_held"), &[after.into(), ROWS_OF_A_PAGE.into()], |row| {
            let key = row.int(0)?;
            each(Held {
                key,
                lane: row.int(1)?,
                generation: row.int(2)?,
                agent: row.int(3)?,
                instance: row.opt_text(4)?,
                claim: row.opt_int(5)?,
                lease_ms: row.int(6)?,
                started_at: row.int(7)?,
                timeout_ms: row.int(8)?,
                used: row.int(9)? as u32,
                stop: row.opt_int(10)?.and_then(Stop::from_code),
                kind: row.text(11)?,
            });
            Ok(key)
        })
    })
}

/// Calls `each` with the key of a task for each pending one that waits for it, and `between` after each page.
///
/// # Errors
/// As [`ready`].
pub fn awaited(rows: &Rows, between: Between<'_>, mut each: impl FnMut(i64)) -> Result<()> {
    paged((i64::MIN, i64::MIN), between, |(task, awaited)| {
        let parameters = [task.into(), awaited.into(), ROWS_OF_A_PAGE.into()];
        rows.all(sql!("task/boot_awaited"), &parameters, |row| {
            each(row.int(1)?);
            Ok((row.int(0)?, row.int(1)?))
        })
    })
}

/// Reads page after page, each behind where the last one ended.
pub(crate) fn paged<P: Copy>(
    mut after: P,
    between: Between<'_>,
    mut page: impl FnMut(P) -> Result<Vec<P>>,
) -> Result<()> {
    loop {
        let found = page(after)?;
        match found.last() {
            Some(last) if found.len() as i64 >= ROWS_OF_A_PAGE => after = *last,
            _ => return Ok(()),
        }
        between()?;
    }
}

/// The largest key of a task; 0 when there is none.
///
/// # Errors
/// When the store is broken.
pub fn last_key(rows: &Rows) -> Result<i64> {
    rows.number(sql!("task/last_key"), &[])
}

/// Starts of tasks under a rate since `second`: scope, key, second, starts.
///
/// # Errors
/// When the store is broken.
pub fn rate_starts(rows: &Rows, second: i64) -> Result<Vec<(i64, String, i64, u32)>> {
    rows.all(sql!("task/boot_rates"), &[second.into()], |row| {
        Ok((row.int(0)?, row.text(1)?, row.int(2)?, row.int(3)? as u32))
    })
}

/// Keeps starts of tasks under a rate.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn count_start(tx: &crate::rows::Tx, scope: i64, key: &str, second: i64, starts: u32) -> Result<()> {
    tx.put(sql!("task/rate_count"), &[scope.into(), key.into(), second.into(), starts.into()])
}

/// Forgets starts before `second`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn prune_starts(tx: &crate::rows::Tx, second: i64) -> Result<usize> {
    tx.run(sql!("task/rate_prune"), &[second.into()])
}
