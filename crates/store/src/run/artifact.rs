//! The artifacts of a run: what its stages have put out in any attempt, and their items.

use super::output::Stored;
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::rows::Rows;
use tiltyard_model::id::Noun;

/// What stands where nothing is of an item.
const NO_ITEM: i64 = -1;

/// Where an output lies among all of a run: they are read in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The stage, by index.
    pub stage: u32,
    /// The attempt at it.
    pub attempt: u32,
    /// The item of its list; `None` for the stage's own.
    pub item: Option<u32>,
    /// What it is called.
    pub name: String,
}

/// An output that is kept as an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Whose it is, and what it is called.
    pub place: Place,
    /// The artifact.
    pub stored: Stored,
}

/// Outputs after a place, `limit` of them after `offset`.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, run: i64, after: Option<&Place>, (offset, limit): (u32, u32)) -> Result<Vec<Made>> {
    let parameters = [
        run.into(),
        after.map_or(NO_ITEM, |place| i64::from(place.stage)).into(),
        after.map_or(NO_ITEM, |place| i64::from(place.attempt)).into(),
        after.and_then(|place| place.item).map_or(NO_ITEM, i64::from).into(),
        after.map_or("", |place| place.name.as_str()).into(),
        limit.into(),
        offset.into(),
    ];
    rows.all(sql!("run_output/artifacts"), &parameters, |row| made(rows, row))
}

/// How many there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, run: i64, limit: u32) -> Result<u64> {
    Ok(rows.number(sql!("run_output/count_artifacts"), &[run.into(), limit.into()])? as u64)
}

fn made(rows: &Rows, row: &Row<'_>) -> Result<Made> {
    let number = |place: usize| {
        let found = row.int(place)?;
        u32::try_from(found).map_err(|_| row.unreadable(format!("column {place} is no place")))
    };
    let item = row.int(2)?;
    let item = if item == NO_ITEM { None } else { Some(number(2)?) };
    let place = Place { stage: number(0)?, attempt: number(1)?, item, name: row.text(3)? };
    let stored = Stored {
        id: rows.id(Noun::Artifact, row.int(4)?),
        sha256: row.text(5)?,
        size: row.int(6)? as u64,
        media_type: row.text(7)?,
        name: row.opt_text(8)?,
    };
    Ok(Made { place, stored })
}
