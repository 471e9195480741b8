//! What the engine rebuilds its memory of runs from at start: those that move, and those that have ended and are still
//! stopping. What never moves again stays in the rows.

use super::item::{self, Opened};
use super::row::{number, parent, slot, state, stops};
use super::stage;
use super::{Slot, timer};
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::Rows;
use crate::task::boot::Between;
use std::collections::BTreeMap;
use tiltyard_model::run::window::Window;
use tiltyard_model::run::{Part, State, Stops};

/// Most runs that are in memory at once as rows, each with at most [`tiltyard_model::pipeline::MAX_STAGES`] stages.
pub const RUNS_OF_A_PAGE: i64 = 100;

/// A run that moves, or is still stopping.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// Where it stands.
    pub state: State,
    /// The key of the version of its pipeline.
    pub version: i64,
    /// The run whose part it is, by key, and which part.
    pub parent: Option<(i64, Part)>,
    /// How deep it is.
    pub depth: u32,
    /// How often it was run again.
    pub reruns: u32,
    /// How its stops go.
    pub stops: Stops,
    /// The last event before it.
    pub began_seq: i64,
    /// The key of the run that nobody's stage started.
    pub root: i64,
    /// The slot that it was started for.
    pub slot: Option<Slot>,
    /// Its stages, by index; a store that lost one has a gap.
    pub stages: Vec<stage::Found>,
    /// How far its lists are, by the stage's index.
    pub windows: BTreeMap<u32, Window>,
    /// The keys of what carries out items that are under way. An open item that is missing here, `ready` and not at rest, is
    /// still to begin.
    pub things: Vec<(Part, i64)>,
    /// What was told to stop and has not answered.
    pub stopping: Vec<Part>,
}

/// Calls `each` with every run that moves or is still stopping, and `between` after each page.
///
/// # Errors
/// When the store is broken; what `between` says.
pub fn boot(rows: &Rows, between: Between<'_>, mut each: impl FnMut(Live)) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let mut page = rows.all(sql!("run/boot"), &[after.into(), RUNS_OF_A_PAGE.into()], head)?;
        let Some(last) = page.last().map(|live| live.key) else { return Ok(()) };
        let count = page.len() as i64;
        fill(rows, &mut page)?;
        page.into_iter().for_each(&mut each);
        if count < RUNS_OF_A_PAGE {
            return Ok(());
        }
        after = last;
        between()?;
    }
}

/// One run as [`boot`] gives it, whatever its state; `None` when there is none.
///
/// # Errors
/// When the store is broken.
pub fn one(rows: &Rows, key: i64) -> Result<Option<Live>> {
    let mut found = rows.all(sql!("run/boot_one"), &[key.into()], head)?;
    fill(rows, &mut found)?;
    Ok(found.pop())
}

/// Puts to each run what it is made of.
fn fill(rows: &Rows, page: &mut [Live]) -> Result<()> {
    let keys: Vec<i64> = page.iter().map(|live| live.key).collect();
    let mut stages: BTreeMap<i64, Vec<stage::Found>> = BTreeMap::new();
    rows.all(sql!("stage/of_runs"), &[(&json(&keys)).into()], |row| {
        stages.entry(row.int(13)?).or_default().push(stage::found(row)?);
        Ok(())
    })?;
    let mut stopping = timer::stops(rows, &keys)?;
    let open = item::open(rows, &keys)?;
    for live in page {
        live.stages = stages.remove(&live.key).unwrap_or_default();
        live.stopping = stopping.remove(&live.key).unwrap_or_default();
        slide(live, &open);
    }
    Ok(())
}

/// The windows of its lists.
fn slide(live: &mut Live, open: &Opened) {
    for stage in &live.stages {
        let Some(tally) = stage.tally else { continue };
        let list = item::List { run: live.key, stage: stage.index, attempt: stage.stage.attempt };
        let open = open.get(&list).map(Vec::as_slice).unwrap_or_default();
        let things = open
            .iter()
            .filter_map(|(index, open, thing)| thing.map(|thing| (list.part(*index, open.attempt), thing)));
        live.things.extend(things);
        let open = open.iter().map(|(index, open, _)| (*index, *open)).collect();
        live.windows.insert(stage.index, Window { tally, open });
    }
}

fn head(row: &Row<'_>) -> Result<Live> {
    Ok(Live {
        key: row.int(0)?,
        scope: row.int(1)?,
        state: state(row, 2)?,
        version: row.int(3)?,
        parent: parent(row, 4)?,
        depth: number(row, 9)?,
        reruns: number(row, 10)?,
        stops: stops(row, 11)?,
        began_seq: row.int(14)?,
        root: row.int(15)?,
        slot: slot(row, 16)?,
        stages: Vec::new(),
        windows: BTreeMap::new(),
        things: Vec::new(),
        stopping: Vec::new(),
    })
}
