//! What carries out a part: the key of a task, a gate or a run.

use tiltyard_model::run::Part;
use tiltyard_store::run::item::{self, List};
use tiltyard_store::run::{attempt, stage};
use tiltyard_store::{Result, Rows};

/// What carries out a part, or did; `None` where it has not begun, and for what has rows of its own.
pub(crate) fn thing(rows: &Rows, run: i64, part: Part) -> Result<Option<i64>> {
    if let Some(of) = part.item {
        let list = List { run, stage: part.stage, attempt: part.attempt };
        let found = item::get(rows, list, of.index)?;
        return Ok(found.filter(|found| found.tries == of.attempt).and_then(|found| found.thing));
    }
    let now = stage::get(rows, run, part.stage)?.filter(|found| found.stage.attempt == part.attempt);
    if let Some(now) = now {
        return Ok(now.thing);
    }
    let past = attempt::of_stage(rows, run, part.stage, part.attempt.saturating_add(1), 1)?;
    Ok(past.into_iter().find(|past| past.attempt == part.attempt).and_then(|past| past.thing))
}
