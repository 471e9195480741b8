//! Heartbeats: leases live on (D1, D3, D9). Leases stand on the steady clock in memory, so a renewal costs no disk;
//! after a restart each has its full length again (E4).

use super::access::{may_answer, reaches};
use super::end::TIMED_OUT_BY_SERVER;
use super::{cancel, rescue};
use crate::act::{Act, refusal_of};
use crate::memory::lease::Lease;
use std::sync::Arc;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::attempt::{Attempt, Outcome, Stop};
use tiltyard_model::task::lease::{admit, stale};
use tiltyard_model::text::{NOT_STORABLE, is_storable};
use tiltyard_model::time::DurationMs;
use tiltyard_store::task;

/// Longest message of an agent in characters.
pub const MAX_MESSAGE_CHARS: usize = 1_000;

/// A word from an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// The task.
    pub id: Id,
    /// The generation that holds the lease.
    pub generation: i64,
    /// The new length; as before when absent.
    pub lease_ms: Option<DurationMs>,
    /// 0 to 1.
    pub progress: Option<f64>,
    /// What it does, one line.
    pub message: Option<String>,
}

/// A lease that an agent names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The task.
    pub id: Id,
    /// The generation.
    pub generation: i64,
}

/// What became of the leases that an agent names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// These live on.
    pub keep: Vec<Held>,
    /// These are no longer the agent's, and why.
    pub drop: Vec<(Held, Code)>,
}

/// Prolongs one lease; gives how long it lasts from now.
///
/// # Errors
/// 404; 409 `stale_generation`, `already_settled`; 422 for a progress or a length out of bounds.
pub fn beat(act: &mut Act<'_>, word: &Beat) -> Result<DurationMs, Refusal> {
    check(word)?;
    let key = act.tx.key(word.id).ok_or_else(|| Refusal::missing("task", word.id))?;
    let Some(lease) = act.memory.leases.live(key, word.generation).cloned() else {
        return Err(gone(act, word.id, word.generation)?);
    };
    if !may_answer(act, &lease) {
        return Err(Refusal::missing("task", word.id));
    }
    if word.progress.is_some() || word.message.is_some() {
        task::progress(act.tx, key, word.generation, word.progress, word.message.as_deref())
            .map_err(refusal_of)?;
    }
    let agent = lease.agent;
    let length = prolong(act, &lease, word.lease_ms, None)?;
    crate::agent::seen(act, agent);
    Ok(length)
}

fn check(word: &Beat) -> Result<(), Refusal> {
    word.lease_ms.map_or(Ok(0), admit)?;
    if word.progress.is_some_and(|progress| !(0.0..=1.0).contains(&progress)) {
        return Err(Refusal::field("/progress", "must be 0 to 1"));
    }
    if word.message.as_ref().is_some_and(|message| message.chars().count() > MAX_MESSAGE_CHARS) {
        return Err(Refusal::field("/message", "must be at most 1,000 characters"));
    }
    if !word.message.as_deref().is_none_or(is_storable) {
        return Err(Refusal::field("/message", NOT_STORABLE));
    }
    Ok(())
}

/// Prolongs a lease, which is `by`'s from now on. Only what a restart must find again is written: another length, and
/// another process (E4).
fn prolong(
    act: &mut Act<'_>,
    lease: &Lease,
    lease_ms: Option<DurationMs>,
    by: Option<&str>,
) -> Result<DurationMs, Refusal> {
    let lease_ms = lease_ms.unwrap_or(lease.lease_ms);
    let by = by.filter(|by| lease.instance.as_deref() != Some(by));
    let instance = by.map(Arc::from).or_else(|| lease.instance.clone());
    if by.is_some() || lease_ms != lease.lease_ms {
        task::prolong(act.tx, lease.task, lease.generation, lease_ms, instance.as_deref())
            .map_err(refusal_of)?;
    }
    let expires = act.now.steady + lease_ms;
    if by.is_some() {
        act.memory.put_lease(Lease { lease_ms, expires, instance, ..lease.clone() });
    } else {
        act.memory.prolong_lease(lease.task, lease_ms, expires);
    }
    Ok(lease_ms)
}

/// Why a generation holds nothing any more. The word of an attempt that was cancelled counts as its acknowledgement
/// of the stop (D4): it is told, and that is on record.
fn gone(act: &mut Act<'_>, id: Id, generation: i64) -> Result<Refusal, Refusal> {
    let found = act.task(id)?;
    let attempt = task::attempt(act.tx, found.key, generation).map_err(refusal_of)?;
    let ended_by_us = |attempt: &Attempt| {
        attempt.outcome == Some(Outcome::TimedOut) && attempt.error.as_deref() == Some(TIMED_OUT_BY_SERVER)
    };
    let outcome = attempt.as_ref().and_then(|attempt| attempt.outcome);
    Ok(match outcome.filter(|_| !attempt.as_ref().is_some_and(ended_by_us)) {
        Some(Outcome::Succeeded | Outcome::Failed | Outcome::TimedOut | Outcome::Released) => Refusal::new(
            Code::AlreadySettled,
            format!("generation {generation} has been settled: there is nothing to prolong"),
        ),
        _ => stale(generation, found.task.generation, outcome),
    })
}

/// The word of a cancelled attempt is its acknowledgement (D4); that of somebody who does not speak for its agent is
/// none. A refusal takes back what its deed wrote, so this is a deed of its own.
///
/// # Errors
/// 404 for a task that the caller does not see.
pub fn acknowledge_if_cancelled(act: &mut Act<'_>, id: Id, generation: i64) -> Result<(), Refusal> {
    let found = act.task(id)?;
    if !cancel::may_report(act, &found, generation)? {
        return Ok(());
    }
    cancel::stopped(act, &found, generation, Stop::Acknowledged)
}

/// Prolongs all leases that an agent names, with one deed; they are its present process's from then on. A new process
/// (`instance` differs) that says it holds nothing ends the old leases as lost at once (D3); one that another has
/// replaced may still prolong what it names, and says nothing about the rest.
///
/// # Errors
/// 403 for who does not speak for the agent; 422 for a length out of bounds.
pub fn renew_all(
    act: &mut Act<'_>,
    agent: &str,
    instance: Option<&str>,
    lease_ms: Option<DurationMs>,
    leases: &[Held],
) -> Result<Standing, Refusal> {
    lease_ms.map_or(Ok(0), admit)?;
    crate::token::speak_for(act, agent)?;
    let agent = act.agent_key(agent)?;
    let newest = instance.filter(|instance| act.memory.hear_process(agent, instance));
    if leases.is_empty() {
        forget_other_instances(act, agent, newest)?;
    }
    crate::agent::seen(act, agent);
    let mut standing = Standing::default();
    for held in leases {
        match judge(act, agent, *held, lease_ms, newest)? {
            None => standing.keep.push(*held),
            Some(code) => standing.drop.push((*held, code)),
        }
    }
    Ok(standing)
}

/// Prolongs one lease, or says why it is none: a word about one never keeps the others from living on.
fn judge(
    act: &mut Act<'_>,
    agent: i64,
    held: Held,
    lease_ms: Option<DurationMs>,
    by: Option<&str>,
) -> Result<Option<Code>, Refusal> {
    let Some(key) = act.tx.key(held.id) else { return Ok(Some(Code::NotFound)) };
    let own = |lease: &&Lease| lease.generation == held.generation && lease.agent == agent;
    let Some(lease) = act.memory.leases.get(key).filter(own).cloned() else {
        return Ok(Some(Code::StaleGeneration));
    };
    if !reaches(act, &lease) {
        return Ok(Some(Code::NotFound));
    }
    if lease.stop.is_some() {
        acknowledge_if_cancelled(act, held.id, held.generation)?;
        return Ok(Some(Code::StaleGeneration));
    }
    prolong(act, &lease, lease_ms, by)?;
    Ok(None)
}

/// Ends as lost what other processes of an agent held, as far as the caller reaches (SEC4).
pub(crate) fn forget_other_instances(
    act: &mut Act<'_>,
    agent: i64,
    instance: Option<&str>,
) -> Result<(), Refusal> {
    let Some(instance) = instance else { return Ok(()) };
    let other = |lease: &&Lease| lease.instance.as_deref().is_some_and(|held| held != instance);
    let own = act.memory.leases.of_agent(agent).filter(|lease| reaches(act, lease));
    let lost: Vec<Lease> = own.filter(other).cloned().collect();
    lost.into_iter().try_for_each(|lease| rescue::lose(act, &lease, "new_instance"))
}

/// The id of a lease's task.
pub fn id_of(act: &Act<'_>, lease: &Lease) -> Id {
    act.id(Noun::Task, lease.task)
}
