//! Artifacts: rows that name stored bytes. The bytes themselves lie in files ([`crate::blob`]); a row is written
//! when its file and its folder are on disk (D21).

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::id::{Id, Noun};

/// A row that names stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its id.
    pub id: Id,
    /// The key of its scope.
    pub scope: i64,
    /// Its scope.
    pub scope_name: String,
    /// The SHA-256 of the bytes, 64 hex digits in lower case.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// Their media type.
    pub media_type: String,
    /// A file name for people.
    pub name: Option<String>,
    /// The attempt that stored them: the task and the generation.
    pub attempt: Option<(Id, i64)>,
    /// The run that they belong to.
    pub run: Option<Id>,
    /// Which output they are.
    pub output: Option<String>,
}

/// A row that no attempt and no run has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// The digest of its bytes.
    pub sha256: String,
    /// Whether something names it all the same.
    pub named: Named,
}

/// Whether something names a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A run does.
    ByRun,
    /// Nothing does.
    ByNobody,
}

/// Writes a new row.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, new: &Artifact) -> Result<()> {
    let parameters: [Value<'_>; 10] = [
        new.id.key().into(),
        new.scope.into(),
        (&new.sha256).into(),
        (new.size as i64).into(),
        (&new.media_type).into(),
        new.name.as_deref().into(),
        new.attempt.map(|(task, _)| task.key()).into(),
        new.attempt.map(|(_, generation)| generation).into(),
        new.run.map(Id::key).into(),
        new.output.as_deref().into(),
    ];
    tx.put(sql!("artifact/insert"), &parameters)
}

/// One row; `None` when there is none, or the id is of another store.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, id: Id) -> Result<Option<Artifact>> {
    let Some(key) = rows.key(id).filter(|_| id.noun() == Noun::Artifact) else { return Ok(None) };
    rows.one(sql!("artifact/get"), &[key.into()], |row| artifact(rows, row))
}

/// The newest row of a digest within scopes; `None` for all scopes.
///
/// # Errors
/// When the store is broken.
pub fn by_digest(rows: &Rows, sha256: &str, scopes: Option<&[String]>) -> Result<Option<Artifact>> {
    let scopes = scopes.map(|list| json(&list));
    let parameters = [sha256.into(), scopes.as_deref().into()];
    rows.one(sql!("artifact/by_digest"), &parameters, |row| artifact(rows, row))
}

/// What an attempt has stored: the task and the generation, which bytes, and as which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The key of the task.
    pub task: i64,
    /// The generation.
    pub generation: i64,
    /// The digest.
    pub sha256: &'a str,
    /// The output.
    pub output: Option<&'a str>,
}

/// The row of these bytes that an attempt has stored as this output.
///
/// # Errors
/// When the store is broken.
pub fn of_attempt(rows: &Rows, stored: Stored<'_>) -> Result<Option<Artifact>> {
    let Stored { task, generation, sha256, output } = stored;
    let parameters = [task.into(), generation.into(), sha256.into(), output.into()];
    rows.one(sql!("artifact/of_attempt"), &parameters, |row| artifact(rows, row))
}

/// What an attempt has stored as outputs, at most `limit`; one that was stored twice has its last row last.
///
/// # Errors
/// When the store is broken.
pub fn outputs_of_attempt(rows: &Rows, task: i64, generation: i64, limit: i64) -> Result<Vec<Artifact>> {
    let parameters = [task.into(), generation.into(), limit.into()];
    rows.all(sql!("artifact/outputs_of_attempt"), &parameters, |row| artifact(rows, row))
}

/// What belongs to a run behind `after` (a key; 0 for the beginning), at most `limit`, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn of_run(rows: &Rows, run: i64, after: i64, limit: i64) -> Result<Vec<Artifact>> {
    let parameters = [run.into(), after.into(), limit.into()];
    rows.all(sql!("artifact/of_run"), &parameters, |row| artifact(rows, row))
}

/// Says that a run names an artifact that is not its own.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn refer(tx: &Tx, artifact: i64, run: i64) -> Result<()> {
    tx.put(sql!("artifact/refer"), &[artifact.into(), run.into()])
}

/// Rows with keys between these that no attempt and no run has stored, at most `limit`, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn loose(rows: &Rows, after: i64, before: i64, limit: i64) -> Result<Vec<Loose>> {
    rows.all(sql!("artifact/loose"), &[after.into(), before.into(), limit.into()], |row| {
        let named = if row.int(3)? == 1 { Named::ByRun } else { Named::ByNobody };
        Ok(Loose { key: row.int(0)?, scope: row.int(1)?, sha256: row.text(2)?, named })
    })
}

/// Removes a row.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, key: i64) -> Result<()> {
    tx.put(sql!("artifact/delete"), &[key.into()])
}

/// Whether a row names these bytes.
///
/// # Errors
/// When the store is broken.
pub fn is_named(rows: &Rows, sha256: &str) -> Result<bool> {
    Ok(rows.number(sql!("artifact/is_named"), &[sha256.into()])? == 1)
}

/// The digests of what the attempts of a task have stored and no run has, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn digests_of_task(rows: &Rows, task: i64, limit: i64) -> Result<Vec<String>> {
    rows.all(sql!("artifact/digests_of_task"), &[task.into(), limit.into()], |row| row.text(0))
}

/// Removes the rows of what the attempts of a task have stored. What belongs to a run stays with it.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete_of_task(tx: &Tx, task: i64) -> Result<()> {
    tx.put(sql!("artifact/delete_of_task"), &[task.into()])
}

/// How many rows an attempt has stored.
///
/// # Errors
/// When the store is broken.
pub fn count_attempt(rows: &Rows, task: i64, generation: i64) -> Result<i64> {
    rows.number(sql!("artifact/count_attempt"), &[task.into(), generation.into()])
}

fn artifact(rows: &Rows, row: &Row<'_>) -> Result<Artifact> {
    let task = row.opt_int(7)?.map(|key| rows.id(Noun::Task, key));
    Ok(Artifact {
        id: rows.id(Noun::Artifact, row.int(0)?),
        scope: row.int(1)?,
        scope_name: row.text(2)?,
        sha256: row.text(3)?,
        size: row.int(4)? as u64,
        media_type: row.text(5)?,
        name: row.opt_text(6)?,
        attempt: task.zip(row.opt_int(8)?),
        run: row.opt_int(9)?.map(|key| rows.id(Noun::Run, key)),
        output: row.opt_text(10)?,
    })
}
