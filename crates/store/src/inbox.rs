//! What waits for a person: open gates and pending dead letters, each read from an index of its own in the order of the
//! inbox: what most waits behind first, then older first. A key tells the time it was made at, so it is the age too.

use crate::backend::{Row, Statement, Value, sql};
use crate::error::Result;
use crate::rows::Rows;

/// A place in the inbox: what comes after it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// How much waits behind the thing at the place.
    pub weight: i64,
    /// Its key.
    pub key: i64,
}

impl After {
    /// Before everything.
    pub const TOP: Self = Self { weight: i64::MAX, key: 0 };
}

/// Something that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// How much waits behind it.
    pub weight: i64,
    /// Its key.
    pub key: i64,
}

/// What sort of gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// One of a run, with an artifact.
    Gate,
    /// One of a run that asks a question.
    Question,
    /// One of a change.
    Change,
}

/// Where a page of one source lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// After this place.
    pub after: After,
    /// How many at most.
    pub limit: u32,
}

/// Open gates of a scope by its key, or of all; of one sort, or of all.
///
/// # Errors
/// When the store is broken.
pub fn gates(rows: &Rows, scope: Option<i64>, sort: Option<Sort>, window: Window) -> Result<Vec<Entry>> {
    let sort = sort.map(|sort| sort as i64);
    match scope {
        None => entries(rows, sql!("inbox/gates"), window, &[sort.into()]),
        Some(scope) => entries(rows, sql!("inbox/gates_of_scope"), window, &[sort.into(), scope.into()]),
    }
}

/// Pending dead letters of a scope by its key, or of all.
///
/// # Errors
/// When the store is broken.
pub fn letters(rows: &Rows, scope: Option<i64>, window: Window) -> Result<Vec<Entry>> {
    match scope {
        None => entries(rows, sql!("inbox/letters"), window, &[]),
        Some(scope) => entries(rows, sql!("inbox/letters_of_scope"), window, &[scope.into()]),
    }
}

/// How many gates there are, counted up to `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count_gates(rows: &Rows, scope: Option<i64>, sort: Option<Sort>, limit: u32) -> Result<u64> {
    let sort = sort.map(|sort| sort as i64);
    let count = match scope {
        None => rows.number(sql!("inbox/count_gates"), &[limit.into(), sort.into()])?,
        Some(scope) => {
            rows.number(sql!("inbox/count_gates_of_scope"), &[limit.into(), sort.into(), scope.into()])?
        }
    };
    Ok(count as u64)
}

/// How many letters there are, counted up to `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count_letters(rows: &Rows, scope: Option<i64>, limit: u32) -> Result<u64> {
    let count = match scope {
        None => rows.number(sql!("inbox/count_letters"), &[limit.into()])?,
        Some(scope) => rows.number(sql!("inbox/count_letters_of_scope"), &[limit.into(), scope.into()])?,
    };
    Ok(count as u64)
}

fn entries(
    rows: &Rows,
    statement: &'static Statement,
    window: Window,
    more: &[Value<'_>],
) -> Result<Vec<Entry>> {
    let mut parameters: Vec<Value<'_>> =
        vec![window.after.weight.into(), window.after.key.into(), window.limit.into()];
    parameters.extend_from_slice(more);
    rows.all(statement, &parameters, |row: &Row<'_>| Ok(Entry { weight: row.int(0)?, key: row.int(1)? }))
}
