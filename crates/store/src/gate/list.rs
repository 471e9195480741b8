//! Many gates: lists, those whose time has come, and those that a stage had before.

use super::{Found, found};
use crate::backend::{Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::Rows;
use crate::task::list::Window;
use tiltyard_model::gate::State;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::time::TimeMs;

/// Which gates to list. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// The state.
    pub state: Option<State>,
    /// The run.
    pub run: Option<Id>,
}

impl Filter {
    /// The key of the run; `None` where the filter names none, `Some(None)` where it is one of another store.
    fn run(&self, rows: &Rows) -> Option<Option<i64>> {
        self.run.map(|run| rows.key(run).filter(|_| run.noun() == Noun::Run))
    }
}

/// Gates, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Found>> {
    let scopes = filter.scopes.as_ref().map(json);
    let state = filter.state.map(State::as_str);
    let mut parameters: Vec<Value<'_>> =
        vec![scopes.as_deref().into(), window.below.into(), window.limit.into(), window.offset.into()];
    let statement = match (filter.run(rows), state) {
        (Some(None), _) => return Ok(Vec::new()),
        (Some(Some(run)), state) => {
            parameters.extend::<[Value<'_>; 2]>([state.into(), run.into()]);
            sql!("gate/page_of_run")
        }
        (None, Some(state)) => {
            parameters.push(state.into());
            sql!("gate/page_by_state")
        }
        (None, None) => sql!("gate/page"),
    };
    rows.all(statement, &parameters, |row| found(rows, row))
}

/// How many there are, counted up to `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let scopes = filter.scopes.as_ref().map(json);
    let state = filter.state.map(State::as_str);
    let mut parameters: Vec<Value<'_>> = vec![scopes.as_deref().into(), limit.into()];
    let statement = match (filter.run(rows), state) {
        (Some(None), _) => return Ok(0),
        (Some(Some(run)), state) => {
            parameters.extend::<[Value<'_>; 2]>([state.into(), run.into()]);
            sql!("gate/count_of_run")
        }
        (None, Some(state)) => {
            parameters.push(state.into());
            sql!("gate/count_by_state")
        }
        (None, None) => sql!("gate/count"),
    };
    Ok(rows.number(statement, &parameters)? as u64)
}

/// The gates of a change, newest first.
///
/// # Errors
/// When the store is broken.
pub fn of_change(rows: &Rows, change: i64, limit: u32) -> Result<Vec<Found>> {
    rows.all(sql!("gate/of_change"), &[change.into(), limit.into()], |row| found(rows, row))
}

/// The newest gate of a stage of a run, other than of one of its items, that people have approved.
///
/// # Errors
/// When the store is broken.
pub fn past(rows: &Rows, run: Id, stage: u32) -> Result<Option<Found>> {
    rows.one(sql!("gate/past"), &[run.key().into(), stage.into()], |row| found(rows, row))
}

/// Open gates whose time is over, the earliest first.
///
/// # Errors
/// When the store is broken.
pub fn due(rows: &Rows, now: TimeMs, limit: u32) -> Result<Vec<Id>> {
    rows.all(sql!("gate/due"), &[now.into(), limit.into()], |row| Ok(rows.id(Noun::Gate, row.int(0)?)))
}

/// Open gates that people are to be told of, the earliest first.
///
/// # Errors
/// When the store is broken.
pub fn tell_due(rows: &Rows, now: TimeMs, limit: u32) -> Result<Vec<Id>> {
    rows.all(sql!("gate/tell_due"), &[now.into(), limit.into()], |row| Ok(rows.id(Noun::Gate, row.int(0)?)))
}
