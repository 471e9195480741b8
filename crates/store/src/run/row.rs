//! Rows of runs as words. The order of columns is that of the view `run_named`.

use super::{Found, Made, Slot, Standing};
use crate::backend::Row;
use crate::error::Result;
use crate::rows::Rows;
use tiltyard_model::id::Noun;
use tiltyard_model::run::{Item, Part, Progress, State, Stops};

/// What stands for a part that is a stage, where the place of an item is.
pub(super) const NO_ITEM: i64 = -1;

/// A part as rows have it: stage, attempt, item, attempt at the item.
pub(super) fn place(part: Part) -> [i64; 4] {
    let item = part.item.map_or((NO_ITEM, 0), |item| (i64::from(item.index), i64::from(item.attempt)));
    [i64::from(part.stage), i64::from(part.attempt), item.0, item.1]
}

/// The part in four columns from `at` on.
pub(super) fn part(row: &Row<'_>, at: usize) -> Result<Part> {
    let item = match row.int(at + 2)? {
        NO_ITEM => None,
        _ => Some(Item { index: number(row, at + 2)?, attempt: number(row, at + 3)? }),
    };
    Ok(Part { stage: number(row, at)?, attempt: number(row, at + 1)?, item })
}

/// A number of ours that is never negative nor large.
pub(super) fn number(row: &Row<'_>, at: usize) -> Result<u32> {
    let value = row.int(at)?;
    u32::try_from(value).map_err(|_| row.unreadable(format!("column {at}: {value} is out of range")))
}

/// The same, or nothing.
pub(super) fn opt_number(row: &Row<'_>, at: usize) -> Result<Option<u32>> {
    row.opt_int(at)?.map(|_| number(row, at)).transpose()
}

/// A word in JSON, or nothing.
pub(super) fn opt_word<T: serde::de::DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<Option<T>> {
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|error| row.unreadable(format!("column {at}: {error}")))
    };
    row.opt_text(at)?.map(read).transpose()
}

/// The state of a run.
pub(super) fn state(row: &Row<'_>, at: usize) -> Result<State> {
    let code = row.int(at)?;
    State::from_code(code).ok_or_else(|| row.unreadable(format!("no run's state has number {code}")))
}

/// The numbers of a run's stops, in three columns from `at` on.
pub(super) fn stops(row: &Row<'_>, at: usize) -> Result<Stops> {
    Ok(Stops { asked: number(row, at)?, stopped: number(row, at + 1)?, unconfirmed: number(row, at + 2)? })
}

/// The slot in three columns from `at` on.
pub(super) fn slot(row: &Row<'_>, at: usize) -> Result<Option<Slot>> {
    let Some(schedule) = row.opt_text(at)? else { return Ok(None) };
    Ok(Some(Slot { schedule, at: row.int(at + 1)?, revision: row.int(at + 2)? }))
}

/// The parent in five columns from `at` on.
pub(super) fn parent(row: &Row<'_>, at: usize) -> Result<Option<(i64, Part)>> {
    row.opt_int(at)?.map(|run| Ok((run, part(row, at + 1)?))).transpose()
}

/// How far a run is, as a row has it: five numbers.
pub(super) fn progress_text(of: Progress) -> String {
    crate::name::json(&[of.stages, of.ended, of.items, of.items_ended, of.items_failed])
}

fn progress(row: &Row<'_>, at: usize) -> Result<Option<Progress>> {
    let numbers: Option<[u32; 5]> = opt_word(row, at)?;
    Ok(numbers.map(|[stages, ended, items, items_ended, items_failed]| Progress {
        stages,
        ended,
        items,
        items_ended,
        items_failed,
    }))
}

/// A row of `run_named`.
pub(super) fn found(rows: &Rows, row: &Row<'_>) -> Result<Found> {
    let key = row.int(0)?;
    Ok(Found {
        id: rows.id(Noun::Run, key),
        key,
        scope_name: row.text(30)?,
        started_by: row.text(31)?,
        made: made(row)?,
        standing: standing(row)?,
    })
}

fn made(row: &Row<'_>) -> Result<Made> {
    Ok(Made {
        scope: row.int(1)?,
        version: row.int(3)?,
        pipeline: row.opt_text(4)?,
        number: row.opt_int(5)?,
        title: row.opt_text(6)?,
        slot: slot(row, 7)?,
        parent: parent(row, 10)?,
        root: row.int(15)?,
        depth: number(row, 16)?,
        began_seq: row.int(21)?,
        started_by: row.int(22)?,
        submitter: row.opt_text(23)?,
        pins: row.json_or_default(24)?,
        created_at: row.int(25)?,
    })
}

fn standing(row: &Row<'_>) -> Result<Standing> {
    Ok(Standing {
        state: state(row, 2)?,
        reruns: number(row, 17)?,
        stops: stops(row, 18)?,
        begun_at: row.opt_int(26)?,
        ended_at: row.opt_int(27)?,
        error: row.opt_text(28)?,
        progress: progress(row, 29)?,
    })
}
