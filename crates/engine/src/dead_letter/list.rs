//! Reads of dead letters: one, many, by cause, and how many.

use crate::act::refusal_of;
use crate::scope::of_read;
use crate::task::access::may_reach;
use tiltyard_model::dead_letter::{Group, Letter, State};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_store::Rows;
use tiltyard_store::dead_letter;
/// Which letters, and which part of them.
pub use tiltyard_store::dead_letter::{Filter, Window};

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;
/// Most groups that are looked at, the largest first: one more than a total says exactly.
pub const MAX_GROUPS: u32 = MAX_EXACT_TOTAL + 1;

/// A page of letters.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Letter>,
    /// The key below which the next page begins.
    pub next: Option<i64>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// Whether a caller may know of a letter: as of its task.
pub(super) fn may_see(caller: &Caller, letter: &Letter) -> bool {
    may_reach(caller, &letter.scope, &letter.queue)
}

/// A filter for what the caller may see, of one scope when it is named (SEC4).
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn filter_for(caller: &Caller, scope: Option<&str>) -> Result<Filter, Refusal> {
    Ok(Filter { scopes: of_read(caller, scope)?, ..Filter::default() })
}

/// One letter that the caller may see.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, id: Id) -> Result<Letter, Refusal> {
    let letter = match rows.key(id).filter(|_| id.noun() == Noun::DeadLetter) {
        Some(key) => dead_letter::get(rows, key).map_err(refusal_of)?,
        None => None,
    };
    letter.filter(|letter| may_see(caller, letter)).ok_or_else(|| Refusal::missing("dead letter", id))
}

/// A page of letters, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Page, Refusal> {
    let wider = Window { limit: window.limit + 1, ..window };
    let mut items = dead_letter::page(rows, filter, wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let next = items.last().filter(|_| more).map(|letter| letter.id.key());
    let total = dead_letter::count(rows, filter, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// The groups that the caller may see, the one with the most pending letters first (D12).
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn groups(rows: &Rows, caller: &Caller, scope: Option<&str>) -> Result<Vec<Group>, Refusal> {
    let scopes = of_read(caller, scope)?;
    dead_letter::groups(rows, scopes.as_deref(), MAX_GROUPS).map_err(refusal_of)
}

/// How many letters stand where, by the state's number.
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn stats(rows: &Rows, caller: &Caller, scope: Option<&str>) -> Result<[u64; State::ALL.len()], Refusal> {
    let scopes = of_read(caller, scope)?;
    let mut counts = [0; State::ALL.len()];
    for (state, count) in dead_letter::stats(rows, scopes.as_deref()).map_err(refusal_of)? {
        counts[state as usize] = count;
    }
    Ok(counts)
}

/// Scopes with more letters than are meant to be kept, none of which may be evicted: what makes health `degraded` (D11).
///
/// # Errors
/// When the store is broken.
pub fn over(rows: &Rows, limit: usize) -> Result<Vec<(String, u64)>, Refusal> {
    dead_letter::over(rows, limit as u64).map_err(refusal_of)
}
