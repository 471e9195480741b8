//! What this agent holds: running attempts, at most as many as it has slots, and outcomes not yet settled.
//!
//! One task has one attempt here at a time. Every word about an attempt names its generation; one that names
//! another generation than the one held changes nothing (D1, D31).

use crate::attempt::AttemptKey;
use crate::stop::{StopReason, StopSignal, Stopper, stop_pair};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Most slots of one agent.
pub const MAX_SLOTS: usize = 1_024;

/// Where a held attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its program works.
    Running,
    /// It was told to stop, and is not yet known to have.
    Stopping(StopReason),
    /// It has ended; its outcome waits in the outbox. Its lease is still held, its slot is not.
    Finished,
}

/// One lease that this agent holds, for `hello` and `renew`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which attempt.
    pub key: AttemptKey,
    /// Where it stands.
    pub phase: Phase,
}

/// Why an attempt gets no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotRefusal {
    /// All are taken.
    #[error("all {0} slots of this agent are taken")]
    Full(usize),
    /// Nothing new is started.
    #[error("this agent is draining: it finishes what runs and starts nothing")]
    Draining,
    /// This very attempt is here already: the assignment came twice.
    #[error("attempt {0} is here already")]
    Repeated(AttemptKey),
    /// An earlier attempt of the task is here still; it has been told to stop, for its lease is lost.
    #[error("an earlier attempt of the task, {0}, is still here and has been told to stop")]
    Older(AttemptKey),
    /// A later attempt of the task is here: this assignment is old.
    #[error("a later attempt of the task, {0}, is here: the assignment is out of date")]
    Newer(AttemptKey),
}

/// What became of the wish that an attempt stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAnswer {
    /// It is stopping.
    Stopping,
    /// It has ended before; its outcome waits.
    Finished,
    /// This attempt is not here, or another generation of it is.
    NotHeld,
}

/// The slots of one agent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Table>);

#[derive(Debug)]
struct Table {
    limit: usize,
    state: Mutex<State>,
    /// How many run; what [`Slots::idle`] waits on.
    running: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<String, Entry>,
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    key: AttemptKey,
    stopper: Stopper,
    finished: bool,
}

impl Entry {
    fn phase(&self) -> Phase {
        match (self.finished, self.stopper.wish()) {
            (true, _) => Phase::Finished,
            (false, Some(reason)) => Phase::Stopping(reason),
            (false, None) => Phase::Running,
        }
    }
}

impl Slots {
    /// `limit` slots, 1 to [`MAX_SLOTS`].
    pub fn new(limit: usize) -> Self {
        let (running, _) = watch::channel(0);
        let limit = limit.clamp(1, MAX_SLOTS);
        Self(Arc::new(Table { limit, state: Mutex::default(), running }))
    }

    /// How many there are.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How many can be taken now; none while draining.
    pub fn free(&self) -> usize {
        let state = self.0.state.lock();
        if state.draining { 0 } else { self.0.limit.saturating_sub(self.0.running(&state)) }
    }

    /// Takes a slot for an attempt.
    ///
    /// # Errors
    /// [`SlotRefusal`]. An earlier attempt of the same task is told to stop with [`StopReason::Dropped`]: a new
    /// generation means that its lease is lost.
    pub fn take(&self, key: &AttemptKey) -> Result<Seat, SlotRefusal> {
        let mut state = self.0.state.lock();
        if let Some(entry) = state.held.get(key.task()) {
            return Err(refusal_beside(entry, key));
        }
        if state.draining {
            return Err(SlotRefusal::Draining);
        }
        if self.0.running(&state) >= self.0.limit {
            return Err(SlotRefusal::Full(self.0.limit));
        }
        let (stopper, signal) = stop_pair();
        state.held.insert(key.task().to_owned(), Entry { key: key.clone(), stopper, finished: false });
        self.0.tell(&state);
        Ok(Seat { slots: self.clone(), key: key.clone(), signal })
    }

    /// Writes down an attempt of an earlier process whose outcome still waits.
    pub fn restore(&self, key: &AttemptKey) {
        let (stopper, _) = stop_pair();
        let entry = Entry { key: key.clone(), stopper, finished: true };
        let mut state = self.0.state.lock();
        match state.held.get(key.task()) {
            Some(known) if known.key.generation() >= key.generation() => {}
            _ => drop(state.held.insert(key.task().to_owned(), entry)),
        }
    }

    /// Tells an attempt to stop: a cancel, or a `drop` of its lease.
    pub fn stop(&self, key: &AttemptKey, reason: StopReason) -> StopAnswer {
        let state = self.0.state.lock();
        match state.held.get(key.task()).filter(|entry| entry.key == *key) {
            None => StopAnswer::NotHeld,
            Some(entry) if entry.finished => StopAnswer::Finished,
            Some(entry) => {
                entry.stopper.stop(reason);
                StopAnswer::Stopping
            }
        }
    }

    /// Tells everything that runs to stop.
    pub fn stop_all(&self, reason: StopReason) {
        let state = self.0.state.lock();
        state.held.values().filter(|entry| !entry.finished).for_each(|entry| {
            entry.stopper.stop(reason);
        });
    }

    /// Forgets an attempt that has ended: settled, or dropped. One that runs, or another generation, stays.
    pub fn forget(&self, key: &AttemptKey) {
        let mut state = self.0.state.lock();
        if state.held.get(key.task()).is_some_and(|entry| entry.key == *key && entry.finished) {
            state.held.remove(key.task());
        }
    }

    /// Everything held, by task.
    pub fn held(&self) -> Vec<Held> {
        let state = self.0.state.lock();
        state.held.values().map(|entry| Held { key: entry.key.clone(), phase: entry.phase() }).collect()
    }

    /// From now on nothing new is started, or is again.
    pub fn set_intake(&self, intake: Intake) {
        self.0.state.lock().draining = intake == Intake::Draining;
    }

    /// Waits until nothing runs.
    pub async fn idle(&self) {
        let mut running = self.0.running.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = running.wait_for(|count| *count == 0).await;
    }
}

/// Whether new work is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// It is.
    Open,
    /// What runs is finished, nothing is started.
    Draining,
}

fn refusal_beside(entry: &Entry, key: &AttemptKey) -> SlotRefusal {
    let known = entry.key.clone();
    match known.generation().cmp(&key.generation()) {
        std::cmp::Ordering::Equal => SlotRefusal::Repeated(known),
        std::cmp::Ordering::Greater => SlotRefusal::Newer(known),
        std::cmp::Ordering::Less => {
            entry.stopper.stop(StopReason::Dropped);
            SlotRefusal::Older(known)
        }
    }
}

impl Table {
    fn running(&self, state: &State) -> usize {
        state.held.values().filter(|entry| !entry.finished).count()
    }

    fn tell(&self, state: &State) {
        self.running.send_replace(self.running(state));
    }
}

/// A taken slot. Dropped, it is free again and the attempt forgotten.
#[derive(Debug)]
pub struct Seat {
    slots: Slots,
    key: AttemptKey,
    signal: StopSignal,
}

impl Seat {
    /// Whose it is.
    pub fn key(&self) -> &AttemptKey {
        &self.key
    }

    /// Says when the attempt is to stop.
    pub fn signal(&self) -> StopSignal {
        self.signal.clone()
    }

    /// Frees the slot but keeps the lease: the outcome waits in the outbox.
    pub fn finish(self) {
        let mut state = self.slots.0.state.lock();
        if let Some(entry) = state.held.get_mut(self.key.task()).filter(|entry| entry.key == self.key) {
            entry.finished = true;
        }
        self.slots.0.tell(&state);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.slots.0.state.lock();
        if state.held.get(self.key.task()).is_some_and(|entry| entry.key == self.key && !entry.finished) {
            state.held.remove(self.key.task());
        }
        self.slots.0.tell(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(task: &str, generation: i64) -> AttemptKey {
        AttemptKey::new(task, generation).expect("is a key")
    }

    #[test]
    fn c1_no_more_run_than_there_are_slots() {
        let slots = Slots::new(2);
        let first = slots.take(&key("a", 1)).expect("is free");
        let second = slots.take(&key("b", 1)).expect("is free");
        assert_eq!(slots.take(&key("c", 1)).err(), Some(SlotRefusal::Full(2)));
        drop(first);
        assert_eq!((slots.free(), slots.held().len()), (1, 1));
        second.finish();
        assert_eq!((slots.free(), slots.held().len()), (2, 1), "an outcome that waits takes no slot");
        slots.forget(&key("b", 1));
        assert_eq!(slots.held(), []);
    }

    #[test]
    fn d31_another_generation_changes_nothing() {
        let slots = Slots::new(4);
        let seat = slots.take(&key("a", 5)).expect("is free");
        for other in [4, 6] {
            assert_eq!(slots.stop(&key("a", other), StopReason::Cancelled), StopAnswer::NotHeld);
            slots.forget(&key("a", other));
        }
        assert_eq!(slots.held(), [Held { key: key("a", 5), phase: Phase::Running }]);
        assert_eq!(slots.take(&key("a", 4)).err(), Some(SlotRefusal::Newer(key("a", 5))));
        assert_eq!(slots.take(&key("a", 5)).err(), Some(SlotRefusal::Repeated(key("a", 5))));
        assert_eq!(seat.signal().wish(), None);
    }

    #[test]
    fn d31_a_new_generation_ends_the_old_attempt() {
        let slots = Slots::new(4);
        let seat = slots.take(&key("a", 5)).expect("is free");
        assert_eq!(slots.take(&key("a", 6)).err(), Some(SlotRefusal::Older(key("a", 5))));
        assert_eq!(seat.signal().wish(), Some(StopReason::Dropped));
        drop(seat);
        slots.take(&key("a", 6)).expect("is free now");
    }

    #[test]
    fn d4_a_cancelled_attempt_keeps_its_slot_until_it_has_stopped() {
        let slots = Slots::new(1);
        let seat = slots.take(&key("a", 1)).expect("is free");
        assert_eq!(slots.stop(&key("a", 1), StopReason::Cancelled), StopAnswer::Stopping);
        assert_eq!(slots.held()[0].phase, Phase::Stopping(StopReason::Cancelled));
        slots.forget(&key("a", 1));
        assert_eq!(slots.free(), 0);
        drop(seat);
        assert_eq!(slots.free(), 1);
    }

    #[tokio::test]
    async fn d6_a_draining_agent_finishes_and_starts_nothing() {
        let slots = Slots::new(2);
        let seat = slots.take(&key("a", 1)).expect("is free");
        slots.set_intake(Intake::Draining);
        assert_eq!((slots.free(), slots.take(&key("b", 1)).err()), (0, Some(SlotRefusal::Draining)));
        let waiting = tokio::spawn({
            let slots = slots.clone();
            async move { slots.idle().await }
        });
        seat.finish();
        waiting.await.expect("ends");
        slots.set_intake(Intake::Open);
        assert_eq!(slots.free(), 2);
    }

    #[test]
    fn c3_outcomes_of_an_earlier_process_are_held_again() {
        let slots = Slots::new(1);
        slots.restore(&key("a", 2));
        slots.restore(&key("a", 1));
        assert_eq!(slots.held(), [Held { key: key("a", 2), phase: Phase::Finished }]);
        assert_eq!(slots.stop(&key("a", 2), StopReason::Dropped), StopAnswer::Finished);
        assert_eq!(slots.free(), 1);
    }
}
