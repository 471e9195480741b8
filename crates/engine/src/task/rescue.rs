//! Rescue: what silent agents leave behind (D3, D4, D9, E4).

use super::{cancel, end as ends, settle};
use crate::act::{Act, Effect, refusal_of};
use crate::memory::lease::Lease;
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::attempt::{Outcome, Stop, after};
use tiltyard_model::time::DurationMs;
use tiltyard_store::task::by_key;

/// Most leases of one deed; the rest are next.
pub const MAX_RESCUED: usize = 200;

/// Ends what was over at `over_at` on the steady clock and has not been prolonged since: leases that ran out, attempts
/// whose time is up, stops that nobody confirmed. Says how many it looked at, 0 when it could end none; one that cannot
/// be ended is left as it is.
///
/// # Errors
/// When the store cannot write it.
pub fn rescue(act: &mut Act<'_>, over_at: DurationMs) -> Result<usize, Refusal> {
    let due = act.memory.leases.due(over_at, MAX_RESCUED);
    let mut any = false;
    for lease in &due {
        any |= act.one_of_many("a lease that is over", lease.task, |act| end(act, lease, over_at))?;
    }
    Ok(if any { due.len() } else { 0 })
}

fn end(act: &mut Act<'_>, lease: &Lease, over_at: DurationMs) -> Result<(), Refusal> {
    if lease.stop.is_some() {
        unconfirmed(act, lease)
    } else if lease.expires <= over_at {
        lose(act, lease, "expired")
    } else {
        time_out(act, lease)
    }
}

fn unconfirmed(act: &mut Act<'_>, lease: &Lease) -> Result<(), Refusal> {
    match by_key(act.tx, lease.task).map_err(refusal_of)? {
        Some(found) => cancel::stopped(act, &found, lease.generation, Stop::Unconfirmed)?,
        None => act.memory.end_lease(lease.task),
    }
    Ok(())
}

/// Ends a lease as lost; the attempt counts.
pub(crate) fn lose(act: &mut Act<'_>, lease: &Lease, reason: &str) -> Result<(), Refusal> {
    if lease.stop.is_some() {
        return unconfirmed(act, lease);
    }
    let error = match reason {
        "expired" => "the agent fell silent and its lease ran out",
        _ => "the agent started anew and no longer holds this task",
    };
    give_up(act, lease, Outcome::LeaseLost, error, reason)
}

fn time_out(act: &mut Act<'_>, lease: &Lease) -> Result<(), Refusal> {
    give_up(act, lease, Outcome::TimedOut, ends::TIMED_OUT_BY_SERVER, "timed_out")?;
    let effect = Effect::StopAttempt {
        agent: act.memory.names.agent_name(lease.agent).to_owned(),
        task: act.id(Noun::Task, lease.task),
        generation: lease.generation,
        reason: "its time is up".to_owned(),
    };
    act.effects.push(effect);
    Ok(())
}

fn give_up(
    act: &mut Act<'_>,
    lease: &Lease,
    outcome: Outcome,
    error: &str,
    reason: &str,
) -> Result<(), Refusal> {
    let found = settle::running(act, lease)?;
    let next = after(outcome, settle::facts(act, &found, true));
    let ended = ends::Ended { outcome, result: None, error: Some(error), reason };
    ends::attempt(act, lease, &found, &ended, next).map(drop)
}
