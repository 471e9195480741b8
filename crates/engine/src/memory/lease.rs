//! Leases: who holds what, until when on the steady clock (E4).

use super::{Memory, Parts};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tiltyard_model::task::CHANGE_KIND;
use tiltyard_model::task::admission::is_internal_kind;
use tiltyard_model::task::attempt::Stop;
use tiltyard_model::time::DurationMs;

/// A live lease, or the stop of a cancelled attempt that still takes its slot (D4).
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Every lease, by task, by agent, by time.
#[derive(Debug, Default)]
pub struct Leases {
    by_task: HashMap<i64, Lease>,
    by_agent: HashMap<i64, BTreeSet<i64>>,
    by_time: BTreeSet<(DurationMs, i64)>,
}

impl Leases {
    /// The lease of a task.
    pub fn get(&self, task: i64) -> Option<&Lease> {
        self.by_task.get(&task)
    }

    /// The lease of a task, when it is live with that generation.
    pub fn live(&self, task: i64, generation: i64) -> Option<&Lease> {
        self.get(task).filter(|lease| lease.generation == generation && lease.stop.is_none())
    }

    /// What an agent holds, stops included.
    pub fn of_agent(&self, agent: i64) -> impl Iterator<Item = &Lease> {
        self.by_agent.get(&agent).into_iter().flatten().filter_map(|task| self.by_task.get(task))
    }

    /// How many live leases an agent has.
    pub fn load(&self, agent: i64) -> usize {
        self.of_agent(agent).filter(|lease| lease.stop.is_none()).count()
    }

    /// Every lease and stop.
    pub fn all(&self) -> impl Iterator<Item = &Lease> {
        self.by_task.values()
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
        due.filter_map(|(_, task)| self.by_task.get(task)).cloned().collect()
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<DurationMs> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn put(&mut self, lease: Lease) {
        self.remove(lease.task);
        self.by_agent.entry(lease.agent).or_default().insert(lease.task);
        self.by_time.insert((lease.due(), lease.task));
        self.by_task.insert(lease.task, lease);
    }

    fn remove(&mut self, task: i64) -> Option<Lease> {
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
}

impl Parts {
    /// Knows a lease and its slot.
    pub fn put_lease(&mut self, lease: Lease) {
        let (task, lane) = (lease.task, lease.lane);
        if let Some(before) = self.leases.get(task).map(|before| before.lane) {
            self.ready.free(before);
        }
        self.leases.put(lease);
        self.ready.take(lane);
    }

    /// Forgets a lease and frees its slot.
    pub fn drop_lease(&mut self, task: i64) -> Option<Lease> {
        let lease = self.leases.remove(task)?;
        self.ready.free(lease.lane);
        Some(lease)
    }
}

impl Memory {
    /// Begins, prolongs or changes a lease.
    pub fn put_lease(&mut self, lease: Lease) {
        self.change(move |parts| {
            let task = lease.task;
            let before = parts.leases.get(task).cloned();
            parts.put_lease(lease);
            let inverse = move |parts: &mut Parts| {
                parts.drop_lease(task);
                if let Some(before) = before {
                    parts.put_lease(before);
                }
            };
            ((), Box::new(inverse))
        });
    }

    /// Ends a lease.
    pub fn end_lease(&mut self, task: i64) -> Option<Lease> {
        self.change(move |parts| {
            let lease = parts.drop_lease(task);
            let before = lease.clone();
            let inverse = move |parts: &mut Parts| {
                if let Some(before) = before {
                    parts.put_lease(before);
                }
            };
            (lease, Box::new(inverse))
        })
    }
}
