//! Changes, what each attempt proposed, and each run of their checks.

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use crate::task::list::Window;
use tiltyard_model::change::record::{Change, Proposal, Round};
use tiltyard_model::change::{State, Tier};
use tiltyard_model::id::{Id, Noun};

/// A change with the keys of what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The change.
    pub change: Change,
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
}

/// Which changes to list. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// The state.
    pub state: Option<State>,
    /// The repository.
    pub repository: Option<String>,
    /// The task, by its key.
    pub task: Option<i64>,
}

/// One change; `None` when there is none, or the id is of another store.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, id: Id) -> Result<Option<Found>> {
    let Some(key) = rows.key(id).filter(|_| id.noun() == Noun::Change) else { return Ok(None) };
    rows.one(sql!("change/get"), &[key.into()], |row| found(rows, row))
}

/// Writes a new change.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, new: &Found) -> Result<()> {
    let (change, record) = (&new.change, json(&new.change.record));
    let parameters: [Value<'_>; 10] = [
        new.key.into(),
        new.scope.into(),
        change.task.key().into(),
        (&change.repository).into(),
        change.state.code().into(),
        change.gate.map(Id::key).into(),
        change.subject_sha256.as_deref().into(),
        change.tier.map(Tier::number).into(),
        (&record).into(),
        change.updated_at.into(),
    ];
    tx.put(sql!("change/insert"), &parameters)
}

/// Writes what has changed of a change; false when it is not in the state `from`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn update(tx: &Tx, from: State, found: &Found) -> Result<bool> {
    let (change, record) = (&found.change, json(&found.change.record));
    let parameters: [Value<'_>; 8] = [
        found.key.into(),
        from.code().into(),
        change.state.code().into(),
        change.gate.map(Id::key).into(),
        change.subject_sha256.as_deref().into(),
        change.tier.map(Tier::number).into(),
        (&record).into(),
        change.updated_at.into(),
    ];
    Ok(tx.run(sql!("change/update"), &parameters)? == 1)
}

/// Changes, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Found>> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters: Vec<Value<'_>> = vec![
        scopes.as_deref().into(),
        filter.repository.as_deref().into(),
        filter.task.into(),
        window.below.into(),
        window.limit.into(),
        window.offset.into(),
    ];
    let statement = match filter.state {
        Some(state) => {
            parameters.push(state.code().into());
            sql!("change/page_by_state")
        }
        None => sql!("change/page"),
    };
    rows.all(statement, &parameters, |row| found(rows, row))
}

/// How many there are, counted up to `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters: Vec<Value<'_>> =
        vec![scopes.as_deref().into(), filter.repository.as_deref().into(), filter.task.into(), limit.into()];
    let statement = match filter.state {
        Some(state) => {
            parameters.push(state.code().into());
            sql!("change/count_by_state")
        }
        None => sql!("change/count"),
    };
    Ok(rows.number(statement, &parameters)? as u64)
}

/// One change of a repository that is not final, if there is any.
///
/// # Errors
/// When the store is broken.
pub fn unfinished(rows: &Rows, scope: i64, repository: &str) -> Result<Option<Id>> {
    rows.one(sql!("change/unfinished"), &[scope.into(), repository.into()], |row| {
        Ok(rows.id(Noun::Change, row.int(0)?))
    })
}

/// Keeps what an attempt proposed.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn keep_proposal(tx: &Tx, change: i64, proposal: &Proposal) -> Result<()> {
    let record = json(proposal);
    let parameters = [change.into(), proposal.heads.generation.into(), (&record).into()];
    tx.put(sql!("change/keep_proposal"), &parameters)
}

/// What the attempts proposed, newest first.
///
/// # Errors
/// When the store is broken.
pub fn proposals(rows: &Rows, change: i64, limit: u32) -> Result<Vec<Proposal>> {
    rows.all(sql!("change/proposals"), &[change.into(), limit.into()], document)
}

/// Keeps a run of the checks.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn keep_check(tx: &Tx, change: i64, round: &Round) -> Result<()> {
    let record = json(round);
    tx.put(sql!("change/keep_check"), &[change.into(), round.task.key().into(), (&record).into()])
}

/// The runs of the checks, newest first.
///
/// # Errors
/// When the store is broken.
pub fn checks(rows: &Rows, change: i64, limit: u32) -> Result<Vec<Round>> {
    rows.all(sql!("change/checks"), &[change.into(), limit.into()], document)
}

fn document<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> Result<T> {
    serde_json::from_str(&row.text(0)?).map_err(|error| row.unreadable(error.to_string()))
}

fn found(rows: &Rows, row: &Row<'_>) -> Result<Found> {
    let (key, state) = (row.int(0)?, row.int(5)?);
    let state =
        State::from_code(state).ok_or_else(|| row.unreadable(format!("no state has number {state}")))?;
    let tier = row.opt_int(8)?.and_then(|tier| Tier::from_number(u8::try_from(tier).unwrap_or_default()));
    let change = Change {
        id: rows.id(Noun::Change, key),
        scope: row.text(2)?,
        task: rows.id(Noun::Task, row.int(3)?),
        repository: row.text(4)?,
        state,
        gate: row.opt_int(6)?.map(|key| rows.id(Noun::Gate, key)),
        subject_sha256: row.opt_text(7)?,
        tier,
        record: row.json_or_default(9)?,
        updated_at: row.int(10)?,
    };
    Ok(Found { change, key, scope: row.int(1)? })
}
