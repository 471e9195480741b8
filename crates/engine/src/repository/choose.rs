//! Which agent holds a repository's mirror.

use crate::act::Act;
use tiltyard_model::agent::{Agent, OFFLINE_AFTER_MS};
use tiltyard_model::refusal::{Code, Refusal};

/// When to ask again, when no agent is there.
const RETRY_AFTER_MS: i64 = 5_000;

/// Refused: the agent has not spoken for a while, or never, or is none that could look.
pub(super) fn there(act: &Act<'_>, scope: &str, agent: &str) -> Result<(), Refusal> {
    let own_token = act.memory.tokens.bind(agent);
    let known = act.memory.names.agent_key(agent).and_then(|key| Some((key, act.memory.names.agent(key)?)));
    let looks =
        known.is_some_and(|(key, known)| (own_token || speaks_protocol(known)) && serves(act, key, scope));
    if looks && is_there(act, agent) {
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

/// Whether it has connected as an agent: one that says how many slots it has. A worker that only claims looks at nothing.
fn speaks_protocol(agent: &Agent) -> bool {
    agent.profile.slots > 0
}

fn serves(act: &Act<'_>, agent: i64, scope: &str) -> bool {
    crate::agent::reach::serves(act, agent).covers(scope)
}

/// The only agent of the scope that is there.
pub(super) fn only(act: &Act<'_>, scope: &str) -> Result<String, Refusal> {
    let fits = |(key, agent): &(i64, &Agent)| {
        speaks_protocol(agent) && !agent.draining && is_there(act, &agent.name) && serves(act, *key, scope)
    };
    let choice: Vec<&Agent> = act.memory.names.agents().filter(fits).map(|(_, agent)| agent).collect();
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
