//! Which agent holds a repository's mirror.

use crate::act::Act;
use tiltyard_model::agent::{Agent, OFFLINE_AFTER_MS};
use tiltyard_model::refusal::{Code, Refusal};

/// When to ask again, when no agent is there.
const RETRY_AFTER_MS: i64 = 5_000;

/// Refused: the agent has not spoken for a while, or never.
pub(super) fn there(act: &Act<'_>, agent: &str) -> Result<(), Refusal> {
    if is_there(act, agent) {
        return Ok(());
    }
    let text = format!(
        "the agent `{agent}` is not connected, and it must look at the repository: start it, or name another one"
    );
    Err(nobody(text))
}

/// Whether an agent has spoken within the time after which it counts as offline.
pub(crate) fn is_there(act: &Act<'_>, agent: &str) -> bool {
    let last = act.memory.names.agent_key(agent).and_then(|key| act.memory.presence.get(&key));
    last.is_some_and(|(_, steady)| act.now.steady - steady < OFFLINE_AFTER_MS)
}

/// The only agent that is there. One that says how many slots it has speaks the agents' protocol; a worker that only
/// claims is asked only when there is no other.
pub(super) fn only(act: &Act<'_>) -> Result<String, Refusal> {
    let there = |agent: &&Agent| is_there(act, &agent.name) && !agent.draining;
    let all: Vec<&Agent> = act.memory.names.agents().map(|(_, agent)| agent).filter(there).collect();
    let full: Vec<&Agent> = all.iter().copied().filter(|agent| agent.profile.slots > 0).collect();
    let choice = if full.is_empty() { all } else { full };
    match choice.as_slice() {
        [] => Err(nobody(
            "no agent is connected, and one must look at the repository: start one with `tiltyard agent`"
                .to_owned(),
        )),
        [agent] => Ok(agent.name.clone()),
        several => {
            let mut names: Vec<&str> = several.iter().map(|agent| agent.name.as_str()).collect();
            names.sort_unstable();
            names.truncate(10);
            Err(Refusal::field(
                "/agent",
                format!("several agents are connected, say which one: {}", names.join(", ")),
            ))
        }
    }
}

fn nobody(text: String) -> Refusal {
    Refusal::new(Code::NoAgentForRepository, text).retry_after(RETRY_AFTER_MS)
}
