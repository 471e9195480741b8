//! Reads of changes: one, many, and all that happened to one (C33).

use crate::act::refusal_of;
use crate::gate::read::within;
use tiltyard_model::change::record::{Proposal, Round};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_model::task::attempt::Attempt;
use tiltyard_store::change;
/// Which changes, and what is found.
pub use tiltyard_store::change::{Filter, Found};
use tiltyard_store::gate::{self, Found as FoundGate};
use tiltyard_store::task::list::Window;
use tiltyard_store::task::{self, Found as FoundTask};
use tiltyard_store::{Rows, change as store};

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;
/// Most attempts, runs of checks and gates that a page shows.
pub const MAX_SHOWN: u32 = 200;

/// A page of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Found>,
    /// The key below which the next page begins.
    pub next: Option<i64>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// One change with all that happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// The change.
    pub found: Found,
    /// The task that made it: the idea. `None` when somebody deleted it with its dead letter.
    pub task: Option<FoundTask>,
    /// The attempts of the task, oldest first.
    pub attempts: Vec<Attempt>,
    /// What the attempts proposed, newest first; the diffs between attempts are between their diffs.
    pub proposals: Vec<Proposal>,
    /// The runs of the checks, newest first.
    pub checks: Vec<Round>,
    /// Its gates with their votes, newest first.
    pub gates: Vec<FoundGate>,
}

/// One change that the caller may see.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, id: Id) -> Result<Found, Refusal> {
    let found = change::get(rows, id).map_err(refusal_of)?;
    found
        .filter(|found| caller.reach.covers(&found.change.scope))
        .ok_or_else(|| Refusal::missing("change", id))
}

/// One change with all that happened to it.
///
/// # Errors
/// 404.
pub fn whole(rows: &Rows, caller: &Caller, id: Id) -> Result<Whole, Refusal> {
    let found = get(rows, caller, id)?;
    let of_task = task::get(rows, found.change.task).map_err(refusal_of)?;
    Ok(Whole {
        attempts: task::attempts(rows, found.change.task.key()).map_err(refusal_of)?,
        proposals: store::proposals(rows, found.key, MAX_SHOWN).map_err(refusal_of)?,
        checks: store::checks(rows, found.key, MAX_SHOWN).map_err(refusal_of)?,
        gates: gate::of_change(rows, found.key, MAX_SHOWN).map_err(refusal_of)?,
        task: of_task,
        found,
    })
}

/// The runs of the checks of a change, newest first.
///
/// # Errors
/// 404.
pub fn checks(rows: &Rows, caller: &Caller, id: Id) -> Result<Vec<Round>, Refusal> {
    let found = get(rows, caller, id)?;
    store::checks(rows, found.key, MAX_SHOWN).map_err(refusal_of)
}

/// The last run of the checks of a change; `None` before the first.
///
/// # Errors
/// When the store is broken.
pub fn last_round(rows: &Rows, found: &Found) -> Result<Option<Round>, Refusal> {
    Ok(store::checks(rows, found.key, 1).map_err(refusal_of)?.pop())
}

/// A page of the changes that the caller may see, newest first; a scope that is not the caller's finds nothing.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, caller: &Caller, filter: &Filter, window: Window) -> Result<Page, Refusal> {
    let mut filter = filter.clone();
    filter.scopes = within(caller, filter.scopes.take());
    let wider = Window { limit: window.limit + 1, ..window };
    let mut items = change::page(rows, &filter, wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let next = items.last().filter(|_| more).map(|found| found.key);
    let total = change::count(rows, &filter, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}
