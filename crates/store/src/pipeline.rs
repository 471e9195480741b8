//! Pipelines: definitions by their content, and the names that they are published under.
//!
//! A version is a content, and never changes; runs name it by its key. A name has numbers, one each time that its content became
//! another one, and goes on counting when it was deleted in between.

use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::time::TimeMs;

/// A definition by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// The SHA-256 of its canonical form, in hexadecimal digits.
    pub sha256: String,
    /// As it was sent.
    pub source: String,
    /// Its canonical form (JSON).
    pub canonical: String,
    /// Its graph (JSON): what runs are advanced by.
    pub graph: String,
    /// How many stages it has.
    pub stages: i64,
    /// When it was first seen.
    pub created_at: TimeMs,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The key of the version.
    pub version: i64,
    /// Its number under this name, from 1 on.
    pub number: i64,
    /// When the name was deleted.
    pub deleted_at: Option<TimeMs>,
}

/// A publication that is written: a name, its next number, and what it stands for from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication<'a> {
    /// The key of the scope.
    pub scope: i64,
    /// The name.
    pub name: &'a str,
    /// The key of the version.
    pub version: i64,
    /// The number.
    pub number: i64,
    /// When.
    pub at: TimeMs,
    /// The key of the actor.
    pub by: i64,
}

/// A published pipeline, without its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The name of its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// The key of the version.
    pub version: i64,
    /// The number of that version under this name.
    pub number: i64,
    /// The SHA-256 of the version's canonical form.
    pub sha256: String,
    /// How many stages it has.
    pub stages: i64,
    /// When that number was published.
    pub published_at: TimeMs,
    /// By whom.
    pub published_by: String,
}

/// Where a page lies, by scope and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Only what comes after this scope and name; `None` from the first.
    pub after: Option<(String, String)>,
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Keeps a content that the scope does not have yet.
///
/// # Errors
/// When the store is broken or the disk is full; when the scope has that content already.
pub fn insert_version(tx: &Tx, version: &Version) -> Result<()> {
    let parameters = [
        version.key.into(),
        version.scope.into(),
        (&version.sha256).into(),
        (&version.source).into(),
        (&version.canonical).into(),
        (&version.graph).into(),
        version.stages.into(),
        version.created_at.into(),
    ];
    tx.put(sql!("pipeline/insert_version"), &parameters)
}

/// One version; `None` when nothing has that key.
///
/// # Errors
/// When the store is broken.
pub fn version(rows: &Rows, key: i64) -> Result<Option<Version>> {
    rows.one(sql!("pipeline/version"), &[key.into()], |row| {
        Ok(Version {
            key: row.int(0)?,
            scope: row.int(1)?,
            sha256: row.text(2)?,
            source: row.text(3)?,
            canonical: row.text(4)?,
            graph: row.text(5)?,
            stages: row.int(6)?,
            created_at: row.int(7)?,
        })
    })
}

/// The graph of a version alone (JSON): what a server reads when it begins, without the texts beside it.
///
/// # Errors
/// When the store is broken.
pub fn graph(rows: &Rows, key: i64) -> Result<Option<String>> {
    rows.one(sql!("pipeline/graph"), &[key.into()], |row| row.text(0))
}

/// The SHA-256 of a version's canonical form.
///
/// # Errors
/// When the store is broken.
pub fn digest(rows: &Rows, key: i64) -> Result<Option<String>> {
    rows.one(sql!("pipeline/digest"), &[key.into()], |row| row.text(0))
}

/// The key of a content that the scope has.
///
/// # Errors
/// When the store is broken.
pub fn version_by_digest(rows: &Rows, scope: i64, sha256: &str) -> Result<Option<i64>> {
    rows.one(sql!("pipeline/version_by_digest"), &[scope.into(), sha256.into()], |row| row.int(0))
}

/// What a name stands for, or stood for when it was deleted.
///
/// # Errors
/// When the store is broken.
pub fn head(rows: &Rows, scope: i64, name: &str) -> Result<Option<Head>> {
    rows.one(sql!("pipeline/head"), &[scope.into(), name.into()], |row| {
        Ok(Head { version: row.int(0)?, number: row.int(1)?, deleted_at: row.opt_int(2)? })
    })
}

/// Publishes: the name stands for another version, and the number is kept.
///
/// # Errors
/// When the store is broken or the disk is full; when the name has that number already.
pub fn put(tx: &Tx, publication: &Publication<'_>) -> Result<()> {
    let Publication { scope, name, version, number, at, by } = *publication;
    let parameters = [scope.into(), name.into(), version.into(), number.into(), at.into(), by.into()];
    tx.put(sql!("pipeline/put"), &parameters)?;
    tx.put(sql!("pipeline/put_number"), &parameters)
}

/// Takes a name away, with the numbers that it had; runs keep their versions, and the count goes on.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, scope: i64, name: &str, at: TimeMs) -> Result<()> {
    tx.put(sql!("pipeline/delete"), &[scope.into(), name.into(), at.into()])?;
    tx.put(sql!("pipeline/delete_numbers"), &[scope.into(), name.into()])
}

/// One pipeline by the names of its scope and its own, as it is now.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, scope: &str, name: &str) -> Result<Option<Published>> {
    rows.one(sql!("pipeline/get"), &[scope.into(), name.into()], published)
}

/// The same as it was with that number.
///
/// # Errors
/// When the store is broken.
pub fn get_number(rows: &Rows, scope: &str, name: &str, number: i64) -> Result<Option<Published>> {
    rows.one(sql!("pipeline/get_number"), &[scope.into(), name.into(), number.into()], published)
}

/// How many pipelines a scope has.
///
/// # Errors
/// When the store is broken.
pub fn count_of_scope(rows: &Rows, scope: i64) -> Result<usize> {
    Ok(rows.number(sql!("pipeline/count_of_scope"), &[scope.into()])? as usize)
}

/// How many pipelines these scopes have (`None` for all), at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, scopes: Option<&[String]>, limit: u32) -> Result<u64> {
    let scopes = scopes.map(|scopes| json(&scopes));
    Ok(rows.number(sql!("pipeline/count"), &[scopes.as_deref().into(), limit.into()])? as u64)
}

/// The pipelines of these scopes (`None` for all), by scope and name.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, scopes: Option<&[String]>, window: &Window) -> Result<Vec<Published>> {
    let scopes = scopes.map(|scopes| json(&scopes));
    let after = window.after.as_ref();
    let parameters = [
        scopes.as_deref().into(),
        after.map(|(scope, _)| scope.as_str()).into(),
        after.map(|(_, name)| name.as_str()).into(),
        window.limit.into(),
        window.offset.into(),
    ];
    rows.all(sql!("pipeline/page"), &parameters, published)
}

fn published(row: &Row<'_>) -> Result<Published> {
    Ok(Published {
        scope: row.text(0)?,
        name: row.text(1)?,
        version: row.int(2)?,
        number: row.int(3)?,
        sha256: row.text(4)?,
        stages: row.int(5)?,
        published_at: row.int(6)?,
        published_by: row.text(7)?,
    })
}
