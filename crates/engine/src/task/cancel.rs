//! Cancel: a task is called off, and its attempt told to stop (D4).

use super::access::may_speak_for;
use super::{Step, dependent, end};
use crate::act::record::Told;
use crate::act::{Act, Effect, refusal_of};
use crate::memory::lease::{Lease, Sort};
use tiltyard_model::audit::Action;
use tiltyard_model::change::work::{CLEAN_KIND, PROBE_KIND};
use tiltyard_model::event::{TaskCancelled, TaskStopped};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::attempt::{Next, Outcome, Stop};
use tiltyard_model::task::lease::STOP_CONFIRM_MS;
use tiltyard_model::task::{State, Task};
use tiltyard_model::time::DurationMs;
use tiltyard_store::task::Found;

/// Longest reason in characters.
pub const MAX_REASON_CHARS: usize = 1_000;
/// A stop has no time of its own to run out.
pub(crate) const NEVER: DurationMs = DurationMs::MAX;

/// Calls a task off, because somebody asks for it (SEC21); a cancelled one stays so.
///
/// # Errors
/// 404; 409 `already_final` for one that succeeded or died; 409 `wrong_state` for an internal one at work for a change or
/// a repository.
pub fn cancel(act: &mut Act<'_>, id: Id, reason: &str) -> Result<Found, Refusal> {
    if reason.chars().count() > MAX_REASON_CHARS {
        return Err(Refusal::field("/reason", "must be at most 1,000 characters"));
    }
    let found = act.task(id)?;
    match found.task.state {
        State::Cancelled => return Ok(found),
        State::Succeeded | State::Dead => return Err(already_final(&found.task)),
        _ if is_needed(&found.task) => return Err(needed(&found.task)),
        _ => call_off(act, &found, reason)?,
    }
    let told = Told::done(&found.task.spec.scope, Action::TaskCancelled, id);
    act.audit(told.with("reason", super::first_line(reason)).with("from", found.task.state.as_str()))?;
    act.task(id)
}

fn already_final(task: &Task) -> Refusal {
    let text = format!("{} is {} already: there is nothing to cancel", task.id, task.state.as_str());
    Refusal::new(Code::AlreadyFinal, text).with("state", task.state.as_str())
}

/// Whether something waits for an internal task: called off by itself, it would leave nobody who knows what its agent
/// has done (C34). A clean-up is waited for by nothing.
fn is_needed(task: &Task) -> bool {
    Sort::of(&task.spec.kind) == Sort::Git && task.spec.kind != CLEAN_KIND
}

fn needed(task: &Task) -> Refusal {
    let (id, kind, state) = (task.id, &task.spec.kind, task.state.as_str());
    let instead = if kind == PROBE_KIND {
        "register the repository once more, or remove it".to_owned()
    } else {
        let change = task.spec.extras.labels.first().map(|change| format!(" {change}")).unwrap_or_default();
        format!("cancel the task of its change{change}: what its agent has done by then is told truly")
    };
    let text = format!("{id} is an internal task ({kind}), which is not cancelled by itself: {instead}");
    Refusal::new(Code::WrongState, text).with("state", state)
}

/// Calls an unfinished task off, for whatever reason.
pub(crate) fn call_off(act: &mut Act<'_>, found: &Found, reason: &str) -> Result<(), Refusal> {
    let from = found.task.state;
    if from == State::Running {
        stop_running(act, found, reason)?;
    } else {
        act.shift(found, Step { reason: Some(reason), ..Step::to(found, State::Cancelled) })?;
        if from == State::Pending {
            dependent::stop_waiting(act, found)?;
        }
        event(act, found, reason)?;
        dependent::after_end(act, found.key, State::Cancelled)?;
    }
    tell_change(act, found, reason)
}

/// What the end of a task that was called off means to the change that it is for.
pub(crate) fn tell_change(act: &mut Act<'_>, found: &Found, reason: &str) -> Result<(), Refusal> {
    match Sort::of(&found.task.spec.kind) {
        Sort::Change => crate::change::task_ended(act, found, reason),
        Sort::Git => crate::change::git_ended(act, found, Outcome::Cancelled, None, Some(reason)),
        Sort::Plain => Ok(()),
    }
}

fn event(act: &mut Act<'_>, found: &Found, reason: &str) -> Result<(), Refusal> {
    let event = TaskCancelled {
        generation: found.task.generation,
        reason: reason.to_owned(),
        from: found.task.state,
    };
    act.task_event(found.scope, found.key, &event)
}

/// The attempt ends at once for us; its slot is free when nothing of it runs any more.
fn stop_running(act: &mut Act<'_>, found: &Found, reason: &str) -> Result<(), Refusal> {
    let lease = act.memory.leases.live(found.key, found.task.generation).cloned();
    let lease =
        lease.ok_or_else(|| Refusal::new(Code::Internal, "a running task has no lease: nothing was done"))?;
    let next = Next { state: State::Cancelled, run_at: None, used: found.task.used };
    let ended = end::Ended { outcome: Outcome::Cancelled, result: None, error: None, reason };
    end::plain_end(act, &lease, &ended, next)?;
    event(act, found, reason)?;
    let expires = act.now.steady + STOP_CONFIRM_MS;
    act.memory.put_lease(Lease { stop: Some(Stop::Requested), expires, times_out: NEVER, ..lease.clone() });
    act.effects.push(Effect::StopAttempt {
        agent: act.memory.names.agent_name(lease.agent).to_owned(),
        task: found.task.id,
        generation: lease.generation,
        reason: reason.to_owned(),
    });
    dependent::after_end(act, found.key, State::Cancelled)
}

/// Keeps how the stop of an attempt stands; a step back, or a step of another attempt, changes nothing.
///
/// # Errors
/// When the store cannot write it.
pub fn stopped(act: &mut Act<'_>, found: &Found, generation: i64, stop: Stop) -> Result<(), Refusal> {
    let open = act.memory.leases.get(found.key).filter(|lease| lease.generation == generation).cloned();
    let before = open.as_ref().and_then(|lease| lease.stop);
    let late_word = before.is_none() && stop == Stop::Stopped;
    if !late_word && before.is_none_or(|before| before.code() >= stop.code()) {
        return Ok(());
    }
    if !tiltyard_store::task::stop(act.tx, found.key, generation, stop).map_err(refusal_of)? {
        return Ok(());
    }
    match open {
        Some(lease) if stop.is_open() => act.memory.put_lease(Lease { stop: Some(stop), ..lease }),
        Some(lease) => act.memory.end_lease(lease.task),
        None => {}
    }
    let word = match stop {
        Stop::Requested => "requested",
        Stop::Acknowledged => "acknowledged",
        Stop::Stopped => "stopped",
        Stop::Unconfirmed => "unconfirmed",
    };
    act.task_event(found.scope, found.key, &TaskStopped { generation, stop: word.to_owned() })?;
    crate::run::stop::task_stopped(act, found.key, stop)
}

/// An agent says how the stop of an attempt of its own goes.
///
/// # Errors
/// 404 for a task that the caller does not see, and for another agent's attempt (SEC3).
pub fn report_stop(act: &mut Act<'_>, id: Id, generation: i64, stop: Stop) -> Result<(), Refusal> {
    let found = act.task(id)?;
    if !may_report(act, &found, generation)? {
        return Err(Refusal::missing("task", id));
    }
    stopped(act, &found, generation, stop)
}

/// Whether the caller speaks for the agent of an attempt.
pub(crate) fn may_report(act: &Act<'_>, found: &Found, generation: i64) -> Result<bool, Refusal> {
    let attempt = tiltyard_store::task::attempt(act.tx, found.key, generation).map_err(refusal_of)?;
    Ok(attempt.is_none_or(|attempt| may_speak_for(act, &attempt.agent)))
}
