//! Connections of agents: which one is the newest, what they say of their machine, and what is remembered of them (C2, D31).

use super::{known, reach, seen};
use crate::act::{Act, Effect};
use std::sync::Arc;
use tiltyard_model::agent::record::{Record, Verdict};
use tiltyard_model::agent::{Agent, Resources};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::time::TimeMs;

/// What is known of a connection that is spoken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is its agent's.
    Newest,
    /// A newer one has said hello.
    Superseded,
    /// The agent was taken for gone since, or deleted: it has to say hello again.
    Over,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The agent's name.
    pub name: String,
    /// The connection.
    pub number: u64,
    /// The process that was connected.
    pub instance: String,
    /// Why.
    pub reason: String,
}

/// An agent that is connected lives, whatever it has to say; one whose newest connection is another is not heard on this one.
///
/// # Errors
/// Never, today.
pub fn present(
    act: &mut Act<'_>,
    name: &str,
    connection: u64,
    resources: Option<Resources>,
) -> Result<Standing, Refusal> {
    let Some(agent) = act.memory.names.agent_key(name) else { return Ok(Standing::Over) };
    match act.memory.connections.get(&agent) {
        Some(link) if link.number != connection => return Ok(Standing::Superseded),
        Some(link) if link.is_open => {}
        _ => return Ok(Standing::Over),
    }
    if let Some(resources) = resources {
        act.memory.hints().machines.insert(agent, resources);
    }
    seen(act, agent);
    Ok(Standing::Newest)
}

/// Takes a connection for the newest of its agent; false when a newer one has said hello before.
///
/// # Errors
/// 422 for a name that is no slug.
pub fn supersede(act: &mut Act<'_>, name: &str, connection: u64) -> Result<bool, Refusal> {
    let agent = act.agent_key(name)?;
    let newest = act.memory.connections.get(&agent).is_none_or(|link| link.number <= connection);
    if newest {
        act.memory.know_connection(agent, connection);
        act.effects.push(Effect::AgentConnected { agent: name.to_owned(), number: connection });
    }
    Ok(newest)
}

/// Whether another connection of the agent has said hello since. Asked inside the door, so that nothing of the old
/// one comes between.
pub fn is_superseded(act: &Act<'_>, name: &str, connection: u64) -> bool {
    let key = act.memory.names.agent_key(name);
    key.and_then(|key| act.memory.connections.get(&key)).is_none_or(|link| link.number != connection)
}

/// A connection has ended. Nothing is to be remembered of an agent that is not known.
///
/// # Errors
/// When the store cannot write it.
pub fn ended(act: &mut Act<'_>, ended: Ended) -> Result<(), Refusal> {
    let Some(key) = act.memory.names.agent_key(&ended.name) else { return Ok(()) };
    if act.memory.connections.get(&key).is_some_and(|link| link.number == ended.number) {
        act.memory.end_connection(key);
    }
    let at = act.now.wall;
    remember(act, key, |record| record.disconnected(at, Some(ended.instance), &ended.reason))
}

/// An agent has said something invalid. What is done about it depends on what its connections said before, to any server.
///
/// # Errors
/// When the store cannot write it.
pub fn violated(act: &mut Act<'_>, name: &str, error: &str) -> Result<Verdict, Refusal> {
    let (key, at) = (act.agent_key(name)?, act.now.wall);
    remember(act, key, |record| record.violated(at, error))
}

fn remember<T>(act: &mut Act<'_>, key: i64, note: impl FnOnce(&mut Record) -> T) -> Result<T, Refusal> {
    let agent = known(act, key)?;
    let mut record = Record::clone(&agent.record);
    let noted = note(&mut record);
    act.save_agent(Agent { record: Arc::new(record), ..agent })?;
    Ok(noted)
}

/// What an agent's connections left behind.
///
/// # Errors
/// 404 for one that is not there, or serves no scope of the caller's.
pub fn record(act: &mut Act<'_>, name: &str) -> Result<Arc<Record>, Refusal> {
    let key = reach::seen_by_caller(act, name)?;
    known(act, key).map(|agent| agent.record)
}

/// Invalid messages of all agents since then, as far as they are kept.
///
/// # Errors
/// Never, today.
pub fn violations_since(act: &mut Act<'_>, since: TimeMs) -> Result<usize, Refusal> {
    Ok(act.memory.names.agents().map(|(_, agent)| agent.record.violations_since(since)).sum())
}
