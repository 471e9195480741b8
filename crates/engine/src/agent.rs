//! Agents: who is there, what they hold, what they are told (D30, D31).

use crate::act::Act;

/// An agent has said something.
pub(crate) fn seen(act: &mut Act<'_>, agent: i64) {
    let (wall, steady) = (act.now.wall, act.now.steady);
    act.memory.hints().presence.insert(agent, (wall, steady));
}
