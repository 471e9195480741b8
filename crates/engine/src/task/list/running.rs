//! Which tasks run, from memory. A shared store has ready and running ones in one part of its index, so that a start changes no index:
//! whoever looks there for the few that run passes everything that is ready.

use super::Filter;
use crate::act::Act;
use crate::memory::lease::Lease;
use crate::{Engine, Pass, Urgency};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::task::State;
use tokio::time::timeout;

/// Where more tasks run than this, they are no small part of what is looked through, and no list of keys is made.
pub const MAX_RUNNING_KEYS: usize = 10_000;
/// So long a list waits for the door; then it does without.
const PATIENCE: Duration = Duration::from_millis(500);

/// The filter with what a list of it needs to know of memory: nothing, where the store is embedded, or none that runs is asked for. It
/// finds the same in any case; a task that begins while the list is made may not be in it.
pub async fn with_running(engine: &Engine, pass: Pass, filter: Filter) -> Filter {
    let wants = |state| filter.states.contains(&state);
    // The tasks of a run have an index of their own.
    let is_asked = wants(State::Running) && !wants(State::Ready) && filter.run.is_none();
    if !is_asked || !engine.store().is_shared() {
        return filter;
    }
    let meant = filter.clone();
    let deed = move |act: &mut Act<'_>| Ok(running(act, &meant));
    // A door that is shut or does not answer in time says nothing of the list: the rows tell it too, only slower.
    let told = timeout(PATIENCE, engine.enter(pass, Urgency::Normal, deed)).await;
    Filter { running: told.ok().and_then(Result::ok).flatten(), ..filter }
}

/// Keys of the tasks that run, of the scopes and queues that a filter means; `None` where there are too many.
pub fn running(act: &Act<'_>, filter: &Filter) -> Option<Arc<[i64]>> {
    let leases = &act.memory.leases;
    if leases.len() > MAX_RUNNING_KEYS {
        return None;
    }
    let runs = leases.all().filter(|lease| lease.stop.is_none() && is_meant(act, filter, lease));
    Some(runs.map(|lease| lease.task).collect())
}

fn is_meant(act: &Act<'_>, filter: &Filter, lease: &Lease) -> bool {
    let Some((_, lane)) = act.memory.names.lane(lease.lane) else { return true };
    let is_in = |names: &Option<Vec<String>>, name| names.as_ref().is_none_or(|names| names.contains(name));
    is_in(&filter.scopes, &lane.scope)
        && is_in(&filter.queues, &lane.queue)
        && filter.queue.as_ref().is_none_or(|queue| *queue == lane.queue)
}
