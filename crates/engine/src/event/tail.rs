//! The tail: the newest events in memory, read from the store once a commit and handed to everybody who follows.
//!
//! A follower that has nothing to do with a batch is not woken by it: the tail asks its filter and moves its place on.
//! While nobody follows, nothing is read.

use super::follower::Watch;
use super::sieve::Gist;
use super::{Event, Filter};
use crate::bell::Bell;
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_store::Reader;
use tiltyard_store::{Error, event};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Most events that are kept in memory.
pub const MAX_RING_EVENTS: usize = 4_096;
/// Most bytes of data that they have.
pub const MAX_RING_BYTES: usize = 8 * 1024 * 1024;
/// Most events of one read.
const MAX_READ_EVENTS: usize = 1_000;
/// Most events that a follower looks at in one go.
const MAX_LOOKED_EVENTS: usize = 1_024;
/// How often the store is looked at although no bell rang.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// The tail's handle: cheap to clone.
#[derive(Clone)]
pub struct Tail {
    shared: Arc<Shared>,
}

struct Shared {
    ring: RwLock<Ring>,
    watches: Mutex<Watches>,
    first_came: Notify,
    bell: Bell,
}

#[derive(Default)]
struct Watches {
    next: u64,
    all: HashMap<u64, Arc<Watch>>,
}

/// Consecutive events.
#[derive(Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The seq of the last event in it, or before it.
    upto: i64,
}

impl Ring {
    /// The seq before its first event.
    fn after(&self) -> i64 {
        self.upto - self.events.len() as i64
    }

    fn begin(&mut self, seq: i64) {
        *self = Self { upto: seq, ..Self::default() };
    }

    fn push(&mut self, event: Arc<Event>) {
        self.upto = event.seq;
        self.bytes += event.data.len();
        self.events.push_back(event);
        while self.events.len() > MAX_RING_EVENTS || self.bytes > MAX_RING_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.data.len();
        }
    }
}

/// What the ring has for a follower.
pub(super) enum Found {
    /// Events that pass, and up to where was looked.
    Some(Vec<Arc<Event>>, i64),
    /// Nothing newer.
    UpToDate,
    /// What follows is no longer in memory: the store has it.
    Behind,
}

/// Ends the tail's task when it is dropped.
#[derive(Debug)]
pub struct Running {
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tail {
    /// The tail of the log that the bell rings for, reading through a connection of its own. Must be called inside a
    /// tokio runtime.
    pub fn start(reader: Reader, bell: Bell) -> (Self, Running) {
        let shared =
            Shared { ring: RwLock::default(), watches: Mutex::default(), first_came: Notify::new(), bell };
        let tail = Self { shared: Arc::new(shared) };
        let task = tokio::spawn(tail.clone().work(reader));
        (tail, Running { task })
    }

    /// How many follow.
    pub fn followers(&self) -> usize {
        self.shared.watches.lock().all.len()
    }

    /// The seq of the last event that was committed.
    pub fn last_seq(&self) -> i64 {
        self.shared.bell.last_seq()
    }

    /// The seq up to which it has read for its followers.
    pub fn seen(&self) -> i64 {
        self.shared.ring.read().upto
    }

    /// How many committed events its followers have not been handed; nobody is behind where nobody follows.
    pub fn behind(&self) -> i64 {
        if self.followers() == 0 { 0 } else { (self.last_seq() - self.seen()).max(0) }
    }

    /// Somebody follows from now on; gives its number.
    pub(super) fn join(&self, watch: Arc<Watch>) -> u64 {
        let mut watches = self.shared.watches.lock();
        if watches.all.is_empty() {
            self.shared.ring.write().begin(self.shared.bell.last_seq());
            self.shared.first_came.notify_one();
        }
        watches.next += 1;
        let number = watches.next;
        watches.all.insert(number, watch);
        number
    }

    pub(super) fn leave(&self, number: u64) {
        let mut watches = self.shared.watches.lock();
        watches.all.remove(&number);
        if watches.all.is_empty() {
            let seq = self.shared.ring.read().upto;
            self.shared.ring.write().begin(seq);
        }
    }

    /// What is in memory after `seq` for a watch.
    pub(super) fn look(&self, seq: i64, watch: &Watch) -> Found {
        let ring = self.shared.ring.read();
        if seq >= ring.upto {
            return Found::UpToDate;
        }
        let Ok(from) = usize::try_from(seq - ring.after()) else { return Found::Behind };
        let looked = ring.events.range(from..).take(MAX_LOOKED_EVENTS);
        let upto = seq + looked.len() as i64;
        Found::Some(looked.filter(|event| watch.passes(event)).cloned().collect(), upto)
    }

    async fn work(self, reader: Reader) {
        let mut heard = self.shared.bell.listen();
        let reader = Arc::new(Mutex::new(reader));
        loop {
            if self.followers() == 0 {
                self.shared.first_came.notified().await;
                continue;
            }
            heard.borrow_and_update();
            match self.read(&reader).await {
                Some(0) => {}
                Some(_) => continue,
                None => tokio::time::sleep(LOOK_ANYWAY).await,
            }
            // The bell lives as long as the door; when it is gone, there is nothing to follow.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK_ANYWAY, heard.changed()).await {
                return;
            }
        }
    }

    /// Reads what is new and hands it out; says how many events, or `None` when the store could not be read.
    async fn read(&self, reader: &Arc<Mutex<Reader>>) -> Option<usize> {
        let seq = self.shared.ring.read().upto;
        let own = Arc::clone(reader);
        let work = tokio::task::spawn_blocking(move || {
            let all = Filter::default();
            own.lock().read::<_, Error>(|rows| event::after(rows, seq, &all, MAX_READ_EVENTS))
        });
        let found = work.await.map_err(|error| error.to_string());
        match found.and_then(|found| found.map_err(|error| error.to_string())) {
            Ok(events) => {
                let count = events.len();
                let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
                self.hand_out(seq, &events);
                Some(count)
            }
            Err(error) => {
                tracing::error!(target: "events", "the newest events cannot be read, followers wait: {error}");
                None
            }
        }
    }

    fn hand_out(&self, before: i64, events: &[Arc<Event>]) {
        let Some(upto) = events.last().map(|event| event.seq) else { return };
        let watches = self.shared.watches.lock();
        {
            let mut ring = self.shared.ring.write();
            if ring.upto != before {
                // The last follower left and another came meanwhile: the ring has begun anew.
                return;
            }
            events.iter().for_each(|event| ring.push(Arc::clone(event)));
        }
        let gist = Gist::of(events.iter().map(AsRef::as_ref));
        for watch in watches.all.values() {
            watch.hear(before, upto, &gist, events);
        }
    }
}
