//! Templates.

use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::template::Template;
use tiltyard_model::time::TimeMs;

/// A template and when it was saved last.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The template.
    pub template: Template,
    /// When it was saved last.
    pub updated_at: TimeMs,
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

/// Saves a template in the scope of that key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, scope: i64, kept: &Kept) -> Result<()> {
    let template = &kept.template;
    let task = json(&template.task);
    let parameters = [
        scope.into(),
        (&template.name).into(),
        (&template.description).into(),
        (&task).into(),
        kept.updated_at.into(),
    ];
    tx.put(sql!("template/put"), &parameters)
}

/// Removes a template; false when there was none.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, scope: i64, name: &str) -> Result<bool> {
    Ok(tx.run(sql!("template/delete"), &[scope.into(), name.into()])? == 1)
}

/// One template, by the names of its scope and its own.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, scope: &str, name: &str) -> Result<Option<Kept>> {
    rows.one(sql!("template/get"), &[scope.into(), name.into()], kept_of)
}

/// How many templates a scope has.
///
/// # Errors
/// When the store is broken.
pub fn count_of_scope(rows: &Rows, scope: i64) -> Result<usize> {
    Ok(rows.number(sql!("template/count_of_scope"), &[scope.into()])? as usize)
}

/// How many templates these scopes have (`None` for all), at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, scopes: Option<&[String]>, limit: u32) -> Result<u64> {
    let scopes = scopes.map(|scopes| json(&scopes));
    Ok(rows.number(sql!("template/count"), &[scopes.as_deref().into(), limit.into()])? as u64)
}

/// The templates of these scopes (`None` for all), by scope and name.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, scopes: Option<&[String]>, window: &Window) -> Result<Vec<Kept>> {
    let scopes = scopes.map(|scopes| json(&scopes));
    let after = window.after.as_ref();
    let parameters = [
        scopes.as_deref().into(),
        after.map(|(scope, _)| scope.as_str()).into(),
        after.map(|(_, name)| name.as_str()).into(),
        window.limit.into(),
        window.offset.into(),
    ];
    rows.all(sql!("template/page"), &parameters, kept_of)
}

fn kept_of(row: &Row<'_>) -> Result<Kept> {
    let template = Template {
        scope: row.text(0)?,
        name: row.text(1)?,
        description: row.text(2)?,
        task: row.json_or_default(3)?,
    };
    Ok(Kept { template, updated_at: row.int(4)? })
}
