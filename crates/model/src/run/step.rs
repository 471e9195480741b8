//! One outcome, and what follows from it.

use super::draft::Draft;
use super::graph::Graph;
use super::stage::{State, Why};
use super::window::{Open, Rest, Tally};
use super::{Again, Changes, Effect, Failure, Going, Item, Outcome, Part, Rejection, Run, State as RunState};
use crate::pipeline::MAX_FOREACH_ITEMS;
use crate::refusal::{Code, Refusal};

/// What a step changes, and what is to be done once that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What changes.
    pub changes: Changes,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
}

/// Why an outcome changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is about an attempt that is over, or about a stage or item that was never begun: a late word.
    #[error("that attempt is over")]
    Stale,
    /// The run has ended another way.
    #[error("the run is {} already", .0.as_str())]
    Final(RunState),
    /// The run is not in a state for it.
    #[error("the run is {}; wait until it has ended, or cancel it", .0.as_str())]
    Early(RunState),
    /// Something of it is still stopping.
    #[error("{0} parts of the run are still stopping; try again when they have")]
    Stopping(u32),
    /// There is nothing to run again.
    #[error("all of it is done; name the stage to run it again from")]
    Done,
    /// Running again from that stage would skip it.
    #[error("it would be skipped again, for what it needs did not succeed; run again from there")]
    Blocked {
        /// The stage that it needs, by index.
        stage: u32,
        /// The stage to run again from, by index.
        root: u32,
    },
    /// A gate sends its run back only to what it needs.
    #[error("the gate does not run after that stage, so it cannot send the run back there")]
    NotBehind,
    /// The gate is one of a list's items: sending back would take the others along.
    #[error(
        "the gate is for one item of a list, and cannot send the run back; reject it without a stage: the item has failed \
         then, and the others go on"
    )]
    OneOfMany,
    /// The list is longer than a `foreach` may have.
    #[error("the list has more than {MAX_FOREACH_ITEMS} items")]
    TooMany,
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        let code = match unfit {
            Unfit::Stale => Code::StaleGeneration,
            Unfit::Final(_) => Code::AlreadyFinal,
            Unfit::NotBehind | Unfit::OneOfMany | Unfit::TooMany => Code::Invalid,
            _ => Code::WrongState,
        };
        Self::new(code, unfit.to_string())
    }
}

/// How much of a run a step looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// What depends on the outcome.
    Near,
    /// Everything.
    Whole,
}

/// What follows from an outcome, looking only at what depends on it.
///
/// # Errors
/// [`Unfit`]; nothing changes then.
pub fn step(graph: &Graph, run: &Run, outcome: Outcome) -> Result<Step, Unfit> {
    take(graph, run, outcome, Sight::Near)
}

/// The same by looking at the whole run: slow, and without a counter that could be wrong.
///
/// # Errors
/// As [`step`].
pub fn whole(graph: &Graph, run: &Run, outcome: Outcome) -> Result<Step, Unfit> {
    take(graph, run, outcome, Sight::Whole)
}

fn take(graph: &Graph, run: &Run, outcome: Outcome, sight: Sight) -> Result<Step, Unfit> {
    let mut draft = Draft::new(graph, run);
    draft.take(outcome)?;
    draft.finish(sight)
}

impl Draft<'_> {
    fn take(&mut self, outcome: Outcome) -> Result<(), Unfit> {
        match outcome {
            Outcome::Begin => self.begin(),
            Outcome::Moved(part, going) => self.moved(part, going),
            Outcome::Succeeded(part) => self.succeeded(part),
            Outcome::Failed(part, failure, again) => self.failed(part, failure, again),
            Outcome::Skipped(part) => self.skipped(part),
            Outcome::Cancelled(part) => self.called_off(part),
            Outcome::RetryDue(part) => self.retry_due(part),
            Outcome::Rejected(part, rejection) => self.rejected(part, rejection),
            Outcome::Listed(part, total) => self.listed(part, total),
            Outcome::Cancel => self.cancel(),
            Outcome::Stopped(part, stop) => self.stopped(part, stop),
            Outcome::Rerun(from) => self.rerun(from),
        }
    }

    fn begin(&mut self) -> Result<(), Unfit> {
        if self.head.state != RunState::Queued {
            return Err(Unfit::Early(self.head.state));
        }
        self.head.state = RunState::Running;
        for stage in self.graph.order() {
            if self.stage(*stage).unmet == 0 {
                self.free(*stage);
            }
        }
        Ok(())
    }

    /// The item of a part that is under way; `None` for a part that is a stage.
    fn known(&self, part: Part) -> Result<Option<(Item, Open)>, Unfit> {
        let index = Some(part.stage).filter(|stage| *stage < self.graph.len()).ok_or(Unfit::Stale)?;
        let stage = self.stage(index);
        if !stage.state.is_active() || stage.attempt != part.attempt {
            return Err(Unfit::Stale);
        }
        let Some(item) = part.item else { return Ok(None) };
        let open = self.open(index, item.index).filter(|open| open.attempt == item.attempt);
        open.map(|open| Some((item, open))).ok_or(Unfit::Stale)
    }

    /// The same, for something that is not resting between two attempts.
    fn under_way(&self, part: Part) -> Result<Option<(Item, Open)>, Unfit> {
        let found = self.known(part)?;
        let resting = match &found {
            Some((_, open)) => open.rest != Rest::No,
            None => self.stage(part.stage).why == Some(Why::Backoff),
        };
        if resting { Err(Unfit::Stale) } else { Ok(found) }
    }

    /// The same, for something that ends by itself: a list whose items are known ends with the last of them.
    fn by_itself(&self, part: Part) -> Result<Option<(Item, Open)>, Unfit> {
        let found = self.under_way(part)?;
        if found.is_none() && self.tally(part.stage).is_some() { Err(Unfit::Stale) } else { Ok(found) }
    }

    fn moved(&mut self, part: Part, going: Going) -> Result<(), Unfit> {
        if let Some((item, open)) = self.by_itself(part)? {
            let mut tally = self.tally(part.stage).ok_or(Unfit::Stale)?;
            tally.waiting -= u32::from(open.going == Going::Waiting);
            tally.waiting += u32::from(going == Going::Waiting);
            self.set_open(part.stage, item.index, Some(Open { going, ..open }));
            self.set_tally(part.stage, Some(tally));
            self.slide_on(part.stage, tally);
        } else {
            self.turn(part.stage, going.state());
        }
        Ok(())
    }

    fn succeeded(&mut self, part: Part) -> Result<(), Unfit> {
        match self.by_itself(part)? {
            Some((item, open)) => self.close(part.stage, (item, open), Closed::Succeeded),
            None => {
                self.end(part.stage, State::Succeeded, None);
                Ok(())
            }
        }
    }

    fn skipped(&mut self, part: Part) -> Result<(), Unfit> {
        if self.by_itself(part)?.is_some() {
            return Err(Unfit::Stale);
        }
        self.end(part.stage, State::Skipped, Some(Why::Condition));
        Ok(())
    }

    fn called_off(&mut self, part: Part) -> Result<(), Unfit> {
        if let Some(found) = self.known(part)? {
            return self.close(part.stage, found, Closed::Failed);
        }
        if self.tally(part.stage).is_some() {
            // What was called off has stopped by itself, but for the items of a list.
            self.stop_all(part.stage);
        }
        self.end(part.stage, State::Cancelled, Some(Why::Stage));
        Ok(())
    }

    fn failed(&mut self, part: Part, failure: Failure, again: Again) -> Result<(), Unfit> {
        let found = self.under_way(part)?;
        let most = self.graph.node(part.stage).attempts;
        let Some((item, open)) = found else {
            if failure == Failure::TimedOut || self.tally(part.stage).is_some() {
                self.stop_all(part.stage);
            }
            let failures = self.stage(part.stage).failures + 1;
            self.edit(part.stage).failures = failures;
            // The items of a list are tried again, never the list.
            let list = self.graph.node(part.stage).concurrency.is_some();
            if again == Again::May && failures < most && !list {
                self.turn(part.stage, State::Waiting);
                self.edit(part.stage).why = Some(Why::Backoff);
                self.effects.push(Effect::Retry(part, failures));
            } else {
                self.end(part.stage, State::Failed, Some(failure.why()));
            }
            return Ok(());
        };
        if failure == Failure::TimedOut {
            self.stop(part);
        }
        if again == Again::May && item.attempt < most {
            let mut tally = self.tally(part.stage).ok_or(Unfit::Stale)?;
            tally.waiting += u32::from(open.going != Going::Waiting);
            let resting = Open { going: Going::Waiting, rest: Rest::Backoff, ..open };
            self.set_open(part.stage, item.index, Some(resting));
            self.set_tally(part.stage, Some(tally));
            self.effects.push(Effect::Retry(part, item.attempt));
            self.slide_on(part.stage, tally);
            return Ok(());
        }
        self.close(part.stage, (item, open), Closed::Failed)
    }

    fn retry_due(&mut self, part: Part) -> Result<(), Unfit> {
        if let Some((item, open)) = self.known(part)? {
            if open.rest != Rest::Backoff {
                return Err(Unfit::Stale);
            }
            self.item_again(part, item);
            return Ok(());
        }
        if self.stage(part.stage).why != Some(Why::Backoff) {
            return Err(Unfit::Stale);
        }
        // As one that needs nothing more: it begins, or waits for its last attempt to stop.
        self.turn(part.stage, State::Pending);
        self.edit(part.stage).why = None;
        self.free(part.stage);
        Ok(())
    }

    fn rejected(&mut self, part: Part, rejection: Rejection) -> Result<(), Unfit> {
        if let Some(found) = self.by_itself(part)? {
            return match rejection {
                Rejection::AsDefined => self.close(part.stage, found, Closed::Failed),
                Rejection::Back(_) => Err(Unfit::OneOfMany),
            };
        }
        let node = self.graph.node(part.stage);
        let sent_back = self.stage(part.stage).sent_back;
        let to = match rejection {
            Rejection::Back(stage) if !self.graph.upstream(part.stage).contains(&stage) => {
                return Err(Unfit::NotBehind);
            }
            // Who names a stage is a person; only what happens by itself has a number of rounds.
            Rejection::Back(stage) => Some(stage),
            Rejection::AsDefined => node.back.filter(|back| sent_back < back.rounds).map(|back| back.stage),
        };
        match to {
            Some(to) => self.send_back(part, to),
            None => self.end(part.stage, State::Failed, Some(Why::Rejected)),
        }
        Ok(())
    }

    fn listed(&mut self, part: Part, total: u32) -> Result<(), Unfit> {
        let item = self.under_way(part)?;
        let list = self.graph.node(part.stage).concurrency.is_some();
        if item.is_some() || !list || self.tally(part.stage).is_some() {
            return Err(Unfit::Stale);
        }
        if total as usize > MAX_FOREACH_ITEMS {
            return Err(Unfit::TooMany);
        }
        self.slide_on(part.stage, Tally { total, ..Tally::default() });
        Ok(())
    }

    /// An item is over.
    fn close(&mut self, stage: u32, (item, open): (Item, Open), closed: Closed) -> Result<(), Unfit> {
        let mut tally = self.tally(stage).ok_or(Unfit::Stale)?;
        tally.open -= 1;
        tally.waiting -= u32::from(open.going == Going::Waiting);
        match closed {
            Closed::Succeeded => tally.succeeded += 1,
            Closed::Failed => {
                tally.failed += 1;
                tally.first_failed = tally.first_failed.or(Some(item.index));
            }
        }
        self.set_open(stage, item.index, None);
        self.slide_on(stage, tally);
        Ok(())
    }

    /// Begins as many items as there is room for, and ends the stage with its last one. Whatever room of the run it
    /// leaves is for other lists ([`Draft::fill`]).
    pub(super) fn slide_on(&mut self, stage: u32, mut tally: Tally) {
        let part = self.part(stage);
        // So that the room counts what of this list is under way now.
        self.set_tally(stage, Some(tally));
        let most = self.most_open(stage, tally);
        while tally.has_more() && tally.open < most {
            let item = Item { index: tally.next, attempt: 1 };
            tally.next += 1;
            tally.open += 1;
            let open = Open { attempt: 1, going: Going::Ready, rest: Rest::No };
            self.set_open(stage, item.index, Some(open));
            self.effects.push(Effect::Start(Part { item: Some(item), ..part }));
        }
        self.set_tally(stage, Some(tally));
        if tally.is_over() {
            match tally.failed {
                0 => self.end(stage, State::Succeeded, None),
                failed => self.end(stage, State::Failed, Some(Why::Items(failed))),
            }
        } else {
            let all_wait = tally.waiting == tally.open;
            self.turn(stage, if all_wait { State::Waiting } else { State::Running });
        }
    }
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Succeeded,
    Failed,
}

impl Going {
    /// The state of a stage that is so far.
    pub const fn state(self) -> State {
        match self {
            Self::Ready => State::Ready,
            Self::Running => State::Running,
            Self::Waiting => State::Waiting,
        }
    }
}

impl Failure {
    const fn why(self) -> Why {
        match self {
            Self::Failed => Why::Failed,
            Self::TimedOut => Why::TimedOut,
        }
    }
}
