//! Lists of tasks, and those whose time has come.

use super::{Found, list_of, row, text};
use crate::backend::{Value, sql};
use crate::error::Result;
use crate::rows::Rows;
use tiltyard_model::id::Id;
use tiltyard_model::task::State;
use tiltyard_model::time::TimeMs;

/// Which tasks to list. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// States; empty for all.
    pub states: Vec<State>,
    /// The queue.
    pub queue: Option<String>,
    /// Queues by name, for a worker's token; `None` for all.
    pub queues: Option<Vec<String>>,
    /// The kind.
    pub kind: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// One of the labels.
    pub label: Option<String>,
    /// Who has it or had it last.
    pub agent: Option<String>,
    /// Part of the title, any case.
    pub words: Option<String>,
    /// The run whose parts they are.
    pub run: Option<Id>,
}

/// Where a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Only keys below this one; `i64::MAX` from the top.
    pub below: i64,
    /// How many to pass over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

/// Tasks, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Found>> {
    let kept = Kept::new(filter);
    let mut parameters = kept.parameters(filter).to_vec();
    if let ([state], None) = (filter.states.as_slice(), filter.run) {
        parameters[1] = state.code().into();
    }
    parameters.extend::<[Value<'_>; 3]>([window.below.into(), window.limit.into(), window.offset.into()]);
    if let Some(run) = filter.run {
        let Some(key) = rows.key(run) else { return Ok(Vec::new()) };
        parameters.push(key.into());
        return rows.all(sql!("task/page_of_run"), &parameters, |found| row::found(rows, found));
    }
    let statement = match filter.states.as_slice() {
        [] => sql!("task/page"),
        [State::Succeeded] => sql!("task/page_succeeded"),
        [_] => sql!("task/page_of_state"),
        states if states.contains(&State::Succeeded) => sql!("task/page"),
        _ => sql!("task/page_by_state"),
    };
    rows.all(statement, &parameters, |found| row::found(rows, found))
}

/// How many there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let kept = Kept::new(filter);
    let mut parameters = kept.parameters(filter).to_vec();
    parameters.push(limit.into());
    if let Some(run) = filter.run {
        let Some(key) = rows.key(run) else { return Ok(0) };
        parameters.push(key.into());
        return Ok(rows.number(sql!("task/count_of_run"), &parameters)? as u64);
    }
    let statement = if kept.states.is_some() && !filter.states.contains(&State::Succeeded) {
        sql!("task/count_by_state")
    } else {
        sql!("task/count")
    };
    Ok(rows.number(statement, &parameters)? as u64)
}

/// Parameters that must live as long as the statement runs.
struct Kept {
    scopes: Option<String>,
    states: Option<String>,
    queues: Option<String>,
    words: Option<String>,
}

impl Kept {
    fn new(filter: &Filter) -> Self {
        let codes: Vec<i64> = filter.states.iter().map(|state| state.code()).collect();
        Self {
            scopes: filter.scopes.as_ref().map(crate::name::json),
            states: (!codes.is_empty()).then(|| list_of(&codes)),
            queues: filter.queues.as_ref().map(crate::name::json),
            words: filter.words.as_ref().map(|words| format!("%{}%", escape(words))),
        }
    }

    fn parameters<'a>(&'a self, filter: &'a Filter) -> [Value<'a>; 9] {
        [
            text(self.scopes.as_ref()),
            text(self.states.as_ref()),
            text(filter.queue.as_ref()),
            text(self.queues.as_ref()),
            text(filter.kind.as_ref()),
            text(filter.category.as_ref()),
            text(filter.label.as_ref()),
            text(filter.agent.as_ref()),
            text(self.words.as_ref()),
        ]
    }
}

/// The words of a search as they are: `%`, `_` and `\` mean themselves.
pub(crate) fn escape(words: &str) -> String {
    words.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Keys of scheduled tasks whose time has come, the earliest first.
///
/// # Errors
/// When the store is broken.
pub fn due(rows: &Rows, now: TimeMs, limit: u32) -> Result<Vec<i64>> {
    rows.all(sql!("task/due"), &[now.into(), limit.into()], |row| row.int(0))
}

/// Keys of unfinished tasks past their deadline.
///
/// # Errors
/// When the store is broken.
pub fn overdue(rows: &Rows, now: TimeMs, limit: u32) -> Result<Vec<i64>> {
    rows.all(sql!("task/overdue"), &[now.into(), limit.into()], |row| row.int(0))
}
