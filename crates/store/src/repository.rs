//! Repositories: what is registered, and what is wanted to be.

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::repository::{Registration, Repository, Source, State};

/// One repository; `None` when the scope has none of that name.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, scope: i64, name: &str) -> Result<Option<Repository>> {
    rows.one(sql!("repository/get"), &[scope.into(), name.into()], |row| repository(rows, row))
}

/// The same by the name of its scope.
///
/// # Errors
/// When the store is broken.
pub fn find(rows: &Rows, scope: &str, name: &str) -> Result<Option<Repository>> {
    rows.one(sql!("repository/find"), &[scope.into(), name.into()], |row| repository(rows, row))
}

/// Where a page of repositories lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window<'a> {
    /// Only those after this scope and name; two empty texts from the top.
    pub after: (&'a str, &'a str),
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Repositories by scope and name; `scopes` limits them, `None` is all.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, scopes: Option<&[String]>, window: &Window<'_>) -> Result<Vec<Repository>> {
    let scopes = scopes.map(|list| json(&list));
    let parameters = [
        scopes.as_deref().into(),
        window.after.0.into(),
        window.after.1.into(),
        window.limit.into(),
        window.offset.into(),
    ];
    rows.all(sql!("repository/page"), &parameters, |row| repository(rows, row))
}

/// How many there are, counted up to `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, scopes: Option<&[String]>, limit: u32) -> Result<u64> {
    let scopes = scopes.map(|list| json(&list));
    Ok(rows.number(sql!("repository/count"), &[scopes.as_deref().into(), limit.into()])? as u64)
}

/// Writes a repository, whether it is new or not.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, scope: i64, repository: &Repository) -> Result<()> {
    let registration = &repository.registration;
    let (url, path) = match &registration.source {
        Source::Url(url) => (Some(url.as_str()), None),
        Source::Path(path) => (None, Some(path.as_str())),
    };
    let settings = json(&registration.settings);
    let candidate = repository.candidate.as_ref().map(json);
    let rules = repository.rules.as_ref().map(json);
    let parameters: [Value<'_>; 15] = [
        scope.into(),
        (&registration.name).into(),
        url.into(),
        path.into(),
        (&registration.branch).into(),
        (&registration.agent).into(),
        (&settings).into(),
        repository.state.as_str().into(),
        candidate.as_deref().into(),
        repository.probe.map(Id::key).into(),
        repository.head.as_deref().into(),
        rules.as_deref().into(),
        repository.error.as_deref().into(),
        repository.created_at.into(),
        repository.probed_at.into(),
    ];
    tx.put(sql!("repository/put"), &parameters)
}

/// Forgets a repository; false when there was none.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, scope: i64, name: &str) -> Result<bool> {
    Ok(tx.run(sql!("repository/delete"), &[scope.into(), name.into()])? > 0)
}

fn repository(rows: &Rows, row: &Row<'_>) -> Result<Repository> {
    let state = row.text(7)?;
    Ok(Repository {
        scope: row.text(0)?,
        registration: Registration {
            name: row.text(1)?,
            source: source(row)?,
            branch: row.text(4)?,
            agent: row.text(5)?,
            settings: row.json_or_default(6)?,
        },
        state: State::parse(&state).ok_or_else(|| row.unreadable(format!("no state is called {state}")))?,
        candidate: row.json_or_default(8)?,
        probe: row.opt_int(9)?.map(|key| rows.id(Noun::Task, key)),
        head: row.opt_text(10)?,
        rules: row.json_or_default(11)?,
        error: row.opt_text(12)?,
        created_at: row.int(13)?,
        probed_at: row.opt_int(14)?,
    })
}

fn source(row: &Row<'_>) -> Result<Source> {
    match row.opt_text(2)? {
        Some(url) => Ok(Source::Url(url)),
        None => row.text(3).map(Source::Path),
    }
}
