//! Names that many rows refer to, each written once: scopes, queues, lanes, agents, actors.
//!
//! The engine keeps all of them in memory; a key here is the row's number.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Settings;
use tiltyard_model::scope::Scope;
use tiltyard_model::task::State;
use tiltyard_model::time::TimeMs;

/// A scope with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRow {
    /// Its key.
    pub key: i64,
    /// The scope.
    pub scope: Scope,
    /// The last number of its own sequence of events.
    pub last_seq: i64,
}

/// A queue with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRow {
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// Its name.
    pub name: String,
    /// Its switches and limits.
    pub settings: Settings,
}

/// A lane with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// Its key.
    pub key: i64,
    /// The key of its queue.
    pub queue: i64,
    /// Its terms.
    pub lane: Lane,
}

/// Every scope that is not deleted.
///
/// # Errors
/// When the store is broken.
pub fn scopes(rows: &Rows) -> Result<Vec<ScopeRow>> {
    rows.all(sql!("scope/all"), &[], |row| {
        let scope = Scope { name: row.text(1)?, description: row.text(2)?, created_at: row.int(3)? };
        Ok(ScopeRow { key: row.int(0)?, scope, last_seq: row.int(4)? })
    })
}

/// Makes a scope, describes it anew, or brings a deleted one back; gives its key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put_scope(tx: &Tx, scope: &Scope) -> Result<i64> {
    tx.number(
        sql!("scope/put"),
        &[(&scope.name).into(), (&scope.description).into(), scope.created_at.into()],
    )
}

/// Marks a scope as deleted.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete_scope(tx: &Tx, key: i64, now: TimeMs) -> Result<()> {
    tx.put(sql!("scope/delete"), &[key.into(), now.into()])
}

/// The last number of a scope's own sequence of events, also of a deleted one.
///
/// # Errors
/// When the store is broken.
pub fn last_seq_of_scope(rows: &Rows, key: i64) -> Result<i64> {
    rows.number(sql!("scope/last_seq"), &[key.into()])
}

/// What a scope holds beside tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// Templates.
    pub templates: i64,
    /// Repositories.
    pub repositories: i64,
    /// Dead letters.
    pub dead_letters: i64,
    /// Pipelines.
    pub pipelines: i64,
    /// Schedules.
    pub schedules: i64,
    /// Runs, up to 1,000.
    pub runs: i64,
}

/// What a scope holds beside tasks, which the engine counts itself.
///
/// # Errors
/// When the store is broken.
pub fn contents_of_scope(rows: &Rows, key: i64) -> Result<Contents> {
    let found = rows.one(sql!("scope/contents"), &[key.into()], |row| {
        Ok(Contents {
            templates: row.int(0)?,
            repositories: row.int(1)?,
            dead_letters: row.int(2)?,
            pipelines: row.int(3)?,
            schedules: row.int(4)?,
            runs: row.int(5)?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Every queue.
///
/// # Errors
/// When the store is broken.
pub fn queues(rows: &Rows) -> Result<Vec<QueueRow>> {
    rows.all(sql!("queue/all"), &[], |row| {
        Ok(QueueRow {
            key: row.int(0)?,
            scope: row.int(1)?,
            name: row.text(2)?,
            settings: row.json_or_default(3)?,
        })
    })
}

/// Makes a queue or changes its settings; gives its key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put_queue(tx: &Tx, scope: i64, name: &str, settings: &Settings) -> Result<i64> {
    let text = json(settings);
    tx.number(sql!("queue/put"), &[scope.into(), name.into(), (&text).into()])
}

/// How many ended tasks each queue has: (queue, state, count). Those that still move are counted from their own rows
/// ([`crate::task::boot`]).
///
/// # Errors
/// When the store is broken.
pub fn counts(rows: &Rows) -> Result<Vec<(i64, i64, i64)>> {
    rows.all(sql!("queue/counts"), &[], |row| Ok((row.int(0)?, row.int(1)?, row.int(2)?)))
}

/// So many more tasks of a queue are in a final state; `last_seq` is how far the log has come.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn tally(tx: &Tx, queue: i64, state: State, by: i64, last_seq: i64) -> Result<()> {
    let part = crate::event::part_of(last_seq);
    tx.put(sql!("queue/tally"), &[queue.into(), state.code().into(), part.into(), by.into()])
}

/// Puts what the oldest part of these counts says into the first one, when it is written no more; says whether there was one. A part has
/// at most a row a queue and final state.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn fold_counts(tx: &Tx, last_seq: i64) -> Result<bool> {
    let present = crate::event::part_of(last_seq);
    let oldest = tx.one(sql!("queue/oldest_part"), &[present.into()], |row| row.opt_int(0))?.flatten();
    let Some(part) = oldest else { return Ok(false) };
    tx.put(sql!("queue/fold"), &[part.into()])?;
    tx.put(sql!("queue/forget_part"), &[part.into()])?;
    Ok(true)
}

/// Every lane.
///
/// # Errors
/// When the store is broken.
pub fn lanes(rows: &Rows) -> Result<Vec<LaneRow>> {
    rows.all(sql!("lane/all"), &[], |row| {
        let terms = row.text(2)?;
        let lane = serde_json::from_str(&terms).map_err(|error| row.unreadable(error.to_string()))?;
        Ok(LaneRow { key: row.int(0)?, queue: row.int(1)?, lane })
    })
}

/// Makes a lane; gives its key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put_lane(tx: &Tx, queue: i64, lane: &Lane) -> Result<i64> {
    let terms = json(lane);
    tx.number(sql!("lane/put"), &[queue.into(), (&terms).into()])
}

/// Forgets a lane; its key may be given again.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete_lane(tx: &Tx, key: i64) -> Result<()> {
    tx.put(sql!("lane/delete"), &[key.into()])
}

/// Every actor: key and name.
///
/// # Errors
/// When the store is broken.
pub fn actors(rows: &Rows) -> Result<Vec<(i64, String)>> {
    rows.all(sql!("actor/all"), &[], |row| Ok((row.int(0)?, row.text(1)?)))
}

/// Makes an actor; gives its key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put_actor(tx: &Tx, name: &str) -> Result<i64> {
    tx.number(sql!("actor/put"), &[name.into()])
}

/// JSON text of a word; words of ours always have one.
pub(crate) fn json<T: serde::Serialize>(word: &T) -> String {
    serde_json::to_string(word).unwrap_or_else(|_| "null".to_owned())
}
