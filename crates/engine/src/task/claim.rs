//! Claim: an agent takes work.

mod take;

use super::access::{may_take_from, reaches};
use super::heartbeat::Held;
use crate::act::{Act, Effect, Pass, refusal_of};
use crate::door::Waiting;
use crate::engine::Engine;
use crate::memory::lease::Lease;
use crate::memory::ready::Want;
use crate::memory::unique::hash_of;
use crate::task::settle;
use take::{Taker, Taking};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Reach;
use tiltyard_model::task::lease::admit;
use tiltyard_model::time::{DurationMs, TimeMs};
use tiltyard_store::task::{self, Found};

/// Where the answer of a claim stops, in bytes of payload: 8 MiB less room for everything else.
pub const MAX_ANSWER_PAYLOAD_BYTES: usize = 7 * 1024 * 1024;
/// The server's own watch over an attempt's time gives the agent so long to report by itself.
pub const TIMEOUT_GRACE_MS: DurationMs = 2_000;

/// Asks for work.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks, and what for.
    pub want: Want,
    /// Its process.
    pub instance: Option<String>,
    /// Asked again with the same one within the lease, the same tasks come back.
    pub claim_id: Option<String>,
    /// At most so many.
    pub max: usize,
    /// How long the leases last.
    pub lease_ms: DurationMs,
}

/// A task that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The task as it is now.
    pub found: Found,
    /// How long its lease lasts from now.
    pub lease_expires_in_ms: DurationMs,
}

/// Takes the next tasks; an empty list when there are none, or the agent drains.
///
/// # Errors
/// 403 for who does not speak for the agent, and for the queue of internal tasks; 422 for a lease out of bounds or a
/// name that is no slug.
pub fn claim(act: &mut Act<'_>, request: &Request) -> Result<Vec<Claimed>, Refusal> {
    admit(request.lease_ms)?;
    crate::token::speak_for(act, &request.want.agent)?;
    may_take_from(&act.pass.caller, &request.want.queues)?;
    scopes_are_there(act, &request.want.reach)?;
    let agent = act.agent_key(&request.want.agent)?;
    crate::agent::seen(act, agent);
    if let Some(instance) = &request.instance {
        // Who comes to take work says nothing of what it holds, but it is there from now on.
        act.memory.hear_process(agent, instance);
    }
    if act.memory.claimed_with.get(&agent) != Some(&request.want.capabilities) {
        act.memory.hints().claimed_with.insert(agent, request.want.capabilities.clone());
    }
    let claim = request.claim_id.as_ref().map(|id| hash_of(agent, id));
    let again = replay(act, agent, claim)?;
    let draining = act.memory.names.agent(agent).is_some_and(|known| known.draining);
    if !again.is_empty() || draining {
        return Ok(again);
    }
    let max = request.max.min(act.memory.share.unwrap_or(usize::MAX));
    let taken = Taking::new(Taker { request, agent, claim }, max).all(act)?;
    if taken.is_empty() {
        act.effects.push(Effect::Idle);
    }
    Ok(taken)
}

/// Takes the next tasks beside something else that stands whatever becomes of the claim: the inner result is the
/// claim's own. One that is refused in the middle has taken nothing.
///
/// # Errors
/// What ends the whole deed, as [`Act::part`].
pub fn along(act: &mut Act<'_>, request: &Request) -> Result<Result<Vec<Claimed>, Refusal>, Refusal> {
    act.part(|act| claim(act, request))
}

/// Takes the next tasks, and waits for them inside the door. A caller that is gone gives back what it got, uncounted.
///
/// # Errors
/// 503 when too many wait or the server ends.
pub fn wait(engine: &Engine, pass: Pass, request: Request) -> Result<Waiting<Vec<Claimed>>, Refusal> {
    let asker = request.want.clone();
    let deed = move |act: &mut Act<'_>| {
        let taken = claim(act, &request)?;
        Ok((!taken.is_empty()).then_some(taken))
    };
    engine.wait_as(pass, Some(asker), deed, |act, taken| give_back(act, &taken))
}

/// Gives back what somebody took who did not live to hear of it, uncounted. Where the transaction of a claim was lost,
/// its generations are free again, and may be somebody else's by now: those are left alone.
///
/// # Errors
/// When the store cannot write it.
pub fn give_back(act: &mut Act<'_>, taken: &[Claimed]) -> Result<(), Refusal> {
    for Claimed { found, .. } in taken {
        let Some(lease) = act.memory.leases.live(found.key, found.task.generation).cloned() else { continue };
        let now = settle::running(act, &lease)?;
        if begun(&now) == begun(found) {
            crate::agent::give_back(act, &lease, "dropped")?;
        }
    }
    Ok(())
}

/// Who began the present attempt, and when.
fn begun(found: &Found) -> Option<(&str, TimeMs)> {
    found.task.attempt.as_ref().map(|attempt| (attempt.agent.as_str(), attempt.started_at))
}

impl Claimed {
    /// Its lease.
    pub fn held(&self) -> Held {
        Held { id: self.found.task.id, generation: self.found.task.generation }
    }
}

/// A token of every scope may name one that is not there, and would wait in it for ever.
fn scopes_are_there(act: &Act<'_>, wanted: &Reach) -> Result<(), Refusal> {
    match (wanted, &act.pass.caller.reach) {
        (Reach::Only(scopes), Reach::All) => {
            scopes.iter().try_for_each(|scope| act.scope_key(scope).map(drop))
        }
        _ => Ok(()),
    }
}

/// What the same claim got before, while the leases live (D3).
fn replay(act: &Act<'_>, agent: i64, claim: Option<i64>) -> Result<Vec<Claimed>, Refusal> {
    let Some(claim) = claim else { return Ok(Vec::new()) };
    let mut again = Vec::new();
    let same = |lease: &&Lease| lease.claim == Some(claim) && lease.stop.is_none() && reaches(act, lease);
    for lease in act.memory.leases.of_agent(agent).filter(same) {
        let found = task::by_key(act.tx, lease.task).map_err(refusal_of)?;
        let lease_expires_in_ms = (lease.expires - act.now.steady).max(0);
        again.extend(found.map(|found| Claimed { found, lease_expires_in_ms }));
    }
    Ok(again)
}

/// What is left of a live lease, in milliseconds; `None` for one that has ended.
pub fn lease_left(act: &Act<'_>, task: i64, generation: i64) -> Option<DurationMs> {
    let lease = act.memory.leases.live(task, generation)?;
    Some((lease.expires - act.now.steady).max(0))
}
