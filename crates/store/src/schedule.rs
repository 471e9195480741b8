//! Schedules: what they start and when, how far each has come, and what became of its last slots.

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use crate::template::Window;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::schedule::kept::{Last, Schedule, What};
use tiltyard_model::schedule::{Missed, Overlap, Timing};
use tiltyard_model::time::TimeMs;

/// A schedule of which a slot has come, or comes soon: as much of it as is needed to reckon, and to make ready what it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Its revision.
    pub revision: i64,
    /// When it starts something.
    pub timing: Timing,
    /// What becomes of slots that nobody started in time.
    pub missed: Missed,
    /// Until here every slot has been dealt with.
    pub last_at: TimeMs,
    /// Its next slot.
    pub next_at: TimeMs,
    /// What it starts.
    pub what: What,
    /// Who saved it.
    pub saved_by: String,
}

/// A slot that is dealt with.
#[derive(Debug, Clone, Copy)]
pub struct Dealt<'a> {
    /// The key of the scope.
    pub scope: i64,
    /// The schedule.
    pub name: &'a str,
    /// Its revision as it was read.
    pub revision: i64,
    /// Until where slots had been dealt with, as it was read.
    pub from: TimeMs,
    /// Until where they have been now.
    pub to: TimeMs,
    /// The next slot.
    pub next_at: Option<TimeMs>,
    /// What became of this one.
    pub last: &'a Last,
}

/// How far that is which a slot has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It goes on.
    UnderWay,
    /// It waits for what earlier slots have started.
    Queued,
    /// It has ended, as far as anybody has looked.
    Over,
    /// There is nothing.
    Skipped,
}

/// What a slot started.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The key of the scope.
    pub scope: i64,
    /// The schedule.
    pub name: &'a str,
    /// Its revision.
    pub revision: i64,
    /// The slot.
    pub at: TimeMs,
    /// The task or the run.
    pub thing: Option<Id>,
    /// How far that is.
    pub stage: Stage,
    /// Why there is nothing.
    pub reason: Option<&'a str>,
}

/// Saves a schedule in the scope of that key; `by` is the key of who saves it.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, scope: i64, schedule: &Schedule, by: i64) -> Result<()> {
    let (timing, what) = (json(&schedule.timing), json(&schedule.what));
    let last = schedule.last.as_ref().map(json);
    let parameters: [Value<'_>; 13] = [
        scope.into(),
        (&schedule.name).into(),
        schedule.revision.into(),
        (&timing).into(),
        (&what).into(),
        schedule.missed.as_str().into(),
        schedule.overlap.as_str().into(),
        schedule.paused.into(),
        schedule.last_at.into(),
        schedule.next_at.into(),
        by.into(),
        schedule.updated_at.into(),
        last.as_deref().into(),
    ];
    tx.put(sql!("schedule/put"), &parameters)
}

/// Removes a schedule and what is kept of its slots; false when there was none. What it started stays.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, scope: i64, name: &str) -> Result<bool> {
    tx.put(sql!("schedule/delete_starts"), &[scope.into(), name.into()])?;
    Ok(tx.run(sql!("schedule/delete"), &[scope.into(), name.into()])? == 1)
}

/// One schedule, by the names of its scope and its own.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, scope: &str, name: &str) -> Result<Option<Schedule>> {
    rows.one(sql!("schedule/get"), &[scope.into(), name.into()], schedule_of)
}

/// How many schedules a scope has.
///
/// # Errors
/// When the store is broken.
pub fn count_of_scope(rows: &Rows, scope: i64) -> Result<usize> {
    Ok(rows.number(sql!("schedule/count_of_scope"), &[scope.into()])? as usize)
}

/// How many schedules these scopes have (`None` for all), at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, scopes: Option<&[String]>, limit: u32) -> Result<u64> {
    let scopes = scopes.map(|scopes| json(&scopes));
    Ok(rows.number(sql!("schedule/count"), &[scopes.as_deref().into(), limit.into()])? as u64)
}

/// The schedules of these scopes (`None` for all), by scope and name.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, scopes: Option<&[String]>, window: &Window) -> Result<Vec<Schedule>> {
    let scopes = scopes.map(|scopes| json(&scopes));
    let after = window.after.as_ref();
    let parameters = [
        scopes.as_deref().into(),
        after.map(|(scope, _)| scope.as_str()).into(),
        after.map(|(_, name)| name.as_str()).into(),
        window.limit.into(),
        window.offset.into(),
    ];
    rows.all(sql!("schedule/page"), &parameters, schedule_of)
}

/// Schedules that are not paused and have a slot until then, the earliest first.
///
/// # Errors
/// When the store is broken.
pub fn due(rows: &Rows, until: TimeMs, limit: u32) -> Result<Vec<Due>> {
    rows.all(sql!("schedule/due"), &[until.into(), limit.into()], |row| {
        Ok(Due {
            scope: row.text(0)?,
            name: row.text(1)?,
            revision: row.int(2)?,
            timing: timing(row, 3)?,
            missed: missed(row, 4)?,
            last_at: row.int(5)?,
            next_at: row.int(6)?,
            what: what(row, 7)?,
            saved_by: row.text(8)?,
        })
    })
}

/// Says that the slots until then are dealt with; false when somebody else has done it, or the schedule was changed.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn dealt(tx: &Tx, dealt: &Dealt<'_>) -> Result<bool> {
    let last = json(dealt.last);
    let parameters: [Value<'_>; 7] = [
        dealt.scope.into(),
        dealt.name.into(),
        dealt.revision.into(),
        dealt.from.into(),
        dealt.to.into(),
        dealt.next_at.into(),
        (&last).into(),
    ];
    Ok(tx.run(sql!("schedule/dealt"), &parameters)? == 1)
}

/// The greatest revision of a schedule of that name, also of one that was removed, which has started a run; 0 for none.
///
/// # Errors
/// When the store is broken.
pub fn last_revision(rows: &Rows, scope: i64, name: &str) -> Result<i64> {
    rows.number(sql!("schedule/last_revision"), &[scope.into(), name.into()])
}

/// Keeps what became of a slot.
///
/// # Errors
/// When the store is broken or the disk is full; when something is kept of this slot already.
pub fn start(tx: &Tx, start: &Start<'_>) -> Result<()> {
    let of = |noun| start.thing.filter(|id| id.noun() == noun).map(Id::key);
    let parameters: [Value<'_>; 8] = [
        start.scope.into(),
        start.name.into(),
        start.revision.into(),
        start.at.into(),
        of(Noun::Run).into(),
        of(Noun::Task).into(),
        (start.stage as i64).into(),
        start.reason.into(),
    ];
    tx.put(sql!("schedule/start"), &parameters)
}

/// What slots of a schedule have started and has not ended, oldest first, at most `limit`: tasks and runs.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn open(tx: &Tx, scope: i64, name: &str, limit: u32) -> Result<Vec<Id>> {
    tx.put(sql!("schedule/over"), &[scope.into(), name.into()])?;
    let found = tx.all(sql!("schedule/open"), &[scope.into(), name.into(), limit.into()], |row| {
        let run = row.opt_int(0)?.map(|key| tx.id(Noun::Run, key));
        Ok(run.or(row.opt_int(1)?.map(|key| tx.id(Noun::Task, key))))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// The run of the same schedule that begins when this run ends, where one waits and no other is under way.
///
/// # Errors
/// When the store is broken.
pub fn next_of_queue(rows: &Rows, run: i64) -> Result<Option<i64>> {
    rows.one(sql!("schedule/next_of_queue"), &[run.into()], |row| row.int(0))
}

/// A schedule that starts a pipeline, by its name.
///
/// # Errors
/// When the store is broken.
pub fn of_pipeline(rows: &Rows, scope: i64, pipeline: &str) -> Result<Option<String>> {
    rows.one(sql!("schedule/of_pipeline"), &[scope.into(), pipeline.into()], |row| row.text(0))
}

/// Which of what is kept of a schedule's slots is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// What is over or was skipped.
    Ended,
    /// All.
    All,
}

/// Forgets all but the last `keep` of what is kept of a schedule's slots.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn prune(tx: &Tx, scope: i64, name: &str, keep: u32, forget: Forget) -> Result<()> {
    let last_kept = keep.saturating_sub(1);
    let all = forget == Forget::All;
    tx.put(sql!("schedule/prune"), &[scope.into(), name.into(), last_kept.into(), all.into()])
}

fn timing(row: &Row<'_>, place: usize) -> Result<Timing> {
    let text = row.text(place)?;
    serde_json::from_str(&text).map_err(|error| row.unreadable(format!("column {place}: {error}")))
}

fn what(row: &Row<'_>, place: usize) -> Result<What> {
    let text = row.text(place)?;
    serde_json::from_str(&text).map_err(|error| row.unreadable(format!("column {place}: {error}")))
}

fn missed(row: &Row<'_>, place: usize) -> Result<Missed> {
    let word = row.text(place)?;
    Missed::parse(&word).ok_or_else(|| row.unreadable(format!("no rule is called {word}")))
}

fn schedule_of(row: &Row<'_>) -> Result<Schedule> {
    let overlap = row.text(6)?;
    Ok(Schedule {
        scope: row.text(0)?,
        name: row.text(1)?,
        revision: row.int(2)?,
        timing: timing(row, 3)?,
        what: what(row, 4)?,
        missed: missed(row, 5)?,
        overlap: Overlap::parse(&overlap)
            .ok_or_else(|| row.unreadable(format!("no rule is called {overlap}")))?,
        paused: row.int(7)? != 0,
        last_at: row.int(8)?,
        next_at: row.opt_int(9)?,
        saved_by: row.text(10)?,
        updated_at: row.int(11)?,
        last: row.json_or_default(12)?,
    })
}
