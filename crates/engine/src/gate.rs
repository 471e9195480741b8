//! Gates: stops that people decide (D23, D24, D26). The rules of a vote are `model::gate`; here they are written
//! down, and what waited goes on.

pub mod decide;
pub mod expire;
pub mod read;

use crate::act::{Act, refusal_of};
use tiltyard_model::event::{GateCancelled, GateOpened, GateSuperseded};
use tiltyard_model::gate::{Block, End, Ended, Gate, OnTimeout, State};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::rules::Asks;
use tiltyard_model::time::TimeMs;
use tiltyard_store::gate::{self, About, Found};

/// A gate to open.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// The key of its scope.
    pub scope: i64,
    /// The change that it decides on; a question stands for itself.
    pub change: Option<Id>,
    /// What it asks about.
    pub about: About,
    /// The digest that a decision must name.
    pub subject_sha256: String,
    /// Who decides, and how many.
    pub asks: Asks,
    /// The identity that submitted the subject.
    pub submitter: Option<String>,
    /// What blocks an approval, if anything.
    pub block: Option<Block>,
    /// When its time is over, and what that does.
    pub time_out: Option<(TimeMs, OnTimeout)>,
}

/// Opens a gate.
///
/// # Errors
/// When the store cannot write it.
pub fn open(act: &mut Act<'_>, open: Open) -> Result<Found, Refusal> {
    let key = act.next_key();
    let id = act.id(Noun::Gate, key);
    let typed = open.change.into_iter().chain([id]);
    let gate = Gate {
        id,
        state: State::Open,
        subject_sha256: open.subject_sha256,
        quorum: open.asks.quorum,
        self_approval: open.asks.self_approval,
        reduction: open.asks.reduction,
        submitter: open.submitter,
        confirm_with: typed.map(|id| id.to_string()).collect(),
        block: open.block,
        expires_ms: open.time_out.map(|(expires, _)| expires),
        on_timeout: open.time_out.map_or(OnTimeout::Nothing, |(_, does)| does),
        votes: Vec::new(),
        ended: None,
    };
    let found = Found {
        gate,
        key,
        scope: open.scope,
        scope_name: act.memory.names.scope_name(open.scope).to_owned(),
        change: open.change,
        about: open.about,
        opened_at: act.now.wall,
    };
    gate::insert(act.tx, &found).map_err(refusal_of)?;
    let event = GateOpened {
        about: about_of(&found),
        subject_sha256: found.gate.subject_sha256.clone(),
        who: found.gate.quorum.to_string(),
    };
    act.event(found.scope, &id.into(), None, &event)?;
    Ok(found)
}

/// Ends a gate and writes it; the caller writes the event. `by` is whose act it was, `None` for a time-out.
pub(crate) fn end(act: &mut Act<'_>, found: &mut Found, end: End, by: Option<String>) -> Result<(), Refusal> {
    let state = found.gate.state.after(end);
    found.gate.state = state.ok_or_else(|| {
        let text = format!("{} has ended already: nothing was done", found.gate.id);
        Refusal::new(Code::WrongState, text).with("state", found.gate.state.as_str())
    })?;
    found.gate.ended = Some(Ended { by, at_ms: act.now.wall, next_subject_sha256: None });
    gate::update(act.tx, found).map_err(refusal_of)
}

/// Ends the open gate of something that has ended itself.
pub(crate) fn cancel(act: &mut Act<'_>, id: Option<Id>) -> Result<(), Refusal> {
    let Some(mut found) = open_one(act, id)? else { return Ok(()) };
    let by = act.pass.caller.owner.clone();
    end(act, &mut found, End::Cancel, Some(by))?;
    let event = GateCancelled { about: about_of(&found) };
    act.event(found.scope, &found.gate.id.into(), None, &event)
}

/// Ends the open gate of a subject that will be another one.
pub(crate) fn supersede(act: &mut Act<'_>, id: Option<Id>) -> Result<(), Refusal> {
    let Some(mut found) = open_one(act, id)? else { return Ok(()) };
    let by = act.pass.caller.owner.clone();
    end(act, &mut found, End::Supersede, Some(by))?;
    let event = GateSuperseded { about: about_of(&found) };
    act.event(found.scope, &found.gate.id.into(), None, &event)
}

/// Tells a superseded gate what took the place of its subject, so that a late decision on it hears of that (D26).
pub(crate) fn tell_next(act: &mut Act<'_>, id: Option<Id>, next: &str) -> Result<(), Refusal> {
    let Some(id) = id else { return Ok(()) };
    let Some(mut found) = gate::get(act.tx, id).map_err(refusal_of)? else { return Ok(()) };
    let superseded = found.gate.state == State::Superseded && found.gate.subject_sha256 != next;
    if let Some(ended) = found.gate.ended.as_mut().filter(|_| superseded) {
        ended.next_subject_sha256 = Some(next.to_owned());
        gate::update(act.tx, &found).map_err(refusal_of)?;
    }
    Ok(())
}

fn open_one(act: &Act<'_>, id: Option<Id>) -> Result<Option<Found>, Refusal> {
    let Some(id) = id else { return Ok(None) };
    let found = gate::get(act.tx, id).map_err(refusal_of)?;
    Ok(found.filter(|found| !found.gate.state.is_final()))
}

/// What a gate is about, as events say it.
pub(crate) fn about_of(found: &Found) -> String {
    found.change.unwrap_or(found.gate.id).to_string()
}

/// A gate that the caller may see.
pub(crate) fn visible(act: &Act<'_>, id: Id) -> Result<Found, Refusal> {
    let found = gate::get(act.tx, id).map_err(refusal_of)?;
    let seen = found.filter(|found| act.pass.caller.reach.covers(&found.scope_name));
    seen.ok_or_else(|| Refusal::missing("gate", id))
}
