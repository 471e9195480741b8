//! Lists of tasks, and those whose time has come.

use super::{Found, list_of, row, text};
use crate::backend::{Value, sql};
use crate::error::Result;
use crate::rows::Rows;
use std::cmp::Reverse;
use std::sync::Arc;
use tiltyard_model::id::Id;
use tiltyard_model::task::State;
use tiltyard_model::time::TimeMs;

/// Up to so many tasks, those that are passed over included, are put together from those that run and those that do not.
const MAX_MERGED_TASKS: u32 = 2_000;

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
    /// Keys of all the tasks that run and are meant, from who knows them: where running ones are asked for without ready ones, they
    /// are read by key. `None` where nobody says.
    pub running: Option<Arc<[i64]>>,
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
    match apart(filter) {
        Some((keys, None)) => page_of_keys(rows, filter, keys, window),
        Some((keys, Some(rest))) if window.offset.saturating_add(window.limit) <= MAX_MERGED_TASKS => {
            let wide = Window { offset: 0, limit: window.offset + window.limit, ..window };
            let mut found = page_of_keys(rows, filter, keys, wide)?;
            found.extend(page_of_states(rows, &rest, wide)?);
            found.sort_unstable_by_key(|found| Reverse(found.key));
            Ok(found.into_iter().skip(window.offset as usize).take(window.limit as usize).collect())
        }
        _ => page_of_states(rows, filter, window),
    }
}

/// How many there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let Some((keys, rest)) = apart(filter) else { return count_of_states(rows, filter, limit) };
    let kept = Kept::of_keys(filter, keys.iter());
    let mut parameters = kept.parameters(filter).to_vec();
    parameters.push(limit.into());
    let running = rows.number(sql!("task/count_of_keys"), &parameters)? as u64;
    match rest {
        Some(rest) => Ok((running + count_of_states(rows, &rest, limit)?).min(u64::from(limit))),
        None => Ok(running),
    }
}

/// Keys of those that run, and a filter for the other states that are asked for; `None` where an index tells as well.
fn apart(filter: &Filter) -> Option<(&[i64], Option<Filter>)> {
    let keys = filter.running.as_deref()?;
    let wants = |state| filter.states.contains(&state);
    if !wants(State::Running) || wants(State::Ready) || filter.run.is_some() {
        return None;
    }
    let states: Vec<State> = filter.states.iter().copied().filter(|state| *state != State::Running).collect();
    let rest = (!states.is_empty()).then(|| Filter { states, running: None, ..filter.clone() });
    Some((keys, rest))
}

fn page_of_keys(rows: &Rows, filter: &Filter, keys: &[i64], window: Window) -> Result<Vec<Found>> {
    let kept = Kept::of_keys(filter, keys.iter().filter(|key| **key < window.below));
    let mut parameters = kept.parameters(filter).to_vec();
    parameters.extend(window.parameters());
    rows.all(sql!("task/page_of_keys"), &parameters, |found| row::found(rows, found))
}

fn page_of_states(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Found>> {
    let kept = Kept::new(filter);
    let mut parameters = kept.parameters(filter).to_vec();
    if let ([state], None) = (filter.states.as_slice(), filter.run) {
        parameters[1] = state.code().into();
    }
    parameters.extend(window.parameters());
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

fn count_of_states(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
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

impl Window {
    fn parameters(self) -> [Value<'static>; 3] {
        [self.below.into(), self.limit.into(), self.offset.into()]
    }
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

    /// With keys where the states are.
    fn of_keys<'k>(filter: &Filter, keys: impl Iterator<Item = &'k i64>) -> Self {
        let keys: Vec<i64> = keys.copied().collect();
        Self { states: Some(list_of(&keys)), ..Self::new(filter) }
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

/// What moves of the tasks of a run: keys and states, oldest first, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn moving_of_run(rows: &Rows, run: i64, limit: u32) -> Result<Vec<(i64, State)>> {
    rows.all(sql!("task/moving_of_run"), &[run.into(), limit.into()], |row| {
        let code = row.int(1)?;
        let state = State::from_code(code);
        let state = state.ok_or_else(|| row.unreadable(format!("no state has number {code}")))?;
        Ok((row.int(0)?, state))
    })
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
