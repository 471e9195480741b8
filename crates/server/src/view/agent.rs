//! Agents as they are shown.

use tiltyard_engine::agent::Seen;
use tiltyard_engine::task::heartbeat::{Held, Standing};
use tiltyard_model::agent::record::{Disconnect, Violation};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_wire::agent as wire;
use tiltyard_wire::task::work::{AgentHeartbeatAnswer, Dropped, Lease};
use tiltyard_wire::time::Time;

/// An agent.
pub(crate) fn view(seen: Seen) -> wire::View {
    let Seen { agent, state, leases, last_seen, connected, resources } = seen;
    wire::View {
        name: agent.name,
        instance: agent.instance,
        state,
        connected,
        draining: agent.draining,
        capabilities: agent.profile.capabilities,
        version: agent.profile.version,
        host: agent.profile.host,
        slots: agent.profile.slots,
        resources,
        leases: leases.into_iter().map(lease).collect(),
        created_at: Time(agent.created_at),
        last_heartbeat: last_seen.map(Time),
    }
}

/// One invalid message of an agent.
pub(crate) fn violation(violation: &Violation) -> wire::Violation {
    let Violation { at, error, verdict } = violation;
    wire::Violation { at: Time(*at), error: error.clone(), action: verdict.as_str().to_owned() }
}

/// One end of a connection.
pub(crate) fn disconnect(disconnect: &Disconnect) -> wire::Disconnect {
    let Disconnect { at, instance, reason } = disconnect.clone();
    wire::Disconnect { at: Time(at), instance, reason }
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
