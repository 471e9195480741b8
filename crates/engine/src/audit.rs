//! The audit record as it is read and handed out (D52). It is written by `act::record`, with the acts it tells of.

pub mod refused;
pub mod verify;

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::scope::may_name;
use std::collections::BTreeMap;
use tiltyard_model::audit::{Action, Entry};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role, SYSTEM_SCOPE};
use tiltyard_model::time::{TimeMs, parse_rfc3339};
use tiltyard_store::Rows;
use tiltyard_store::audit;
/// Which entries, and which part of them.
pub use tiltyard_store::audit::{Filter, Window};

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// Where an entry stands in the order of a list: its time, its chain, its place there.
pub type Place = (TimeMs, String, i64);

/// A page of entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Newest first.
    pub items: Vec<Entry>,
    /// The entry before which the next page begins.
    pub next: Option<Place>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// The chains that a read covers: the named one, else all of the caller's; `None` for every chain. The store's own is
/// the business of admins of the whole store: it tells of every scope.
///
/// # Errors
/// 403 `scope_forbidden` for a chain that the caller does not have.
pub fn chains(rows: &Rows, caller: &Caller, named: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
    if let Some(scope) = named {
        may_read(caller, scope)?;
        return Ok(Some(vec![scope.to_owned()]));
    }
    if let Reach::Only(scopes) = &caller.reach {
        return Ok(Some(scopes.clone()));
    }
    if caller.role == Role::Admin {
        return Ok(None);
    }
    let heads = audit::heads(rows).map_err(refusal_of)?;
    Ok(Some(heads.into_keys().filter(|chain| chain != SYSTEM_SCOPE).collect()))
}

/// Whether there is a chain of that name: those of deleted scopes stay.
///
/// # Errors
/// When the store is broken.
pub fn is_there(rows: &Rows, chain: &str) -> Result<bool, Refusal> {
    Ok(audit::heads(rows).map_err(refusal_of)?.contains_key(chain) || crate::scope::is_there(rows, chain)?)
}

/// A chain that a caller names must be one that it may read (SEC4).
fn may_read(caller: &Caller, chain: &str) -> Result<(), Refusal> {
    may_name(caller, chain)?;
    if chain != SYSTEM_SCOPE || caller.role == Role::Admin {
        return Ok(());
    }
    let said = "the store's own chain is for admins; name one of the token's scopes";
    Err(Refusal::new(Code::ScopeForbidden, said))
}

/// A page of entries, newest first. The filter's chains must come from [`chains`].
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: &Window) -> Result<Page, Refusal> {
    let wider = Window { limit: window.limit + 1, ..window.clone() };
    let mut items = audit::page(rows, filter, &wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let next = items.last().filter(|_| more).map(place);
    let total = audit::count(rows, filter, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

fn place(entry: &Entry) -> Place {
    (parse_rfc3339(&entry.time).unwrap_or_default(), entry.scope.clone(), entry.seq as i64)
}

/// How much is on record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// How many entries of each action.
    pub by_action: BTreeMap<String, u64>,
    /// When the first one was written.
    pub first: Option<TimeMs>,
    /// When the last one was written.
    pub last: Option<TimeMs>,
}

/// How much is on record of the named chain, or of all that the caller may read.
///
/// # Errors
/// 403 `scope_forbidden` for a chain that the caller does not have.
pub fn stats(rows: &Rows, caller: &Caller, named: Option<&str>) -> Result<Stats, Refusal> {
    let chains = chains(rows, caller, named)?;
    let mut stats = Stats::default();
    for (action, count, first, last) in audit::stats(rows, chains.as_deref()).map_err(refusal_of)? {
        stats.by_action.insert(action, count);
        stats.first = Some(stats.first.map_or(first, |before| before.min(first)));
        stats.last = stats.last.max(Some(last));
    }
    Ok(stats)
}

/// Records that a chain is handed out, and says where it ends: with that very entry.
///
/// # Errors
/// 403 `scope_forbidden`; 422 `unknown_scope` for a scope that neither is nor was.
pub fn exported(act: &mut Act<'_>, chain: &str) -> Result<i64, Refusal> {
    may_read(&act.pass.caller, chain)?;
    if !act.memory.audit.contains_key(chain) && chain != SYSTEM_SCOPE {
        act.scope_key(chain)?;
    }
    act.audit(Told::done(chain, Action::AuditExported, chain))?;
    Ok(act.memory.audit.get(chain).map_or(0, |head| head.seq as i64))
}

/// At most `limit` entries of a chain after the one numbered `seq`, oldest first. Whose chain it is, [`exported`] has seen to.
///
/// # Errors
/// When the store is broken.
pub fn after(rows: &Rows, chain: &str, seq: i64, limit: u32) -> Result<Vec<Entry>, Refusal> {
    audit::chain(rows, chain, seq, limit).map_err(refusal_of)
}
