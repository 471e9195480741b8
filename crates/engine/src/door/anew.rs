//! Memory that is not to be trusted is made anew from the store, without keeping the other servers from writing: the moment that it
//! is made from is taken with the store's lock, and read without it. What they write meanwhile is followed in the journal.
//!
//! It is read by a thread of its own, so that the door can say that this server is there, and refuse who waits, however long a
//! page of rows takes.

use super::batch::Room;
use super::line::BEGIN_PATIENCE;
use crate::act::Effect;
use crate::memory::boot::rebuild_in_pages;
use crate::share::{is_rival, name_is_taken};
use crate::token::Tokens;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tiltyard_model::time::TimeMs;
use tiltyard_store::server::{self, Server};
use tiltyard_store::task::boot::Between;
use tiltyard_store::{Beside, Error, Result, Rows, Tx, Writer};

/// How often a server that makes its memory says that it is there. Its name is anybody's after [`crate::share::LEAD_MS`].
const TELL_EVERY: Duration = Duration::from_secs(2);
/// When that could not be said for so long, the database is away, and what is read from it is given up.
const UNTOLD: Duration = Duration::from_secs(8);
/// How often it is looked whether memory is made.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the moment that memory is made from is waited for, with the store's lock: shorter than the database waits.
const MOMENT_PATIENCE: Duration = Duration::from_secs(3);
/// Who may read is looked up so often while memory is made; at other times the journal tells.
const TOKENS_EVERY: Duration = Duration::from_secs(5);

/// Says that a server is there while it makes its memory.
pub(super) struct Presence {
    own: Server,
    tried: Instant,
    told: Instant,
}

impl Presence {
    /// Of this server, which has followed the journal up to the moment that its memory is made from.
    pub(super) fn of(own: Server, applied: i64) -> Self {
        let now = Instant::now();
        Self { own: Server { applied, ..own }, tried: now, told: now }
    }

    /// From now on the journal is kept for it, whether or not it was before.
    ///
    /// # Errors
    /// [`Error::Locked`] when its name was given away.
    pub(super) fn announce(&self, tx: &Tx, now: TimeMs) -> Result<()> {
        let servers = server::all(tx)?;
        match servers.iter().find(|other| is_rival(other, &self.own, now)) {
            Some(rival) => Err(Error::Locked(name_is_taken(rival))),
            None => self.put(tx, now),
        }
    }

    /// The same for one that is known to have the name.
    pub(super) fn put(&self, tx: &Tx, now: TimeMs) -> Result<()> {
        server::put(tx, &Server { seen_at: now, ..self.own.clone() })
    }

    /// Tells it when it is time.
    ///
    /// # Errors
    /// When the name was given away, or the database has been away for too long.
    pub(super) fn tell(&mut self, writer: &Writer, now: TimeMs) -> Result<()> {
        if self.tried.elapsed() < TELL_EVERY {
            return Ok(());
        }
        let told =
            writer.begin().and_then(|()| self.announce(writer.tx(), now)).and_then(|()| writer.commit());
        self.tried = Instant::now();
        match told {
            Ok(()) => self.told = self.tried,
            Err(error) => {
                writer.rollback()?;
                if matches!(error, Error::Locked(_)) || self.told.elapsed() > UNTOLD {
                    return Err(as_nothing(error));
                }
                tracing::warn!(target: "store", "a server that makes its memory cannot say that it is there: {error}");
            }
        }
        Ok(())
    }
}

/// What was written tells where this server stands, and nobody asked for it: nobody has to hear that it is not known.
fn as_nothing(error: Error) -> Error {
    match error {
        Error::Unknown(reason) => Error::Lost(reason),
        other => other,
    }
}

/// What is made of one moment of the store, by a thread of its own. Whoever drops it does not wait for it.
pub(super) struct Making<T> {
    moment: Receiver<Result<i64>>,
    made: Receiver<T>,
    thread: Option<JoinHandle<()>>,
    is_unwanted: Arc<AtomicBool>,
}

impl<T: Send + 'static> Making<T> {
    /// Takes the moment, then does the work.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(
        beside: Beside,
        work: impl FnOnce(&Rows, Between<'_>) -> T + Send + 'static,
    ) -> Result<Self> {
        let (tell_moment, moment) = sync_channel(1);
        let (tell_made, made) = sync_channel(1);
        let is_unwanted = Arc::new(AtomicBool::new(false));
        let unwanted = Arc::clone(&is_unwanted);
        let job = move || {
            let begun = beside.begin();
            let goes_on = begun.is_ok();
            if tell_moment.send(begun).is_err() || !goes_on {
                return;
            }
            let mut between = || {
                let gone = || Error::Busy("nobody waits for it any more".to_owned());
                if unwanted.load(Ordering::Relaxed) { Err(gone()) } else { Ok(()) }
            };
            // Whoever has gone does not want it.
            drop(tell_made.send(work(beside.rows(), &mut between)));
        };
        let thread = std::thread::Builder::new().name("anew".to_owned()).spawn(job);
        let thread = thread.map_err(|error| Error::Busy(format!("no thread can be started: {error}")))?;
        Ok(Self { moment, made, thread: Some(thread), is_unwanted })
    }

    /// The row with which the journal ends in that moment, which is that of a transaction whose lock is held, and has seen as much.
    ///
    /// # Errors
    /// When the database does not answer, or another one does.
    pub(super) fn moment(&self, seen: i64) -> Result<()> {
        let silent = |_| Error::Lost("the database does not give a moment to make memory from".to_owned());
        let head = self.moment.recv_timeout(MOMENT_PATIENCE).map_err(silent)??;
        if head == seen {
            return Ok(());
        }
        Err(Error::Lost(format!("two connections see different journals, with {head} and with {seen} rows")))
    }

    /// Waits for what is made; `between` is called often meanwhile.
    ///
    /// # Errors
    /// What `between` says.
    pub(super) fn wait(mut self, between: Between<'_>) -> Result<T> {
        loop {
            match self.made.recv_timeout(LOOK_EVERY) {
                Ok(made) => return Ok(made),
                Err(RecvTimeoutError::Timeout) => between()?,
                Err(RecvTimeoutError::Disconnected) => self.take_panic(),
            }
        }
    }

    /// The thread has ended without a word: a fault of ours, which is this thread's too.
    fn take_panic(&mut self) {
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl<T> Drop for Making<T> {
    fn drop(&mut self) {
        self.is_unwanted.store(true, Ordering::Relaxed);
    }
}

impl Room {
    /// With the lock: takes the moment that memory is made from, gives the lock back, and makes it. The transaction is over then.
    pub(super) fn make_anew(&mut self, beside: Beside) -> Result<Vec<Effect>> {
        let began = Instant::now();
        let Some(line) = &self.line else { return Ok(Vec::new()) };
        let clock = self.clock.clone();
        let work = move |rows: &Rows, between: Between<'_>| rebuild_in_pages(rows, &|| clock.now(), between);
        let making = Making::start(beside, work)?;
        making.moment(line.seen())?;
        let mut presence = Presence::of(line.own().clone(), line.seen());
        presence.announce(self.writer.tx(), self.clock.now().wall)?;
        self.writer.commit().map_err(as_nothing)?;
        let (mut is_long, mut tokens_at) = (false, began);
        let fresh = making.wait(&mut || {
            if self.inbox.is_closed() {
                return Err(Error::Busy("the server ends".to_owned()));
            }
            if began.elapsed() > BEGIN_PATIENCE {
                self.be_away(!std::mem::replace(&mut is_long, true));
            }
            if tokens_at.elapsed() > TOKENS_EVERY {
                tokens_at = Instant::now();
                self.look_up_tokens();
            }
            presence.tell(&self.writer, self.clock.now().wall)
        })??;
        tracing::info!(target: "store", took_ms = began.elapsed().as_millis() as u64, "memory was made anew from the store");
        Ok(self.memory.begin_anew(fresh))
    }

    /// It takes long: whoever waits is sent to another server, and so are the agents that are connected, whose leases go on there.
    fn be_away(&self, is_first: bool) {
        let text = "this server makes its memory anew from the store: ask another one, or in a moment";
        let error = Error::Lost(text.to_owned());
        if is_first {
            self.trouble.note(&error);
            self.carry_out(Effect::LostTrack);
        }
        self.refuse_waiting(error);
    }

    /// Reads do not pass the door: whose token was revoked elsewhere meanwhile reads no more.
    fn look_up_tokens(&self) {
        match Tokens::load(self.writer.tx()) {
            Ok(tokens) => self.memory.tokens.become_as(&tokens),
            Err(error) => {
                tracing::warn!(target: "store", "tokens are those of a moment ago: {error}");
            }
        }
    }
}
