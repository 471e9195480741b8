//! What the door keeps in memory beside the store: the ready order, leases, names, unique keys, counts.
//!
//! Everything here can be rebuilt from the store. Every change is a [`step::Step`], which leaves its inverse behind, so
//! that a deed or a whole transaction that is taken back takes its memory back too. Steps can be written down for
//! other servers of the same store, which catch up with them.

pub mod assign;
pub mod audit;
pub mod boot;
mod catch_up;
pub mod connection;
pub mod count;
pub mod lease;
pub mod letter;
pub mod name;
pub mod presence;
pub mod process;
pub mod ready;
pub mod redo;
pub mod run;
pub mod step;
mod summary;
pub mod unique;

pub use catch_up::{CaughtUp, OutOfStep};

use count::Counts;
use lease::Leases;
use name::Names;
use ready::Ready;
use redo::Redo;
use std::collections::{HashMap, HashSet};
use step::Step;

/// Everything that is kept.
#[derive(Default)]
pub struct Parts {
    /// Scopes, queues, lanes, agents, actors.
    pub names: Names,
    /// What may be claimed, in order.
    pub ready: Ready,
    /// Who holds what.
    pub leases: Leases,
    /// Which task holds which unique key.
    pub unique: unique::Holds,
    /// How many pending tasks wait for a task, by its key.
    pub awaited: HashMap<i64, u32>,
    /// Tasks by queue and state.
    pub counts: Counts,
    /// The last seq of the log.
    pub last_seq: i64,
    /// Scopes whose own sequence has grown in the present transaction, deleted ones too, and where it stands.
    pub grown: HashMap<i64, i64>,
    /// The largest key given to any thing.
    pub last_key: i64,
    /// When each agent last said something: on the wall clock, and on the steady one.
    pub presence: HashMap<i64, (i64, i64)>,
    /// What each agent could do when it asked for work last. A hint: nothing is decided by it, and other servers do not
    /// know it.
    pub claimed_with: HashMap<i64, Vec<String>>,
    /// Which process of each agent is the newest.
    pub processes: process::Processes,
    /// The newest connection of each agent that has said hello on one.
    pub connections: HashMap<i64, connection::Link>,
    /// What each agent last said of its machine to this server. A hint: others hear of it with [`presence::Step::Heard`].
    pub machines: HashMap<i64, tiltyard_model::agent::Resources>,
    /// What all servers know of when each agent was heard.
    pub told: HashMap<i64, connection::Heard>,
    /// The scopes of who spoke for each agent since it was last silent.
    pub served: HashMap<i64, tiltyard_model::role::Reach>,
    /// Agents that spoke since they were last found silent.
    pub online: HashSet<i64>,
    /// Whether the disk is so full that new work is refused (O15).
    pub storage_low: bool,
    /// What somebody beside the door found out about the store: it can no longer be trusted, and nothing is committed
    /// any more (E2).
    pub distrust: Option<tiltyard_store::Error>,
    /// What agents did last.
    pub turns: assign::Turns,
    /// At most so many lanes; [`crate::act::name::MAX_LANES`] where nothing else is said.
    pub max_lanes: Option<usize>,
    /// At most so many tasks a claim, while a queue chooses among several agents.
    pub share: Option<usize>,
    /// Dead letters.
    pub letters: letter::Letters,
    /// Runs that are under way.
    pub runs: run::Runs,
    /// Who calls with which token; shared with whoever authenticates.
    pub tokens: crate::token::Tokens,
    /// Heads of the audit chains: last seq and hash.
    pub audit: HashMap<String, tiltyard_model::audit::Head>,
}

/// The parts, with the way back, and the way forward for others where somebody wants it.
#[derive(Default)]
pub struct Memory {
    parts: Parts,
    undo: Vec<Step>,
    redo: Option<Box<Redo>>,
}

/// A point to come back to; two are the same when nothing was changed between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    undo: usize,
    redo: usize,
}

impl Memory {
    /// Memory of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts, undo: Vec::new(), redo: None }
    }

    /// A point to come back to.
    pub fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), redo: self.redo.as_ref().map_or(0, |redo| redo.bytes.len()) }
    }

    /// Takes back what came after the mark, last first.
    pub fn rollback_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            if let Some(inverse) = self.undo.pop() {
                self.parts.apply(inverse);
            }
        }
        self.redo_taken_back(mark.redo);
    }

    /// Takes back the whole transaction.
    pub fn rollback(&mut self) {
        self.rollback_to(Mark { undo: 0, redo: 0 });
        self.parts.grown.clear();
        self.parts.counts.forget_unwritten();
    }

    /// Forgets the way back: what happened is on disk.
    pub fn commit(&mut self) {
        self.undo.clear();
        self.redo_committed();
    }

    /// Does a step, and keeps how it is taken back.
    pub(crate) fn step(&mut self, step: impl Into<Step>) {
        let step = step.into();
        if let Some(redo) = &mut self.redo {
            redo.write(&step);
        }
        self.undo.extend(self.parts.apply(step));
    }

    /// What does no harm when a rollback leaves it as it is, and is no other server's business: whose turn it is, what was
    /// said last, rings, caches. All else is changed by steps; what was not would be there on one server only.
    pub fn hints(&mut self) -> &mut Parts {
        &mut self.parts
    }
}

impl std::ops::Deref for Memory {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}
