//! What goes out on a connection and how it ended, for several statements at once.

use super::{SILENT, Session, State};
use crate::error::{Error, Result};
use crate::postgres::failure::{ends_session, failure};
use crate::postgres::live::{Answer, Ask, Ends, Place};
use crate::postgres::queue::{Control, Part, Queue, What};
use std::pin::pin;
use std::task::Poll;

/// So many waiting writes go out while others are made.
pub(super) const EARLY_WRITES: usize = 512;
/// Most such portions of which nobody knows yet how they ended.
pub(super) const MAX_EARLY: usize = 16;

/// How what went out early has ended, what went out now, and how that has ended.
type Conversed = (Vec<(Vec<Part>, Ends)>, Vec<Part>, Ends);

impl Session {
    /// Sends what waits and does not wait for it: the database works while the next writes are made. Whatever has to be asked about
    /// first stays where it is.
    pub(super) fn send_early(&self, state: &mut State) {
        let Some(live) = state.live.clone() else { return };
        let begins = matches!(state.queue.first(), Some(What::Control(Control::Begin)));
        if begins || !state.queue.statements().all(|statement| live.knows(statement)) {
            return;
        }
        state.send_marks(false);
        state.early_doubts |= state.queue.has_doubts();
        let mut early = live.early(std::mem::take(&mut state.queue));
        self.runtime().block_on(async {
            let ended = std::future::poll_fn(|context| Poll::Ready(early.as_mut().poll(context))).await;
            // The connection's own task puts it on the wire.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            early = match ended {
                Poll::Ready(ended) => Box::pin(std::future::ready(ended)),
                Poll::Pending => early,
            };
            state.early.push(early);
        });
    }

    /// Sends what waits and the questions, and waits for all of it.
    pub(super) fn exchange(&self, state: &mut State, asks: &[Ask<'_>]) -> Result<Vec<Answer>> {
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.queue.is_empty() && asks.is_empty() && state.early.is_empty() {
            return Ok(Vec::new());
        }
        if state.live.is_none() {
            if state.open {
                return Err(Error::Lost("the transaction's connection is gone".to_owned()));
            }
            self.connect(state)?;
        }
        let asks_write = asks.iter().any(|ask| ask.statement.writes());
        state.wrote |= asks_write;
        state.send_marks(asks_write);
        let queue = std::mem::take(&mut state.queue);
        let mut told = self.once(state, &queue, asks);
        // A connection that died while it was idle: nothing but the beginning was on its way. Where it was silence that killed it, who
        // asked has waited long enough.
        let silent = matches!(&told, Err(Error::Lost(reason)) if reason == SILENT);
        let fresh =
            !silent && queue.len() == 1 && matches!(queue.first(), Some(What::Control(Control::Begin)));
        if told.is_err() && state.live.is_none() && fresh {
            (state.failed, state.hopeless) = (None, false);
            told = match self.connect(state) {
                Ok(()) => self.once(state, &queue, asks),
                Err(error) => Err(state.fail(error)),
            };
        }
        state.queue = queue;
        state.queue.clear();
        told
    }

    fn once(&self, state: &mut State, queue: &Queue, asks: &[Ask<'_>]) -> Result<Vec<Answer>> {
        let (early, parts, ends) = self.converse(state, queue, asks).map_err(|error| {
            // Nothing of what waited was sent, and some of it is of deeds that are over.
            state.hopeless = true;
            state.fail(error)
        })?;
        for (sent, ends) in early {
            if let Err(error) = self.judge(state, &sent, &[], ends) {
                // What stands behind it has failed with it.
                state.unmark(&parts);
                return Err(error);
            }
        }
        self.judge(state, &parts, asks, ends)
    }

    /// Waits for what went out early.
    pub(super) fn await_early(&self, state: &mut State) -> Result<()> {
        self.once(state, &Queue::default(), &[]).map(drop)
    }

    fn converse(&self, state: &mut State, queue: &Queue, asks: &[Ask<'_>]) -> Result<Conversed> {
        let statements = || queue.statements().chain(asks.iter().map(|ask| ask.statement));
        let live = state.live.clone().ok_or_else(|| Error::Lost("there is no connection".to_owned()))?;
        if !state.early.is_empty() && !statements().all(|statement| live.knows(statement)) {
            // Where something went wrong in there, nothing can be asked about.
            self.await_early(state)?;
        }
        let early = std::mem::take(&mut state.early);
        state.early_doubts = false;
        let begins = matches!(queue.first(), Some(What::Control(Control::Begin)));
        let place = if state.open && !begins { Place::Inside } else { Place::Outside };
        self.wait(async {
            live.prepare(statements(), place).await?;
            let parts = live.parts(queue);
            let mut ended = Vec::with_capacity(early.len());
            let ends = {
                let mut coming = pin!(live.send(queue, &parts, asks));
                // It goes out first, and is waited for last.
                let first = std::future::poll_fn(|context| Poll::Ready(coming.as_mut().poll(context))).await;
                for sent in early {
                    ended.push(sent.await);
                }
                match first {
                    Poll::Ready(ends) => ends,
                    Poll::Pending => coming.await,
                }
            };
            Ok((ended, parts, ends))
        })
    }

    /// The first thing that went wrong is what went wrong; all behind it failed for that reason.
    fn judge(&self, state: &mut State, parts: &[Part], asks: &[Ask<'_>], ends: Ends) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(asks.len());
        for (place, end) in ends.into_iter().enumerate() {
            let part = parts.get(place);
            match end {
                Ok(answer) if part.is_none() => answers.push(answer),
                Ok(answer) => {
                    if let Some(error) = part.and_then(|part| surprise(part, &answer)) {
                        // It may be of a deed that is over, and the database has no fault to take back.
                        state.hopeless = true;
                        return Err(state.fail(error));
                    }
                }
                Err(error) => {
                    let name = part.map_or_else(|| asks[place - parts.len()].statement.name, name_of);
                    if ends_session(&error) {
                        state.live = None;
                    }
                    state.unmark(&parts[place.min(parts.len())..]);
                    return Err(state.fail(failure(name, &error)));
                }
            }
        }
        Ok(answers)
    }
}

fn name_of(part: &Part) -> &'static str {
    match part.what {
        What::Write(statement, _) => statement.name,
        What::Control(Control::Begin) => "begin",
        What::Control(Control::Commit) => "commit",
        What::Control(_) => "savepoint",
    }
}

/// Rows that are not as the writer's memory says.
fn surprise(part: &Part, answer: &Answer) -> Option<Error> {
    let (must, Answer::Touched(count)) = (part.must_touch()?, answer) else { return None };
    let reason = format!("{count} of {must} rows were there: memory and rows disagree");
    (*count != must).then(|| Error::Unreadable { statement: name_of(part), reason })
}
