//! Memory rebuilt from the store, at start.

use super::lease::Lease;
use super::lease::Sort;
use super::name::Queue;
use super::ready::SECONDS_OF_A_RATE;
use super::{Memory, Parts};
use crate::clock::Now;
use crate::task::cancel::NEVER;
use crate::task::claim::TIMEOUT_GRACE_MS;
use std::sync::Arc;
use tiltyard_model::task::lease::STOP_CONFIRM_MS;
use tiltyard_model::task::{State, sort_key};
use tiltyard_store::task::boot::{self, Between, Held};
use tiltyard_store::{Result, Rows, audit, dead_letter, event, name, unique};

/// Reads everything that the door keeps in memory. Every live lease has its full length again, and no attempt is
/// counted (E4).
///
/// # Errors
/// When the store is broken.
pub fn rebuild(rows: &Rows, now: Now) -> Result<Memory> {
    rebuild_in_pages(rows, &|| now, &mut || Ok(()))
}

/// The same where it may take long: `between` is called after each page of rows. What counts from the present counts from the time
/// that `clock` tells in the end.
///
/// # Errors
/// When the store is broken; what `between` says.
pub fn rebuild_in_pages(rows: &Rows, clock: &dyn Fn() -> Now, between: Between<'_>) -> Result<Memory> {
    let mut parts = Parts::default();
    let agents = names(rows, &mut parts)?;
    work(rows, &mut parts, between)?;
    unique::all(rows, between, |hold| {
        parts.unique.put(hold.hash, hold.task, hold.until);
    })?;
    for (scope, state, count) in dead_letter::boot_counts(rows)? {
        parts.letters.add(scope, state, count);
    }
    for (task, letter) in dead_letter::boot_retrying(rows)? {
        parts.letters.know(task, letter);
    }
    parts.tokens = crate::token::Tokens::load(rows)?;
    parts.last_seq = event::bounds(rows)?.1;
    parts.last_key = boot::last_key(rows)?;
    parts.audit = audit::heads(rows)?;
    let mut running = Vec::new();
    boot::held(rows, between, |held| running.push(held))?;
    let now = clock();
    for held in running {
        // One that is stopped runs no more.
        if held.stop.is_none()
            && let Some((queue, _)) = parts.names.lane(held.lane)
        {
            parts.counts.add(queue, State::Running, 1);
        }
        parts.put_lease(Box::new(lease(held, now)));
    }
    crate::run::load::boot(rows, &mut parts, between)?;
    // Who was connected has had no chance to say anything: its silence begins now, and is told when it lasts (D30).
    parts.presence.extend(agents.into_iter().map(|agent| (agent, (now.wall, now.steady))));
    let second = now.wall / 1_000;
    for (scope, key, at, starts) in boot::rate_starts(rows, second - SECONDS_OF_A_RATE)? {
        parts.ready.rates_mut().count(scope, &key, at, starts);
    }
    Ok(Memory::new(parts))
}

/// What may be claimed, what waits for what, and how many tasks stand where. Ended ones are counted in rows of their own.
fn work(rows: &Rows, parts: &mut Parts, between: Between<'_>) -> Result<()> {
    for (queue, state, count) in name::counts(rows)? {
        if let Some(state) = State::from_code(state) {
            parts.counts.add(queue, state, count);
        }
    }
    boot::ready(rows, between, |task, queue| {
        parts.counts.add(queue, State::Ready, 1);
        parts.ready.insert(task.lane, (sort_key(task.ready_at, task.priority), task.key));
    })?;
    // Running ones are counted with their leases.
    for state in [State::Pending, State::Scheduled, State::Waiting] {
        boot::moving(rows, state, between, |queue| parts.counts.add(queue, state, 1))?;
    }
    boot::awaited(rows, between, |task| *parts.awaited.entry(task).or_default() += 1)
}

/// Gives the agents that were connected.
fn names(rows: &Rows, parts: &mut Parts) -> Result<Vec<i64>> {
    let mut connected = Vec::new();
    for row in name::scopes(rows)? {
        parts.put_scope(row.key, row.scope, row.last_seq);
    }
    for row in name::queues(rows)? {
        let name = Arc::from(row.name);
        parts.put_queue(Queue { key: row.key, scope: row.scope, name, settings: row.settings });
    }
    for row in name::lanes(rows)? {
        parts.put_lane(row.key, row.queue, Arc::new(row.lane));
    }
    for (key, agent) in tiltyard_store::agent::all(rows)? {
        agent.instance.iter().for_each(|instance| parts.processes.greet(key, Arc::from(&**instance)));
        if agent.is_connected() {
            connected.push(key);
        }
        parts.put_agent(key, agent);
    }
    for (key, actor) in name::actors(rows)? {
        parts.put_actor(key, actor);
    }
    Ok(connected)
}

fn lease(held: Held, now: Now) -> Lease {
    let ran_ms = (now.wall - held.started_at).max(0);
    let length = if held.stop.is_some() { STOP_CONFIRM_MS } else { held.lease_ms };
    // A wall clock that was set back while the server was down must not prolong an attempt for ever, nor one that
    // was set forward end it at once: what is left lies between one lease and the whole time.
    let left = (held.timeout_ms - ran_ms).clamp(held.lease_ms.min(held.timeout_ms), held.timeout_ms);
    Lease {
        task: held.key,
        generation: held.generation,
        lane: held.lane,
        agent: held.agent,
        instance: held.instance.map(Arc::from),
        claim: held.claim,
        lease_ms: held.lease_ms,
        expires: now.steady + length,
        // A stop has no time of its own to run out; an attempt's agent has its grace to report by itself.
        times_out: if held.stop.is_some() { NEVER } else { now.steady + left + TIMEOUT_GRACE_MS },
        used: held.used,
        sort: Sort::of(&held.kind),
        stop: held.stop,
    }
}
