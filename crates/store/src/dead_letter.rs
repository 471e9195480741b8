//! Dead letters. The payload is the task's own; only the one before the first edit is kept here.

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::dead_letter::{Group, Letter, MAX_SAMPLE_CHARS, State};
use tiltyard_model::id::Noun;
use tiltyard_model::task::Extras;
use tiltyard_model::time::TimeMs;

/// A death to write down.
#[derive(Debug, Clone, Copy)]
pub struct Death<'a> {
    /// The letter's group.
    pub fingerprint: &'a str,
    /// What sort of work.
    pub kind: &'a str,
    /// The task's category.
    pub category: Option<&'a str>,
    /// The last error.
    pub error: &'a str,
    /// The key of who tried last.
    pub agent: Option<i64>,
    /// When.
    pub at: TimeMs,
    /// Attempts of the task's life.
    pub attempts: u32,
    /// How many tasks waited for it.
    pub blocked: u32,
}

/// A letter as the engine moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its key.
    pub key: i64,
    /// The key of its task.
    pub task: i64,
    /// Where it stands.
    pub state: State,
}

/// Which letters. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// Where they stand.
    pub state: Option<State>,
    /// The category.
    pub category: Option<String>,
    /// The group.
    pub fingerprint: Option<String>,
}

/// Where a page lies, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Only keys below this one; `i64::MAX` from the top.
    pub below: i64,
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Writes a new letter, `pending`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, key: i64, scope: i64, task: i64, death: &Death<'_>) -> Result<()> {
    let parameters = [
        key.into(),
        scope.into(),
        task.into(),
        death.fingerprint.into(),
        death.kind.into(),
        death.category.into(),
        death.error.into(),
        death.agent.into(),
        death.at.into(),
        death.attempts.into(),
        death.blocked.into(),
    ];
    tx.put(sql!("dead_letter/insert"), &parameters)
}

/// The task of a `retrying` letter died again: it is `pending`; false when it is not `retrying`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn again(tx: &Tx, key: i64, death: &Death<'_>) -> Result<bool> {
    let parameters = [
        key.into(),
        death.fingerprint.into(),
        death.category.into(),
        death.error.into(),
        death.agent.into(),
        death.at.into(),
        death.attempts.into(),
        death.blocked.into(),
    ];
    Ok(tx.run(sql!("dead_letter/again"), &parameters)? == 1)
}

/// The task of a letter runs again: it is `retrying`. `original` is the payload that the retry replaces; false when the
/// letter is neither `pending` nor `dismissed`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn revive(tx: &Tx, key: i64, original: Option<&str>, now: TimeMs) -> Result<bool> {
    Ok(tx.run(sql!("dead_letter/revive"), &[key.into(), original.into(), now.into()])? == 1)
}

/// Moves a letter; false when it is not in that state.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn shift(
    tx: &Tx,
    key: i64,
    (from, to): (State, State),
    reason: Option<&str>,
    now: TimeMs,
) -> Result<bool> {
    let parameters = [key.into(), from.code().into(), to.code().into(), reason.into(), now.into()];
    Ok(tx.run(sql!("dead_letter/move"), &parameters)? == 1)
}

/// Removes a letter for good.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, key: i64) -> Result<()> {
    tx.put(sql!("dead_letter/delete"), &[key.into()])
}

/// The letter of a task.
///
/// # Errors
/// When the store is broken.
pub fn of_task(rows: &Rows, task: i64) -> Result<Option<Place>> {
    rows.one(sql!("dead_letter/of_task"), &[task.into()], |row| {
        Ok(Place { key: row.int(0)?, task, state: state_of(row, 1)? })
    })
}

/// Resolved and dismissed letters of a scope, those first that turned so first.
///
/// # Errors
/// When the store is broken.
pub fn evictable(rows: &Rows, scope: i64, limit: u32) -> Result<Vec<Place>> {
    rows.all(sql!("dead_letter/evictable"), &[scope.into(), limit.into()], |row| {
        Ok(Place { key: row.int(0)?, task: row.int(1)?, state: state_of(row, 2)? })
    })
}

/// One letter.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, key: i64) -> Result<Option<Letter>> {
    rows.one(sql!("dead_letter/get"), &[key.into()], |row| letter_of(rows, row))
}

/// Letters, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Letter>> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters = filter.parameters(scopes.as_deref()).to_vec();
    parameters.extend::<[Value<'_>; 3]>([window.below.into(), window.limit.into(), window.offset.into()]);
    rows.all(sql!("dead_letter/page"), &parameters, |row| letter_of(rows, row))
}

/// How many there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters = filter.parameters(scopes.as_deref()).to_vec();
    parameters.push(limit.into());
    Ok(rows.number(sql!("dead_letter/count"), &parameters)? as u64)
}

/// Keys of at most `limit` letters, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn keys(rows: &Rows, filter: &Filter, limit: u32) -> Result<Vec<i64>> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters = filter.parameters(scopes.as_deref()).to_vec();
    parameters.push(limit.into());
    rows.all(sql!("dead_letter/keys"), &parameters, |row| row.int(0))
}

/// Groups of these scopes (`None` for all), the one with the most pending letters first.
///
/// # Errors
/// When the store is broken.
pub fn groups(rows: &Rows, scopes: Option<&[String]>, limit: u32) -> Result<Vec<Group>> {
    let scopes = scopes.map(|scopes| json(&scopes));
    let parameters = [scopes.as_deref().into(), (MAX_SAMPLE_CHARS as i64).into(), limit.into()];
    rows.all(sql!("dead_letter/groups"), &parameters, |row| {
        Ok(Group {
            scope: row.text(0)?,
            fingerprint: row.text(1)?,
            kind: row.text(2)?,
            error: row.text(3)?,
            pending: row.int(4)? as u64,
            total: row.int(5)? as u64,
            first_at: row.int(6)?,
            last_at: row.int(7)?,
        })
    })
}

/// How many letters of these scopes (`None` for all) stand where.
///
/// # Errors
/// When the store is broken.
pub fn stats(rows: &Rows, scopes: Option<&[String]>) -> Result<Vec<(State, u64)>> {
    let scopes = scopes.map(|scopes| json(&scopes));
    rows.all(sql!("dead_letter/stats"), &[scopes.as_deref().into()], |row| {
        Ok((state_of(row, 0)?, row.int(1)? as u64))
    })
}

/// Scopes with more pending and retrying letters than `max`, and how many.
///
/// # Errors
/// When the store is broken.
pub fn over(rows: &Rows, max: u64) -> Result<Vec<(String, u64)>> {
    rows.all(sql!("dead_letter/over"), &[(max as i64).into()], |row| Ok((row.text(0)?, row.int(1)? as u64)))
}

/// How many letters of each scope stand where: (scope, state, count).
///
/// # Errors
/// When the store is broken.
pub fn boot_counts(rows: &Rows) -> Result<Vec<(i64, State, i64)>> {
    rows.all(sql!("dead_letter/boot_counts"), &[], |row| Ok((row.int(0)?, state_of(row, 1)?, row.int(2)?)))
}

/// Every `retrying` letter: (task, letter).
///
/// # Errors
/// When the store is broken.
pub fn boot_retrying(rows: &Rows) -> Result<Vec<(i64, i64)>> {
    rows.all(sql!("dead_letter/boot_retrying"), &[], |row| Ok((row.int(0)?, row.int(1)?)))
}

impl Filter {
    fn parameters<'a>(&'a self, scopes: Option<&'a str>) -> [Value<'a>; 4] {
        [
            scopes.into(),
            self.state.map(State::code).into(),
            self.category.as_deref().into(),
            self.fingerprint.as_deref().into(),
        ]
    }
}

fn state_of(row: &Row<'_>, place: usize) -> Result<State> {
    let code = row.int(place)?;
    State::from_code(code).ok_or_else(|| row.unreadable(format!("no letter's state has number {code}")))
}

fn letter_of(rows: &Rows, row: &Row<'_>) -> Result<Letter> {
    let extras: Extras = row.json_or_default(19)?;
    Ok(Letter {
        id: rows.id(Noun::DeadLetter, row.int(0)?),
        task: rows.id(Noun::Task, row.int(2)?),
        state: state_of(row, 3)?,
        fingerprint: row.text(4)?,
        category: row.opt_text(5)?,
        error: row.text(6)?,
        failed_at: row.int(7)?,
        attempts: row.int(8)? as u32,
        retries: row.int(9)? as u32,
        reason: row.opt_text(10)?,
        original_payload: row.opt_text(11)?,
        scope: row.text(12)?,
        agent: row.opt_text(13)?,
        title: row.text(14)?,
        queue: row.text(15)?,
        kind: row.text(16)?,
        payload: row.text(17)?,
        priority: row.int(18)? as u8,
        labels: extras.labels,
        created_by: row.text(20)?,
    })
}
