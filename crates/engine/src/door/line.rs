//! Where this server stands in the journal of a shared store, and how it keeps up with the others (decision 5).
//!
//! A transaction begins with the store's lock and with what others have written since; it ends with a row of its own. In
//! between the door looks at the journal, without the lock, whenever it is woken or has nothing else to do.

use super::batch::{MAX_BATCH_DEEDS, Room};
use super::outage::Outage;
use crate::act::{Effect, refusal_of};
use crate::clock::SharedClock;
use crate::journal::{self, Unreadable};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tiltyard_model::time::{DurationMs, TimeMs};
use tiltyard_store::journal::{Begun, Entry, MAX_ENTRIES_OF_BEGIN, after};
use tiltyard_store::server::Server;
use tiltyard_store::{Error, Fate, Result};
use tokio::sync::watch;

/// How long a beginning is tried again before whoever waits is refused.
pub(super) const BEGIN_PATIENCE: Duration = Duration::from_secs(2);
/// The first pause between two tries, in milliseconds; each further one is up to twice as long.
const FIRST_PAUSE_MS: u64 = 20;
/// The longest pause between two tries, in milliseconds.
const MAX_PAUSE_MS: u64 = 500;
/// Every server writes into the journal every two seconds. Where nobody has for so long, nobody could be heard, and leases begin
/// anew: the database was away from all of them, or its clock was set.
const QUIET_MS: DurationMs = 8_000;
/// A row of the journal may be so much later than the present: a transaction's time is that of its beginning.
const AHEAD_MS: DurationMs = 5_000;
/// So often a transaction is begun for which memory must be made anew; each time the lock is given back before.
const MAX_BEGINNINGS: usize = 4;
/// So many rows of the journal are there in any case; one that is nearer and is not was lost.
const KEPT_ROWS: i64 = 1_000;

/// What a door of a shared store begins with.
pub struct Start {
    /// This process of this server, as its row tells; no other has the name.
    pub own: Server,
    /// The time that all servers go by; `None` where a test has its own.
    pub clock: Option<Arc<SharedClock>>,
    /// The last row of the journal that memory knows of.
    pub seen: i64,
    /// Which life of the database memory knows of.
    pub incarnation: i64,
    /// The journal is looked at after so long, woken or not.
    pub look_every: Duration,
}

/// What others may know of a line: cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The last row of the journal that memory knows of.
    seen: Arc<AtomicI64>,
    /// The last row that this server wrote.
    grown: watch::Sender<i64>,
    /// How many looks have begun.
    begun: Arc<AtomicU64>,
    /// How many looks have ended.
    done: watch::Sender<u64>,
}

impl Progress {
    fn new(seen: i64) -> Self {
        Self {
            seen: Arc::new(AtomicI64::new(seen)),
            grown: watch::Sender::new(seen),
            begun: Arc::default(),
            done: watch::Sender::new(0),
        }
    }

    /// The last row of the journal that memory knows of.
    pub fn seen(&self) -> i64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Hears of every row that this server writes.
    pub fn grown(&self) -> watch::Receiver<i64> {
        self.grown.subscribe()
    }

    /// The number of the first look that begins after this call.
    pub(super) fn next(&self) -> u64 {
        self.begun.load(Ordering::SeqCst) + 1
    }

    /// Hears of looks that have ended.
    pub(super) fn done(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }
}

/// Where this server stands.
pub(super) struct Line {
    own: Server,
    server: String,
    clock: Option<Arc<SharedClock>>,
    seen: i64,
    /// Who wrote the row that was seen last, and when; `None` while that is not known.
    last: Option<(String, TimeMs)>,
    incarnation: i64,
    look_every: Duration,
    pub(super) progress: Progress,
    /// The journal does not follow on what memory knows: it is made anew at the next beginning.
    lost: bool,
    outage: Outage,
    /// Since when the database has not been reached.
    deaf: Option<Instant>,
    now: TimeMs,
}

impl Line {
    pub(super) fn new(start: Start) -> Self {
        let Start { own, clock, seen, incarnation, look_every } = start;
        let (server, progress) = (format!("{}/{}", own.name, own.instance), Progress::new(seen));
        let (lost, outage, deaf, now) = (false, Outage::default(), None, 0);
        Self {
            own,
            server,
            clock,
            seen,
            last: None,
            incarnation,
            look_every,
            progress,
            lost,
            outage,
            deaf,
            now,
        }
    }

    /// This server, as its row tells.
    pub(super) fn own(&self) -> &Server {
        &self.own
    }

    /// The last row of the journal that memory knows of.
    pub(super) fn seen(&self) -> i64 {
        self.seen
    }

    pub(super) fn look_every(&self) -> Duration {
        self.look_every
    }

    /// Memory and rows disagree, or the journal does not follow on: memory is made anew.
    pub(super) fn distrust_memory(&mut self) {
        self.lost = true;
    }

    /// The database answers, and says what time it is and who has written.
    fn hear(&mut self, begun: &Begun) {
        let Some(now) = begun.now else { return };
        self.now = now;
        self.deaf = None;
        let restarted = begun.incarnation != self.incarnation;
        self.incarnation = begun.incarnation;
        // Where a test has its own time, the database's says nothing.
        let Some(clock) = &self.clock else { return };
        let ahead_ms = clock.set(now);
        let quiet_ms = begun.last_at.map_or(0, |last| now - last);
        let unheard = !(-AHEAD_MS..=QUIET_MS).contains(&quiet_ms);
        if self.outage.note(restarted || unheard, ahead_ms) {
            tracing::warn!(target: "store", quiet_ms, ahead_ms, restarted, "nobody could be heard for a while: leases begin anew");
        }
    }

    fn knows(&mut self, seq: i64, server: &str, made_at: TimeMs) {
        self.seen = seq;
        self.last = Some((server.to_owned(), made_at));
        self.progress.seen.store(seq, Ordering::Relaxed);
    }

    /// Not this store any more, or an older copy of it: whoever was answered may be forgotten in it.
    fn check(&mut self, begun: &Begun) -> Result<()> {
        if begun.head >= self.seen {
            let is_near = begun.head - self.seen < KEPT_ROWS;
            let known = self.last.is_some() && (begun.seen.is_some() || is_near);
            if known && begun.seen != self.last && !self.lost {
                tracing::error!(target: "store", seen = self.seen, "the journal has another history: memory is made anew");
                self.lost = true;
                self.last.clone_from(&begun.seen);
            }
            return Ok(());
        }
        let (head, seen) = (begun.head, self.seen);
        let reason = format!(
            "its journal ends with row {head}, and this server has seen row {seen}: it is another store, or an older copy of this one; \
             start the server anew to go on with what is there"
        );
        Err(Error::Broken { statement: "journal", reason })
    }
}

/// What following the journal has brought.
#[derive(Default)]
struct News {
    effects: Vec<Effect>,
    claimable: bool,
}

impl Room {
    /// Begins a transaction; of a shared store with all that others have done. A database that does not answer at once
    /// is asked again for a moment.
    pub(super) fn begin(&mut self) -> Result<()> {
        if self.line.is_none() {
            return self.writer.begin();
        }
        let began = Instant::now();
        let mut pause = FIRST_PAUSE_MS;
        loop {
            let error = match self.begin_shared() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let first = self.note_trouble(&error);
            let again = matches!(error, Error::Busy(_) | Error::Lost(_)) && first;
            if !again || began.elapsed() > BEGIN_PATIENCE || self.inbox.is_closed() {
                return Err(error);
            }
            self.pause(&mut pause);
        }
    }

    /// Waits a random while, at most as long as `pause` says, and makes the next one longer.
    fn pause(&mut self, pause: &mut u64) {
        let part = 0.5 + self.chance() / 2.0;
        std::thread::sleep(Duration::from_millis((*pause as f64 * part) as u64));
        *pause = (*pause * 2).min(MAX_PAUSE_MS);
    }

    /// The database does not answer. Says whether that is so recent that it is worth waiting for.
    fn note_trouble(&mut self, error: &Error) -> bool {
        self.trouble.note(error);
        let Some(line) = &mut self.line else { return false };
        line.deaf.get_or_insert_with(Instant::now).elapsed() < BEGIN_PATIENCE
    }

    /// Begins with memory that knows all that others have done. Where it must be made anew, that is done before the lock is taken
    /// for good.
    fn begin_shared(&mut self) -> Result<()> {
        for _ in 0..MAX_BEGINNINGS {
            let is_lost = self.line.as_ref().is_some_and(|line| line.lost);
            let beside = if is_lost { self.writer.beside()? } else { None };
            self.begin_and_follow()?;
            if self.line.as_ref().is_none_or(|line| !line.lost) {
                self.mend();
                return Ok(());
            }
            let made = beside.map(|beside| self.make_anew(beside));
            self.writer.rollback()?;
            let Some(effects) = made.transpose()? else { continue };
            if let Some(line) = &mut self.line {
                line.lost = false;
                // The rows tell when attempts began, on the clock as it was then.
                line.outage.forget_jump();
            }
            self.tell(News { effects, claimable: true });
        }
        Err(Error::Busy("memory is made anew from the store: ask again in a moment".to_owned()))
    }

    fn begin_and_follow(&mut self) -> Result<()> {
        let Some(line) = &mut self.line else { return Ok(()) };
        let look = line.progress.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let mut begun = self.writer.begin_after(line.seen)?;
        if begun.head - line.seen > MAX_ENTRIES_OF_BEGIN {
            // Far behind, as after a freeze: nobody waits for the lock meanwhile.
            self.writer.rollback()?;
            self.keep_up();
            let seen = self.line.as_ref().map_or(0, |line| line.seen);
            begun = self.writer.begin_after(seen)?;
        }
        let followed = self.follow(begun);
        if followed.is_err() {
            self.writer.rollback()?;
        }
        self.looked(look);
        followed.map(drop)
    }

    /// Looks at the journal, when there is one, and says whether a transaction is worth its while: something that waits may find
    /// something, or memory must be made anew.
    pub(super) fn keep_up(&mut self) -> bool {
        let Some(line) = &mut self.line else { return false };
        let look = line.progress.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let looked = self.writer.look(line.seen).and_then(|begun| self.follow(begun));
        let worth = match looked {
            Ok(claimable) => {
                let fed = claimable && !self.parked.is_empty();
                fed || self.line.as_ref().is_some_and(|line| line.lost || line.outage.is_there().is_some())
            }
            Err(error @ Error::Broken { statement: "journal", .. }) => {
                self.break_down(&error);
                false
            }
            Err(error) => {
                self.note_trouble(&error);
                false
            }
        };
        self.looked(look);
        worth
    }

    fn looked(&mut self, look: u64) {
        if let Some(line) = &self.line {
            line.progress.done.send_replace(look);
        }
    }

    /// Does in memory what others have done in the store, and tells of it, however far it comes. Says whether something could
    /// have become claimable.
    fn follow(&mut self, begun: Begun) -> Result<bool> {
        let mut news = News::default();
        let followed = self.follow_all(begun, &mut news);
        let claimable = news.claimable;
        self.tell(news);
        followed.map(|()| claimable)
    }

    fn follow_all(&mut self, begun: Begun, news: &mut News) -> Result<()> {
        let Some(line) = &mut self.line else { return Ok(()) };
        line.check(&begun)?;
        line.hear(&begun);
        self.trouble.clear();
        let mut entries = begun.entries;
        loop {
            let full = entries.len() as i64 >= MAX_ENTRIES_OF_BEGIN;
            for entry in entries {
                self.follow_entry(&entry, news)?;
            }
            match &self.line {
                Some(line) if full => entries = after(self.writer.tx(), line.seen, MAX_ENTRIES_OF_BEGIN)?,
                _ => return Ok(()),
            }
        }
    }

    fn follow_entry(&mut self, entry: &Entry, news: &mut News) -> Result<()> {
        let Some(line) = &mut self.line else { return Ok(()) };
        if entry.seq != line.seen + 1 && !line.lost {
            tracing::warn!(target: "store", seen = line.seen, next = entry.seq, "rows of the journal are gone: memory is made anew");
            line.lost = true;
        }
        // Whoever has memory made anew would not look at the page: that somebody newer has taken over counts all the same.
        journal::refuse_newer(&entry.steps).map_err(|error| Error::Locked(error.to_string()))?;
        line.knows(entry.seq, &entry.server, entry.made_at);
        if line.lost || entry.steps.is_empty() {
            return Ok(());
        }
        let page = match journal::read(&entry.steps) {
            Ok(page) => page,
            Err(error @ Unreadable::Older { .. }) => {
                // While servers are replaced: the older one has written before it met a page of ours.
                tracing::info!(target: "store", seq = entry.seq, "memory is made anew from the store: {error}");
                line.lost = true;
                return Ok(());
            }
            Err(error) => {
                self.out_of_step(entry.seq, &error);
                return Ok(());
            }
        };
        line.outage.follow(&page.steps);
        match self.memory.catch_up(page) {
            Ok(caught_up) => {
                news.claimable |= caught_up.claimable;
                news.effects.extend(caught_up.effects);
            }
            Err(error) => self.out_of_step(entry.seq, &error),
        }
        Ok(())
    }

    fn out_of_step(&mut self, seq: i64, error: &dyn std::error::Error) {
        tracing::error!(target: "store", seq, "memory is made anew from the store: {error}");
        if let Some(line) = &mut self.line {
            line.lost = true;
        }
    }

    /// Wakes who follows the log, and has done what is to be done outside.
    fn tell(&mut self, news: News) {
        self.bell.ring(self.memory.last_seq);
        news.effects.into_iter().for_each(|effect| self.carry_out(effect));
    }

    /// Lets leases begin anew where nobody could be heard.
    fn mend(&mut self) {
        if let Some(jumped_ms) = self.line.as_ref().and_then(|line| line.outage.is_there()) {
            self.memory.leases_anew(self.clock.now().steady, jumped_ms);
        }
    }

    /// Ends the transaction: with a row of the journal when anything was done, which tells the others, and proves that it
    /// happened. A transaction that has changed nothing is as good as one that never was.
    pub(super) fn end_shared(&mut self, page: Option<Vec<u8>>) -> Result<()> {
        let Some(line) = &mut self.line else { return self.writer.commit() };
        if page.is_none() && !self.writer.has_written() {
            return self.writer.rollback();
        }
        let entry = Entry {
            seq: line.seen + 1,
            server: line.server.clone(),
            made_at: line.now,
            steps: page.unwrap_or_default(),
        };
        match self.writer.commit_with(&entry) {
            Ok(()) => {}
            Err(Error::Unknown(reason)) => self.find_out(&entry, reason)?,
            Err(error) => return Err(error),
        }
        if let Some(line) = &mut self.line {
            line.outage = Outage::default();
            line.knows(entry.seq, &entry.server, entry.made_at);
            line.progress.grown.send_replace(entry.seq);
        }
        Ok(())
    }

    /// Nobody knows whether the transaction was committed (E2): asks until somebody does. Nobody is answered before.
    fn find_out(&mut self, entry: &Entry, reason: String) -> Result<()> {
        tracing::warn!(target: "store", seq = entry.seq, "a commit was cut off, its outcome is looked for: {reason}");
        if self.trouble.is_there().is_some() {
            // Who stands behind it has waited long enough.
            self.refuse_waiting(Error::Lost(reason.clone()));
        }
        let mut pause = FIRST_PAUSE_MS;
        loop {
            match self.writer.resolve(entry) {
                Ok(Fate::Committed) => return Ok(()),
                Ok(Fate::Lost) => return Err(Error::Lost(reason)),
                Ok(Fate::Forgotten) => return Err(Error::Unknown(reason)),
                Err(error) if self.inbox.is_closed() => {
                    let reason = format!("whether the last transaction was committed is not known: {error}");
                    return Err(Error::Broken { statement: "commit", reason });
                }
                Err(error) => {
                    if !self.note_trouble(&error) {
                        self.refuse_waiting(error);
                    }
                    self.pause(&mut pause);
                }
            }
        }
    }

    /// Nothing of what waits has been begun: nobody has to wait until it is known what became of others' deeds.
    pub(super) fn refuse_waiting(&self, error: Error) {
        let refusal = refusal_of(match error {
            Error::Unknown(reason) => Error::Lost(reason),
            other => other,
        });
        for _ in 0..MAX_BATCH_DEEDS {
            let Some(mut deed) = self.inbox.try_take() else { return };
            deed.refuse(refusal.clone());
            // Nothing follows on what was not done.
            drop(deed.answer());
        }
    }
}

#[cfg(test)]
mod tests;
