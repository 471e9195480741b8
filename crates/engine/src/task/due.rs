//! What the time brings: scheduled tasks become ready, deadlines pass, timed unique keys end.

use super::{cancel, dependent};
use crate::act::{Act, refusal_of};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
use tiltyard_store::task::{by_key, list};

/// Most tasks of one deed; the rest are next.
pub const MAX_DUE: u32 = 500;

/// Moves scheduled tasks whose time has come; says how many.
///
/// # Errors
/// When the store cannot write it.
pub fn start_scheduled(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let keys = list::due(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)?;
    for key in &keys {
        let found = by_key(act.tx, *key).map_err(refusal_of)?;
        if let Some(found) = found.filter(|found| found.task.state == State::Scheduled) {
            dependent::go(act, &found, State::Ready, "time")?;
        }
    }
    Ok(keys.len())
}

/// Cancels unfinished tasks past their deadline; says how many.
///
/// # Errors
/// When the store cannot write it.
pub fn end_overdue(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let keys = list::overdue(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)?;
    for key in &keys {
        // One that was cancelled takes its dependents along, and they may be on the same list.
        let found = by_key(act.tx, *key).map_err(refusal_of)?;
        if let Some(found) = found.filter(|found| !found.task.state.is_final()) {
            cancel::call_off(act, &found, "deadline")?;
        }
    }
    Ok(keys.len())
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
    Ok(over.len().max(answers))
}
