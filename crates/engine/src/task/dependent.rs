//! What hangs on a task's end: its unique key, and the tasks that wait for it (D7).

use super::Step;
use crate::act::{Act, refusal_of};
use tiltyard_model::event::{TaskCancelled, TaskReady, TaskSubmitted};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::{AfterDependency, State, after_dependency};
use tiltyard_model::time::rfc3339;
use tiltyard_store::task::{Found, by_key, dependency};

/// The reason of a task that was cancelled with its dependency.
pub const BY_DEPENDENCY: &str = "dependency";
/// Most pending tasks that wait for one task: all of them move on in the deed that ends it.
pub const MAX_DEPENDENTS: u32 = 10_000;

/// Refuses one more task that waits for `on`.
///
/// # Errors
/// 422 at `field`.
pub(crate) fn admit(act: &Act<'_>, on: &Found, field: impl Into<String>) -> Result<(), Refusal> {
    if on.task.state.is_final() || act.memory.awaited.get(&on.key).is_none_or(|count| *count < MAX_DEPENDENTS)
    {
        return Ok(());
    }
    let text = format!(
        "{MAX_DEPENDENTS} tasks wait for {} already: let one task wait for it, and others for that one",
        on.task.id
    );
    Err(Refusal::field(field, text))
}

/// A task has become final: its unique key is free, its letter is answered, and its dependents move on.
pub(crate) fn after_end(act: &mut Act<'_>, key: i64, state: State) -> Result<(), Refusal> {
    let mut ended = vec![(key, state)];
    // One after the other, not by recursion: a chain of dependents may be long.
    while let Some((key, state)) = ended.pop() {
        crate::dead_letter::ended(act, key, state)?;
        crate::run::task::ended(act, key, state)?;
        if act.memory.unique.ends_with_task(key) {
            tiltyard_store::unique::end(act.tx, key).map_err(refusal_of)?;
            act.memory.end_hold(key);
        }
        if act.memory.awaited.contains_key(&key) {
            ended.extend(wake_dependents(act, key, state)?);
        }
    }
    Ok(())
}

fn wake_dependents(act: &mut Act<'_>, on: i64, state: State) -> Result<Vec<(i64, State)>, Refusal> {
    let mut ended = Vec::new();
    for key in dependency::dependents(act.tx, on).map_err(refusal_of)? {
        let found = by_key(act.tx, key).map_err(refusal_of)?;
        let Some(found) = found.filter(|found| found.task.state == State::Pending) else { continue };
        if wake(act, &found, state == State::Succeeded)? == AfterDependency::Cancel {
            ended.push((key, State::Cancelled));
        }
    }
    Ok(ended)
}

fn wake(act: &mut Act<'_>, found: &Found, succeeded: bool) -> Result<AfterDependency, Refusal> {
    let spec = &found.task.spec;
    let rule = spec.extras.on_dependency_failure;
    let left = dependency::unfinished(act.tx, found.key, rule).map_err(refusal_of)?;
    let what = after_dependency(succeeded, left as usize, rule, spec.run_at, act.now.wall);
    match what {
        AfterDependency::Stay => dependency::recount(act.tx, found.key, left).map_err(refusal_of)?,
        AfterDependency::Go(to) => go(act, found, to, "dependencies")?,
        AfterDependency::Cancel => {
            act.shift(found, Step { reason: Some(BY_DEPENDENCY), ..Step::to(found, State::Cancelled) })?;
            stop_waiting(act, found)?;
            let event = TaskCancelled {
                generation: found.task.generation,
                reason: BY_DEPENDENCY.to_owned(),
                from: State::Pending,
            };
            act.task_event(found.scope, found.key, &event)?;
            super::cancel::tell_change(act, found, BY_DEPENDENCY)?;
        }
    }
    Ok(what)
}

/// A pending or scheduled task goes on.
pub(crate) fn go(act: &mut Act<'_>, found: &Found, to: State, cause: &str) -> Result<(), Refusal> {
    act.shift(found, Step::to(found, to))?;
    if found.task.state == State::Pending {
        stop_waiting(act, found)?;
    }
    if to == State::Ready {
        let run_at = found.task.spec.run_at.map(rfc3339);
        return act.task_event(found.scope, found.key, &TaskReady { cause: cause.to_owned(), run_at });
    }
    let event = submitted(found, to, cause);
    act.task_event(found.scope, found.key, &event)
}

/// A task that leaves `pending` waits for nothing any more.
pub(crate) fn stop_waiting(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    for on in dependency::of(act.tx, found.key).map_err(refusal_of)? {
        act.memory.await_more(on, -1);
    }
    Ok(())
}

/// The event of a task that is not ready after a move.
pub(crate) fn submitted(found: &Found, state: State, cause: &str) -> TaskSubmitted {
    let spec = &found.task.spec;
    TaskSubmitted {
        state,
        queue: spec.queue.clone(),
        kind: spec.kind.clone(),
        title: spec.title.clone(),
        priority: spec.priority,
        cause: Some(cause.to_owned()),
    }
}
