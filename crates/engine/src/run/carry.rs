//! What a step says is to be done, as rows, events and other outcomes.

use super::advance::{News, Told, Work};
use super::{event, stop};
use crate::act::{Act, refusal_of};
use crate::task::first_line;
use tiltyard_model::event::{
    RunCancelled, RunFailed, RunRerun, RunRunning, RunStopped, RunSucceeded, RunWaiting, StageCancelled,
    StageFailed, StageRetrying, StageSentBack, StageSkipped, StageSucceeded,
};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::stage::{Stage, State, Why};
use tiltyard_model::run::{Again, Effect, Failure, Outcome, Part, State as RunState, Stop, Stops};
use tiltyard_model::time::rfc3339;
use tiltyard_store::run::attempt;
use tiltyard_store::run::timer::{self, Timer, What};

/// Carries out one effect; `had_begun` says of a stage that has ended whether anything of it was under way.
pub(super) fn carry(
    act: &mut Act<'_>,
    work: &mut Work,
    news: &News,
    effect: Effect,
    had_begun: bool,
) -> Result<(), Refusal> {
    let run = news.run;
    match effect {
        Effect::Start(part) => {
            act.memory.let_begin(run, part);
            Ok(())
        }
        Effect::Stop(part) => stop::stop(act, work, news, part),
        Effect::Retry(part, failures) => again(act, news, part, failures),
        Effect::Ended(part, state, why) => {
            if had_begun && state != State::Skipped {
                keep_attempt(act, news, part, (state, why))?;
            }
            ended(act, news, part, (state, why))
        }
        Effect::Run(state) => turned(act, work, news, state),
        Effect::Stopped(stops) => stopped(act, work, run, stops),
    }
}

/// Another attempt follows after a while.
fn again(act: &mut Act<'_>, news: &News, part: Part, failures: u32) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(news.run) else { return Ok(()) };
    let node = live.graph.node(part.stage);
    let (id, backoff) = (node.id.clone(), node.backoff);
    let due = act.now.wall.saturating_add(backoff.delay_ms(failures, act.chance));
    timer::forget_part(act.tx, news.run, part).map_err(refusal_of)?;
    let timer = Timer { run: news.run, part, what: What::Backoff, due_at: due };
    timer::put(act.tx, &timer).map_err(refusal_of)?;
    if part.item.is_some() {
        return Ok(());
    }
    keep_attempt(act, news, part, (State::Failed, Some(Why::Failed)))?;
    let event = StageRetrying {
        stage: id,
        attempt: part.attempt,
        failures,
        error: first_line(news.told.error.as_deref().unwrap_or_default()),
        due: rfc3339(due),
    };
    event::of_run(act, news.run, &event)
}

/// How an attempt at a stage ended, apart from the stage's own row, in which the next one will lie.
fn keep_attempt(
    act: &mut Act<'_>,
    news: &News,
    part: Part,
    end: (State, Option<Why>),
) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(news.run) else { return Ok(()) };
    let sort = live.graph.node(part.stage).uses;
    let error = error_of(act, news, part, end);
    let kept = attempt::End {
        run: news.run,
        stage: part.stage,
        attempt: part.attempt,
        uses: sort as u8,
        state: end.0,
        why: end.1,
        error: error.as_deref(),
        context: news.told.context.as_deref(),
        now: act.now.wall,
    };
    attempt::keep(act.tx, &kept).map_err(refusal_of)?;
    if !sort.is_task() {
        timer::forget_stage(act.tx, news.run, part.stage, part.attempt).map_err(refusal_of)?;
    }
    Ok(())
}

/// What went wrong, for a person; `None` where nothing did.
fn error_of(act: &Act<'_>, news: &News, part: Part, (state, why): (State, Option<Why>)) -> Option<String> {
    match (state, why) {
        (State::Failed, Some(Why::Items(failed))) => {
            let live = act.memory.runs.get(news.run)?;
            let tally = live.run.window(part.stage)?.tally;
            let first = tally.first_failed.unwrap_or_default();
            let left = tally.total - tally.next;
            let left = if left > 0 { format!("; {left} were not begun") } else { String::new() };
            Some(format!("{failed} of {} items failed, the first to end was item {first}{left}", tally.total))
        }
        (State::Failed, Some(Why::TimedOut)) if news.told.error.is_none() => {
            Some("it took longer than its timeout_ms".to_owned())
        }
        (State::Failed, _) => {
            Some(news.told.error.clone().unwrap_or_else(|| "no error was given".to_owned()))
        }
        (State::Cancelled, _) => news.told.reason.clone(),
        _ => None,
    }
}

/// A stage is over.
fn ended(act: &mut Act<'_>, news: &News, part: Part, end: (State, Option<Why>)) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(news.run) else { return Ok(()) };
    let (node, attempt) = (live.graph.node(part.stage), part.attempt);
    let stage = node.id.clone();
    match end {
        (State::Succeeded, _) => {
            let outputs = node.outputs.clone();
            event::of_run(act, news.run, &StageSucceeded { stage, attempt, outputs })
        }
        (State::Failed, why) => {
            let error = first_line(&error_of(act, news, part, end).unwrap_or_default());
            let cause = news.told.cause.unwrap_or(match why {
                Some(Why::TimedOut) => "timed_out",
                Some(Why::Rejected) => "rejected",
                _ => "failed",
            });
            event::of_run(act, news.run, &StageFailed { stage, attempt, error, cause: cause.to_owned() })
        }
        (State::Skipped, why) => {
            let root = if let Some(Why::Needs { root, .. }) = why { Some(root) } else { None };
            let cause = if root.is_some() { "needs" } else { "condition" };
            let root = root.map(|root| live.graph.node(root).id.clone());
            event::of_run(act, news.run, &StageSkipped { stage, cause: cause.to_owned(), root })
        }
        _ => {
            let reason = news.told.reason.clone().unwrap_or_else(|| "run".to_owned());
            event::of_run(act, news.run, &StageCancelled { stage, attempt, reason })
        }
    }
}

/// A gate has sent the run back, where it has: `stages` are those that are different since.
pub(super) fn sent_back(
    act: &mut Act<'_>,
    news: &News,
    gate: Part,
    stages: &[(u32, Stage)],
) -> Result<(), Refusal> {
    let heard = |stage: &Stage| {
        stage.feedback.filter(|heard| (heard.gate, heard.attempt) == (gate.stage, gate.attempt))
    };
    let Some((to, heard)) = stages.iter().find_map(|(to, stage)| Some((*to, heard(stage)?))) else {
        return Ok(());
    };
    keep_attempt(act, news, gate, (State::Failed, Some(Why::Rejected)))?;
    let Some(live) = act.memory.runs.get(news.run) else { return Ok(()) };
    let event = StageSentBack {
        stage: live.graph.node(to).id.clone(),
        gate: news.told.gate.map(|id| id.to_string()).unwrap_or_default(),
        round: heard.round,
        by: news.told.by.clone(),
    };
    event::of_run(act, news.run, &event)
}

/// The run goes on, because somebody asks for it.
pub(super) fn rerun(act: &mut Act<'_>, run: i64, from: Option<u32>) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(run) else { return Ok(()) };
    let from_stage = from.map(|stage| live.graph.node(stage).id.clone());
    let number = live.run.head.reruns;
    event::of_run(act, run, &RunRerun { from_stage, number })
}

/// The run is in another state.
fn turned(act: &mut Act<'_>, work: &mut Work, news: &News, state: RunState) -> Result<(), Refusal> {
    let run = news.run;
    match state {
        RunState::Queued => {}
        RunState::Running => event::of_run(act, run, &RunRunning {})?,
        RunState::Waiting => event::of_run(act, run, &RunWaiting {})?,
        RunState::Succeeded => event::of_run(act, run, &RunSucceeded {})?,
        RunState::Failed => {
            let (stage, error) = first_failed(act, run)?;
            event::of_run(act, run, &RunFailed { stage, error })?;
        }
        RunState::Cancelled => {
            let reason = news.told.reason.clone().unwrap_or_else(|| "requested".to_owned());
            event::of_run(act, run, &RunCancelled { reason })?;
        }
    }
    if state.is_final() { over(act, work, news, state) } else { Ok(()) }
}

/// The run has ended: whoever started it hears of it.
fn over(act: &mut Act<'_>, work: &mut Work, news: &News, state: RunState) -> Result<(), Refusal> {
    let Some(live) = act.memory.runs.get(news.run) else { return Ok(()) };
    let (above, stops) = (live.parent, live.run.head.stops);
    if live.scheduled {
        let next = tiltyard_store::schedule::next_of_queue(act.tx, news.run).map_err(refusal_of)?;
        work.queue.extend(next.map(|next| News::of(next, Outcome::Begin)));
    }
    let Some((parent, part)) = above else { return Ok(()) };
    let (outcome, told) = match state {
        RunState::Succeeded => (Outcome::Succeeded(part), Told::default()),
        RunState::Failed => {
            let (stage, error) = first_failed(act, news.run)?;
            let id = act.id(Noun::Run, news.run);
            let text = format!("{id} failed: its stage `{stage}`: {error}");
            (Outcome::Failed(part, Failure::Failed, Again::May), Told::error(text, "child"))
        }
        _ => (Outcome::Cancelled(part), news.told.clone()),
    };
    work.queue.push_back(News { told, ..News::of(parent, outcome) });
    if state == RunState::Cancelled && stops.left() == 0 {
        work.queue.push_back(News::of(parent, Outcome::Stopped(part, Stop::Stopped)));
    }
    Ok(())
}

/// Whatever was told to stop has answered.
fn stopped(act: &mut Act<'_>, work: &mut Work, run: i64, stops: Stops) -> Result<(), Refusal> {
    let told = RunStopped {
        asked: stops.asked.into(),
        stopped: stops.stopped.into(),
        unconfirmed: stops.unconfirmed.into(),
    };
    event::of_run(act, run, &told)?;
    if let Some((parent, part)) = act.memory.runs.get(run).and_then(|live| live.parent) {
        let stop = if stops.unconfirmed > 0 { Stop::Unconfirmed } else { Stop::Stopped };
        work.queue.push_back(News::of(parent, Outcome::Stopped(part, stop)));
    }
    Ok(())
}

/// The first stage, in order, that failed or was called off, and the first line of why.
pub(super) fn first_failed(act: &Act<'_>, run: i64) -> Result<(String, String), Refusal> {
    let Some(live) = act.memory.runs.get(run) else { return Ok(Default::default()) };
    let of = |wanted: State| {
        live.graph.order().iter().copied().find(|stage| live.run.stage(*stage).state == wanted)
    };
    let Some(stage) = of(State::Failed).or_else(|| of(State::Cancelled)) else {
        return Ok(Default::default());
    };
    let attempt = live.run.stage(stage).attempt;
    let kept = attempt::of_stage(act.tx, run, stage, attempt.saturating_add(1), 1).map_err(refusal_of)?;
    let kept = kept.into_iter().find(|kept| kept.attempt == attempt).and_then(|kept| kept.error);
    let error = kept.unwrap_or_else(|| "it was called off".to_owned());
    Ok((live.graph.node(stage).id.clone(), first_line(&error)))
}
