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
}

/// Writes a new row.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, new: &Artifact) -> Result<()> {
    let parameters: [Value<'_>; 8] = [
        new.id.key().into(),
        new.scope.into(),
        (&new.sha256).into(),
        (new.size as i64).into(),
        (&new.media_type).into(),
        new.name.as_deref().into(),
        new.attempt.map(|(task, _)| task.key()).into(),
        new.attempt.map(|(_, generation)| generation).into(),
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

/// The row of these bytes that an attempt has stored.
///
/// # Errors
/// When the store is broken.
pub fn of_attempt(rows: &Rows, task: i64, generation: i64, sha256: &str) -> Result<Option<Artifact>> {
    let parameters = [task.into(), generation.into(), sha256.into()];
    rows.one(sql!("artifact/of_attempt"), &parameters, |row| artifact(rows, row))
}

/// Whether a row names these bytes.
///
/// # Errors
/// When the store is broken.
pub fn is_named(rows: &Rows, sha256: &str) -> Result<bool> {
    Ok(rows.number(sql!("artifact/is_named"), &[sha256.into()])? == 1)
}

/// The digests of what the attempts of a task have stored, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn digests_of_task(rows: &Rows, task: i64, limit: i64) -> Result<Vec<String>> {
    rows.all(sql!("artifact/digests_of_task"), &[task.into(), limit.into()], |row| row.text(0))
}

/// Removes the rows of what the attempts of a task have stored.
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
    })
}
