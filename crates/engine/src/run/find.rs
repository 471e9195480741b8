//! A run that somebody names.

use crate::act::{Act, refusal_of};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::Refusal;
use tiltyard_store::Rows;
use tiltyard_store::run::{self, Found};

/// A run that the caller may see. Runs are seen whole or not at all: whoever has only some queues, or is an agent, would see
/// others' work.
///
/// # Errors
/// 404.
pub(crate) fn visible(act: &Act<'_>, id: Id) -> Result<Found, Refusal> {
    let caller = &act.pass.caller;
    let found = run::get(act.tx, id).map_err(refusal_of)?;
    let sees = |found: &Found| {
        caller.reach.covers(&found.scope_name) && caller.queues.is_none() && caller.agent.is_none()
    };
    found.filter(sees).ok_or_else(|| Refusal::missing("run", id))
}

/// One run by key.
///
/// # Errors
/// When there is none.
pub(crate) fn by_key(rows: &Rows, key: i64) -> Result<Found, Refusal> {
    let found = run::by_key(rows, key).map_err(refusal_of)?;
    found.ok_or_else(|| Refusal::missing("run", rows.id(Noun::Run, key)))
}
