//! Agents as they are shown.

use tiltyard_engine::agent::Seen;
use tiltyard_engine::task::heartbeat::{Held, Standing};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_wire::agent as wire;
use tiltyard_wire::task::work::{AgentHeartbeatAnswer, Dropped, Lease};
use tiltyard_wire::time::Time;

/// What only the live connection of an agent knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Live {
    /// Whether it speaks the agent protocol now.
    pub(crate) connected: bool,
    /// What it last said of its machine.
    pub(crate) resources: Option<wire::Resources>,
}

/// An agent.
pub(crate) fn view(seen: Seen, live: Live) -> wire::View {
    let Seen { agent, state, leases, last_seen } = seen;
    wire::View {
        name: agent.name,
        instance: agent.instance,
        state,
        connected: live.connected,
        draining: agent.draining,
        capabilities: agent.profile.capabilities,
        version: agent.profile.version,
        host: agent.profile.host,
        slots: agent.profile.slots,
        resources: live.resources,
        leases: leases.into_iter().map(lease).collect(),
        created_at: Time(agent.created_at),
        last_heartbeat: last_seen.map(Time),
    }
}

/// What became of the leases that an agent named.
pub(crate) fn standing(standing: Standing) -> AgentHeartbeatAnswer {
    AgentHeartbeatAnswer {
        keep: standing.keep.into_iter().map(lease).collect(),
        drop: standing.drop.into_iter().map(|(held, code)| dropped(held.id, held.generation, code)).collect(),
    }
}

/// A lease.
pub(crate) fn lease(held: Held) -> Lease {
    Lease { id: held.id, generation: held.generation }
}

/// A lease as the engine names it.
pub(crate) fn held(lease: &Lease) -> Held {
    Held { id: lease.id, generation: lease.generation }
}

/// A lease that is gone.
pub(crate) fn dropped(id: Id, generation: i64, code: Code) -> Dropped {
    Dropped { id, generation, code: code.as_str().to_owned() }
}
