//! Reads of tasks: one, many, their attempts, and the graph of what waits for what.

mod running;

pub use running::{MAX_RUNNING_KEYS, running, with_running};

use super::access::{may_read, may_see};
use crate::act::refusal_of;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::Attempt;
use tiltyard_store::Rows;
/// Which tasks, and which part of them.
pub use tiltyard_store::task::list::{Filter, Window};
use tiltyard_store::task::{self, Found};

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;
/// Most tasks of a graph.
pub const MAX_GRAPH_TASKS: u32 = 1_000;

/// A page of tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Found>,
    /// The key below which the next page begins.
    pub next: Option<i64>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// One task that the caller may read.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, id: Id) -> Result<Found, Refusal> {
    let found = task::get(rows, id).map_err(refusal_of)?.filter(|found| may_see(caller, &found.task));
    let found = found.ok_or_else(|| Refusal::missing("task", id))?;
    if may_read(rows, caller, &found)? { Ok(found) } else { Err(Refusal::missing("task", id)) }
}

/// Limits a filter to what the caller may see (SEC4).
pub fn limit_to(filter: &mut Filter, caller: &Caller) {
    filter.scopes = match (&caller.reach, filter.scopes.take()) {
        (Reach::All, named) => named,
        (Reach::Only(own), None) => Some(own.clone()),
        (Reach::Only(own), Some(named)) => {
            Some(named.into_iter().filter(|scope| own.contains(scope)).collect())
        }
    };
    filter.queues.clone_from(&caller.queues);
}

/// A page of tasks, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Page, Refusal> {
    let wider = Window { limit: window.limit + 1, ..window };
    let mut items = task::list::page(rows, filter, wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let next = items.last().filter(|_| more).map(|found| found.key);
    let total = task::list::count(rows, filter, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// The attempts of a task, oldest first.
///
/// # Errors
/// 404.
pub fn attempts(rows: &Rows, caller: &Caller, id: Id) -> Result<Vec<Attempt>, Refusal> {
    let found = get(rows, caller, id)?;
    task::attempts(rows, found.key).map_err(refusal_of)
}

/// Tasks and what they wait for.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The tasks.
    pub tasks: Vec<Found>,
    /// The first of each pair waits for the second.
    pub edges: Vec<(Id, Id)>,
}

/// The newest tasks that a filter finds, and what they wait for.
///
/// # Errors
/// When the store is broken.
pub fn graph(rows: &Rows, filter: &Filter) -> Result<Graph, Refusal> {
    let window = Window { below: i64::MAX, offset: 0, limit: MAX_GRAPH_TASKS };
    let found = task::list::page(rows, filter, window).map_err(refusal_of)?;
    let edges =
        found.iter().flat_map(|one| one.task.spec.depends_on.iter().map(|on| (one.task.id, *on))).collect();
    Ok(Graph { tasks: found, edges })
}

/// One window of each column of a board.
///
/// # Errors
/// When the store is broken.
pub fn columns(rows: &Rows, filter: &Filter, window: u32) -> Result<Vec<(State, Vec<Found>)>, Refusal> {
    let column = |state: State| {
        let of_state = Filter { states: vec![state], ..filter.clone() };
        let found = if window == 0 {
            Vec::new()
        } else {
            let window = Window { below: i64::MAX, offset: 0, limit: window };
            task::list::page(rows, &of_state, window).map_err(refusal_of)?
        };
        Ok((state, found))
    };
    State::ALL.into_iter().map(column).collect()
}
