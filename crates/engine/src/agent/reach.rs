//! Which scopes an agent serves, and who may see it and give it orders (SEC4). Agents belong to no scope: they serve the
//! scopes of their token.

use super::{is_silent, key_of, known};
use crate::act::Act;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Reach;

/// Somebody has spoken for an agent. Asked before it counts as seen: after a silence what it served before is forgotten.
pub(super) fn spoken(act: &mut Act<'_>, agent: i64) {
    let silent = is_silent(act, agent);
    let before = act.memory.served.get(&agent).filter(|_| !silent);
    let reach = &act.pass.caller.reach;
    if before.is_some_and(|before| before.includes(reach)) {
        return;
    }
    let served = before.cloned().map_or_else(|| reach.clone(), |before| before.and(reach));
    act.memory.serve(agent, Some(&served));
}

/// The scopes that an agent serves: those of its own tokens; where it has none, those of who spoke for it last and of
/// what it holds.
pub(crate) fn serves(act: &Act<'_>, agent: i64) -> Reach {
    let none = Reach::Only(Vec::new());
    let own = act.memory.tokens.reaches_of(act.memory.names.agent_name(agent));
    if !own.is_empty() {
        return own.iter().fold(none, Reach::and);
    }
    let spoken = act.memory.served.get(&agent).cloned().unwrap_or(none);
    let lanes = act.memory.leases.of_agent(agent).filter_map(|lease| act.memory.names.lane(lease.lane));
    let held = lanes.map(|(_, lane)| lane.scope.clone()).collect();
    spoken.and(&Reach::Only(held))
}

/// Whether the caller may know of an agent: they have a scope in common.
pub(super) fn is_visible(act: &Act<'_>, agent: i64) -> bool {
    act.pass.caller.reach.meets(&serves(act, agent))
}

/// The key of an agent that the caller may see.
///
/// # Errors
/// 404.
pub(super) fn seen_by_caller(act: &Act<'_>, name: &str) -> Result<i64, Refusal> {
    let key = key_of(act, name)?;
    known(act, key)?;
    if is_visible(act, key) { Ok(key) } else { Err(Refusal::missing("agent", name)) }
}

/// The key of an agent that the caller may give orders: all of what it serves is the caller's.
///
/// # Errors
/// 404; 403 `scope_forbidden`.
pub(super) fn led_by_caller(act: &Act<'_>, name: &str) -> Result<i64, Refusal> {
    let key = seen_by_caller(act, name)?;
    if act.pass.caller.reach.includes(&serves(act, key)) {
        return Ok(key);
    }
    let text = format!(
        "the agent `{name}` also serves scopes that the token does not cover; use a token of all of them"
    );
    Err(Refusal::new(Code::ScopeForbidden, text))
}
