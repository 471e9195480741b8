//! What waits for the door: two bounded lines, the urgent one first (E7).

use super::closed;
use super::deed::Deed;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};

/// Urgent deeds that may wait: one a connection at most, so this is far above what can come.
const MAX_URGENT: usize = 65_536;

/// Which line a deed stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Heartbeats, settling, health, the engine's own services.
    Urgent,
    /// Everything else.
    Normal,
}

/// The two lines.
pub(super) struct Inbox {
    lines: Mutex<Lines>,
    came: Condvar,
    max_normal: AtomicUsize,
}

#[derive(Default)]
struct Lines {
    urgent: VecDeque<Box<dyn Deed>>,
    normal: VecDeque<Box<dyn Deed>>,
    closed: bool,
    asleep: bool,
    nudged: bool,
}

impl Inbox {
    pub(super) fn new(max_normal: usize) -> Self {
        Self { lines: Mutex::default(), came: Condvar::new(), max_normal: AtomicUsize::new(max_normal) }
    }

    /// From now on so many normal deeds may wait; those that wait already stay.
    pub(super) fn max_normal(&self) -> usize {
        self.max_normal.load(Ordering::Relaxed)
    }

    pub(super) fn set_max_normal(&self, max_normal: usize) {
        self.max_normal.store(max_normal, Ordering::Relaxed);
    }

    /// Stands in line, or is turned away.
    pub(super) fn put(&self, urgency: Urgency, deed: Box<dyn Deed>) -> Result<(), Refusal> {
        let mut lines = self.lines.lock();
        if lines.closed {
            return Err(closed());
        }
        let (line, limit) = match urgency {
            Urgency::Urgent => (&mut lines.urgent, MAX_URGENT),
            Urgency::Normal => (&mut lines.normal, self.max_normal.load(Ordering::Relaxed)),
        };
        if line.len() >= limit {
            return Err(overloaded(limit));
        }
        line.push_back(deed);
        if lines.asleep {
            self.came.notify_one();
        }
        Ok(())
    }

    /// The next deed; waits at most `patience` for one. `None` when none came.
    pub(super) fn take(&self, patience: Duration) -> Option<Box<dyn Deed>> {
        let mut lines = self.lines.lock();
        if let Some(deed) = lines.next() {
            return Some(deed);
        }
        if lines.closed || std::mem::take(&mut lines.nudged) {
            return None;
        }
        lines.asleep = true;
        self.came.wait_for(&mut lines, patience);
        lines.asleep = false;
        lines.nudged = false;
        lines.next()
    }

    /// Whoever waits for a deed stops waiting, as there may be something else to do.
    pub(super) fn nudge(&self) {
        let mut lines = self.lines.lock();
        lines.nudged = true;
        if lines.asleep {
            self.came.notify_one();
        }
    }

    /// Whether it takes no more.
    pub(super) fn is_closed(&self) -> bool {
        self.lines.lock().closed
    }

    /// The next deed, when there is one.
    pub(super) fn try_take(&self) -> Option<Box<dyn Deed>> {
        self.lines.lock().next()
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.lines.lock().closed = true;
        self.came.notify_all();
    }

    /// Takes no more, and answers nobody: whoever stands in line hears that the door is closed.
    pub(super) fn abandon(&self) {
        let mut lines = self.lines.lock();
        lines.closed = true;
        let left = (std::mem::take(&mut lines.urgent), std::mem::take(&mut lines.normal));
        drop(lines);
        drop(left);
    }

    /// Whether it is closed and empty.
    pub(super) fn is_done(&self) -> bool {
        let lines = self.lines.lock();
        lines.closed && lines.urgent.is_empty() && lines.normal.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        let lines = self.lines.lock();
        lines.urgent.len() + lines.normal.len()
    }
}

impl Lines {
    fn next(&mut self) -> Option<Box<dyn Deed>> {
        self.urgent.pop_front().or_else(|| self.normal.pop_front())
    }
}

fn overloaded(limit: usize) -> Refusal {
    Refusal::new(
        Code::Overloaded,
        format!(
            "{limit} requests wait for the disk already: nothing of this one was done, try again in a moment"
        ),
    )
    .retry_after(1_000)
}
