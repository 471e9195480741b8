//! Agents: who is there, what they hold, what they are told (D30, D31).

mod link;
pub(crate) mod reach;

pub use link::{
    Ended, Standing as LinkStanding, ended, is_superseded, present, record, supersede, violated,
    violations_since,
};

use crate::act::{Act, Effect, refusal_of};
use crate::memory::lease::Lease;
use crate::task::access::reaches;
use crate::task::heartbeat::{Held, Standing, id_of, renew_all};
use crate::task::{end, rescue, settle};
use std::collections::BTreeSet;
use tiltyard_model::agent::{Agent, OFFLINE_AFTER_MS, Profile, Resources, State, admit, state};
use tiltyard_model::audit::Action;
use tiltyard_model::event::{AgentDeleted, AgentDraining, AgentOffline, AgentOnline, AgentResumed, Subject};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::SYSTEM_SCOPE;
use tiltyard_model::task::attempt::{Outcome, after};
use tiltyard_model::text::{NOT_STORABLE, is_storable};
use tiltyard_model::time::TimeMs;

/// An agent as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What is known of it.
    pub agent: Agent,
    /// What it is doing.
    pub state: State,
    /// What it holds, in the caller's scopes.
    pub leases: Vec<Held>,
    /// When it last said anything.
    pub last_seen: Option<TimeMs>,
    /// Whether it speaks the agent protocol now, with whichever server.
    pub connected: bool,
    /// What it last said of its machine.
    pub resources: Option<Resources>,
}

/// What an agent says when it connects.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    /// Its name.
    pub name: String,
    /// Its process.
    pub instance: String,
    /// What it says of itself.
    pub profile: Profile,
    /// What it holds, outcomes that it has not delivered included.
    pub holds: Vec<Held>,
}

/// An agent has said something.
pub(crate) fn seen(act: &mut Act<'_>, agent: i64) {
    reach::spoken(act, agent);
    act.memory.hear(agent, act.now);
}

/// An agent connects: it is known, and each lease that it names is kept or dropped, by generation (D31). A lease that
/// it does not name is over, as far as its token reaches: as lost, when a new process says so (D3); uncounted, when the
/// same process never got it.
///
/// # Errors
/// 403 for who does not speak for the agent; 422 for a name that is no slug.
pub fn hello(act: &mut Act<'_>, hello: &Hello) -> Result<Standing, Refusal> {
    admit(&hello.name, &hello.profile)?;
    if !is_storable(&hello.instance) {
        return Err(Refusal::field("/instance", NOT_STORABLE));
    }
    crate::token::speak_for(act, &hello.name)?;
    let key = act.agent_key(&hello.name)?;
    let was_there = act.memory.online.contains(&key);
    act.memory.greet_process(key, &hello.instance);
    let standing = renew_all(act, &hello.name, Some(&hello.instance), None, &hello.holds)?;
    end_unnamed(act, key, hello)?;
    let known = known(act, key)?;
    let fresh = known.instance.as_deref() != Some(&hello.instance) || !was_there;
    let profile = hello.profile.clone();
    act.save_agent(Agent {
        instance: Some(hello.instance.clone()),
        profile: profile.clone(),
        // None while it is connected: so a restart knows who was, and tells when they do not come back.
        last_seen: None,
        ..known
    })?;
    if fresh {
        let online = AgentOnline {
            instance: Some(hello.instance.clone()),
            host: profile.host,
            version: profile.version,
        };
        agent_event(act, &hello.name, &online)?;
    }
    act.memory.online(key);
    seen(act, key);
    Ok(standing)
}

fn end_unnamed(act: &mut Act<'_>, agent: i64, hello: &Hello) -> Result<(), Refusal> {
    let named = |lease: &Lease, act: &Act<'_>| {
        hello.holds.contains(&Held { id: id_of(act, lease), generation: lease.generation })
    };
    let live = act.memory.leases.of_agent(agent).filter(|lease| lease.stop.is_none() && reaches(act, lease));
    let unnamed: Vec<Lease> = live.filter(|lease| !named(lease, act)).cloned().collect();
    for lease in unnamed {
        if lease.instance.as_deref() == Some(&hello.instance) {
            give_back(act, &lease, "dropped")?;
        } else {
            rescue::lose(act, &lease, "new_instance")?;
        }
    }
    Ok(())
}

/// Ends a lease without counting the attempt: its agent never had the work, or gave it back.
pub(crate) fn give_back(act: &mut Act<'_>, lease: &Lease, reason: &str) -> Result<(), Refusal> {
    let found = settle::running(act, lease)?;
    let next = after(Outcome::Released, settle::facts(act, &found, true));
    let ended = end::Ended { outcome: Outcome::Released, result: None, error: None, reason };
    end::attempt(act, lease, &found, &ended, next).map(drop)
}

/// Gives back tasks that were claimed by somebody who did not live to hear of it, or who never began them; says which
/// of them were still held.
///
/// # Errors
/// When the store cannot write it.
pub fn unclaim(act: &mut Act<'_>, tasks: &[Held]) -> Result<Vec<Held>, Refusal> {
    let mut given = Vec::new();
    for held in tasks {
        let live = act.tx.key(held.id).and_then(|key| act.memory.leases.live(key, held.generation)).cloned();
        if let Some(lease) = live {
            give_back(act, &lease, "dropped")?;
            given.push(*held);
        }
    }
    Ok(given)
}

/// Notices agents that have fallen silent, also those that were connected to the server before this one and have not
/// come back; says how many. Who works over HTTP alone comes and goes untold: it connects to nothing.
///
/// # Errors
/// When the store cannot write it.
pub fn notice_silence(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let connected = |(key, agent): (i64, &Agent)| agent.is_connected().then_some(key);
    let there: BTreeSet<i64> = act.memory.names.agents().filter_map(connected).collect();
    let there = there.union(&act.memory.online.iter().copied().collect()).copied().collect::<Vec<_>>();
    let silent: Vec<i64> = there.into_iter().filter(|agent| is_silent(act, *agent)).collect();
    for agent in &silent {
        act.memory.offline(*agent);
        act.memory.end_connection(*agent);
        let Ok(known) = known(act, *agent) else { continue };
        let leases = act.memory.leases.load(*agent) as u64;
        // Never none: it is not connected any more.
        let last_seen = Some(act.memory.presence.get(agent).map_or(act.now.wall, |(wall, _)| *wall));
        let name = known.name.clone();
        act.save_agent(Agent { last_seen, ..known })?;
        agent_event(act, &name, &AgentOffline { leases })?;
        crate::change::release_from(act, &name)?;
    }
    Ok(silent.len())
}

fn is_silent(act: &Act<'_>, agent: i64) -> bool {
    let last = act.memory.presence.get(&agent);
    last.is_none_or(|(_, steady)| act.now.steady - steady >= OFFLINE_AFTER_MS)
}

fn known(act: &Act<'_>, key: i64) -> Result<Agent, Refusal> {
    act.memory.names.agent(key).cloned().ok_or_else(|| Refusal::missing("agent", key))
}

fn key_of(act: &Act<'_>, name: &str) -> Result<i64, Refusal> {
    act.memory.names.agent_key(name).ok_or_else(|| Refusal::missing("agent", name))
}

fn agent_event<P: tiltyard_model::event::Payload>(
    act: &mut Act<'_>,
    name: &str,
    event: &P,
) -> Result<(), Refusal> {
    let scope = act.system_scope();
    act.event(scope, &Subject::from(name), None, event)
}

/// One agent as it is now.
///
/// # Errors
/// 404 for one that is not there, or serves no scope of the caller's.
pub fn get(act: &mut Act<'_>, name: &str) -> Result<Seen, Refusal> {
    let key = reach::seen_by_caller(act, name)?;
    view(act, key)
}

/// Every agent that serves a scope of the caller's, by name.
///
/// # Errors
/// Never, today.
pub fn list(act: &mut Act<'_>) -> Result<Vec<Seen>, Refusal> {
    let visible = act.memory.names.agents().filter(|(key, _)| reach::is_visible(act, *key));
    let mut keys: Vec<(String, i64)> = visible.map(|(key, agent)| (agent.name.clone(), key)).collect();
    keys.sort();
    keys.into_iter().map(|(_, key)| view(act, key)).collect()
}

/// Whether there is an agent of that name that the caller may know of.
pub(crate) fn is_seen(act: &Act<'_>, name: &str) -> bool {
    reach::seen_by_caller(act, name).is_ok()
}

fn view(act: &Act<'_>, key: i64) -> Result<Seen, Refusal> {
    let agent = known(act, key)?;
    let reach = &act.pass.caller.reach;
    let visible =
        |lease: &&Lease| act.memory.names.lane(lease.lane).is_some_and(|(_, lane)| reach.covers(&lane.scope));
    let live = act.memory.leases.of_agent(key).filter(|lease| lease.stop.is_none());
    let leases =
        live.filter(visible).map(|lease| Held { id: id_of(act, lease), generation: lease.generation });
    let leases: Vec<Held> = leases.collect();
    let last = act.memory.shown(key);
    let silence = last.map(|heard| act.now.steady - heard.steady);
    let state = state(agent.draining, silence, act.memory.leases.load(key));
    let last_seen = last.map(|heard| heard.wall).or(agent.last_seen);
    let resources = last.and_then(|heard| heard.resources);
    Ok(Seen { state, leases, last_seen, connected: act.memory.is_connected(key), resources, agent })
}

/// Tells an agent to take nothing new, or to take work again.
///
/// # Errors
/// 404; 403 `scope_forbidden` for one that also serves others.
pub fn drain(act: &mut Act<'_>, name: &str, draining: bool) -> Result<Seen, Refusal> {
    let key = reach::led_by_caller(act, name)?;
    let agent = known(act, key)?;
    if agent.draining != draining {
        act.save_agent(Agent { draining, ..agent })?;
        if draining {
            agent_event(act, name, &AgentDraining {})?;
        } else {
            agent_event(act, name, &AgentResumed {})?;
        }
        act.effects.push(Effect::AgentDrain { agent: name.to_owned(), draining });
    }
    view(act, key)
}

/// Makes an agent's name known.
///
/// # Errors
/// 409 `already_exists`; 422 for a name that is no slug.
pub fn register(act: &mut Act<'_>, name: &str, profile: Profile) -> Result<Seen, Refusal> {
    if act.memory.names.agent_key(name).is_some() {
        let text =
            format!("there is an agent `{name}` already: choose another name, or delete that one first");
        return Err(Refusal::new(Code::AlreadyExists, text));
    }
    let key = act.register_agent(name, profile)?;
    act.audit(crate::act::record::Told::done(SYSTEM_SCOPE, Action::AgentCreated, name))?;
    view(act, key)
}

/// Forgets an agent that holds nothing.
///
/// # Errors
/// 404; 403 `scope_forbidden` for one that also serves others; 409 `in_use` while it holds work.
pub fn delete(act: &mut Act<'_>, name: &str) -> Result<(), Refusal> {
    let key = reach::led_by_caller(act, name)?;
    let holds = act.memory.leases.of_agent(key).count();
    if holds > 0 {
        let text = format!("`{name}` holds {holds} tasks: drain it and wait, or cancel them");
        return Err(Refusal::new(Code::InUse, text));
    }
    tiltyard_store::agent::delete(act.tx, key, act.now.wall).map_err(refusal_of)?;
    act.memory.forget_agent(key);
    act.memory.offline(key);
    act.memory.end_connection(key);
    act.memory.forget_processes(key);
    act.memory.serve(key, None);
    act.memory.hints().claimed_with.remove(&key);
    crate::token::end_of_agent(act, name)?;
    agent_event(act, name, &AgentDeleted {})?;
    act.audit(crate::act::record::Told::done(SYSTEM_SCOPE, Action::AgentDeleted, name))
}
