//! A task that carries out a part of a run has ended, or goes on.

use super::advance::{News, Told, advance};
use crate::act::{Act, refusal_of};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::stage::LOST_ONCE;
use tiltyard_model::run::{Again, Failure, Going, Outcome, Part};
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::Outcome as AttemptOutcome;
use tiltyard_store::task::{self, Found};

/// A task is final. Most are nobody's, and that is found out without a look into the store.
pub(crate) fn ended(act: &mut Act<'_>, key: i64, state: State) -> Result<(), Refusal> {
    let Some((run, part)) = act.memory.runs.of_task(key) else { return Ok(()) };
    act.memory.unbind(key);
    let outcome = match state {
        State::Succeeded => Outcome::Succeeded(part),
        State::Cancelled => Outcome::Cancelled(part),
        // A task counts its attempts by itself.
        _ => Outcome::Failed(part, Failure::Failed, Again::Never),
    };
    let told = if state == State::Succeeded && part.item.is_none() {
        Told::default()
    } else {
        told(act, key, part, state)?
    };
    advance(act, &News { told, ..News::of(run, outcome) })
}

/// What the task's row tells of its end.
fn told(act: &Act<'_>, key: i64, part: Part, state: State) -> Result<Told, Refusal> {
    let Some(Found { task, .. }) = task::by_key(act.tx, key).map_err(refusal_of)? else {
        return Ok(Told::default());
    };
    let attempt = task.attempt.as_ref();
    let error = attempt.and_then(|attempt| attempt.error.clone());
    Ok(match state {
        State::Succeeded => Told {
            result: attempt.and_then(|attempt| attempt.result.clone()).filter(|_| part.item.is_some()),
            ..Told::default()
        },
        State::Cancelled => {
            let reason = task.reason.clone().unwrap_or_else(|| "requested".to_owned());
            Told { error: Some(format!("{} was called off: {reason}", task.id)), ..Told::reason(reason) }
        }
        _ => {
            let lost = attempt.and_then(|attempt| attempt.outcome) == Some(AttemptOutcome::LeaseLost);
            let once = lost && task.spec.max_attempts == 1;
            let error = if once { Some(LOST_ONCE.to_owned()) } else { error };
            let error = error.unwrap_or_else(|| "no error was given".to_owned());
            Told { error: Some(error), cause: Some("failed"), ..Told::default() }
        }
    })
}

/// A task that is not running goes on another way: it waits for a decision, or is back with its agents.
pub(crate) fn moved(act: &mut Act<'_>, key: i64, state: State) -> Result<(), Refusal> {
    let Some((run, part)) = act.memory.runs.of_task(key) else { return Ok(()) };
    let going = match state {
        State::Waiting => Going::Waiting,
        State::Pending | State::Scheduled | State::Ready => Going::Ready,
        _ => return Ok(()),
    };
    advance(act, &News::of(run, Outcome::Moved(part, going)))
}
