//! What a search looks through: names, and the newest of what has ids. Which of it is meant is decided by the reader,
//! so that both databases mean the same.

use crate::backend::{Row, sql};
use crate::error::Result;
use crate::rows::Rows;
use tiltyard_model::search::Kind;
use tiltyard_model::{change, dead_letter, run, task};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub kind: Kind,
    /// Its key; 0 for what bears a name.
    pub key: i64,
    /// Its scope; `None` for agents.
    pub scope: Option<String>,
    /// Its queue, where it has one.
    pub queue: Option<String>,
    /// The word of its state, where it has one.
    pub state: Option<String>,
    /// Its name or title.
    pub title: String,
    /// What else is looked through.
    pub more: String,
}

/// What bears a name, in a fixed order, after `offset` of them.
///
/// # Errors
/// When the store is broken.
pub fn names(rows: &Rows, offset: u32, limit: u32) -> Result<Vec<Seen>> {
    rows.all(sql!("search/names"), &[limit.into(), offset.into()], |row| {
        Ok(Seen {
            kind: kind(row)?,
            key: 0,
            scope: row.opt_text(1)?,
            queue: row.opt_text(2)?,
            state: None,
            title: row.text(3)?,
            more: row.opt_text(4)?.unwrap_or_default(),
        })
    })
}

/// The newest of each kind below a key, `limit` of each at most; in no order between the kinds.
///
/// # Errors
/// When the store is broken.
pub fn things(rows: &Rows, below: i64, limit: u32) -> Result<Vec<Seen>> {
    rows.all(sql!("search/things"), &[below.into(), limit.into()], |row| {
        let kind = kind(row)?;
        Ok(Seen {
            kind,
            key: row.int(1)?,
            scope: row.opt_text(2)?,
            queue: row.opt_text(3)?,
            state: row.opt_text(4)?.map(|code| state(row, kind, code)).transpose()?,
            title: row.text(5)?,
            more: row.opt_text(6)?.unwrap_or_default(),
        })
    })
}

fn kind(row: &Row<'_>) -> Result<Kind> {
    Kind::from_code(row.int(0)?).ok_or_else(|| row.unreadable("a kind that is none"))
}

/// The word of a state; that of a gate is stored as one.
fn state(row: &Row<'_>, kind: Kind, stored: String) -> Result<String> {
    let code = stored.parse().unwrap_or(-1);
    let word = match kind {
        Kind::Task => task::State::from_code(code).map(task::State::as_str),
        Kind::Change => change::State::from_code(code).map(change::State::as_str),
        Kind::Run => run::State::from_code(code).map(run::State::as_str),
        Kind::DeadLetter => dead_letter::State::from_code(code).map(dead_letter::State::as_str),
        _ => return Ok(stored),
    };
    word.map(str::to_owned).ok_or_else(|| row.unreadable("a state that is none"))
}
