//! A person calls a run off (D4, D22): what is under way is told to stop, with all runs below it.

use super::advance::{News, Told, try_advance};
use super::find;
use crate::act::Act;
use crate::act::record::Told as Audit;
use crate::task::cancel::MAX_REASON_CHARS;
use tiltyard_model::audit::Action;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::{Outcome, State};
use tiltyard_store::run::Found;

/// Calls a run off; a cancelled one stays so.
///
/// # Errors
/// 404; 409 `already_final` for one that has ended another way.
pub fn cancel(act: &mut Act<'_>, id: Id, reason: Option<&str>) -> Result<Found, Refusal> {
    let reason = reason.unwrap_or_default();
    if reason.chars().count() > MAX_REASON_CHARS {
        return Err(Refusal::field("/reason", "must be at most 1,000 characters"));
    }
    let found = find::visible(act, id)?;
    match found.standing.state {
        State::Cancelled => return Ok(found),
        state if state.is_final() => {
            let text = format!("{id} is {} already: there is nothing to cancel", state.as_str());
            return Err(Refusal::new(Code::AlreadyFinal, text).with("state", state.as_str()));
        }
        _ => {}
    }
    let line = crate::task::first_line(reason);
    let told = Told::reason(if line.is_empty() { "requested".to_owned() } else { line.clone() });
    let news = News { told, ..News::of(found.key, Outcome::Cancel) };
    try_advance(act, &news)?.map_err(Refusal::from)?;
    let audit = Audit::done(&found.scope_name, Action::RunCancelled, id);
    act.audit(audit.with("reason", line).with("from", found.standing.state.as_str()))?;
    find::by_key(act.tx, found.key)
}
