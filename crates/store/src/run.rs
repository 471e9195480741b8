//! Runs of pipelines: what moves is one conditional statement on the state, and on the attempt where there is one (E3).
//!
//! What a run is made of lies in the files below: its stages and their past attempts, the items of its lists, what they put
//! out, and what is awaited: times, events, calls.

pub mod artifact;
pub mod attempt;
pub mod boot;
pub mod call;
pub mod item;
pub mod list;
pub mod output;
mod row;
pub mod stage;
pub mod timer;
pub mod wait;

use crate::backend::sql;
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use row::place;
use std::collections::BTreeMap;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::run::{Part, Progress, State, Stops, stage::Stage};
use tiltyard_model::time::TimeMs;

/// The versions of pipelines, by the names that stages call them by.
pub type Pins = BTreeMap<String, i64>;

/// A slot of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The schedule, by its name in the run's scope.
    pub schedule: String,
    /// Which revision of it.
    pub revision: i64,
    /// When it was due.
    pub at: TimeMs,
}

/// What of a run never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The key of its scope.
    pub scope: i64,
    /// The key of the version of its pipeline.
    pub version: i64,
    /// The name that it was started by; `None` for a definition that came with the request.
    pub pipeline: Option<String>,
    /// The number that the name had then.
    pub number: Option<i64>,
    /// One line for people.
    pub title: Option<String>,
    /// The slot that it was started for.
    pub slot: Option<Slot>,
    /// The run whose part it is, by key, and which part.
    pub parent: Option<(i64, Part)>,
    /// The key of the run that nobody's stage started; its own where it is that.
    pub root: i64,
    /// How deep it is: 1 where nobody's stage started it.
    pub depth: u32,
    /// The last event before it (D28).
    pub began_seq: i64,
    /// The key of the actor who started it.
    pub started_by: i64,
    /// The identity that counts as the submitter of what its gates ask about.
    pub submitter: Option<String>,
    /// The versions of the pipelines that its stages call.
    pub pins: Pins,
    /// When it was made, in milliseconds since 1970.
    pub created_at: TimeMs,
}

/// What of a run changes, its stages apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// How often it was run again.
    pub reruns: u32,
    /// How its stops go.
    pub stops: Stops,
    /// When it left the queue.
    pub begun_at: Option<TimeMs>,
    /// When it ended last; `None` while it moves.
    pub ended_at: Option<TimeMs>,
    /// One line on the first stage that failed.
    pub error: Option<String>,
    /// How far it was at its last change of state; memory knows more of one that moves.
    pub progress: Option<Progress>,
}

/// A run with the names of what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its id.
    pub id: Id,
    /// Its key.
    pub key: i64,
    /// Its scope.
    pub scope_name: String,
    /// Who started it.
    pub started_by: String,
    /// What never changes.
    pub made: Made,
    /// What changes.
    pub standing: Standing,
}

/// A new run.
#[derive(Debug)]
pub struct Insert<'a> {
    /// Its key.
    pub key: i64,
    /// What never changes.
    pub made: &'a Made,
    /// What changes, as it begins. Its end, error and progress are not written.
    pub standing: &'a Standing,
    /// Its input, JSON text.
    pub input: &'a str,
    /// Its stages by index, at most [`tiltyard_model::pipeline::MAX_STAGES`], as they begin.
    pub stages: &'a [Stage],
}

/// Writes a new run with its input and its stages.
///
/// # Errors
/// When the store is broken or the disk is full; [`crate::Error::Constraint`] when its slot has a run already.
pub fn insert(tx: &Tx, new: &Insert<'_>) -> Result<()> {
    let (made, standing) = (new.made, new.standing);
    let pins = (!made.pins.is_empty()).then(|| json(&made.pins));
    let parent = made.parent.map(|(_, part)| place(part));
    let parameters = [
        new.key.into(),
        made.scope.into(),
        standing.state.code().into(),
        made.version.into(),
        made.pipeline.as_deref().into(),
        made.number.into(),
        made.title.as_deref().into(),
        made.slot.as_ref().map(|slot| slot.schedule.as_str()).into(),
        made.slot.as_ref().map(|slot| slot.at).into(),
        made.slot.as_ref().map(|slot| slot.revision).into(),
        made.parent.map(|(run, _)| run).into(),
        parent.map(|part| part[0]).into(),
        parent.map(|part| part[1]).into(),
        parent.map(|part| part[2]).into(),
        parent.map(|part| part[3]).into(),
        made.root.into(),
        made.depth.into(),
        standing.reruns.into(),
        standing.stops.asked.into(),
        standing.stops.stopped.into(),
        standing.stops.unconfirmed.into(),
        made.began_seq.into(),
        made.started_by.into(),
        made.submitter.as_deref().into(),
        pins.as_deref().into(),
        made.created_at.into(),
        standing.begun_at.into(),
    ];
    tx.put(sql!("run/insert"), &parameters)?;
    tx.put(sql!("run/put_input"), &[new.key.into(), new.input.into()])?;
    (0..).zip(new.stages).try_for_each(|(index, stage)| stage::insert(tx, new.key, index, stage))
}

/// Writes what has changed of a run, its stages apart; false when it is not in the state `from`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn update(tx: &Tx, key: i64, from: State, to: &Standing) -> Result<bool> {
    let progress = to.progress.map(row::progress_text);
    let parameters = [
        key.into(),
        from.code().into(),
        to.state.code().into(),
        to.reruns.into(),
        to.stops.asked.into(),
        to.stops.stopped.into(),
        to.stops.unconfirmed.into(),
        to.begun_at.into(),
        to.ended_at.into(),
        to.error.as_deref().into(),
        progress.as_deref().into(),
    ];
    tx.must(sql!("run/update"), &parameters)
}

/// One run; `None` when there is none, or the id is of another store.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, id: Id) -> Result<Option<Found>> {
    match rows.key(id).filter(|_| id.noun() == Noun::Run) {
        Some(key) => by_key(rows, key),
        None => Ok(None),
    }
}

/// One run by key.
///
/// # Errors
/// When the store is broken.
pub fn by_key(rows: &Rows, key: i64) -> Result<Option<Found>> {
    rows.one(sql!("run/get"), &[key.into()], |row| row::found(rows, row))
}

/// The input of a run, JSON text.
///
/// # Errors
/// When the store is broken.
pub fn input(rows: &Rows, key: i64) -> Result<Option<String>> {
    rows.one(sql!("run/input"), &[key.into()], |row| row.text(0))
}

/// The runs that stages of this one have started, oldest first, with keys above `above`.
///
/// # Errors
/// When the store is broken.
pub fn children(rows: &Rows, key: i64, above: i64, limit: u32) -> Result<Vec<Found>> {
    let parameters = [key.into(), above.into(), limit.into()];
    rows.all(sql!("run/children"), &parameters, |row| row::found(rows, row))
}

/// Keeps that a run names an artifact which is not of its own making; naming it again changes nothing.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn refer(tx: &Tx, key: i64, artifact: i64) -> Result<()> {
    tx.put(sql!("run/refer"), &[artifact.into(), key.into()])
}
