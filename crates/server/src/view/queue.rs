//! Queues as they are shown.

use tiltyard_engine::queue::View;
use tiltyard_model::queue::Flow;
use tiltyard_model::task::State;
use tiltyard_wire::queue as wire;

/// A queue.
pub(crate) fn view(queue: &View) -> wire::View {
    let settings = &queue.settings;
    wire::View {
        scope: queue.scope.clone(),
        name: queue.name.clone(),
        paused: settings.flow == Flow::Paused,
        draining: settings.flow == Flow::Draining,
        concurrency_limit: settings.concurrency_limit,
        rate_per_minute: settings.rate_per_minute,
        assignment: settings.assignment,
        dead_letters: settings.dead_letters,
        counts: counts(|state| queue.count(state)),
        next_ready_ms: queue.next_ready_ms,
    }
}

/// Counts by state.
pub(crate) fn counts(of: impl Fn(State) -> u64) -> wire::Counts {
    wire::Counts {
        pending: of(State::Pending),
        scheduled: of(State::Scheduled),
        ready: of(State::Ready),
        running: of(State::Running),
        waiting: of(State::Waiting),
        succeeded: of(State::Succeeded),
        dead: of(State::Dead),
        cancelled: of(State::Cancelled),
    }
}
