//! A slot has come: it is dealt with once, whoever does it.
//!
//! What is due is reckoned outside of the door ([`plan`]) and dealt with inside of it ([`fire`]): there the schedule must still be the
//! one that was reckoned with, of the same revision and with the same last slot. So neither two servers nor a clock that is set
//! back start anything twice.

use super::launch::launch;
use crate::act::{Act, refusal_of};
use crate::run::{Asked, Start as Ready, Which};
use tiltyard_model::event::{ScheduleSkipped, Subject};
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::schedule;
use tiltyard_model::schedule::Overlap;
use tiltyard_model::schedule::kept::{Became, Last, MAX_KEPT_STARTS, Schedule, What};
use tiltyard_model::time::{TimeMs, rfc3339};
use tiltyard_store::schedule::{self as store, Dealt, Due, Forget, Stage, Start};

/// Most schedules of one deed; the rest are next.
pub const MAX_DUE: u32 = 100;

/// What is to be done for a schedule that has a slot.
#[derive(Debug, Clone)]
pub struct Plan {
    of: Due,
    due: schedule::Due,
    next_at: Option<TimeMs>,
    /// The last slot that was missed before the one that is started.
    missed_at: Option<TimeMs>,
    /// The run, or why there can be none.
    run: Option<Result<Ready, Refusal>>,
    /// Why no slot of it can be reckoned.
    error: Option<String>,
}

impl Plan {
    /// Who starts which run, where the slot starts one: to be made ready before the slot is dealt with.
    pub fn asks(&self) -> Option<(String, Asked)> {
        let What::Pipeline { name, input } = &self.of.what else { return None };
        let which = Which::Named { name: name.clone(), number: None };
        let asked = Asked { scope: self.of.scope.clone(), which, input: Some(input.clone()), title: None };
        self.due.fire.map(|_| (self.of.saved_by.clone(), asked))
    }

    /// The run is ready, or cannot be started.
    pub fn answer(&mut self, run: Result<Ready, Refusal>) {
        self.run = Some(run);
    }
}

/// Reckons what is due of a schedule; `None` when nothing is yet.
pub fn plan(of: Due, now: TimeMs) -> Option<Plan> {
    let table = match of.timing.timetable() {
        Ok(table) => table,
        // A time zone that this program does not know any more: it rests until somebody saves it anew.
        Err(refusal) => {
            let due = schedule::Due { fire: None, last: of.next_at, missed: 1 };
            let error = Some(refusal.to_string());
            return Some(Plan { of, due, next_at: None, missed_at: None, run: None, error });
        }
    };
    let due = table.due(of.missed, of.last_at, now)?;
    let fire = due.fire.filter(|_| due.missed > 0);
    let missed_at = fire.and_then(|at| table.latest(of.last_at, at - 1));
    Some(Plan { next_at: table.next(due.last), missed_at, of, due, run: None, error: None })
}

/// Deals with the next slot of each; says of how many. What cannot be started for now, because the server is too full, stays due.
///
/// # Errors
/// 503 when that is so for all of them.
pub fn fire(act: &mut Act<'_>, plans: &[Plan]) -> Result<usize, Refusal> {
    let (mut done, mut full) = (0, None);
    for plan in plans {
        match act.part(|act| deal(act, plan))? {
            Ok(dealt) => done += usize::from(dealt),
            Err(refusal) if refusal.kind() == Kind::Overloaded => full = Some(refusal),
            Err(refusal) => {
                let Due { scope, name, .. } = &plan.of;
                tracing::error!(target: "scheduler", scope, name, "a slot is left as it is: {refusal}");
            }
        }
    }
    full.filter(|_| done == 0).map_or(Ok(done), Err)
}

fn deal(act: &mut Act<'_>, plan: &Plan) -> Result<bool, Refusal> {
    let Plan { of, due, .. } = plan;
    let found = store::get(act.tx, &of.scope, &of.name).map_err(refusal_of)?;
    let is_same =
        |found: &Schedule| (found.revision, found.last_at, found.paused) == (of.revision, of.last_at, false);
    let Some(found) = found.filter(is_same) else { return Ok(false) };
    let scope = act.scope_key(&of.scope)?;
    let last = match due.fire {
        Some(at) => {
            let missed = (plan.missed_at.unwrap_or(at), due.missed);
            tell_skipped(act, scope, &found.name, missed, (Became::Missed, None))?;
            launch(act, scope, &found, (at, plan.run.as_ref()))?
        }
        None => nothing(plan),
    };
    if let Some(reason) = last.became.reason() {
        let count = if due.fire.is_some() { 1 } else { due.missed };
        tell_skipped(act, scope, &found.name, (last.at, count), (last.became, last.error.as_deref()))?;
        tracing::debug!(target: "scheduler", name = found.name, reason, "a slot starts nothing");
    }
    keep(act, scope, &found, &last)?;
    let dealt = Dealt {
        scope,
        name: &found.name,
        revision: found.revision,
        from: found.last_at,
        to: due.last,
        next_at: plan.next_at,
        last: &last,
    };
    if store::dealt(act.tx, &dealt).map_err(refusal_of)? {
        return Ok(true);
    }
    Err(Refusal::new(Code::Internal, "the schedule changed while its slot was dealt with"))
}

/// Of a slot that nobody started in time, or that cannot be reckoned.
fn nothing(plan: &Plan) -> Last {
    let became = if plan.error.is_some() { Became::Refused } else { Became::Missed };
    Last { at: plan.due.last, became, thing: None, error: plan.error.clone() }
}

fn tell_skipped(
    act: &mut Act<'_>,
    scope: i64,
    name: &str,
    (at, count): (TimeMs, u32),
    (became, error): (Became, Option<&str>),
) -> Result<(), Refusal> {
    let Some(reason) = became.reason().filter(|_| count > 0) else { return Ok(()) };
    let (slot, reason, error) = (rfc3339(at), reason.to_owned(), error.map(str::to_owned));
    let event = ScheduleSkipped { slot, count: u64::from(count), reason, error };
    act.event(scope, &Subject::from(name), None, &event)
}

/// What became of the slot is kept, and what is kept of old ones is forgotten.
fn keep(act: &mut Act<'_>, scope: i64, found: &Schedule, last: &Last) -> Result<(), Refusal> {
    let stage = match last.became {
        Became::Started => Stage::UnderWay,
        Became::Queued => Stage::Queued,
        _ => Stage::Skipped,
    };
    let (name, revision) = (found.name.as_str(), found.revision);
    let reason = last.became.reason();
    let start = Start { scope, name, revision, at: last.at, thing: last.thing, stage, reason };
    store::start(act.tx, &start).map_err(refusal_of)?;
    // Where nothing waits for what is under way, nobody asks how much of it there is.
    let forget = if found.overlap == Overlap::Allow { Forget::All } else { Forget::Ended };
    store::prune(act.tx, scope, name, MAX_KEPT_STARTS, forget).map_err(refusal_of)
}
