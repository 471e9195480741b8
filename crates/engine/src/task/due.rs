//! What the time brings: scheduled tasks become ready, deadlines pass, timed unique keys end.

use super::{cancel, dependent};
use crate::act::{Act, refusal_of};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
use tiltyard_store::task::{Found, by_key, list};

/// Most tasks of one deed; the rest are next.
pub const MAX_DUE: u32 = 500;
/// So many lanes stay while nothing is in them.
pub const IDLE_LANES: usize = 1_000;

/// Moves scheduled tasks whose time has come; says how many it looked at, 0 when it could move none. One that cannot
/// be moved is left as it is.
///
/// # Errors
/// When the store cannot write it.
pub fn start_scheduled(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let keys = list::due(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)?;
    each(act, "a scheduled task", &keys, |act, found| {
        if found.task.state == State::Scheduled {
            dependent::go(act, found, State::Ready, "time")
        } else {
            Ok(())
        }
    })
}

/// Cancels unfinished tasks past their deadline; says how many it looked at, 0 when it could cancel none. One that
/// cannot be cancelled is left as it is.
///
/// # Errors
/// When the store cannot write it.
pub fn end_overdue(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let keys = list::overdue(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)?;
    each(act, "a task past its deadline", &keys, |act, found| {
        // One that was cancelled takes its dependents along, and they may be on the same list.
        if found.task.state.is_final() { Ok(()) } else { cancel::call_off(act, found, "deadline") }
    })
}

fn each(
    act: &mut Act<'_>,
    what: &'static str,
    keys: &[i64],
    mut deed: impl FnMut(&mut Act<'_>, &Found) -> Result<(), Refusal>,
) -> Result<usize, Refusal> {
    let mut any = false;
    for key in keys {
        any |= act.one_of_many(what, *key, |act| match by_key(act.tx, *key).map_err(refusal_of)? {
            Some(found) => deed(act, &found),
            None => Ok(()),
        })?;
    }
    Ok(if any { keys.len() } else { 0 })
}

/// Forgets lanes that nothing is ready in and nothing runs of, beyond those that are kept for the next task; says how
/// many.
///
/// # Errors
/// When the store cannot write it.
pub fn forget_lanes(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let idle = act.memory.ready.idle_lanes(IDLE_LANES, MAX_DUE as usize);
    for lane in &idle {
        tiltyard_store::name::delete_lane(act.tx, *lane).map_err(refusal_of)?;
        act.memory.forget_lane(*lane);
    }
    Ok(idle.len())
}

/// Ends timed holds of unique keys and forgets what is older than its window; says how much of either.
///
/// # Errors
/// When the store cannot write it.
pub fn prune(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let over = act.memory.unique.over(act.now.wall, MAX_DUE as usize);
    for task in &over {
        tiltyard_store::unique::end(act.tx, *task).map_err(refusal_of)?;
        act.memory.end_hold(*task);
    }
    let minute_ago = act.now.wall / 1_000 - crate::memory::ready::SECONDS_OF_A_RATE;
    tiltyard_store::task::boot::prune_starts(act.tx, minute_ago).map_err(refusal_of)?;
    act.memory.prune_rates(act.now.wall / 1_000);
    let answers = tiltyard_store::idempotency::prune(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)?;
    Ok(over.len().max(answers).max(fold(act)?))
}

/// Most parts of counts that are folded in one deed.
const MAX_PARTS: usize = 8;

/// Puts parts of what every transaction counts together, so that a start reads as many rows as there are queues, however much was done.
fn fold(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let forgotten = tiltyard_store::event::forget_parts(act.tx, MAX_DUE).map_err(refusal_of)?;
    for _ in 0..MAX_PARTS {
        if !tiltyard_store::name::fold_counts(act.tx, act.memory.last_seq).map_err(refusal_of)? {
            return Ok(forgotten);
        }
    }
    Ok(MAX_DUE as usize)
}
