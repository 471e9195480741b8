//! What tasks do to their letters: they die, run again, succeed, are cancelled.

use super::{Place, changed_meanwhile, remove};
use crate::act::{Act, refusal_of};
use crate::memory::letter::Step;
use crate::task::first_line;
use crate::task::retry::Edit;
use serde_json::Value;
use tiltyard_model::dead_letter::fingerprint::fingerprint;
use tiltyard_model::dead_letter::{Move, State, room};
use tiltyard_model::event::{
    DeadLetterAdded, DeadLetterDismissed, DeadLetterLimitExceeded, DeadLetterResolved, DeadLetterRetried,
    Subject,
};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State as TaskState;
use tiltyard_store::dead_letter::{self, Death};
use tiltyard_store::task::Found;

/// Most letters that go at once to make room; the next letter makes more.
const MAX_EVICTED: usize = 100;
/// The error of a task that died without one.
const NO_ERROR: &str = "no error was given";
/// The reason of a letter that was set aside with its task.
const TASK_CANCELLED: &str = "its task was cancelled";

/// A task has died: `found` is the task as it ran.
pub(crate) fn added(act: &mut Act<'_>, found: &Found, error: Option<&str>) -> Result<(), Refusal> {
    let error = error.unwrap_or(NO_ERROR);
    let spec = &found.task.spec;
    let group = fingerprint(&spec.kind, &value_of(error));
    let death = Death {
        fingerprint: &group,
        kind: &spec.kind,
        category: spec.extras.category.as_deref(),
        error,
        agent: found.agent,
        at: act.now.wall,
        attempts: found.task.used + 1,
        blocked: act.memory.awaited.get(&found.key).copied().unwrap_or_default(),
    };
    let before = act.memory.letters.retrying(found.key);
    let Some(letter) = write(act, found, &death, before)? else { return Ok(()) };
    let subject = Subject::Id(act.id(Noun::DeadLetter, letter));
    let event =
        DeadLetterAdded { fingerprint: group.clone(), error: first_line(error), again: before.is_some() };
    act.event(found.scope, &subject, Some(found.key), &event)?;
    if before.is_none() { make_room(act, found.scope) } else { Ok(()) }
}

/// An error is a text, or JSON that says its message.
fn value_of(error: &str) -> Value {
    let json = error.starts_with('{').then(|| serde_json::from_str(error).ok()).flatten();
    json.unwrap_or_else(|| Value::from(error))
}

/// The letter's key; `None` where the queue keeps no letters.
fn write(
    act: &mut Act<'_>,
    found: &Found,
    death: &Death<'_>,
    before: Option<i64>,
) -> Result<Option<i64>, Refusal> {
    let (scope, task) = (found.scope, found.key);
    if let Some(letter) = before {
        if !dead_letter::again(act.tx, letter, death).map_err(refusal_of)? {
            return Err(changed_meanwhile(act.id(Noun::DeadLetter, letter)));
        }
        let (from, to) = (Some(State::Retrying), Some(State::Pending));
        act.memory.step_letter(Step { scope, task, letter, from, to });
        return Ok(Some(letter));
    }
    let keeps = act.memory.names.queue(found.queue).is_none_or(|queue| queue.settings.dead_letters);
    if !keeps {
        return Ok(None);
    }
    let letter = act.next_key();
    dead_letter::insert(act.tx, letter, scope, task, death).map_err(refusal_of)?;
    act.memory.step_letter(Step { scope, task, letter, from: None, to: Some(State::Pending) });
    Ok(Some(letter))
}

/// Keeps to the limit on a scope's letters (D11): those that somebody has dealt with go, the others stay and are told of.
fn make_room(act: &mut Act<'_>, scope: i64) -> Result<(), Refusal> {
    let counts = act.memory.letters.of(scope);
    let limit = act.memory.letters.limit.get();
    let evictable = (counts[State::Resolved as usize] + counts[State::Dismissed as usize]) as usize;
    let kept = counts.iter().sum::<i64>() as usize;
    let room = room(kept, evictable, limit);
    let evicted = room.evict.min(MAX_EVICTED) as u32;
    if evicted > 0 {
        for place in dead_letter::evictable(act.tx, scope, evicted).map_err(refusal_of)? {
            let place = Place { letter: place.key, task: place.task, state: place.state };
            remove(act, scope, &place, "evicted")?;
        }
    }
    // Told when the limit is crossed, not with every letter beyond it.
    if room.over == 1 {
        let event = DeadLetterLimitExceeded { pending: (kept - evictable) as u64, limit: limit as u64 };
        let name = act.memory.names.scope_name(scope).to_owned();
        act.event(scope, &Subject::from(name.as_str()), None, &event)?;
    }
    Ok(())
}

/// A task has ended; most have no letter, and that is found out without a look into the store.
pub(crate) fn ended(act: &mut Act<'_>, task: i64, state: TaskState) -> Result<(), Refusal> {
    let Some(letter) = act.memory.letters.retrying(task) else { return Ok(()) };
    let (step, reason) = match state {
        TaskState::Succeeded => (Move::Succeed, None),
        TaskState::Cancelled => (Move::Cancel, Some(TASK_CANCELLED)),
        _ => return Ok(()),
    };
    let (from, to) = (State::Retrying, State::Retrying.after(step)?);
    let id = act.id(Noun::DeadLetter, letter);
    if !dead_letter::shift(act.tx, letter, (from, to), reason, act.now.wall).map_err(refusal_of)? {
        return Err(changed_meanwhile(id));
    }
    let scope = scope_of(act, task)?;
    act.memory.step_letter(Step { scope, task, letter, from: Some(from), to: Some(to) });
    match reason {
        None => act.event(scope, &Subject::Id(id), Some(task), &DeadLetterResolved {}),
        Some(reason) => {
            let event = DeadLetterDismissed { reason: reason.to_owned() };
            act.event(scope, &Subject::Id(id), Some(task), &event)
        }
    }
}

fn scope_of(act: &Act<'_>, task: i64) -> Result<i64, Refusal> {
    let found = tiltyard_store::task::by_key(act.tx, task).map_err(refusal_of)?;
    found.map(|found| found.scope).ok_or_else(|| changed_meanwhile(act.id(Noun::Task, task)))
}

/// A dead or cancelled task is about to run again, perhaps edited; its letter follows, whoever asked for it.
pub(crate) fn revived(act: &mut Act<'_>, found: &Found, edit: &Edit) -> Result<(), Refusal> {
    let Some(place) = dead_letter::of_task(act.tx, found.key).map_err(refusal_of)? else { return Ok(()) };
    let (from, to) = (place.state, place.state.after(Move::Revive)?);
    let payload = &found.task.spec.payload;
    let edited = edit.payload.as_ref().is_some_and(|fresh| fresh != payload);
    let original = edited.then_some(payload.as_str());
    let id = act.id(Noun::DeadLetter, place.key);
    if !dead_letter::revive(act.tx, place.key, original, act.now.wall).map_err(refusal_of)? {
        return Err(changed_meanwhile(id));
    }
    let (scope, task, letter) = (found.scope, found.key, place.key);
    act.memory.step_letter(Step { scope, task, letter, from: Some(from), to: Some(to) });
    let event = DeadLetterRetried { assign_to: edit.assign_to.clone(), edited };
    act.event(scope, &Subject::Id(id), Some(task), &event)
}
