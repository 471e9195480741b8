//! What is under way of a run is told to stop, and says how that went (D4).

use super::advance::{MAX_FOLLOWING, News, Told, Work, advance};
use super::thing::thing;
use crate::act::{Act, refusal_of};
use crate::{gate, task};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::graph::Sort;
use tiltyard_model::run::{Outcome, Part, Stop};
use tiltyard_model::task::attempt::Stop as TaskStop;
use tiltyard_store::run::{call, timer, wait};

/// Most runs that are looked for in one deed.
const MAX_DOOMED: usize = 1_024;

/// The reason of a task that was called off with its run, or with a part of it.
const WITH_RUN: &str = "run";

/// Tells a part to stop. What stops at once, or has not begun, answers at once.
pub(super) fn stop(act: &mut Act<'_>, work: &mut Work, news: &News, part: Part) -> Result<(), Refusal> {
    let run = news.run;
    let stopped = News::of(run, Outcome::Stopped(part, Stop::Stopped));
    if act.memory.runs.is_to_begin(run, part) {
        act.memory.begun(run, part);
        work.queue.push_back(stopped);
        return Ok(());
    }
    let Some(sort) = act.memory.runs.get(run).map(|live| live.sort(part)) else { return Ok(()) };
    if !sort.is_task() {
        timer::forget_part(act.tx, run, part).map_err(refusal_of)?;
    }
    let thing = thing(act.tx, run, part).map_err(refusal_of)?;
    let has_stopped = match (sort, thing) {
        (Sort::Command | Sort::Agent | Sort::Change, Some(task)) => call_off(act, (run, part), task)?,
        (Sort::Gate, Some(key)) => {
            let id: Id = act.id(Noun::Gate, key);
            gate::cancel(act, Some(id))?;
            true
        }
        (Sort::Pipeline, Some(child)) => {
            let stages = act.memory.runs.get(child).map(|live| live.run.stages().len());
            let is_under_way = stages.is_some();
            if stages.is_some_and(|stages| work.has_room(stages)) {
                let told = Told::reason("parent");
                work.queue.push_back(News { told, ..News::of(child, Outcome::Cancel) });
            } else if is_under_way {
                act.memory.hints().runs.leave_doomed();
            }
            !is_under_way
        }
        (Sort::Http, _) => {
            call::end(act.tx, run, part).map_err(refusal_of)?;
            true
        }
        (Sort::Wait, _) => {
            wait::end(act.tx, run, part).map_err(refusal_of)?;
            true
        }
        _ => true,
    };
    if has_stopped {
        work.queue.push_back(stopped);
    }
    Ok(())
}

/// Calls off runs that those above them have told to stop, as far as one deed goes; says how many.
///
/// # Errors
/// When the store cannot write it.
pub(super) fn end_doomed(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let (mut left, mut ended) = (MAX_FOLLOWING, 0);
    for run in act.memory.hints().runs.doomed(MAX_DOOMED) {
        let stages = act.memory.runs.get(run).map_or(0, |live| live.run.stages().len());
        if left == 0 {
            break;
        }
        left = left.saturating_sub(stages);
        advance(act, &News { told: Told::reason("parent"), ..News::of(run, Outcome::Cancel) })?;
        ended += 1;
    }
    Ok(ended)
}

/// Calls a part's task off; says whether nothing of it runs any more.
fn call_off(act: &mut Act<'_>, (run, part): (i64, Part), key: i64) -> Result<bool, Refusal> {
    // Its end is not told to the run: the run has asked for it.
    act.memory.unbind(key);
    let found = tiltyard_store::task::by_key(act.tx, key).map_err(refusal_of)?;
    let Some(found) = found.filter(|found| !found.task.state.is_final()) else { return Ok(true) };
    task::cancel::call_off(act, &found, WITH_RUN)?;
    let runs_on = act.memory.leases.get(key).is_some_and(|lease| lease.stop.is_some_and(TaskStop::is_open));
    if runs_on {
        act.memory.bind(key, run, part);
    }
    Ok(!runs_on)
}

/// The stop of a task's attempt is over.
pub(crate) fn task_stopped(act: &mut Act<'_>, task: i64, stop: TaskStop) -> Result<(), Refusal> {
    let Some((run, part)) = act.memory.runs.of_task(task).filter(|_| !stop.is_open()) else { return Ok(()) };
    act.memory.unbind(task);
    let stop = if stop == TaskStop::Stopped { Stop::Stopped } else { Stop::Unconfirmed };
    advance(act, &News::of(run, Outcome::Stopped(part, stop)))
}
