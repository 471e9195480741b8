//! Who may see and work on a task.

use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::Task;

/// Whether a caller may know of a task: its scope and, for a worker, its queue (SEC4).
pub fn may_see(caller: &Caller, task: &Task) -> bool {
    may_reach(caller, &task.spec.scope, &task.spec.queue)
}

/// Whether a caller may know of tasks of a queue of a scope.
pub fn may_reach(caller: &Caller, scope: &str, queue: &str) -> bool {
    caller.reach.covers(scope) && caller.may_use_queue(queue)
}

/// Whether a caller may speak for an attempt of `agent`: an agent's token speaks for that agent only (SEC3).
pub fn may_speak_for(caller: &Caller, agent: &str) -> bool {
    match (caller.role, &caller.agent) {
        (Role::Agent, Some(own)) => own == agent,
        _ => true,
    }
}
