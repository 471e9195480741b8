//! A follower: catches up from the store, then waits for what the tail has for it. It holds a bounded handful of events
//! and falls back to the store when it was too slow, so a slow reader costs no memory.

use super::sieve::{Gist, Sieve};
use super::tail::{Found, Tail};
use super::{Event, Filter, page_after, seq_of};
use crate::readers::Readers;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tiltyard_model::event::cursor::{Cursor, id};
use tiltyard_model::refusal::Refusal;
use tokio::sync::Notify;

/// Most events that a follower holds.
const MAX_HELD_EVENTS: usize = 256;

/// What the tail knows of a follower.
#[derive(Debug)]
pub(super) struct Watch {
    /// Everything up to this seq was looked at.
    seq: AtomicI64,
    sieves: RwLock<Vec<Sieve>>,
    came: Notify,
}

impl Watch {
    /// Whether an event passes one of the filters.
    pub(super) fn passes(&self, event: &Event) -> bool {
        self.sieves.read().iter().any(|sieve| sieve.passes(event))
    }

    /// A batch came: wakes the follower when there is something for it, else moves its place on where it had seen all
    /// that came before.
    pub(super) fn hear(&self, before: i64, upto: i64, gist: &Gist<'_>, events: &[Arc<Event>]) {
        let wanted = self
            .sieves
            .read()
            .iter()
            .any(|sieve| sieve.may_pass(gist) && events.iter().any(|event| sieve.passes(event)));
        let seq = self.seq.load(Ordering::SeqCst);
        let up_to_date = (before..upto).contains(&seq);
        let moved_on = || self.seq.compare_exchange(seq, upto, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if wanted || (up_to_date && !moved_on()) {
            self.came.notify_one();
        }
    }
}

/// Where a follower starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Now,
    /// After a cursor.
    After(Cursor),
}

/// What to do with a reader that cannot keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    /// It gets everything, from the store, as fast as it reads.
    CatchUp,
    /// Once it has been up to date, it is told when it has fallen behind (API21).
    Tell,
}

/// What a follower has for its reader.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The next event.
    Event(Arc<Event>),
    /// The reader was too slow: it resumes with this cursor. The follower has nothing more.
    Lagged(String),
}

/// Follows the log. Dropping it ends it.
pub struct Follower {
    tail: Tail,
    readers: Readers,
    watch: Arc<Watch>,
    number: u64,
    slow: Slow,
    epoch: i64,
    held: VecDeque<Arc<Event>>,
    /// The cursor after the last event that was given out.
    given: String,
    was_live: bool,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.tail.leave(self.number);
    }
}

impl Follower {
    /// Follows from `start`, with events that pass any of the filters.
    ///
    /// # Errors
    /// 410 `cursor_compacted` or `epoch_changed` for a cursor that cannot be followed; 503 when too many reads wait.
    pub async fn start(
        tail: &Tail,
        readers: &Readers,
        epoch: i64,
        start: Start,
        filters: Vec<Filter>,
        slow: Slow,
    ) -> Result<Self, Refusal> {
        let seq = match start {
            Start::Now => tail.last_seq(),
            Start::After(cursor) => readers.read(move |rows| seq_of(rows, epoch, cursor)).await?,
        };
        let sieves = RwLock::new(filters.into_iter().map(Sieve::new).collect());
        let watch = Arc::new(Watch { seq: AtomicI64::new(seq), sieves, came: Notify::new() });
        let number = tail.join(Arc::clone(&watch));
        Ok(Self {
            tail: tail.clone(),
            readers: readers.clone(),
            watch,
            number,
            slow,
            epoch,
            held: VecDeque::new(),
            given: id(epoch, seq),
            was_live: false,
        })
    }

    /// Other filters from here on; what is held already is given out by the old ones.
    pub fn refilter(&mut self, filters: Vec<Filter>) {
        *self.watch.sieves.write() = filters.into_iter().map(Sieve::new).collect();
    }

    /// The next event, where it is at hand already.
    pub fn held(&mut self) -> Option<Arc<Event>> {
        let event = self.held.pop_front()?;
        self.given = id(event.epoch, event.seq);
        Some(event)
    }

    /// The cursor with which a reader resumes after what it was given.
    pub fn cursor(&self) -> &str {
        &self.given
    }

    /// The next event; waits for one. It may be dropped while it waits without losing any.
    ///
    /// # Errors
    /// 410 `cursor_compacted` when what follows is no longer kept; 503 when the store cannot be read.
    pub async fn next(&mut self) -> Result<Step, Refusal> {
        loop {
            if let Some(event) = self.held() {
                return Ok(Step::Event(event));
            }
            let seq = self.watch.seq.load(Ordering::SeqCst);
            match self.tail.look(seq, &self.watch) {
                Found::Some(events, upto) => self.hold(events, upto),
                Found::UpToDate => {
                    self.was_live = true;
                    self.watch.came.notified().await;
                }
                Found::Behind if self.slow == Slow::Tell && self.was_live => {
                    return Ok(Step::Lagged(id(self.epoch, seq)));
                }
                Found::Behind => self.catch_up(seq).await?,
            }
        }
    }

    /// Takes events that were found up to `upto`, as many as it may hold.
    fn hold(&mut self, mut events: Vec<Arc<Event>>, upto: i64) {
        let mut upto = upto;
        if events.len() > MAX_HELD_EVENTS {
            events.truncate(MAX_HELD_EVENTS);
            upto = events.last().map_or(upto, |event| event.seq);
        }
        self.held.extend(events);
        self.move_on(upto);
    }

    /// Everything up to `upto` was looked at. The tail may have said so of more meanwhile, so the place never goes back.
    fn move_on(&self, upto: i64) {
        self.watch.seq.fetch_max(upto, Ordering::SeqCst);
    }

    async fn catch_up(&mut self, seq: i64) -> Result<(), Refusal> {
        let filters: Vec<Filter> =
            self.watch.sieves.read().iter().map(|sieve| sieve.filter.clone()).collect();
        let epoch = self.epoch;
        let read = move |rows: &tiltyard_store::Rows| {
            let wide = widest(&filters);
            page_after(rows, epoch, seq, &wide, MAX_HELD_EVENTS)
        };
        let page = self.readers.read(read).await?;
        let events = page.items.into_iter().map(Arc::new).filter(|event| self.watch.passes(event));
        self.held.extend(events.collect::<Vec<_>>());
        self.move_on(page.seq);
        Ok(())
    }
}

/// One filter for the store that lets through all that any of these does: the filters themselves look again.
fn widest(filters: &[Filter]) -> Filter {
    match filters {
        [one] => one.clone(),
        _ => Filter { scopes: scopes_of(filters), ..Filter::default() },
    }
}

fn scopes_of(filters: &[Filter]) -> Option<Vec<String>> {
    let all: Option<Vec<&Vec<String>>> = filters.iter().map(|filter| filter.scopes.as_ref()).collect();
    all.map(|lists| lists.into_iter().flatten().cloned().collect())
}
