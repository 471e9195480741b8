//! The rows of the items of lists that a step changes.

use super::advance::{News, must};
use super::event;
use crate::act::{Act, refusal_of};
use tiltyard_model::event::StageProgress;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::stage::State;
use tiltyard_model::run::window::{Open, Tally, WindowChange};
use tiltyard_model::run::{Changes, Outcome, Part};
use tiltyard_store::run::item::{List, To, cancel, save};

/// A list is told of each time that so many more of its items have ended.
const PROGRESS_EVERY_ITEMS: u32 = 100;

/// Writes what becomes of items; asked before memory has taken it.
pub(super) fn write(act: &mut Act<'_>, news: &News, changes: &Changes) -> Result<(), Refusal> {
    for (stage, change) in &changes.windows {
        let Some(live) = act.memory.runs.get(news.run) else { return Ok(()) };
        let list = List { run: news.run, stage: *stage, attempt: live.run.stage(*stage).attempt };
        let window = live.run.window(*stage);
        let before = window.map(|window| window.tally).unwrap_or_default();
        match change {
            WindowChange::Gone if window.is_none_or(|window| window.open.is_empty()) => {}
            WindowChange::Gone => cancel(act.tx, list).map_err(refusal_of)?,
            WindowChange::Is(tally, items) => {
                for (index, now) in items {
                    let was = window.and_then(|window| window.open.get(index)).copied();
                    one(act, news, (list, *index), was, *now)?;
                }
                progress(act, list, before, *tally)?;
            }
        }
    }
    Ok(())
}

fn one(
    act: &Act<'_>,
    news: &News,
    (list, index): (List, u32),
    was: Option<Open>,
    now: Option<Open>,
) -> Result<(), Refusal> {
    if was == now {
        return Ok(());
    }
    let is_it = |part: Part| part.stage == list.stage && part.item.is_some_and(|item| item.index == index);
    let state = match news.outcome {
        Outcome::Succeeded(part) if is_it(part) => State::Succeeded,
        Outcome::Failed(part, ..) | Outcome::Rejected(part, _) if is_it(part) => State::Failed,
        _ => State::Cancelled,
    };
    let told = (news.told.result.as_deref(), news.told.error.as_deref());
    let to = match now {
        Some(open) => To::Open(open),
        None if state == State::Succeeded => To::Ended { state, result: told.0, error: None },
        None => To::Ended { state, result: None, error: told.1 },
    };
    must(save(act.tx, list, index, was, to).map_err(refusal_of)?)
}

fn progress(act: &mut Act<'_>, list: List, before: Tally, now: Tally) -> Result<(), Refusal> {
    let ended = |tally: Tally| tally.succeeded + tally.failed;
    if ended(now) / PROGRESS_EVERY_ITEMS <= ended(before) / PROGRESS_EVERY_ITEMS {
        return Ok(());
    }
    let live = act.memory.runs.get(list.run);
    let told = StageProgress {
        stage: live.map(|live| live.graph.node(list.stage).id.clone()).unwrap_or_default(),
        attempt: list.attempt,
        ended: ended(now).into(),
        failed: now.failed.into(),
        items: now.total.into(),
    };
    event::of_run(act, list.run, &told)
}
