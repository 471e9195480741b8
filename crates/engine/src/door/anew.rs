//! Memory that is not to be trusted is made anew from the store, without keeping the other servers from writing: the moment that it
//! is made from is taken with the store's lock, and read without it. What they write meanwhile is followed in the journal.

use super::batch::Room;
use super::line::BEGIN_PATIENCE;
use crate::act::Effect;
use crate::memory::boot::rebuild_in_pages;
use std::time::{Duration, Instant};
use tiltyard_model::time::TimeMs;
use tiltyard_store::{Beside, Error, Result, Writer, server};

/// How often a server that makes its memory says that it is there: the journal is kept for whoever was seen in two minutes.
const TELL_EVERY: Duration = Duration::from_secs(20);

/// Says that a server is there while it makes its memory.
pub(super) struct Presence {
    word: String,
    told: Instant,
}

impl Presence {
    /// Of the server with this word, which has just been heard of.
    pub(super) fn of(word: String) -> Self {
        Self { word, told: Instant::now() }
    }

    /// Tells it when it is time. When that fails, the journal may go on without this server: it is noticed where it is followed.
    pub(super) fn tell(&mut self, writer: &Writer, now: TimeMs) -> Result<()> {
        if self.told.elapsed() < TELL_EVERY {
            return Ok(());
        }
        self.told = Instant::now();
        if let Err(error) = self.write(writer, now) {
            tracing::warn!(target: "store", "a server that makes its memory cannot say that it is there: {error}");
            writer.rollback()?;
        }
        Ok(())
    }

    fn write(&self, writer: &Writer, now: TimeMs) -> Result<()> {
        let (name, instance) = self.word.rsplit_once('/').unwrap_or((&self.word, ""));
        writer.begin()?;
        server::seen(writer.tx(), name, instance, now)?;
        writer.commit()
    }
}

impl Room {
    /// With the lock: takes the moment that memory is made from, gives the lock back, and makes it. The transaction is over then.
    pub(super) fn make_anew(&mut self, beside: &Beside) -> Result<Vec<Effect>> {
        let began = Instant::now();
        let Some(line) = &self.line else { return Ok(Vec::new()) };
        let (head, seen) = (beside.begin()?, line.seen());
        self.writer.rollback()?;
        if head != seen {
            return Err(Error::Lost(format!(
                "two connections see different journals, with {head} and with {seen} rows"
            )));
        }
        let mut presence = Presence::of(line.server().to_owned());
        let mut between = || {
            if self.inbox.is_closed() {
                return Err(Error::Busy("the server ends".to_owned()));
            }
            if began.elapsed() > BEGIN_PATIENCE {
                self.refuse_waiting(Error::Busy(
                    "memory is made anew from the store: ask another server, or in a moment".to_owned(),
                ));
            }
            presence.tell(&self.writer, self.clock.now().wall)
        };
        let fresh = rebuild_in_pages(beside.rows(), &|| self.clock.now(), &mut between)?;
        tracing::info!(target: "store", took_ms = began.elapsed().as_millis() as u64, "memory was made anew from the store");
        Ok(self.memory.begin_anew(fresh))
    }
}
