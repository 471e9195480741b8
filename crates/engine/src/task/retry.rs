//! Retry: a dead or cancelled task runs again, attempts fresh.

use super::{Step, dependent, submit};
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::memory::lease::Sort;
use crate::memory::unique::hash_of;
use tiltyard_model::audit::Action;
use tiltyard_model::event::TaskReady;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::task::admission::faults;
use tiltyard_model::task::{OnDependencyFailure, Spec, State, first_state};
use tiltyard_model::time::TimeMs;
use tiltyard_store::task::{Found, PAYLOAD_DELETED, by_key, dependency, keep_payload, renew};

/// What the retry changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another priority.
    pub priority: Option<u8>,
    /// Only this agent may take it.
    pub assign_to: Option<String>,
    /// Another payload: JSON text.
    pub payload: Option<String>,
}

/// Runs a dead or cancelled task again, because somebody asks for it (SEC21). A cancelled attempt that is still
/// stopping takes its slot until it has stopped (D4): the task does not run again beside it. A deadline that has passed
/// was that of the last life; one that lies ahead stays. A unique key without a time is held again until this life has
/// ended; a window is counted from the submission, and is none of a retry's business.
///
/// # Errors
/// 404; 409 `wrong_state` for another state, while the cancelled attempt is still stopping (30 s at most), and for a
/// task whose payload was deleted, unless another is given; 409 `already_exists` while another task holds its unique
/// key; 409 `dependency_failed` while a dependency has ended badly.
pub fn retry(act: &mut Act<'_>, id: Id, edit: &Edit) -> Result<Found, Refusal> {
    let found = act.task(id)?;
    again(act, &found, edit, "retry")?;
    let told = Told::done(&found.task.spec.scope, Action::TaskRetried, id);
    let told = told.with("edited", edit.payload.is_some()).with("assign_to", edit.assign_to.clone());
    act.audit(told.with("priority", edit.priority))?;
    act.task(id)
}

/// The same, whoever asks for it.
pub(crate) fn again(act: &mut Act<'_>, found: &Found, edit: &Edit, cause: &str) -> Result<(), Refusal> {
    again_at(act, found, edit, cause, None)
}

/// The same, not before a time. Where the task cannot run again, nothing was written.
pub(crate) fn again_at(
    act: &mut Act<'_>,
    found: &Found,
    edit: &Edit,
    cause: &str,
    not_before: Option<TimeMs>,
) -> Result<(), Refusal> {
    may_run_again(act, found, edit)?;
    super::edit::internal_stays(found, edit.assign_to.is_some())?;
    crate::dead_letter::revived(act, found, edit)?;
    let mut fresh = found.clone();
    let spec = &mut fresh.task.spec;
    spec.priority = edit.priority.unwrap_or(spec.priority);
    spec.extras.assign_to = edit.assign_to.clone().or_else(|| spec.extras.assign_to.take());
    if let Some(payload) = &edit.payload {
        spec.payload.clone_from(payload);
    }
    if edit.assign_to.is_none() {
        crate::change::forget_author(act, found, spec)?;
    }
    prepare(act, found, spec)?;
    if spec.payload != found.task.spec.payload {
        keep_payload(act.tx, found.key, &found.task.spec.payload).map_err(refusal_of)?;
    }
    // A back-off of the last life is none of the new one's business; a time that a person set and that lies ahead is.
    spec.run_at = not_before.or(spec.run_at.filter(|_| found.task.state == State::Cancelled));
    spec.deadline = spec.deadline.filter(|deadline| *deadline > act.now.wall);
    Refusal::from_faults(faults(spec)).map_or(Ok(()), Err)?;
    let lane = act.lane_key(found.queue, spec)?;
    renew(act.tx, found.key, spec, lane).map_err(refusal_of)?;
    submit::hold(act, found.key, spec, found.scope)?;
    restart(act, &fresh, lane, cause)?;
    revive_dependents(act, found.key)
}

/// What a change's task, and an internal one, needs before it runs again.
fn prepare(act: &mut Act<'_>, found: &Found, spec: &mut Spec) -> Result<(), Refusal> {
    match Sort::of(&spec.kind) {
        Sort::Plain => Ok(()),
        Sort::Git => crate::change::git_revived(act, found),
        Sort::Change => {
            crate::change::may_revive(act, found)?;
            *spec = crate::change::prepare::prepare(act, spec)?;
            Ok(())
        }
    }
}

fn may_run_again(act: &Act<'_>, found: &Found, edit: &Edit) -> Result<(), Refusal> {
    let (task, state) = (&found.task, found.task.state);
    let wrong = |text| Err(Refusal::new(Code::WrongState, text).with("state", state.as_str()));
    if let Some(run) = found.run {
        let run = act.id(Noun::Run, run);
        return wrong(format!(
            "{} is a part of {run}, which would not hear of it: run that again with `tiltyard runs rerun {run} --from STAGE`",
            task.id
        ));
    }
    if !matches!(state, State::Dead | State::Cancelled) {
        return wrong(format!(
            "{} is {}: only dead and cancelled tasks can be retried",
            task.id,
            state.as_str()
        ));
    }
    if is_stopping(act, found.key) {
        return wrong(format!(
            "the attempt {} of {} was cancelled and is still stopping: retry the task once it has stopped, which \
             takes 30 s at most",
            task.generation, task.id
        ));
    }
    if task.reason.as_deref() == Some(PAYLOAD_DELETED) && edit.payload.is_none() {
        return wrong(format!(
            "the payload of {} was deleted with its dead letter: retry it with another payload, or submit it anew",
            task.id
        ));
    }
    if let Some(holder) = key_is_taken(act, found)? {
        let text =
            format!("{holder} holds the unique key of {}: wait until it has ended, or cancel it", task.id);
        return Err(Refusal::new(Code::AlreadyExists, text).with("holder", holder.to_string()));
    }
    if task.spec.extras.on_dependency_failure == OnDependencyFailure::Run {
        return Ok(());
    }
    match dependency::failed(act.tx, found.key).map_err(refusal_of)? {
        None => Ok(()),
        Some(key) => {
            let id = act.id(tiltyard_model::id::Noun::Task, key);
            let text = format!("its dependency {id} has ended badly: retry that one first");
            Err(Refusal::new(Code::DependencyFailed, text).with("dependency", id.to_string()))
        }
    }
}

/// The other task that holds the key which this one would hold again.
fn key_is_taken(act: &Act<'_>, found: &Found) -> Result<Option<Id>, Refusal> {
    let spec = &found.task.spec;
    let Some(unique) = spec.unique.as_ref().filter(|unique| unique.for_ms.is_none()) else { return Ok(None) };
    let holder = submit::holder(act, spec, hash_of(found.scope, &unique.key))?;
    Ok(holder.filter(|holder| holder.key != found.key).map(|holder| holder.task.id))
}

/// Whether a cancelled attempt of the task may still run, and takes its slot.
fn is_stopping(act: &Act<'_>, task: i64) -> bool {
    act.memory.leases.get(task).is_some()
}

/// Moves a task to the first state of a new life.
fn restart(act: &mut Act<'_>, found: &Found, lane: i64, cause: &str) -> Result<(), Refusal> {
    let spec = &found.task.spec;
    let rule = spec.extras.on_dependency_failure;
    let left = dependency::unfinished(act.tx, found.key, rule).map_err(refusal_of)?;
    let to = first_state(left as usize, spec.run_at, act.now.wall);
    let step =
        Step { waits_for: left, lane: Some(lane), priority: Some(spec.priority), ..Step::to(found, to) };
    act.shift(found, step)?;
    if to == State::Pending {
        for on in dependency::of(act.tx, found.key).map_err(refusal_of)? {
            act.memory.await_more(on, 1);
        }
    }
    if to == State::Ready {
        return act.task_event(found.scope, found.key, &TaskReady { cause: cause.to_owned(), run_at: None });
    }
    act.task_event(found.scope, found.key, &dependent::submitted(found, to, cause))
}

/// Tasks that were cancelled with this one wait for it again.
fn revive_dependents(act: &mut Act<'_>, key: i64) -> Result<(), Refusal> {
    let mut again = vec![key];
    while let Some(on) = again.pop() {
        for key in dependency::dependents(act.tx, on).map_err(refusal_of)? {
            let found = by_key(act.tx, key).map_err(refusal_of)?;
            let cancelled = |found: &Found| {
                found.task.state == State::Cancelled
                    && found.task.reason.as_deref() == Some(dependent::BY_DEPENDENCY)
            };
            let Some(found) = found.filter(cancelled) else { continue };
            if !follows(act, &found)? {
                continue;
            }
            match act.part(|act| follow(act, &found))? {
                Ok(()) => again.push(key),
                // Its repository is gone, or its change has not ended: it stays where it is.
                Err(refusal) if matches!(refusal.kind(), Kind::Conflict | Kind::Invalid) => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }
    Ok(())
}

/// A task that was cancelled with its dependency waits again.
fn follow(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    let mut fresh = found.clone();
    prepare(act, found, &mut fresh.task.spec)?;
    crate::dead_letter::revived(act, found, &Edit::default())?;
    let spec = &fresh.task.spec;
    let lane = act.lane_again(found.queue, spec)?;
    renew(act.tx, found.key, spec, lane).map_err(refusal_of)?;
    submit::hold(act, found.key, spec, found.scope)?;
    restart(act, &fresh, lane, "dependency_retried")
}

/// Whether a task that was cancelled with its dependency waits again. It stays where it is with another dependency
/// that has ended badly, past its deadline, while its unique key is another's, and while an attempt of it may run.
fn follows(act: &Act<'_>, found: &Found) -> Result<bool, Refusal> {
    let overdue = found.task.spec.deadline.is_some_and(|deadline| deadline <= act.now.wall);
    Ok(!overdue
        && !is_stopping(act, found.key)
        && key_is_taken(act, found)?.is_none()
        && dependency::failed(act.tx, found.key).map_err(refusal_of)?.is_none())
}
