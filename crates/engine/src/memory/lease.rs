//! Leases: who holds what, until when on the steady clock (E4).

use super::{Memory, Parts};
use crate::task::cancel::NEVER;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tiltyard_model::task::CHANGE_KIND;
use tiltyard_model::task::admission::is_internal_kind;
use tiltyard_model::task::attempt::Stop;
use tiltyard_model::task::lease::STOP_CONFIRM_MS;
use tiltyard_model::time::DurationMs;

/// A live lease, or the stop of a cancelled attempt that still takes its slot (D4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// The task's key.
    pub task: i64,
    /// The generation.
    pub generation: i64,
    /// The key of the lane.
    pub lane: i64,
    /// The key of the agent.
    pub agent: i64,
    /// Its process.
    pub instance: Option<Arc<str>>,
    /// The hash of the claim's id.
    pub claim: Option<i64>,
    /// The length of the lease.
    pub lease_ms: DurationMs,
    /// When it ends, on the steady clock.
    pub expires: DurationMs,
    /// When the attempt's time is over, on the steady clock.
    pub times_out: DurationMs,
    /// Attempts counted before this one.
    pub used: u32,
    /// What its success means.
    pub sort: Sort,
    /// How the stop stands, once the task was cancelled.
    pub stop: Option<Stop>,
}

/// What the success of a kind of task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sort {
    /// The task is done.
    Plain,
    /// It waits for a decision.
    Change,
    /// An internal task of a change.
    Git,
}

impl Sort {
    /// The sort of a kind.
    pub fn of(kind: &str) -> Self {
        match kind {
            CHANGE_KIND => Self::Change,
            kind if is_internal_kind(kind) => Self::Git,
            _ => Self::Plain,
        }
    }
}

impl Lease {
    /// The next moment when something is due: the end of the lease or of the attempt's time.
    pub fn due(&self) -> DurationMs {
        self.expires.min(self.times_out)
    }

    /// The same with its full length from `now` on, because nobody could prolong it before; an attempt whose time was
    /// up meanwhile has that long to say how it ended. What was left of an attempt's time on a clock that went ahead by `jumped_ms` is
    /// left of it.
    fn anew(&self, now: DurationMs, jumped_ms: DurationMs) -> Self {
        let length = if self.stop.is_some() { STOP_CONFIRM_MS } else { self.lease_ms };
        let times_out =
            if self.times_out == NEVER { NEVER } else { self.times_out.saturating_add(jumped_ms) };
        Self { expires: now + length, times_out: times_out.max(now + length), ..self.clone() }
    }
}

/// Every lease, by task, by agent, by time.
#[derive(Debug, Default)]
pub struct Leases {
    by_task: HashMap<i64, Box<Lease>>,
    by_agent: HashMap<i64, BTreeSet<i64>>,
    by_time: BTreeSet<(DurationMs, i64)>,
}

impl Leases {
    /// The lease of a task.
    pub fn get(&self, task: i64) -> Option<&Lease> {
        self.by_task.get(&task).map(Box::as_ref)
    }

    /// The lease of a task, when it is live with that generation.
    pub fn live(&self, task: i64, generation: i64) -> Option<&Lease> {
        self.get(task).filter(|lease| lease.generation == generation && lease.stop.is_none())
    }

    /// What an agent holds, stops included.
    pub fn of_agent(&self, agent: i64) -> impl Iterator<Item = &Lease> {
        self.by_agent.get(&agent).into_iter().flatten().filter_map(|task| self.get(*task))
    }

    /// How many live leases an agent has.
    pub fn load(&self, agent: i64) -> usize {
        self.of_agent(agent).filter(|lease| lease.stop.is_none()).count()
    }

    /// Every lease and stop.
    pub fn all(&self) -> impl Iterator<Item = &Lease> {
        self.by_task.values().map(Box::as_ref)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_task.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_task.is_empty()
    }

    /// Those that are due at `steady`, at most `limit`.
    pub fn due(&self, steady: DurationMs, limit: usize) -> Vec<Lease> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= steady).take(limit);
        due.filter_map(|(_, task)| self.get(*task)).cloned().collect()
    }

    fn put(&mut self, lease: Box<Lease>) -> Option<Box<Lease>> {
        let before = self.remove(lease.task);
        self.by_agent.entry(lease.agent).or_default().insert(lease.task);
        self.by_time.insert((lease.due(), lease.task));
        self.by_task.insert(lease.task, lease);
        before
    }

    fn remove(&mut self, task: i64) -> Option<Box<Lease>> {
        let lease = self.by_task.remove(&task)?;
        self.by_time.remove(&(lease.due(), task));
        if let Some(tasks) = self.by_agent.get_mut(&lease.agent) {
            tasks.remove(&task);
            if tasks.is_empty() {
                self.by_agent.remove(&lease.agent);
            }
        }
        Some(lease)
    }

    /// Sets length and end of a lease; gives what they were.
    fn prolong(
        &mut self,
        task: i64,
        lease_ms: DurationMs,
        expires: DurationMs,
    ) -> Option<(DurationMs, DurationMs)> {
        let lease = self.by_task.get_mut(&task)?;
        self.by_time.remove(&(lease.due(), task));
        let before = (lease.lease_ms, lease.expires);
        (lease.lease_ms, lease.expires) = (lease_ms, expires);
        self.by_time.insert((lease.due(), task));
        Some(before)
    }
}

/// A step of a lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// It begins, or changes.
    Put(Box<Lease>),
    /// It is prolonged.
    Prolong {
        /// The task's key.
        task: i64,
        /// Its length from now on.
        lease_ms: DurationMs,
        /// When it ends, on the steady clock.
        expires: DurationMs,
    },
    /// It ends.
    End {
        /// The task's key.
        task: i64,
    },
    /// Every live lease has its full length again: nobody could prolong any for a while (E4).
    Anew {
        /// From this moment of the steady clock on.
        now: DurationMs,
        /// How far that clock had gone ahead by itself, when it was set (back, when negative), in milliseconds.
        jumped_ms: DurationMs,
    },
    /// What was anew is as it was.
    Back {
        /// The leases.
        leases: Vec<Lease>,
        /// When agents were heard, by key, on the steady clock: by this server, and as all know.
        heard: Vec<(i64, DurationMs, DurationMs)>,
    },
}

impl Parts {
    /// Knows a lease and its slot; gives the one that it replaces.
    pub fn put_lease(&mut self, lease: Box<Lease>) -> Option<Box<Lease>> {
        let lane = lease.lane;
        let before = self.leases.put(lease);
        // One that changes keeps its slot: nothing became free for anybody.
        if before.as_ref().is_none_or(|before| before.lane != lane) {
            if let Some(before) = &before {
                self.ready.free(before.lane);
            }
            self.ready.take(lane);
        }
        before
    }

    pub(super) fn apply_lease(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Put(lease) => {
                let task = lease.task;
                Some(self.put_lease(lease).map_or(Step::End { task }, Step::Put))
            }
            Step::Prolong { task, lease_ms, expires } => {
                let (lease_ms, expires) = self.leases.prolong(task, lease_ms, expires)?;
                Some(Step::Prolong { task, lease_ms, expires })
            }
            Step::End { task } => {
                let lease = self.leases.remove(task)?;
                self.ready.free(lease.lane);
                self.ready.has_room(lease.agent);
                Some(Step::Put(lease))
            }
            Step::Anew { now, jumped_ms } => {
                let heard = self.hear_anew(now);
                let fresh: Vec<_> =
                    self.leases.all().map(|lease| Box::new(lease.anew(now, jumped_ms))).collect();
                let before = fresh.into_iter().filter_map(|lease| self.leases.put(lease));
                Some(Step::Back { leases: before.map(|lease| *lease).collect(), heard })
            }
            Step::Back { leases, heard } => {
                self.heard_before(heard);
                for lease in leases {
                    self.leases.put(Box::new(lease));
                }
                None
            }
        }
    }
}

impl Memory {
    /// Begins or changes a lease.
    pub fn put_lease(&mut self, lease: Lease) {
        self.step(Step::Put(Box::new(lease)));
    }

    /// Prolongs a lease.
    pub fn prolong_lease(&mut self, task: i64, lease_ms: DurationMs, expires: DurationMs) {
        self.step(Step::Prolong { task, lease_ms, expires });
    }

    /// Ends a lease.
    pub fn end_lease(&mut self, task: i64) {
        self.step(Step::End { task });
    }

    /// Gives every live lease its full length again from `now` on the steady clock, and takes every connected agent as
    /// heard: for a store that nobody could reach for a while, or whose clock was set, by `jumped_ms` (E4).
    pub fn leases_anew(&mut self, now: DurationMs, jumped_ms: DurationMs) {
        self.step(Step::Anew { now, jumped_ms });
    }
}
