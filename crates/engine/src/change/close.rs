//! The end of a change without a merge, and what is left behind.

use super::git::{Job, submit};
use super::{Case, check};
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::gate;
use crate::task::cancel;
use tiltyard_model::audit::Action;
use tiltyard_model::change::work::{CHECK_KIND, CLEAN_KIND, CheckPayload, CleanPayload, End};
use tiltyard_model::change::{Move, State};
use tiltyard_model::event::{ChangeClosed, ChangeRejected};
use tiltyard_model::gate::Block;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{DurationMs, MINUTE_MS};
use tiltyard_store::task::Found;

/// Wall time of the clean-up of a mirror.
const CLEAN_MS: DurationMs = 5 * MINUTE_MS;
/// How often it is tried; what is left then goes with the mirror.
const CLEAN_ATTEMPTS: u32 = 3;

/// A task of kind `change` has died or was cancelled: its change ends with it. A merge that is under way is not taken
/// back by that: it ends first, and the change tells what became of it (C34).
pub(crate) fn task_ended(act: &mut Act<'_>, found: &Found, reason: &str) -> Result<(), Refusal> {
    let Some(id) = found.task.change else { return Ok(()) };
    let mut case = Case::load(act, id)?;
    if case.state().is_final() {
        return Ok(());
    }
    if case.state() == State::Merging {
        case.record().closing = Some(reason.to_owned());
        return case.save(act);
    }
    close(act, &mut case, reason)
}

/// Closes a change.
pub(super) fn close(act: &mut Act<'_>, case: &mut Case, reason: &str) -> Result<(), Refusal> {
    case.go(Move::Close)?;
    case.record().reason = Some(reason.to_owned());
    case.save(act)?;
    let (scope, id) = (case.found.scope, case.id());
    let event = ChangeClosed { reason: crate::task::first_line(reason) };
    act.event(scope, &id.into(), Some(case.found.change.task.key()), &event)?;
    let told = Told::done(&case.found.change.scope, Action::ChangeClosed, id);
    act.audit(told.with("reason", crate::task::first_line(reason)))?;
    gate::cancel(act, case.found.change.gate)?;
    end_git(act, case)?;
    clean(act, case, End::Dropped)
}

/// Rejects a change: its task is called off.
pub(super) fn reject(act: &mut Act<'_>, case: &mut Case) -> Result<(), Refusal> {
    case.save(act)?;
    let by = case.by.clone().unwrap_or_else(|| "time_out".to_owned());
    let reason = crate::task::first_line(case.found.change.record.reason.as_deref().unwrap_or_default());
    let event = ChangeRejected { by, reason };
    act.event(case.found.scope, &case.id().into(), Some(case.found.change.task.key()), &event)?;
    let task = case.task(act)?;
    if !task.task.state.is_final() {
        cancel::call_off(act, &task, "rejected")?;
    }
    clean(act, case, End::Dropped)
}

/// Calls the internal task off that is at work for a change.
pub(super) fn end_git(act: &mut Act<'_>, case: &Case) -> Result<(), Refusal> {
    let Some(id) = case.found.change.record.git else { return Ok(()) };
    match tiltyard_store::task::get(act.tx, id).map_err(refusal_of)? {
        Some(found) if !found.task.state.is_final() => cancel::call_off(act, &found, "change_closed"),
        _ => Ok(()),
    }
}

/// Has the mirror forget a change that is final.
pub(super) fn clean(act: &mut Act<'_>, case: &Case, end: End) -> Result<(), Refusal> {
    let Some(repository) = case.repository(act)? else { return Ok(()) };
    let payload = CleanPayload { change: case.id(), repository: repository.place(), end };
    let job = Job {
        kind: CLEAN_KIND,
        title: format!("clean up: {}", case.found.change.record.title),
        scope: &case.found.change.scope,
        agent: &repository.registration.agent,
        change: Some(case.id()),
        concurrency: None,
        priority: 3,
        timeout_ms: CLEAN_MS,
        max_attempts: CLEAN_ATTEMPTS,
    };
    act.as_system(|act| submit(act, job, &payload)).map(drop)
}

/// Refused: the last merge of the task is still under way, so nobody knows yet whether there is anything to do again.
pub(crate) fn may_revive(act: &Act<'_>, found: &Found) -> Result<(), Refusal> {
    let Some(id) = found.task.change else { return Ok(()) };
    let case = Case::load(act, id)?;
    if case.state().is_final() {
        return Ok(());
    }
    let text = format!("{id} is {}: wait until that has ended, then retry", case.state().as_str());
    Err(Refusal::new(Code::WrongState, text).with("change", id.to_string()))
}

/// A person retries an internal task. Checks that could not run do so again; a merge is tried again by approving, a
/// repository is looked at again by registering it.
pub(crate) fn git_revived(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    let refused = |text: &str| Err(Refusal::new(Code::WrongState, text));
    match found.task.spec.kind.as_str() {
        CLEAN_KIND => return Ok(()),
        CHECK_KIND => {}
        _ => return refused("approve the change once more, or register the repository once more, instead"),
    }
    let Ok(asked) = serde_json::from_str::<CheckPayload>(&found.task.spec.payload) else {
        return refused("nothing waits for these checks");
    };
    let mut case = Case::load(act, asked.change)?;
    let gate = case.found.change.gate.map(|id| tiltyard_store::gate::get(act.tx, id)).transpose();
    let block = gate.map_err(refusal_of)?.flatten().and_then(|gate| gate.gate.block);
    let awaited = case.state() == State::Review && case.found.change.record.git == Some(found.task.id);
    if !awaited || block != Some(Block::Unchecked) {
        return refused("the change does not wait for these checks any more");
    }
    gate::supersede(act, case.found.change.gate)?;
    case.go(Move::Recheck)?;
    case.save(act)?;
    check::announce(act, &case)
}
