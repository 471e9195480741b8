//! Who may see and work on a task, and who may speak for an agent.

use crate::act::{Act, refusal_of};
use crate::memory::lease::{Lease, Sort};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Right, Role};
use tiltyard_model::task::{GIT_QUEUE, Task};
use tiltyard_store::Rows;
use tiltyard_store::task::{self, Found};

/// Whether a caller may know of a task: its scope and, for a worker, its queue (SEC4).
pub fn may_see(caller: &Caller, task: &Task) -> bool {
    may_reach(caller, &task.spec.scope, &task.spec.queue)
}

/// Whether a caller may know of tasks of a queue of a scope.
pub fn may_reach(caller: &Caller, scope: &str, queue: &str) -> bool {
    caller.reach.covers(scope) && caller.may_use_queue(queue)
}

/// Whether a caller may read a task that it sees: the token of an agent reads its own only, those that it holds or
/// held, that are for it, and that it submitted (SEC3).
///
/// # Errors
/// When the store is broken.
pub fn may_read(rows: &Rows, caller: &Caller, found: &Found) -> Result<bool, Refusal> {
    let Some(own) = caller.agent.as_deref() else { return Ok(true) };
    let task = &found.task;
    let given = task.spec.extras.assign_to.as_deref() == Some(own);
    if given || task.created_by == caller.owner {
        return Ok(true);
    }
    let attempts = task::attempts(rows, found.key).map_err(refusal_of)?;
    Ok(attempts.iter().any(|attempt| attempt.agent == own))
}

/// Whether the caller may know of a lease's task.
pub fn reaches(act: &Act<'_>, lease: &Lease) -> bool {
    let lane = act.memory.names.lane(lease.lane);
    lane.is_some_and(|(_, lane)| may_reach(&act.pass.caller, &lane.scope, &lane.queue))
}

/// Whether the caller may speak for an agent (SEC3). The token of an agent speaks for that agent only, and for none
/// before it has spoken for its first; an agent that has a token is spoken for by nobody else, admins included.
pub fn may_speak_for(act: &Act<'_>, agent: &str) -> bool {
    let caller = &act.pass.caller;
    match act.memory.tokens.agent_of(caller) {
        Some(own) => own == agent,
        None => caller.role != Role::Agent && !act.memory.tokens.bind(agent),
    }
}

/// Whether the caller may say something of an attempt: it sees the task and speaks for its agent. What became of a
/// repository is believed only of who may connect as an agent (C19).
pub fn may_answer(act: &Act<'_>, lease: &Lease) -> bool {
    let trusted = lease.sort != Sort::Git || act.pass.caller.role.may(Right::Connect);
    trusted && reaches(act, lease) && may_speak_for(act, act.memory.names.agent_name(lease.agent))
}

/// Refuses a claim of internal tasks by who is no agent: what they say moves branches (C19).
///
/// # Errors
/// 403 `queue_forbidden`.
pub fn may_take_from(caller: &Caller, queues: &[String]) -> Result<(), Refusal> {
    // None named is all of them.
    let named_git = queues.is_empty() || queues.iter().any(|queue| queue == GIT_QUEUE);
    if caller.role.may(Right::Connect) || !named_git {
        return Ok(());
    }
    let text = "tasks of the queue `git` go to agents only: claim with the token of an agent";
    Err(Refusal::new(Code::QueueForbidden, text))
}
