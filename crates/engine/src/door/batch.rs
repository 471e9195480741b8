//! The door's own thread: takes what waits, makes one transaction of it, commits, answers.

use super::deed::{Deed, Tried};
use super::inbox::Inbox;
use super::line::Line;
use super::trouble::Trouble;
use super::{Door, OnBroken, Parts, Witness};
use crate::act::{Act, Effect, refusal_of};
use crate::bell::Bell;
use crate::clock::Clock;
use crate::memory::Memory;
use crate::metric::Metrics;
use crate::reserve::Reserve;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Error;
use tiltyard_store::Writer;
use tiltyard_store::event::advance_scope;
use tiltyard_store::name::tally;
use tokio::sync::{Notify, broadcast};

/// Most deeds of one transaction.
pub(super) const MAX_BATCH_DEEDS: usize = 1_024;
/// After so long a transaction takes no more, so that the first caller is not kept for the last.
const MAX_BATCH_TIME: Duration = Duration::from_millis(8);
/// Most deeds that wait to be tried again.
const MAX_PARKED: usize = 16_384;
/// From so many on, those that were given up are looked for; then from twice as many as are left.
const MIN_SWEPT: usize = 256;
/// How long the door sleeps while deeds wait for a limit's minute to go on.
const PARKED_NAP: Duration = Duration::from_millis(250);
/// How long the door sleeps while nothing waits.
const LONG_NAP: Duration = Duration::from_secs(60);

/// Everything that the thread owns.
pub(super) struct Room {
    pub(super) writer: Writer,
    pub(super) memory: Memory,
    pub(super) clock: Clock,
    epoch: i64,
    pub(super) line: Option<Line>,
    pub(super) trouble: Trouble,
    pub(super) inbox: Arc<Inbox>,
    pub(super) bell: Bell,
    effects: broadcast::Sender<Effect>,
    to_begin: Arc<Notify>,
    metrics: Arc<Metrics>,
    on_broken: OnBroken,
    reserve: Reserve,
    witness: Option<Witness>,
    pub(super) parked: Vec<Box<dyn Deed>>,
    sweep_at: usize,
    follow_ups: Vec<Box<dyn Deed>>,
    dice: u64,
    broken: Option<Refusal>,
}

/// One transaction in the making.
#[derive(Default)]
struct Batch {
    done: Vec<Box<dyn Deed>>,
    effects: Vec<Effect>,
    lost: Option<Refusal>,
}

impl Room {
    pub(super) fn new(parts: Parts, line: Option<Line>, door: &Door) -> Self {
        let dice = 0x9e37_79b9_7f4a_7c15 ^ parts.memory.last_key as u64;
        Self {
            writer: parts.writer,
            memory: parts.memory,
            clock: parts.clock,
            epoch: parts.epoch,
            line,
            trouble: door.trouble.clone(),
            inbox: Arc::clone(&door.inbox),
            bell: door.bell.clone(),
            effects: door.effects.clone(),
            to_begin: Arc::clone(&door.to_begin),
            metrics: Arc::clone(&door.metrics),
            on_broken: parts.on_broken,
            reserve: parts.reserve,
            witness: parts.witness,
            parked: Vec::new(),
            sweep_at: MIN_SWEPT,
            follow_ups: Vec::new(),
            dice,
            broken: None,
        }
    }

    /// Works until the door is closed and empty. A fault of ours outside of a deed leaves memory nobody knows how: the
    /// server ends and recovers at its restart, and nobody waits for an answer that cannot come.
    pub(super) fn work(mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.serve())) {
            let reason = format!("the thread that writes has panicked: {}", text_of(panic.as_ref()));
            self.inbox.abandon();
            self.break_down(&Error::Broken { statement: "door", reason });
        }
    }

    fn serve(&mut self) {
        loop {
            self.follow_up();
            if self.inbox.is_done() {
                return;
            }
            match self.inbox.take(self.nap()) {
                Some(first) => self.transaction(Some(first)),
                None if self.keep_up() || self.parked_may_go_on() => self.transaction(None),
                None => {}
            }
        }
    }

    /// Does what follows from answers, one transaction after the other: callers who are gone may be many. What cannot be
    /// done now goes along with the next one.
    fn follow_up(&mut self) {
        let mut left = usize::MAX;
        while !self.follow_ups.is_empty() && self.follow_ups.len() < left {
            left = self.follow_ups.len();
            self.transaction(None);
        }
    }

    fn nap(&self) -> Duration {
        let nap = if self.parked.is_empty() { LONG_NAP } else { PARKED_NAP };
        self.line.as_ref().map_or(nap, |line| nap.min(line.look_every()))
    }

    /// Whether a limit by the minute could have let something go.
    fn parked_may_go_on(&mut self) -> bool {
        !self.parked.is_empty() && self.memory.hints().ready.is_woken(self.clock.now().wall)
    }

    fn transaction(&mut self, first: Option<Box<dyn Deed>>) {
        let mut batch = Batch::default();
        self.trouble.enter();
        if let Some(refusal) = self.broken.clone() {
            batch.done.extend(first);
            batch.lost = Some(refusal);
        } else if let Err(error) = self.begin() {
            batch.done.extend(first);
            self.turn_away(&mut batch);
            self.lose(&mut batch, error);
        } else {
            self.fill(&mut batch, first);
            self.feed_parked(&mut batch);
            self.commit(&mut batch);
        }
        self.trouble.leave();
        self.answer(batch);
    }

    /// Where the database of a shared store cannot be reached, nobody waits for it one after the other.
    fn turn_away(&mut self, batch: &mut Batch) {
        while self.line.is_some() && batch.done.len() < MAX_BATCH_DEEDS {
            let Some(deed) = self.inbox.try_take() else { break };
            batch.done.push(deed);
        }
    }

    fn fill(&mut self, batch: &mut Batch, first: Option<Box<dyn Deed>>) {
        let began = Instant::now();
        let mut next = first;
        let mut count = 0;
        while batch.lost.is_none() {
            let deed = next.take().or_else(|| self.follow_ups.pop()).or_else(|| self.inbox.try_take());
            let Some(deed) = deed else { break };
            self.one(batch, deed);
            count += 1;
            if count >= MAX_BATCH_DEEDS || began.elapsed() > MAX_BATCH_TIME {
                break;
            }
        }
        self.metrics.batch_size.see(count as u64);
    }

    /// Counts what is counted, and tells the rest.
    pub(super) fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Written(kind) => self.metrics.written(kind),
            Effect::Started { waited_ms } => self.metrics.began(waited_ms),
            Effect::Idle => self.metrics.idle_claims.add(1),
            Effect::ToBegin => self.to_begin.notify_one(),
            // Without a listener there is nobody to tell.
            told => drop(self.effects.send(told)),
        }
    }

    /// Tries one deed inside its own savepoint.
    fn one(&mut self, batch: &mut Batch, mut deed: Box<dyn Deed>) {
        let (mark, effects, began) = (self.memory.mark(), batch.effects.len(), Instant::now());
        let tried = match self.writer.save() {
            Ok(()) => self.perform(batch, deed.as_mut()),
            Err(error) => Err(refusal_of(error)),
        };
        match tried {
            Ok(tried) => {
                if let Err(error) = self.writer.keep() {
                    batch.done.push(deed);
                    return self.lose(batch, error);
                }
                if batch.effects[effects..].iter().any(|effect| matches!(effect, Effect::Started { .. })) {
                    self.metrics.claim_us.see(began.elapsed().as_micros() as u64);
                }
                match tried {
                    Tried::Done => batch.done.push(deed),
                    Tried::NotYet => self.park(batch, deed),
                }
            }
            Err(refusal) => {
                self.metrics.refused.add(1);
                if let Some(error) = self.writer.failure() {
                    self.doubt_memory(&error);
                }
                self.memory.rollback_to(mark);
                batch.effects.truncate(effects);
                deed.refuse(refusal.clone());
                batch.done.push(deed);
                if let Err(error) = self.writer.undo() {
                    self.lose_after(batch, error, refusal);
                }
            }
        }
    }

    fn perform(&mut self, batch: &mut Batch, deed: &mut dyn Deed) -> Result<Tried, Refusal> {
        let chance = self.chance();
        let pass = deed.pass();
        let mut act = Act {
            tx: self.writer.tx(),
            memory: &mut self.memory,
            now: self.clock.now(),
            pass: &pass,
            epoch: self.epoch,
            chance,
            effects: &mut batch.effects,
        };
        catch_unwind(AssertUnwindSafe(|| deed.perform(&mut act))).unwrap_or_else(|panic| {
            let text = text_of(panic.as_ref());
            tracing::error!(target: "store", "a deed panicked and was taken back: {text}");
            Err(Refusal::new(
                Code::Internal,
                "a fault of ours: nothing was done; please report it with the request id",
            ))
        })
    }

    /// SplitMix64: chance for jitter, not for secrets.
    pub(super) fn chance(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.dice;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn park(&mut self, batch: &mut Batch, mut deed: Box<dyn Deed>) {
        if self.parked.len() >= self.sweep_at {
            self.parked.retain(|deed| !deed.is_given_up());
            self.sweep_at = (self.parked.len() * 2).clamp(MIN_SWEPT, MAX_PARKED);
        }
        if self.parked.len() < MAX_PARKED {
            return self.parked.push(deed);
        }
        let text = format!("{MAX_PARKED} claims wait already: ask again in a moment");
        deed.refuse(Refusal::new(Code::Overloaded, text).retry_after(1_000));
        batch.done.push(deed);
    }

    /// Tries the waiting deeds again that something has opened for, in the transaction that opened it.
    fn feed_parked(&mut self, batch: &mut Batch) {
        if self.parked.is_empty() {
            return self.memory.hints().ready.nobody_waits();
        }
        if batch.lost.is_some() {
            return;
        }
        let woken = self.memory.hints().woken(self.clock.now().wall);
        if woken.is_nothing() {
            return;
        }
        for mut deed in self.parked_in_turn() {
            let asker = deed.asker();
            let finds = woken.wakes(asker) && asker.is_none_or(|want| self.memory.ready.has_for(want));
            if batch.lost.is_some() || !finds {
                self.parked.push(deed);
            } else if deed.still_wanted() {
                self.one(batch, deed);
            }
        }
        self.memory.hints().share = None;
        if batch.lost.is_some() {
            // Not all were tried, and what opened by the time alone is still open.
            self.memory.hints().ready.touch();
        }
    }

    /// The waiting deeds, in the order in which the queues choose (D6).
    fn parked_in_turn(&mut self) -> Vec<Box<dyn Deed>> {
        let mut parked = std::mem::take(&mut self.parked);
        // Who has gone takes no share.
        parked.retain(|deed| !deed.is_given_up());
        let chooses = parked.len() > 1 && self.memory.chooses();
        let share = chooses.then(|| self.memory.share(parked.len()));
        self.memory.hints().share = share;
        if chooses {
            parked.sort_by_cached_key(|deed| deed.asker().map_or((0, 0), |want| self.memory.rank(want)));
        }
        parked
    }

    fn commit(&mut self, batch: &mut Batch) {
        if batch.lost.is_some() {
            return;
        }
        let began = Instant::now();
        match self.write_transaction(batch) {
            Ok(page) => {
                self.metrics.commit_us.see(began.elapsed().as_micros() as u64);
                self.memory.commit();
                if let (Some(witness), Some(page)) = (&mut self.witness, page) {
                    witness(&page);
                }
            }
            Err(error) => self.lose(batch, error),
        }
    }

    /// What is written once a transaction, and the commit; gives the page that tells others of it.
    fn write_transaction(&mut self, batch: &Batch) -> tiltyard_store::Result<Option<Vec<u8>>> {
        self.memory.hints().distrust.take().map_or(Ok(()), Err)?;
        self.keep_sequences()?;
        self.keep_counts()?;
        let page = self.memory.page(&batch.effects).map_err(|error| Error::Constraint {
            statement: "a page of the journal",
            reason: error.to_string(),
        })?;
        let told = self.witness.as_ref().and(page.clone());
        self.end_shared(page).map(|()| told)
    }

    /// How far each scope's own sequence is, once a transaction.
    fn keep_sequences(&mut self) -> tiltyard_store::Result<()> {
        let grown = std::mem::take(&mut self.memory.hints().grown);
        grown.into_iter().try_for_each(|(scope, seq)| advance_scope(self.writer.tx(), scope, seq))
    }

    /// How many tasks have ended, once a transaction, so that a start need not count them.
    fn keep_counts(&mut self) -> tiltyard_store::Result<()> {
        let last_seq = self.memory.last_seq;
        let mut unwritten = self.memory.hints().counts.take_unwritten();
        unwritten.try_for_each(|(queue, state, by)| tally(self.writer.tx(), queue, state, by, last_seq))
    }

    /// The transaction is lost: nothing of it happened, or nobody knows (E2).
    fn lose(&mut self, batch: &mut Batch, error: Error) {
        let is_broken = self.is_fatal(&error);
        let may_come_back = matches!(error, Error::Unsynced(_));
        let refusal = if is_broken { self.break_down(&error) } else { refusal_of(error) };
        self.forget(batch, refusal);
        // After the reserve was given up, and before anybody is told that nothing happened.
        if may_come_back && let Err(error) = self.writer.write_over() {
            batch.lost = Some(self.break_down(&error));
        }
    }

    /// Whether the store can no longer be trusted. Of a shared store it is the database that keeps what was written; where
    /// rows are not as memory says, it is memory that is made anew.
    fn is_fatal(&mut self, error: &Error) -> bool {
        if self.doubt_memory(error) {
            return false;
        }
        match (error, &self.line) {
            (Error::Broken { statement, .. }, Some(_)) => matches!(*statement, "journal" | "commit"),
            (Error::Broken { .. } | Error::Unreadable { .. }, _) => true,
            _ => false,
        }
    }

    /// Has memory made anew where the store is shared and rows are not as memory says: a number or a key that it took for free is taken,
    /// or a row that it knows is not there.
    fn doubt_memory(&mut self, error: &Error) -> bool {
        let Some(line) = &mut self.line else { return false };
        let doubts = match error {
            Error::Constraint { statement, .. } => {
                matches!(*statement, "journal/append" | "event/append" | "task/insert")
            }
            error => matches!(error, Error::Unreadable { .. }),
        };
        if doubts {
            line.distrust_memory();
            tracing::error!(target: "store", "memory is made anew from the store: {error}");
        }
        doubts
    }

    /// A deed failed and its savepoint is gone too: the database has taken the transaction back by itself, as it does
    /// on a full disk. The deed's own refusal says why.
    fn lose_after(&mut self, batch: &mut Batch, error: Error, refusal: Refusal) {
        match refusal.code {
            Code::StorageLow | Code::Overloaded => self.forget(batch, refusal),
            _ => self.lose(batch, error),
        }
    }

    fn forget(&mut self, batch: &mut Batch, refusal: Refusal) {
        if let Err(error) = self.writer.rollback() {
            self.break_down(&error);
        }
        self.memory.rollback();
        if refusal.code == Code::StorageLow {
            self.reserve.give_up();
            self.memory.hints().storage_low = true;
        }
        batch.effects.clear();
        batch.lost = Some(refusal);
    }

    pub(super) fn break_down(&mut self, error: &Error) -> Refusal {
        let text = format!(
            "the store can no longer be trusted, so the server ends and recovers at its restart: {error}"
        );
        let refusal = Refusal::new(Code::StorageBroken, text).retry_after(5_000);
        self.trouble.break_off();
        if self.broken.is_none() {
            self.broken = Some(refusal.clone());
            (self.on_broken)(&refusal.message);
        }
        refusal
    }

    fn answer(&mut self, batch: Batch) {
        let lost = batch.lost.is_some();
        // Before the answers: who follows from now on, after an answer, must not hear of what was answered.
        self.bell.ring(self.memory.last_seq);
        for mut deed in batch.done {
            if let Some(refusal) = &batch.lost {
                deed.refuse(refusal.clone());
            }
            let follow_up = deed.answer();
            if !lost {
                self.follow_ups.extend(follow_up);
            }
        }
        for effect in batch.effects {
            self.carry_out(effect);
        }
    }
}

/// What a panic says.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
