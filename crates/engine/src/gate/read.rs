//! Reads of gates.

use crate::act::refusal_of;
use crate::token::Tokens;
use tiltyard_model::gate::Vote;
use tiltyard_model::gate::missing::{Crowd, Submitter};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::time::TimeMs;
use tiltyard_store::Rows;
use tiltyard_store::gate;
/// Which gates, and what is found.
pub use tiltyard_store::gate::{Filter, Found};
use tiltyard_store::task::list::Window;

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// A page of gates.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Found>,
    /// The key below which the next page begins.
    pub next: Option<i64>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// One gate that the caller may see.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, id: Id) -> Result<Found, Refusal> {
    let found = gate::get(rows, id).map_err(refusal_of)?;
    found.filter(|found| caller.reach.covers(&found.scope_name)).ok_or_else(|| Refusal::missing("gate", id))
}

/// The same with the votes that a patch has made void, oldest first.
///
/// # Errors
/// 404.
pub fn whole(rows: &Rows, caller: &Caller, id: Id) -> Result<(Found, Vec<Vote>), Refusal> {
    let found = get(rows, caller, id)?;
    let void = gate::voided(rows, found.key).map_err(refusal_of)?;
    Ok((found, void))
}

/// A page of gates that the caller may see, newest first; a scope that is not the caller's finds nothing.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, caller: &Caller, filter: &Filter, window: Window) -> Result<Page, Refusal> {
    let mut filter = filter.clone();
    filter.scopes = within(caller, filter.scopes.take());
    let wider = Window { limit: window.limit + 1, ..window };
    let mut items = gate::page(rows, &filter, wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let next = items.last().filter(|_| more).map(|found| found.key);
    let total = gate::count(rows, &filter, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// The scopes of a list: those named, as far as the caller covers them; all of the caller's when none is named (SEC4).
pub(crate) fn within(caller: &Caller, named: Option<Vec<String>>) -> Option<Vec<String>> {
    match (&caller.reach, named) {
        (Reach::All, named) => named,
        (Reach::Only(own), None) => Some(own.clone()),
        (Reach::Only(_), Some(named)) => {
            Some(named.into_iter().filter(|scope| caller.reach.covers(scope)).collect())
        }
    }
}

/// Those who can decide at a gate at `now`.
pub fn crowd(tokens: &Tokens, gate: &Found, now: TimeMs) -> Crowd {
    let scope = &gate.scope_name;
    let submitter = gate.gate.submitter.as_deref();
    let human = submitter.is_some_and(|name| tokens.is_human(name, scope, now));
    Crowd {
        humans: u32::try_from(tokens.humans(scope, now)).unwrap_or(u32::MAX),
        submitter: if human { Submitter::Human } else { Submitter::Other },
    }
}
