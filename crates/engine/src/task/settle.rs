//! Settle: an agent says how an attempt ended (D1, E3, E8).

use super::access::{may_answer, may_speak_for};
use super::{end, first_line};
use crate::act::{Act, refusal_of};
use crate::memory::lease::{Lease, Sort};
use crate::run::judge::{self, Judgement};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::{Attempt, Facts, MAX_RESULT_BYTES, Next, Outcome, Stop, after};
use tiltyard_model::task::lease::stale;
use tiltyard_model::text::{NOT_STORABLE, is_storable};
use tiltyard_store::task::{self, Found};

/// How an attempt ended, as its agent says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The task.
    pub id: Id,
    /// The generation that says so.
    pub generation: i64,
    /// `Succeeded`, `Failed`, `TimedOut` or `Released`.
    pub outcome: Outcome,
    /// JSON text.
    pub result: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether another try could help.
    pub retryable: bool,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Where the task stands now.
    pub state: State,
    /// Whether the same had been said before.
    pub replayed: bool,
}

/// Takes one report.
///
/// # Errors
/// 404 for a task that the caller does not see; 409 `stale_generation`, `already_settled`; 422 for what is too large.
pub fn settle(act: &mut Act<'_>, report: &Report) -> Result<Verdict, Refusal> {
    settle_judged(act, report, None)
}

/// The same where what the task of a run puts out was judged before.
///
/// # Errors
/// As [`settle`]; 503 where it is still to be judged ([`judge::is_to_judge`]): nothing was written then.
pub fn settle_judged(
    act: &mut Act<'_>,
    report: &Report,
    judgement: Option<&Judgement>,
) -> Result<Verdict, Refusal> {
    admit(report)?;
    let key = act.tx.key(report.id).ok_or_else(|| Refusal::missing("task", report.id))?;
    match act.memory.leases.live(key, report.generation).cloned() {
        Some(lease) => {
            may_report(act, &lease, report.id)?;
            let state = match broken_output(act, &lease, report, judgement)? {
                None => end_attempt(act, &lease, report)?,
                Some(error) => end_attempt(act, &lease, &failed(report, error))?,
            };
            Ok(Verdict { state, replayed: false })
        }
        None => settled_before(act, report),
    }
}

/// What is wrong with what a task of a run puts out, where that is judged.
fn broken_output(
    act: &mut Act<'_>,
    lease: &Lease,
    report: &Report,
    judgement: Option<&Judgement>,
) -> Result<Option<String>, Refusal> {
    let succeeds = report.outcome == Outcome::Succeeded && lease.sort == Sort::Plain;
    if succeeds && judge::is_judged(act, lease) {
        judge::take(act, lease, report, judgement)
    } else {
        Ok(None)
    }
}

/// A success that is none: what was put out is not what was promised. Another try could do better; what was reported is
/// kept beside the error, so that the same report is known again (E8).
fn failed(report: &Report, error: String) -> Report {
    Report { outcome: Outcome::Failed, error: Some(error), retryable: true, ..report.clone() }
}

/// What became of one report of many.
pub type Judged = (Id, Result<Verdict, Code>);

/// Takes many reports, each for itself: one that is refused leaves nothing behind, and the others stand (D51).
///
/// # Errors
/// What is about the server and not about one report; then none of them was taken.
pub fn each(act: &mut Act<'_>, reports: &[Report]) -> Result<Vec<Judged>, Refusal> {
    let all = each_unjudged(act, reports)?;
    all.into_iter().map(|one| one.ok_or_else(judge::to_judge)).collect()
}

/// The same; `None` for each report that is not taken before what its task puts out is judged.
///
/// # Errors
/// As [`each`].
pub(crate) fn each_unjudged(act: &mut Act<'_>, reports: &[Report]) -> Result<Vec<Option<Judged>>, Refusal> {
    let take = |report: &Report| {
        let judged = if may_be_refused_late(act, report) {
            act.part(|act| settle(act, report))?
        } else {
            outright(act, report)?
        };
        match judged {
            Ok(verdict) => Ok(Some((report.id, Ok(verdict)))),
            Err(refusal) if judge::is_to_judge(&refusal) => Ok(None),
            Err(refusal) if is_a_verdict(refusal.kind()) => Ok(Some((report.id, Err(refusal.code)))),
            Err(refusal) => Err(refusal),
        }
    };
    reports.iter().map(take).collect()
}

/// Whether a report could be refused after something was written: whatever follows from it has conditions of its own.
/// The end of a plain task that none waits for has one condition, in its first statement; a report without a lease
/// writes nothing, or only how a stop goes. Those need no savepoint, which costs as much as half of the rest.
fn may_be_refused_late(act: &Act<'_>, report: &Report) -> bool {
    let live = act.tx.key(report.id).and_then(|key| act.memory.leases.live(key, report.generation));
    live.is_some_and(|lease| {
        let is_awaited = act.memory.awaited.contains_key(&lease.task);
        lease.sort != Sort::Plain || is_awaited || act.memory.runs.of_task(lease.task).is_some()
    })
}

/// Takes a report that is refused before anything was written, or not at all: the inner result is its own.
///
/// # Errors
/// When that is not so, by a fault of ours: only the whole deed can be taken back then.
fn outright(act: &mut Act<'_>, report: &Report) -> Result<Result<Verdict, Refusal>, Refusal> {
    let before = act.memory.mark();
    match settle(act, report) {
        Err(refusal) if is_a_verdict(refusal.kind()) && act.memory.mark() != before => {
            let text = format!(
                "a report was refused after it had begun to be taken, so nothing was done: {refusal}"
            );
            Err(Refusal::new(Code::Internal, text))
        }
        judged => Ok(judged),
    }
}

/// Whether a refusal is about the one report, and not about the server.
pub(crate) fn is_a_verdict(kind: Kind) -> bool {
    matches!(kind, Kind::Missing | Kind::Conflict | Kind::Invalid | Kind::Denied)
}

fn admit(report: &Report) -> Result<(), Refusal> {
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > MAX_RESULT_BYTES);
    if too_long(&report.result) {
        return Err(Refusal::field(
            "/result",
            "must be at most 64 KiB of JSON; put bigger things into artifacts",
        ));
    }
    if too_long(&report.error) {
        return Err(Refusal::field(
            "/error",
            "must be at most 64 KiB; keep the end of it and put the rest into the log",
        ));
    }
    if !report.error.as_deref().is_none_or(is_storable) {
        return Err(Refusal::field("/error", NOT_STORABLE));
    }
    Ok(())
}

fn may_report(act: &Act<'_>, lease: &Lease, id: Id) -> Result<(), Refusal> {
    if may_answer(act, lease) { Ok(()) } else { Err(Refusal::missing("task", id)) }
}

fn end_attempt(act: &mut Act<'_>, lease: &Lease, report: &Report) -> Result<State, Refusal> {
    match (report.outcome, lease.sort) {
        (Outcome::Succeeded, Sort::Plain) => {
            let next = Next { state: State::Succeeded, run_at: None, used: lease.used + 1 };
            end::plain_success(act, lease, report, next)
        }
        (Outcome::Succeeded, Sort::Change) => {
            let found = running(act, lease)?;
            crate::change::proposed(act, lease, &found, report)
        }
        _ => {
            let found = running(act, lease)?;
            let next = after(report.outcome, facts(act, &found, report.retryable));
            end::attempt(act, lease, &found, &end::Ended::reported(report), next)
        }
    }
}

/// The row of a live lease.
pub(crate) fn running(act: &Act<'_>, lease: &Lease) -> Result<Found, Refusal> {
    let found = task::by_key(act.tx, lease.task).map_err(refusal_of)?;
    found.ok_or_else(|| Refusal::new(Code::NotFound, "the task of this lease is gone"))
}

/// What decides about a task after an attempt.
pub(crate) fn facts(act: &Act<'_>, found: &Found, retryable: bool) -> Facts {
    Facts {
        used: found.task.used,
        max: found.task.spec.max_attempts,
        backoff: found.task.spec.extras.backoff,
        retryable,
        needs_decision: Sort::of(&found.task.spec.kind) == Sort::Change,
        chance: act.chance,
        now: act.now.wall,
    }
}

/// A report for a generation that holds nothing any more: the same again, or too late.
fn settled_before(act: &mut Act<'_>, report: &Report) -> Result<Verdict, Refusal> {
    let found = act.task(report.id)?;
    let attempt = task::attempt(act.tx, found.key, report.generation).map_err(refusal_of)?;
    let Some(attempt) = attempt.filter(|attempt| may_speak_for(act, &attempt.agent)) else {
        return Err(stale(report.generation, found.task.generation, None));
    };
    match attempt.outcome {
        Some(Outcome::Cancelled) if report.outcome == Outcome::Released => {
            super::cancel::stopped(act, &found, report.generation, Stop::Stopped)?;
            Ok(Verdict { state: found.task.state, replayed: false })
        }
        Some(Outcome::LeaseLost | Outcome::Cancelled) | None => {
            Err(stale(report.generation, found.task.generation, attempt.outcome))
        }
        Some(Outcome::TimedOut) if attempt.error.as_deref() == Some(end::TIMED_OUT_BY_SERVER) => {
            Err(stale(report.generation, found.task.generation, attempt.outcome))
        }
        Some(outcome) if same(outcome, &attempt, report) => {
            Ok(Verdict { state: found.task.state, replayed: true })
        }
        Some(outcome) => Err(Refusal::new(
            Code::AlreadySettled,
            format!(
                "generation {} was settled as {} with another result: what was said first stands",
                report.generation,
                outcome_word(outcome)
            ),
        )),
    }
}

fn same(outcome: Outcome, attempt: &Attempt, report: &Report) -> bool {
    let judged = attempt.error.as_deref().is_some_and(judge::is_of_output) && report.error.is_none();
    if outcome == Outcome::Failed && report.outcome == Outcome::Succeeded && judged {
        return attempt.result == report.result;
    }
    outcome == report.outcome && attempt.result == report.result && attempt.error == report.error
}

/// The word of an outcome in sentences.
pub(crate) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::LeaseLost => "lease_lost",
        Outcome::Released => "released",
        Outcome::Cancelled => "cancelled",
    }
}

/// The first line of a report's error.
pub(crate) fn short_error(error: Option<&str>) -> String {
    first_line(error.unwrap_or("no error was given"))
}
