//! Tasks: what can be done with them. Each file is one deed; the rules are `model::task`, the rows `store::task`.

pub mod access;
pub mod cancel;
pub mod claim;
pub mod dependent;
pub mod due;
pub mod edit;
pub mod end;
mod handed;
pub mod heartbeat;
pub mod list;
pub mod log;
pub mod rescue;
pub mod retry;
pub mod settle;
pub mod submit;
pub mod why;

use crate::act::{Act, refusal_of};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
/// A task as it was found.
pub use tiltyard_store::task::Found;
use tiltyard_store::task::Move;

impl Act<'_> {
    /// A task that the caller may see.
    ///
    /// # Errors
    /// 404 for one that is not there, or not in the caller's scopes.
    pub fn task(&self, id: Id) -> Result<Found, Refusal> {
        let found = tiltyard_store::task::get(self.tx, id).map_err(refusal_of)?;
        found
            .filter(|found| access::may_see(&self.pass.caller, &found.task))
            .ok_or_else(|| Refusal::missing("task", id))
    }

    /// Moves a task that is not running, keeps the ready order and the counts, and writes no event: the caller does.
    ///
    /// # Errors
    /// When it is not as it was read, or the store cannot write it.
    pub(crate) fn shift(&mut self, found: &Found, step: Step<'_>) -> Result<(), Refusal> {
        let task = &found.task;
        let moved = tiltyard_store::task::shift(
            self.tx,
            &Move {
                key: found.key,
                from: task.state,
                generation: task.generation,
                to: step.to,
                run_at: step.run_at,
                waits_for: step.waits_for,
                now: self.now.wall,
                reason: step.reason,
            },
        );
        if !moved.map_err(refusal_of)? {
            return Err(changed_meanwhile(task.id));
        }
        if let (State::Ready, Some(ready_at)) = (task.state, task.ready_at) {
            self.memory.unready(found.lane, found.key, ready_at, task.spec.priority);
        }
        if step.to == State::Ready {
            let lane = step.lane.map_or_else(|| self.lane_anew(found), Ok)?;
            let priority = step.priority.unwrap_or(task.spec.priority);
            self.memory.make_ready(lane, found.key, self.now.wall, priority);
        }
        self.memory.count_move(found.queue, Some(task.state), Some(step.to));
        if task.state == State::Waiting && !step.to.is_final() {
            crate::run::task::moved(self, found.key, step.to)?;
        }
        Ok(())
    }

    /// The lane of a task that was not ready for a while: its own may have been forgotten, and its key be another's.
    fn lane_anew(&mut self, found: &Found) -> Result<i64, Refusal> {
        let lane = self.lane_again(found.queue, &found.task.spec)?;
        if lane != found.lane {
            tiltyard_store::task::move_lane(self.tx, found.key, lane).map_err(refusal_of)?;
        }
        Ok(lane)
    }
}

/// Where a task goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The next state.
    pub to: State,
    /// Not before.
    pub run_at: Option<i64>,
    /// How many dependencies are unfinished.
    pub waits_for: u32,
    /// Why, for a cancel.
    pub reason: Option<&'a str>,
    /// Its lane from now on, where that changes.
    pub lane: Option<i64>,
    /// Its priority from now on, where that changes.
    pub priority: Option<u8>,
}

impl Step<'_> {
    /// A move that keeps everything else as it is.
    pub(crate) fn to(found: &Found, to: State) -> Self {
        Self { to, run_at: found.task.spec.run_at, waits_for: 0, reason: None, lane: None, priority: None }
    }
}

/// The door does one deed after another, so this is a fault of ours; nothing was changed.
fn changed_meanwhile(id: Id) -> Refusal {
    use tiltyard_model::refusal::Code;
    Refusal::new(Code::Internal, format!("{id} is not in the store as it is in memory: nothing was changed"))
}

/// The first line of an error, for events and lists; at most 300 characters.
pub(crate) fn first_line(text: &str) -> String {
    const MAX_LINE_CHARS: usize = 300;
    text.lines().next().unwrap_or_default().chars().take(MAX_LINE_CHARS).collect()
}
