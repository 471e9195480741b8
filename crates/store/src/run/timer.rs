//! Times that parts of runs wait for, by the wall clock.

use super::row::{part, place};
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use std::collections::BTreeMap;
use tiltyard_model::run::Part;
use tiltyard_model::time::TimeMs;

/// What a time ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A wait.
    Wait,
    /// The rest between two attempts.
    Backoff,
    /// The time that an attempt has.
    TimeOut,
    /// The time in which something that was told to stop has to say that it did. As long as there is one, that stop is open.
    Stop,
}

impl What {
    /// All of them; the index is the number in a row.
    pub const ALL: [Self; 4] = [Self::Wait, Self::Backoff, Self::TimeOut, Self::Stop];

    const fn code(self) -> i64 {
        self as i64
    }
}

/// A time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// The key of the run.
    pub run: i64,
    /// Whose it is.
    pub part: Part,
    /// What it ends.
    pub what: What,
    /// When, in milliseconds since 1970.
    pub due_at: TimeMs,
}

/// Keeps a time; one of the same part for the same is moved.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, timer: &Timer) -> Result<()> {
    let [stage, attempt, item, item_attempt] = place(timer.part);
    let parameters = [
        timer.run.into(),
        stage.into(),
        attempt.into(),
        item.into(),
        item_attempt.into(),
        timer.what.code().into(),
        timer.due_at.into(),
    ];
    tx.put(sql!("run_timer/put"), &parameters)
}

/// Removes one time: it has come, or is not waited for any more. One that is not there is no mistake.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn end(tx: &Tx, run: i64, part: Part, what: What) -> Result<()> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters =
        [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into(), what.code().into()];
    tx.put(sql!("run_timer/end"), &parameters)
}

/// Removes the times of a part that has ended; that of a stop goes on.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn forget_part(tx: &Tx, run: i64, part: Part) -> Result<()> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters = [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into()];
    tx.put(sql!("run_timer/forget_part"), &parameters)
}

/// Removes the times of an attempt at a stage and of all its items; those of stops go on.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn forget_stage(tx: &Tx, run: i64, stage: u32, attempt: u32) -> Result<()> {
    tx.put(sql!("run_timer/forget_stage"), &[run.into(), stage.into(), attempt.into()])
}

/// Times that have come, the earliest first.
///
/// # Errors
/// When the store is broken.
pub fn due(rows: &Rows, now: TimeMs, limit: u32) -> Result<Vec<Timer>> {
    rows.all(sql!("run_timer/due"), &[now.into(), limit.into()], timer)
}

/// The times of a run, by part.
///
/// # Errors
/// When the store is broken.
pub fn of_run(rows: &Rows, run: i64, limit: u32) -> Result<Vec<Timer>> {
    rows.all(sql!("run_timer/of_run"), &[run.into(), limit.into()], timer)
}

/// What of these runs is still to say that it stopped, by run.
///
/// # Errors
/// When the store is broken.
pub fn stops(rows: &Rows, runs: &[i64]) -> Result<BTreeMap<i64, Vec<Part>>> {
    let mut found: BTreeMap<i64, Vec<Part>> = BTreeMap::new();
    rows.all(sql!("run_timer/stops"), &[(&json(&runs)).into()], |row| {
        let timer = timer(row)?;
        found.entry(timer.run).or_default().push(timer.part);
        Ok(())
    })?;
    Ok(found)
}

fn timer(row: &Row<'_>) -> Result<Timer> {
    let what = usize::try_from(row.int(5)?).ok().and_then(|what| What::ALL.get(what)).copied();
    let what = what.ok_or_else(|| row.unreadable("a time that ends nothing"))?;
    Ok(Timer { run: row.int(0)?, part: part(row, 1)?, what, due_at: row.int(6)? })
}
