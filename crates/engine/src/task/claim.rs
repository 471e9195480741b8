//! Claim: an agent takes work.

use super::access::{may_take_from, reaches};
use super::heartbeat::Held;
use crate::act::{Act, Effect, Pass, refusal_of};
use crate::door::Waiting;
use crate::engine::Engine;
use crate::memory::lease::{Lease, Sort};
use crate::memory::ready::{Pick, Want};
use crate::memory::unique::hash_of;
use crate::task::settle;
use std::sync::Arc;
use tiltyard_model::event::TaskLeased;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Reach;
use tiltyard_model::task::State;
use tiltyard_model::task::lease::admit;
use tiltyard_model::time::{DurationMs, TimeMs};
use tiltyard_store::task::{self, Found, Names};

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
    let mut taken = Vec::new();
    let mut bytes = 0;
    while taken.len() < max && bytes < MAX_ANSWER_PAYLOAD_BYTES {
        let Some(pick) = act.memory.hints().ready.next(&request.want, act.now.wall) else { break };
        if let Some(claimed) = take(act, pick, agent, claim, request)? {
            bytes += claimed.found.task.spec.payload.len();
            taken.push(claimed);
        }
    }
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

fn take(
    act: &mut Act<'_>,
    pick: Pick,
    agent: i64,
    claim: Option<i64>,
    request: &Request,
) -> Result<Option<Claimed>, Refusal> {
    act.memory.take_out(pick.lane, pick.place);
    let lane = Arc::clone(act.memory.names.lane(pick.lane).map(|(_, lane)| lane).ok_or_else(no_lane)?);
    let row = task::Claim {
        key: pick.task,
        agent,
        instance: request.instance.as_deref(),
        claim,
        lease_ms: request.lease_ms,
        now: act.now.wall,
    };
    let names = Names { scope: &lane.scope, queue: &lane.queue, agent: &request.want.agent };
    let Some(found) = task::claim(act.tx, &row, names).map_err(refusal_of)? else {
        tracing::error!(target: "scheduler", key = pick.task, "a task in the ready order is not ready in the store");
        return Ok(None);
    };
    act.memory.put_lease(lease(act, &found, agent, claim, request));
    act.memory.count_move(found.queue, Some(State::Ready), Some(State::Running));
    count_start(act, pick.lane)?;
    let waited_ms = act.now.wall - found.task.ready_at.unwrap_or(act.now.wall);
    act.effects.push(Effect::Started { waited_ms });
    act.memory.hints().turns.took(agent, lane.category.as_deref());
    let event = TaskLeased { generation: found.task.generation, agent: request.want.agent.clone() };
    act.task_event(pick.scope, pick.task, &event)?;
    if Sort::of(&found.task.spec.kind) == Sort::Git {
        crate::change::git_claimed(act, &found)?;
    }
    Ok(Some(Claimed { found, lease_expires_in_ms: request.lease_ms }))
}

fn lease(act: &Act<'_>, found: &Found, agent: i64, claim: Option<i64>, request: &Request) -> Lease {
    Lease {
        task: found.key,
        generation: found.task.generation,
        lane: found.lane,
        agent,
        instance: request.instance.as_deref().map(Arc::from),
        claim,
        lease_ms: request.lease_ms,
        expires: act.now.steady + request.lease_ms,
        times_out: act.now.steady + found.task.spec.timeout_ms + TIMEOUT_GRACE_MS,
        used: found.task.used,
        sort: Sort::of(&found.task.spec.kind),
        stop: None,
    }
}

/// Counts a start against the rates that it falls under, on disk too, so that a restart forgets none.
fn count_start(act: &mut Act<'_>, lane: i64) -> Result<(), Refusal> {
    let second = act.now.wall / 1_000;
    for (scope, key) in act.memory.ready.rates_of(lane) {
        task::boot::count_start(act.tx, scope, &key, second, 1).map_err(refusal_of)?;
        act.memory.count_start(scope, &key, second);
    }
    Ok(())
}

fn no_lane() -> Refusal {
    use tiltyard_model::refusal::Code;
    Refusal::new(Code::Internal, "a ready task has a lane that nobody knows: nothing was done")
}

/// What is left of a live lease, in milliseconds; `None` for one that has ended.
pub fn lease_left(act: &Act<'_>, task: i64, generation: i64) -> Option<DurationMs> {
    let lease = act.memory.leases.live(task, generation)?;
    Some((lease.expires - act.now.steady).max(0))
}
