//! The end of an attempt: the row, the lease, the counts, the event, and what hangs on it.

use super::dependent;
use super::settle::{Report, outcome_word, short_error};
use crate::act::{Act, refusal_of};
use crate::memory::lease::{Lease, Sort};
use tiltyard_model::event::{TaskDead, TaskFailed, TaskLeaseLost, TaskReleased, TaskSucceeded, TaskWaiting};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::{Next, Outcome, Stop};
use tiltyard_model::task::lease::stale;
use tiltyard_model::time::rfc3339;
use tiltyard_store::task::{Found, Settle};

/// The error of an attempt that the server's own watch has ended.
pub const TIMED_OUT_BY_SERVER: &str =
    "the attempt ran longer than its timeout_ms and its agent did not end it";

/// How an attempt ended, whoever says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    /// How.
    pub outcome: Outcome,
    /// JSON text.
    pub result: Option<&'a str>,
    /// What went wrong.
    pub error: Option<&'a str>,
    /// Why, for events: `released`, `dropped`, `expired`, `new_instance`.
    pub reason: &'a str,
}

impl<'a> Ended<'a> {
    /// As its agent reports.
    pub(crate) fn reported(report: &'a Report) -> Self {
        Self {
            outcome: report.outcome,
            result: report.result.as_deref(),
            error: report.error.as_deref(),
            reason: "released",
        }
    }
}

/// The hot path: a plain task is done. Nothing is read.
pub(crate) fn plain_success(
    act: &mut Act<'_>,
    lease: &Lease,
    report: &Report,
    next: Next,
) -> Result<State, Refusal> {
    write(act, lease, &Ended::reported(report), next)?;
    let (queue, scope) = place(act, lease);
    act.memory.count_move(queue, Some(State::Running), Some(next.state));
    act.task_event(scope, lease.task, &TaskSucceeded { generation: lease.generation })?;
    dependent::after_end(act, lease.task, next.state)?;
    Ok(next.state)
}

/// Ends an attempt and moves its task to `next`.
pub(crate) fn attempt(
    act: &mut Act<'_>,
    lease: &Lease,
    found: &Found,
    ended: &Ended<'_>,
    next: Next,
) -> Result<State, Refusal> {
    write(act, lease, ended, next)?;
    let (queue, scope) = place(act, lease);
    act.memory.count_move(queue, Some(State::Running), Some(next.state));
    if next.state == State::Ready {
        act.memory.make_ready(found.lane, found.key, act.now.wall, found.task.spec.priority);
    }
    event(act, scope, lease, ended, next)?;
    if next.state == State::Dead && lease.sort != Sort::Git {
        let error = with_history(ended.error, crate::change::came_back_for(act, found)?);
        crate::dead_letter::added(act, found, error.as_deref())?;
    }
    if next.state.is_final() {
        dependent::after_end(act, lease.task, next.state)?;
    }
    match lease.sort {
        Sort::Git if next.state.is_final() => {
            crate::change::git_ended(act, found, ended.outcome, ended.result, ended.error)?;
        }
        Sort::Git => crate::change::git_paused(act, found, ended.outcome)?,
        Sort::Change if next.state == State::Dead => {
            let back = crate::change::came_back_for(act, found)?;
            let reason = with_history(Some("the task is dead"), back).unwrap_or_default();
            crate::change::task_ended(act, found, &reason)?;
        }
        _ => {}
    }
    Ok(next.state)
}

/// An error, and in its first line what its change had come back for: the last attempt knows its own end alone.
pub(super) fn with_history(error: Option<&str>, came_back_for: Option<String>) -> Option<String> {
    let Some(history) = came_back_for else { return error.map(str::to_owned) };
    let error = error.unwrap_or("no error was given");
    let (first, rest) = error.split_once('\n').map_or((error, ""), |(first, rest)| (first, rest));
    let first = format!("{first} (its change had come back: {history})");
    Some(if rest.is_empty() { first } else { format!("{first}\n{rest}") })
}

/// Ends an attempt without a word about what follows: the caller writes the event.
pub(crate) fn plain_end(
    act: &mut Act<'_>,
    lease: &Lease,
    ended: &Ended<'_>,
    next: Next,
) -> Result<(), Refusal> {
    write(act, lease, ended, next)?;
    let (queue, _) = place(act, lease);
    act.memory.count_move(queue, Some(State::Running), Some(next.state));
    Ok(())
}

/// The row and the lease.
fn write(act: &mut Act<'_>, lease: &Lease, ended: &Ended<'_>, next: Next) -> Result<(), Refusal> {
    let cancelled = ended.outcome == Outcome::Cancelled;
    let settle = Settle {
        key: lease.task,
        generation: lease.generation,
        outcome: ended.outcome,
        result: ended.result,
        error: ended.error,
        state: next.state,
        used: next.used,
        run_at: next.run_at,
        now: act.now.wall,
        stop: cancelled.then_some(Stop::Requested),
        reason: cancelled.then_some(ended.reason),
    };
    if !tiltyard_store::task::settle(act.tx, &settle).map_err(refusal_of)? {
        tracing::error!(target: "scheduler", key = lease.task, "a lease in memory is not in the store");
        return Err(stale(lease.generation, lease.generation, None));
    }
    act.memory.end_lease(lease.task);
    Ok(())
}

/// The keys of a lease's queue and scope.
pub(crate) fn place(act: &Act<'_>, lease: &Lease) -> (i64, i64) {
    let queue = act.memory.names.lane(lease.lane).map_or(0, |(queue, _)| queue);
    (queue, act.memory.names.queue(queue).map_or(0, |queue| queue.scope))
}

fn event(act: &mut Act<'_>, scope: i64, lease: &Lease, ended: &Ended<'_>, next: Next) -> Result<(), Refusal> {
    let (task, generation) = (lease.task, lease.generation);
    let agent = act.memory.names.agent_name(lease.agent).to_owned();
    let reason = ended.reason.to_owned();
    match (next.state, ended.outcome) {
        (State::Succeeded, _) => act.task_event(scope, task, &TaskSucceeded { generation }),
        (State::Waiting, _) => act.task_event(scope, task, &TaskWaiting { generation, waits_for: None }),
        (State::Dead, outcome) => {
            let (error, outcome) = (short_error(ended.error), outcome_word(outcome).to_owned());
            act.task_event(scope, task, &TaskDead { generation, error, outcome })
        }
        (State::Ready, Outcome::LeaseLost) => {
            act.task_event(scope, task, &TaskLeaseLost { generation, agent, reason })
        }
        (State::Ready, _) => act.task_event(scope, task, &TaskReleased { generation, reason }),
        (State::Scheduled, outcome) => {
            let failed = TaskFailed {
                generation,
                error: short_error(ended.error),
                timed_out: outcome == Outcome::TimedOut,
                run_at: rfc3339(next.run_at.unwrap_or(act.now.wall)),
            };
            act.task_event(scope, task, &failed)
        }
        (State::Cancelled | State::Pending | State::Running, _) => Ok(()),
    }
}
