//! Times of runs that have come: the end of a wait, another try, the end of what an attempt may take, and of the patience with what
//! was told to stop.

use super::advance::{News, Told, advance};
use crate::act::{Act, refusal_of};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::graph::Sort;
use tiltyard_model::run::{Again, Failure, Outcome, Stop};
use tiltyard_store::run::timer::{self, Timer, What};
use tiltyard_store::run::{call, wait};

/// Most times of one deed; the rest are next.
pub const MAX_DUE: u32 = 200;

/// Deals with the times that have come; says how many it looked at, 0 when it could deal with none. One that cannot be dealt with is
/// left as it is.
///
/// # Errors
/// When the store cannot write it.
pub fn end_due(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let due = timer::due(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)?;
    let mut any = false;
    for timer in &due {
        any |= act.one_of_many("a time of a run", timer.run, |act| come(act, timer))?;
    }
    Ok(if any { due.len() } else { 0 })
}

/// The row goes with what follows from it: a clock that is set back brings nothing again.
fn come(act: &mut Act<'_>, timer: &Timer) -> Result<(), Refusal> {
    let Timer { run, part, what, .. } = *timer;
    timer::end(act.tx, run, part, what).map_err(refusal_of)?;
    let (outcome, told) = match what {
        What::Wait => (Outcome::Succeeded(part), Told::default()),
        What::Backoff => (Outcome::RetryDue(part), Told::default()),
        What::Stop => (Outcome::Stopped(part, Stop::Unconfirmed), Told::default()),
        What::TimeOut => {
            over(act, timer)?;
            let told = Told::error("it took longer than its timeout_ms", "timed_out");
            (Outcome::Failed(part, Failure::TimedOut, Again::May), told)
        }
    };
    advance(act, &News { told, ..News::of(run, outcome) })
}

/// What the attempt itself waited for is waited for no longer; what it has started is told to stop by the step.
fn over(act: &Act<'_>, timer: &Timer) -> Result<(), Refusal> {
    let (run, part) = (timer.run, timer.part);
    let ended = match act.memory.runs.get(run).map(|live| live.sort(part)) {
        Some(Sort::Wait) => wait::end(act.tx, run, part),
        Some(Sort::Http) => call::end(act.tx, run, part).map(drop),
        _ => Ok(()),
    };
    ended.and_then(|()| timer::forget_part(act.tx, run, part)).map_err(refusal_of)
}
