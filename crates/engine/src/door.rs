//! The one door: all that changes state passes here. Many callers' deeds become one transaction and one fsync, each
//! inside its own savepoint, with no waiting when there is nothing to wait for (group commit).
//!
//! The pattern is that of a log writer with group commit (DeWitt et al., "Implementation techniques for main memory
//! database systems", 1984): whoever comes while a commit is under way joins the next one.

mod anew;
mod batch;
pub(crate) mod begin;
mod deed;
mod inbox;
pub mod line;
mod outage;
pub mod trouble;
mod wait;

pub use inbox::Urgency;
pub use wait::Waiting;

use crate::act::{Act, Effect, Pass};
use crate::bell::Bell;
use crate::clock::Clock;
use crate::memory::Memory;
use crate::memory::ready::Want;
use crate::metric::Metrics;
use crate::reserve::Reserve;
use batch::Room;
use deed::Plain;
use inbox::Inbox;
use line::{Line, Progress};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Writer;
use tokio::sync::{Notify, broadcast, oneshot};
use trouble::Trouble;

/// Effects that may wait for their carrier; one that lags behind asks the store instead.
pub(crate) const MAX_WAITING_EFFECTS: usize = 4_096;

/// What happens when the store can no longer be trusted (E2).
pub type OnBroken = Box<dyn Fn(&str) + Send + Sync>;

/// Is shown, after each commit that others would have to know of, the page of the journal that tells them
/// ([`crate::journal`]).
pub type Witness = Box<dyn FnMut(&[u8]) + Send>;

/// What a door is made of.
pub struct Parts {
    /// The one connection that writes.
    pub writer: Writer,
    /// Rebuilt from the store.
    pub memory: Memory,
    /// Where time comes from.
    pub clock: Clock,
    /// The store's epoch.
    pub epoch: i64,
    /// New work beyond so many waiting deeds is turned away (E7).
    pub max_queued: usize,
    /// Called once when the store can no longer be trusted.
    pub on_broken: OnBroken,
    /// Given up when the disk is full.
    pub reserve: Reserve,
    /// Whoever wants to see the journal; without one, none is written.
    pub witness: Option<Witness>,
    /// Where this server stands among those of a shared store; `None` for an embedded one.
    pub line: Option<line::Start>,
}

/// The door's handle: cheap to clone.
#[derive(Clone)]
pub struct Door {
    inbox: Arc<Inbox>,
    bell: Bell,
    effects: broadcast::Sender<Effect>,
    to_begin: Arc<Notify>,
    metrics: Arc<Metrics>,
    trouble: Trouble,
    progress: Option<Progress>,
}

impl Door {
    /// Opens the door: starts its thread. Dropping every handle, or [`Door::close`], ends it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn open(parts: Parts) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let mut parts = parts;
        if parts.witness.is_some() || parts.line.is_some() {
            parts.memory.write_down();
        }
        if parts.line.is_some() {
            parts.memory.ask_others();
        }
        let line = parts.line.take().map(Line::new);
        let inbox = Arc::new(Inbox::new(parts.max_queued));
        let bell = Bell::new(parts.memory.last_seq);
        let effects = broadcast::Sender::new(MAX_WAITING_EFFECTS);
        let metrics = Arc::new(Metrics::default());
        let door = Self {
            inbox: Arc::clone(&inbox),
            bell: bell.clone(),
            effects: effects.clone(),
            to_begin: Arc::default(),
            metrics: Arc::clone(&metrics),
            trouble: Trouble::default(),
            progress: line.as_ref().map(|line| line.progress.clone()),
        };
        let room = Room::new(parts, line, &door);
        let thread = std::thread::Builder::new().name("door".to_owned()).spawn(move || room.work())?;
        Ok((door, thread))
    }

    /// Does a deed and answers after its commit.
    ///
    /// # Errors
    /// What the deed says; 503 when too much waits, the server ends, or the store is broken.
    pub async fn enter<T: Send + 'static>(
        &self,
        pass: Pass,
        urgency: Urgency,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let came = Instant::now();
        self.put(urgency, Box::new(Plain::new(Arc::new(pass), deed, reply)))?;
        let answer = answer.await.unwrap_or_else(|_| Err(closed()));
        self.metrics.door_us.see(came.elapsed().as_micros() as u64);
        answer
    }

    /// Does a deed that may find nothing to do yet: it is tried again, inside the transaction of whatever could feed
    /// it, until it finds something or the caller stops waiting. `asker` is whom queues may choose among others.
    ///
    /// # Errors
    /// As [`Door::enter`].
    pub fn wait<T: Send + 'static>(
        &self,
        pass: Pass,
        asker: Option<Want>,
        deed: impl FnMut(&mut Act<'_>) -> Result<Option<T>, Refusal> + Send + 'static,
        lost: impl FnOnce(&mut Act<'_>, T) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Waiting<T>, Refusal> {
        let (deed, waiting) = wait::pair(pass, asker, deed, lost);
        self.put(Urgency::Urgent, deed)?;
        Ok(waiting)
    }

    fn put(&self, urgency: Urgency, deed: Box<dyn deed::Deed>) -> Result<(), Refusal> {
        self.inbox.put(urgency, deed).inspect_err(|_| self.metrics.shed.add(1))
    }

    /// The wake-up of everybody who follows the log.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// What is to be done outside, after each commit.
    pub fn effects(&self) -> broadcast::Receiver<Effect> {
        self.effects.subscribe()
    }

    /// Wakes whoever lets stages of runs begin.
    pub(crate) fn to_begin(&self) -> Arc<Notify> {
        Arc::clone(&self.to_begin)
    }

    /// What the door counts.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What keeps it from the store.
    pub fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// How far this server has followed the others of a shared store; `None` for an embedded one.
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// Looks at what other servers have done, as soon as there is time; returns at once.
    pub fn nudge(&self) {
        self.inbox.nudge();
    }

    /// Comes back when memory knows everything that other servers had done before the call, or after `patience`. At once
    /// where there are no other servers.
    pub async fn caught_up(&self, patience: Duration) {
        let Some(progress) = &self.progress else { return };
        let (look, mut done) = (progress.next(), progress.done());
        self.nudge();
        // Whoever gives up goes on with what is known.
        let _ = tokio::time::timeout(patience, done.wait_for(|done| *done >= look)).await;
    }

    /// From now on so much new work may wait (E7); what waits already stays.
    pub fn set_max_queued(&self, max_queued: usize) {
        self.inbox.set_max_normal(max_queued);
    }

    /// From how many waiting deeds on new work is turned away (E7).
    pub fn max_queued(&self) -> usize {
        self.inbox.max_normal()
    }

    /// How many deeds wait.
    pub fn queued(&self) -> usize {
        self.inbox.len()
    }

    /// Takes no more, finishes what waits, and ends the thread.
    pub fn close(&self) {
        self.inbox.close();
    }
}

/// The refusal of a door that is closed.
pub(crate) fn closed() -> Refusal {
    Refusal::new(Code::ShuttingDown, "the server is shutting down: try again in a moment").retry_after(1_000)
}
