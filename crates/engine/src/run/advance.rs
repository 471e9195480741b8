//! Something has happened to a run: what follows from it is written, in the transaction of whatever brought it. What is
//! to begin is only kept as that; [`super::prepare`] and [`super::begin`] go on with it, a moment later.

use super::{carry, item};
use crate::act::{Act, Effect, refusal_of};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::stage::Stage;
use tiltyard_model::run::step::{Unfit, step};
use tiltyard_model::run::{Changes, Effect as Follows, Head, Outcome, Part, Run, State, Stopping};
use tiltyard_model::time::{DurationMs, MINUTE_MS};
use tiltyard_store::run::stage::{Begun, Save, save};
use tiltyard_store::run::timer::{self, Timer, What};
use tiltyard_store::run::{self as rows, Standing};

/// After so long nobody waits for a stop any more, whatever did not answer; tasks have their own, shorter time.
const STOP_NET_MS: DurationMs = 10 * MINUTE_MS;

/// Stages of runs below that are called off in one deed, but for those of one run more; the others are called off by the
/// service that lets stages begin.
pub(super) const MAX_FOLLOWING: usize = 4_096;

/// Something that has happened to a run.
#[derive(Debug, Clone)]
pub(crate) struct News {
    /// The run's key.
    pub run: i64,
    /// What.
    pub outcome: Outcome,
    /// What people are told of it.
    pub told: Told,
    /// What carries a stage out from now on, where that begins with it.
    pub begun: Option<Begun>,
}

/// What people are told of an outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// What went wrong.
    pub error: Option<String>,
    /// What sort of failure: `failed`, `timed_out`, `rejected`, `expired`, `invalid`, `child`.
    pub cause: Option<&'static str>,
    /// Why it was called off.
    pub reason: Option<String>,
    /// Facts (JSON).
    pub context: Option<String>,
    /// What an item came to (JSON text).
    pub result: Option<String>,
    /// Who decided.
    pub by: Option<String>,
    /// The gate at which that was.
    pub gate: Option<Id>,
}

impl Told {
    /// A failure, in a sentence.
    pub(crate) fn error(error: impl Into<String>, cause: &'static str) -> Self {
        Self { error: Some(error.into()), cause: Some(cause), ..Self::default() }
    }

    /// A reason to call off.
    pub(crate) fn reason(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}

impl News {
    /// An outcome of which there is nothing more to tell.
    pub(crate) fn of(run: i64, outcome: Outcome) -> Self {
        Self { run, outcome, told: Told::default(), begun: None }
    }
}

/// What is still to be looked at, and what the runs were like before.
pub(super) struct Work {
    /// Outcomes that follow from others.
    pub queue: VecDeque<News>,
    left: usize,
    before: BTreeMap<i64, Before>,
}

/// What of a run was different before.
struct Before {
    head: Head,
    stages: BTreeMap<u32, Stage>,
    lists: BTreeSet<u32>,
    stopping: BTreeMap<Part, Option<Stopping>>,
    begun: BTreeMap<u32, Begun>,
}

impl Work {
    /// Whether the stages of one more run may be called off in this deed; they are counted then.
    pub(super) const fn has_room(&mut self, stages: usize) -> bool {
        let has_room = self.left > 0;
        self.left = self.left.saturating_sub(stages);
        has_room
    }

    fn remember(&mut self, news: &News, was: &Run, changes: &Changes) {
        let before = self.before.entry(news.run).or_insert_with(|| Before {
            head: was.head.clone(),
            stages: BTreeMap::new(),
            lists: BTreeSet::new(),
            stopping: BTreeMap::new(),
            begun: BTreeMap::new(),
        });
        let lists = changes.windows.iter().map(|(stage, _)| *stage);
        for stage in changes.stages.iter().map(|(stage, _)| *stage).chain(lists.clone()) {
            before.stages.entry(stage).or_insert_with(|| was.stage(stage).clone());
        }
        before.lists.extend(lists);
        let begins = part_of(news.outcome).zip(news.begun);
        before.begun.extend(begins.map(|(part, begun)| (part.stage, begun)));
        for (part, _) in &changes.stopping {
            before.stopping.entry(*part).or_insert_with(|| was.stopping().get(part).copied());
        }
    }
}

/// Takes what has happened. A word that comes too late changes nothing.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn advance(act: &mut Act<'_>, news: &News) -> Result<(), Refusal> {
    let (run, outcome) = (news.run, news.outcome);
    if let Err(unfit) = try_advance(act, news)? {
        tracing::debug!(target: "scheduler", run, ?outcome, "came to nothing: {unfit}");
    }
    Ok(())
}

/// The same for what somebody asks for, who hears why nothing is changed.
///
/// # Errors
/// When the store cannot write it.
pub(crate) fn try_advance(act: &mut Act<'_>, news: &News) -> Result<Result<(), Unfit>, Refusal> {
    let mut work = Work { queue: VecDeque::new(), left: MAX_FOLLOWING, before: BTreeMap::new() };
    if let Err(unfit) = take(act, &mut work, news)? {
        return Ok(Err(unfit));
    }
    // One after the other, not by recursion: runs start runs.
    while let Some(news) = work.queue.pop_front() {
        if let Err(unfit) = take(act, &mut work, &news)? {
            tracing::debug!(target: "scheduler", run = news.run, outcome = ?news.outcome, "came to nothing: {unfit}");
        }
    }
    let idle = act.memory.runs.is_idle();
    for (run, before) in work.before {
        write(act, run, &before)?;
    }
    if !idle && !act.effects.contains(&Effect::ToBegin) {
        act.effects.push(Effect::ToBegin);
    }
    Ok(Ok(()))
}

fn take(act: &mut Act<'_>, work: &mut Work, news: &News) -> Result<Result<(), Unfit>, Refusal> {
    let Some(live) = act.memory.runs.get(news.run) else { return Ok(Err(Unfit::Stale)) };
    let step = match step(&live.graph, &live.run, news.outcome) {
        Ok(step) => step,
        Err(unfit) => return Ok(Err(unfit)),
    };
    work.remember(news, &live.run, &step.changes);
    let begun = |effect: &Follows| match effect {
        Follows::Ended(part, ..) => live.run.stage(part.stage).state.is_active(),
        _ => true,
    };
    let effects: Vec<(Follows, bool)> =
        step.effects.into_iter().map(|effect| (effect, begun(&effect))).collect();
    let back = step.changes.stages.clone();
    item::write(act, news, &step.changes)?;
    act.memory.change_run(news.run, step.changes);
    match news.outcome {
        Outcome::Rerun(from) => carry::rerun(act, news.run, from)?,
        Outcome::Rejected(part, _) => carry::sent_back(act, news, part, &back)?,
        _ => {}
    }
    for (effect, had_begun) in effects {
        carry::carry(act, work, news, effect, had_begun)?;
    }
    Ok(Ok(()))
}

/// The part that goes on, of an outcome that can begin something.
const fn part_of(outcome: Outcome) -> Option<Part> {
    match outcome {
        Outcome::Moved(part, _) | Outcome::Listed(part, _) => Some(part),
        _ => None,
    }
}

/// The rows of what is different, once a deed.
fn write(act: &mut Act<'_>, run: i64, before: &Before) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(run) else { return Ok(()) };
    for (stage, was) in &before.stages {
        let now = live.run.stage(*stage);
        if !was.is_kept_alike(now) || before.lists.contains(stage) {
            let row = Save {
                run,
                index: *stage,
                from: was.state,
                from_attempt: was.attempt,
                to: now,
                tally: live.run.window(*stage).map(|window| window.tally),
                begun: before.begun.get(stage).copied(),
            };
            must(save(act.tx, &row).map_err(refusal_of)?)?;
        }
    }
    keep_stops(act, run, before)?;
    let head = &live.run.head;
    let over = head.state.is_final() && live.run.still_stopping() == 0;
    let told = |head: &Head| (head.state, head.reruns, head.stops);
    if told(head) != told(&before.head) {
        keep_head(act, run, before.head.state)?;
    }
    if over {
        act.memory.run_gone(run);
    }
    Ok(())
}

/// As long as a part's stop is open, it has a time.
fn keep_stops(act: &Act<'_>, run: i64, before: &Before) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(run) else { return Ok(()) };
    for (part, was) in &before.stopping {
        let now = live.run.stopping().get(part).copied();
        let (part, due_at) = (*part, act.now.wall.saturating_add(STOP_NET_MS));
        match (*was == Some(Stopping::Asked), now == Some(Stopping::Asked)) {
            (false, true) => timer::put(act.tx, &Timer { run, part, what: What::Stop, due_at }),
            (true, false) => timer::end(act.tx, run, part, What::Stop),
            _ => Ok(()),
        }
        .map_err(refusal_of)?;
    }
    Ok(())
}

/// The row of what is not of one stage.
fn keep_head(act: &Act<'_>, run: i64, from: State) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(run) else { return Ok(()) };
    let Some(found) = rows::by_key(act.tx, run).map_err(refusal_of)? else { return must(false) };
    let (head, was) = (&live.run.head, found.standing);
    let (turned, now) = (head.state != from, act.now.wall);
    let error = match head.state {
        State::Failed if turned => {
            let (stage, error) = carry::first_failed(act, run)?;
            Some(format!("{stage}: {error}"))
        }
        state if state.is_final() => was.error,
        _ => None,
    };
    let ended_at = if turned { Some(now) } else { was.ended_at };
    let standing = Standing {
        state: head.state,
        reruns: head.reruns,
        stops: head.stops,
        begun_at: was.begun_at.or_else(|| (head.state != State::Queued).then_some(now)),
        ended_at: ended_at.filter(|_| head.state.is_final()),
        error,
        progress: Some(live.run.progress()),
    };
    must(rows::update(act.tx, run, from, &standing).map_err(refusal_of)?)
}

/// The door does one deed after another, so what is not there as memory has it is a fault of ours.
pub(super) fn must(done: bool) -> Result<(), Refusal> {
    let text = "a run is not in the store as it is in memory: nothing was changed";
    if done { Ok(()) } else { Err(Refusal::new(Code::Internal, text)) }
}
