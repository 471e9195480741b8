//! Dead letters (D10-D12): tasks whose attempts are used up, kept for a person. Here is what people do with one;
//! [`hook`] is what tasks do to theirs, [`bulk`] does it to many, [`list`] reads.

pub mod bulk;
mod hook;
pub mod list;

pub(crate) use hook::{added, ended, revived};

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::memory::letter::Step;
use crate::task::retry::{Edit, again_at};
use list::may_see;
use tiltyard_model::audit::Action;
use tiltyard_model::dead_letter::{Letter, MAX_REASON_CHARS, Move, State};
use tiltyard_model::event::{
    DeadLetterDeleted, DeadLetterDismissed, DeadLetterReopened, Payload, Subject, TaskDeleted,
};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::State as TaskState;
use tiltyard_model::time::TimeMs;
use tiltyard_store::dead_letter;
use tiltyard_store::task::{self, Found, dependency};

/// A letter that the caller may see, with its task.
fn known(act: &Act<'_>, id: Id) -> Result<(Letter, Found), Refusal> {
    let missing = || Refusal::missing("dead letter", id);
    let key = act.tx.key(id).filter(|_| id.noun() == Noun::DeadLetter).ok_or_else(missing)?;
    let letter = dead_letter::get(act.tx, key).map_err(refusal_of)?;
    let letter = letter.filter(|letter| may_see(&act.pass.caller, letter)).ok_or_else(missing)?;
    let found = task::get(act.tx, letter.task).map_err(refusal_of)?;
    Ok((letter, found.ok_or_else(missing)?))
}

/// Runs a letter's task again, perhaps edited.
///
/// # Errors
/// 404; 409 `wrong_state` for a letter that is not `pending`; 409 `dependency_failed`; 422 for an edit that no task takes.
pub fn retry(act: &mut Act<'_>, id: Id, edit: &Edit) -> Result<Letter, Refusal> {
    retry_at(act, id, edit, None)?;
    known(act, id).map(|(letter, _)| letter)
}

/// The same, not before a time.
fn retry_at(act: &mut Act<'_>, id: Id, edit: &Edit, not_before: Option<TimeMs>) -> Result<(), Refusal> {
    let (letter, found) = known(act, id)?;
    letter.state.after(Move::Retry)?;
    again_at(act, &found, edit, "retry", not_before)?;
    let told = Told::done(&letter.scope, Action::DeadLetterRetried, id);
    let told = told.with("task", letter.task.to_string()).with("edited", edit.payload.is_some());
    act.audit(told.with("assign_to", edit.assign_to.clone()).with("priority", edit.priority))
}

/// Sets a letter aside.
///
/// # Errors
/// 404; 409 `wrong_state` for a letter that is not `pending`; 422 for a reason that is empty or too long.
pub fn dismiss(act: &mut Act<'_>, id: Id, reason: &str) -> Result<Letter, Refusal> {
    if reason.trim().is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        return Err(Refusal::field("/reason", "must say why in 1 to 1,000 characters"));
    }
    let (letter, found) = known(act, id)?;
    shift(act, &letter, &found, Move::Dismiss, Some(reason))?;
    letter_event(act, &letter, &found, &DeadLetterDismissed { reason: reason.to_owned() })?;
    let told = Told::done(&letter.scope, Action::DeadLetterDismissed, id);
    act.audit(told.with("task", letter.task.to_string()).with("reason", reason))?;
    known(act, id).map(|(letter, _)| letter)
}

/// Brings a dismissed letter back.
///
/// # Errors
/// 404; 409 `wrong_state` for a letter that is not `dismissed`, or whose task could not be retried as it is.
pub fn reopen(act: &mut Act<'_>, id: Id) -> Result<Letter, Refusal> {
    let (letter, found) = known(act, id)?;
    shift(act, &letter, &found, Move::Reopen, None)?;
    letter_event(act, &letter, &found, &DeadLetterReopened {})?;
    let told = Told::done(&letter.scope, Action::DeadLetterReopened, id);
    act.audit(told.with("task", letter.task.to_string()))?;
    known(act, id).map(|(letter, _)| letter)
}

/// Removes a letter and the payload of its task for good. The task itself goes too, with its logs and artifacts, unless it must still be found: one
/// that succeeded after all, that made a change, that others depend on, or whose last attempt is still stopping. It
/// does not run again without another payload.
///
/// # Errors
/// 404; 409 `wrong_state` while the task runs again on that payload.
pub fn delete(act: &mut Act<'_>, id: Id) -> Result<(), Refusal> {
    let (letter, found) = known(act, id)?;
    letter.state.may_delete()?;
    remove(act, found.scope, &Place { letter: id.key(), task: found.key, state: letter.state }, "requested")?;
    forget_task(act, &found)?;
    let told = Told::done(&letter.scope, Action::DeadLetterDeleted, id);
    act.audit(told.with("task", letter.task.to_string()))
}

/// Where a letter lies.
struct Place {
    letter: i64,
    task: i64,
    state: State,
}

fn remove(act: &mut Act<'_>, scope: i64, place: &Place, reason: &str) -> Result<(), Refusal> {
    dead_letter::delete(act.tx, place.letter).map_err(refusal_of)?;
    let (task, letter) = (place.task, place.letter);
    act.memory.step_letter(Step { scope, task, letter, from: Some(place.state), to: None });
    let subject = Subject::Id(act.id(Noun::DeadLetter, letter));
    act.event(scope, &subject, Some(task), &DeadLetterDeleted { reason: reason.to_owned() })
}

fn forget_task(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    let dead = matches!(found.task.state, TaskState::Dead | TaskState::Cancelled);
    let named = found.task.change.is_some()
        || act.memory.leases.get(found.key).is_some()
        || !dependency::dependents(act.tx, found.key).map_err(refusal_of)?.is_empty();
    if !dead || named {
        return task::forget_payload(act.tx, found.key).map_err(refusal_of);
    }
    task::delete(act.tx, found.key).map_err(refusal_of)?;
    crate::artifact::forget(act, found.key)?;
    tiltyard_store::unique::end(act.tx, found.key).map_err(refusal_of)?;
    act.memory.end_hold(found.key);
    act.memory.count_move(found.queue, Some(found.task.state), None);
    act.task_event(found.scope, found.key, &TaskDeleted { reason: "dead_letter_deleted".to_owned() })
}

/// Moves a letter by the rule.
fn shift(
    act: &mut Act<'_>,
    letter: &Letter,
    found: &Found,
    step: Move,
    reason: Option<&str>,
) -> Result<(), Refusal> {
    let (from, to) = (letter.state, letter.state.after(step)?);
    let key = letter.id.key();
    if !dead_letter::shift(act.tx, key, (from, to), reason, act.now.wall).map_err(refusal_of)? {
        return Err(changed_meanwhile(letter.id));
    }
    let (scope, task) = (found.scope, found.key);
    act.memory.step_letter(Step { scope, task, letter: key, from: Some(from), to: Some(to) });
    Ok(())
}

/// The door does one deed after another, so this is a fault of ours; nothing was changed.
fn changed_meanwhile(id: Id) -> Refusal {
    let text = format!("{id} is not in the store as it was read: nothing was changed");
    Refusal::new(Code::Internal, text)
}

fn letter_event<P: Payload>(
    act: &mut Act<'_>,
    letter: &Letter,
    found: &Found,
    payload: &P,
) -> Result<(), Refusal> {
    act.event(found.scope, &Subject::Id(letter.id), Some(found.key), payload)
}
