//! Gates: stops that people decide (D23, D24, D26). The rules of a vote are `model::gate`; here they are written
//! down, and what waited goes on. A gate stops a change or a stage of a run: the same rows and the same deeds, until it
//! has ended.

pub mod amend;
pub mod ask;
mod back;
pub mod decide;
pub mod expire;
mod of_run;
pub mod read;
pub mod tell;

use crate::act::record::Within;
use crate::act::{Act, refusal_of};
use crate::change;
use tiltyard_model::event::{GateCancelled, GateOpened, GateSuperseded, Payload};
use tiltyard_model::gate::calendar::{Calendar, Told};
use tiltyard_model::gate::{Block, End, Ended, Gate, OnTimeout, State};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::rules::Asks;
use tiltyard_store::change::Found as FoundChange;
use tiltyard_store::gate::{self, About, Found, Place};

/// A gate to open.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// The key of its scope.
    pub scope: i64,
    /// What it stops.
    pub of: Of,
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
    /// When people are told of it, and when its time is over.
    pub calendar: Calendar,
    /// What the end of its time does.
    pub on_timeout: OnTimeout,
    /// How much waits behind it: the inbox shows first what most waits for.
    pub weight: i64,
}

/// What a gate stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A change, which it decides on.
    Change(Id),
    /// A stage of a run, or an item of one.
    Run(Place),
}

/// Opens a gate.
///
/// # Errors
/// When the store cannot write it.
pub fn open(act: &mut Act<'_>, open: Open) -> Result<Found, Refusal> {
    let key = act.next_key();
    let found = made(act, open, key);
    gate::insert(act.tx, &found).map_err(refusal_of)?;
    let event = GateOpened {
        about: about_of(&found),
        subject_sha256: found.gate.subject_sha256.clone(),
        who: found.gate.quorum.to_string(),
        stage: found.about.stage.clone(),
    };
    told(act, &found, &event)?;
    Ok(found)
}

fn made(act: &Act<'_>, open: Open, key: i64) -> Found {
    let id = act.id(Noun::Gate, key);
    let (change, run) = match open.of {
        Of::Change(change) => (Some(change), None),
        Of::Run(place) => (None, Some(place)),
    };
    let gate = Gate {
        id,
        state: State::Open,
        subject_sha256: open.subject_sha256,
        earlier_sha256: Vec::new(),
        quorum: open.asks.quorum,
        self_approval: open.asks.self_approval,
        reduction: open.asks.reduction,
        submitter: open.submitter,
        // A run may have many gates: its id would not say which one is meant.
        confirm_with: change.into_iter().chain([id]).map(|id| id.to_string()).collect(),
        block: open.block,
        expires_ms: open.calendar.expires_ms,
        on_timeout: open.on_timeout,
        votes: Vec::new(),
        ended: None,
    };
    Found {
        gate,
        key,
        scope: open.scope,
        scope_name: act.memory.names.scope_name(open.scope).to_owned(),
        change,
        run,
        about: open.about,
        opened_at: act.now.wall,
        calendar: open.calendar,
        told: Told::default(),
        weight: open.weight,
        cast: 0,
    }
}

/// Writes an event of a gate.
fn told<P: Payload>(act: &mut Act<'_>, found: &Found, payload: &P) -> Result<(), Refusal> {
    let within = Within { task: None, run: found.run.map(|place| place.run.key()) };
    act.event_within(found.scope, &found.gate.id.into(), within, payload)
}

/// Ends a gate and writes it; the caller writes the event. `by` is whose act it was, `None` for a time-out.
pub(crate) fn end(act: &mut Act<'_>, found: &mut Found, end: End, by: Option<String>) -> Result<(), Refusal> {
    let ended = Ended::by(by, act.now.wall);
    end_so(act, found, end, ended)
}

/// The same, with all that there is to say of it.
fn end_so(act: &mut Act<'_>, found: &mut Found, end: End, ended: Ended) -> Result<(), Refusal> {
    let state = found.gate.state.after(end);
    found.gate.state = state.ok_or_else(|| {
        let text = format!("{} has ended already: nothing was done", found.gate.id);
        Refusal::new(Code::WrongState, text).with("state", found.gate.state.as_str())
    })?;
    found.gate.ended = Some(ended);
    gate::update(act.tx, found).map_err(refusal_of)
}

/// What follows from the end of a gate, for what it stops; nothing while it is open.
fn after(act: &mut Act<'_>, found: &Found, replayed: bool) -> Result<Option<FoundChange>, Refusal> {
    if found.run.is_some() {
        of_run::after(act, found, replayed)?;
    }
    found.change.map(|id| change::after_gate(act, id, found, replayed)).transpose()
}

/// Ends the open gate of something that has ended itself.
pub(crate) fn cancel(act: &mut Act<'_>, id: Option<Id>) -> Result<(), Refusal> {
    let Some(mut found) = open_one(act, id)? else { return Ok(()) };
    let by = act.pass.caller.owner.clone();
    end(act, &mut found, End::Cancel, Some(by))?;
    let event = GateCancelled { about: about_of(&found) };
    told(act, &found, &event)
}

/// Ends the gate of a run that goes on without it: cancelled with it, or gone back. `None` where it had ended before.
///
/// # Errors
/// When the store cannot write it.
pub fn cancelled(act: &mut Act<'_>, id: Id) -> Result<Option<End>, Refusal> {
    let open = open_one(act, Some(id))?.is_some();
    cancel(act, Some(id))?;
    Ok(open.then_some(End::Cancel))
}

/// Ends the open gate of a subject that will be another one.
pub(crate) fn supersede(act: &mut Act<'_>, id: Option<Id>) -> Result<(), Refusal> {
    let Some(mut found) = open_one(act, id)? else { return Ok(()) };
    let by = act.pass.caller.owner.clone();
    end(act, &mut found, End::Supersede, Some(by))?;
    let event = GateSuperseded { about: about_of(&found) };
    told(act, &found, &event)
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
    let run = found.run.map(|place| place.run);
    found.change.or(run).unwrap_or(found.gate.id).to_string()
}

/// A gate that the caller may see.
pub(crate) fn visible(act: &Act<'_>, id: Id) -> Result<Found, Refusal> {
    let found = gate::get(act.tx, id).map_err(refusal_of)?;
    let seen = found.filter(|found| act.pass.caller.reach.covers(&found.scope_name));
    seen.ok_or_else(|| Refusal::missing("gate", id))
}
