//! Gates and the votes on them: one gate here, many of them in [`list`].

mod list;

pub use list::{Filter, count, due, of_change, page, past, tell_due};

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use serde::{Deserialize, Serialize};
use tiltyard_model::gate::calendar::{Calendar, Told};
use tiltyard_model::gate::quorum::Quorum;
use tiltyard_model::gate::reuse::Origin;
use tiltyard_model::gate::{
    Block, Ended, Gate, OnTimeout, Reduction, SelfApproval, State, SubjectKind, Vote,
};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::run::{Item, Part};
use tiltyard_model::time::TimeMs;

/// A gate with what it is about and the keys of what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The gate, with its votes.
    pub gate: Gate,
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// Its scope.
    pub scope_name: String,
    /// The change that it decides on, if it is one.
    pub change: Option<Id>,
    /// The place in a run that it stops, if it is one.
    pub run: Option<Place>,
    /// What it asks about.
    pub about: About,
    /// When it opened, in milliseconds since 1970.
    pub opened_at: TimeMs,
    /// When people are told of it, and when its time is over.
    pub calendar: Calendar,
    /// What they were told.
    pub told: Told,
    /// How much waits behind it.
    pub weight: i64,
    /// How many votes were cast, those included that a patch has made void.
    pub cast: u32,
}

/// The place in a run that a gate stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The run.
    pub run: Id,
    /// The attempt at its stage.
    pub part: Part,
    /// The artifact that it asks about, as the last patch made it; none for a question.
    pub artifact: Option<Id>,
    /// What it asked about before any patch.
    pub origin: Option<Origin>,
}

impl Found {
    /// The gate as it is decided at `now`: those whom it was escalated to decide too. For looking at, never for writing.
    pub fn at(&self, now: TimeMs) -> Gate {
        Gate { quorum: self.calendar.quorum(&self.gate.quorum, now), ..self.gate.clone() }
    }
}

/// What a gate asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What sort of thing.
    pub kind: SubjectKind,
    /// One line for people.
    pub title: String,
    /// Why it stops here.
    pub reasons: Vec<String>,
    /// Whether one lone person was asked twice.
    pub reduced: bool,
    /// The whole question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What its stage is called in the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What its artifact is like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

impl About {
    /// A thing of this sort, with one line for people and nothing else.
    pub fn of(kind: SubjectKind, title: impl Into<String>) -> Self {
        let title = title.into();
        Self { kind, title, reasons: Vec::new(), reduced: false, text: None, stage: None, document: None }
    }
}

/// What an artifact is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// A file name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What is kept of a gate beside what is looked for.
#[derive(Serialize, Deserialize)]
struct Record {
    quorum: Quorum,
    self_approval: SelfApproval,
    reduction: Reduction,
    submitter: Option<String>,
    confirm_with: Vec<String>,
    block: Option<Block>,
    on_timeout: OnTimeout,
    expires_ms: Option<TimeMs>,
    ended: Option<Ended>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier_sha256: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calendar: Option<Calendar>,
    #[serde(default, skip_serializing_if = "is_nothing")]
    told: Told,
    #[serde(flatten)]
    about: About,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_nothing(told: &Told) -> bool {
    *told == Told::default()
}

impl Record {
    fn of(found: &Found) -> Self {
        let gate = found.gate.clone();
        Self {
            quorum: gate.quorum,
            self_approval: gate.self_approval,
            reduction: gate.reduction,
            submitter: gate.submitter,
            confirm_with: gate.confirm_with,
            block: gate.block,
            on_timeout: gate.on_timeout,
            expires_ms: gate.expires_ms,
            ended: gate.ended,
            earlier_sha256: gate.earlier_sha256,
            calendar: Some(found.calendar.clone()),
            told: found.told,
            about: found.about.clone(),
        }
    }
}

/// One gate; `None` when there is none, or the id is of another store.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, id: Id) -> Result<Option<Found>> {
    let Some(key) = rows.key(id).filter(|_| id.noun() == Noun::Gate) else { return Ok(None) };
    rows.one(sql!("gate/get"), &[key.into()], |row| found(rows, row))
}

/// Writes a new gate.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, new: &Found) -> Result<()> {
    let (gate, record) = (&new.gate, json(&Record::of(new)));
    let part = new.run.map(|place| place.part);
    let item = part.and_then(|part| part.item);
    let origin = new.run.and_then(|place| place.origin).map(|origin| json(&origin));
    let parameters: [Value<'_>; 18] = [
        new.key.into(),
        new.scope.into(),
        gate.state.as_str().into(),
        (&gate.subject_sha256).into(),
        new.change.map(Id::key).into(),
        (&record).into(),
        new.opened_at.into(),
        acts_at(gate).into(),
        gate.ended.as_ref().map(|ended| ended.at_ms).into(),
        new.run.map(|place| place.run.key()).into(),
        part.map(|part| i64::from(part.stage)).into(),
        part.map(|part| i64::from(part.attempt)).into(),
        item.map(|item| i64::from(item.index)).into(),
        item.map(|item| i64::from(item.attempt)).into(),
        artifact_of(new).into(),
        origin.as_deref().into(),
        new.weight.into(),
        tells_at(new).into(),
    ];
    tx.put(sql!("gate/insert"), &parameters)
}

fn artifact_of(found: &Found) -> Option<i64> {
    found.run.and_then(|place| place.artifact).map(Id::key)
}

/// When people are told of a gate next; never once it has ended.
fn tells_at(found: &Found) -> Option<TimeMs> {
    if found.gate.state.is_final() { None } else { found.calendar.next_ms(found.told) }
}

/// When the clock does something to a gate: never, when its time-out means nothing or may not approve it.
fn acts_at(gate: &Gate) -> Option<TimeMs> {
    let acts = match gate.on_timeout {
        OnTimeout::Nothing => false,
        OnTimeout::Approve => gate.block.is_none(),
        OnTimeout::Reject => true,
    };
    gate.expires_ms.filter(|_| acts)
}

/// Writes what has changed of a gate, votes apart.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn update(tx: &Tx, found: &Found) -> Result<()> {
    let (gate, record) = (&found.gate, json(&Record::of(found)));
    let parameters = [
        found.key.into(),
        gate.state.as_str().into(),
        (&record).into(),
        gate.ended.as_ref().map(|ended| ended.at_ms).into(),
        (&gate.subject_sha256).into(),
        artifact_of(found).into(),
        tells_at(found).into(),
    ];
    tx.put(sql!("gate/update"), &parameters)
}

/// Keeps a vote, the `seq`th of its gate from 1.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn keep_vote(tx: &Tx, gate: i64, seq: u32, vote: &Vote) -> Result<()> {
    let record = json(vote);
    let parameters = [gate.into(), seq.into(), (&vote.voter.identity).into(), (&record).into()];
    tx.put(sql!("gate/keep_vote"), &parameters)
}

/// The vote number `by` has made a new subject: those before it are void, and stay for the record.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn void_votes(tx: &Tx, gate: i64, by: u32) -> Result<()> {
    tx.put(sql!("gate/void_votes"), &[gate.into(), by.into()])
}

/// The votes that a patch has made void, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn voided(rows: &Rows, gate: i64) -> Result<Vec<Vote>> {
    rows.all(sql!("gate/voided"), &[gate.into()], |row| vote(row, 0))
}

/// The votes that count, and the number of the last one: whoever makes others void comes after them.
fn votes(rows: &Rows, gate: i64) -> Result<(Vec<Vote>, u32)> {
    let found = rows.all(sql!("gate/votes"), &[gate.into()], |row| Ok((vote(row, 0)?, row.int(1)?)))?;
    let last = found.last().map_or(0, |(_, seq)| *seq);
    Ok((found.into_iter().map(|(vote, _)| vote).collect(), u32::try_from(last).unwrap_or(u32::MAX)))
}

fn vote(row: &Row<'_>, place: usize) -> Result<Vote> {
    serde_json::from_str(&row.text(place)?).map_err(|error| row.unreadable(error.to_string()))
}

fn small(row: &Row<'_>, place: usize) -> Result<Option<u32>> {
    Ok(row.opt_int(place)?.map(|number| u32::try_from(number).unwrap_or_default()))
}

fn place(rows: &Rows, row: &Row<'_>) -> Result<Option<Place>> {
    let Some(run) = row.opt_int(8)? else { return Ok(None) };
    let item = small(row, 11)?.zip(small(row, 12)?).map(|(index, attempt)| Item { index, attempt });
    let origin = row.opt_text(14)?.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Some(Place {
        run: rows.id(Noun::Run, run),
        part: Part {
            stage: small(row, 9)?.unwrap_or_default(),
            attempt: small(row, 10)?.unwrap_or_default(),
            item,
        },
        artifact: row.opt_int(13)?.map(|key| rows.id(Noun::Artifact, key)),
        origin: origin.map_err(|error| row.unreadable(error.to_string()))?,
    }))
}

fn found(rows: &Rows, row: &Row<'_>) -> Result<Found> {
    let (key, state) = (row.int(0)?, row.text(3)?);
    let state = State::parse(&state).ok_or_else(|| row.unreadable(format!("no state is called {state}")))?;
    let record: Record =
        serde_json::from_str(&row.text(6)?).map_err(|error| row.unreadable(error.to_string()))?;
    let opened_at = row.int(7)?;
    let (votes, cast) = votes(rows, key)?;
    let gate = Gate {
        id: rows.id(Noun::Gate, key),
        state,
        subject_sha256: row.text(4)?,
        earlier_sha256: record.earlier_sha256,
        quorum: record.quorum,
        self_approval: record.self_approval,
        reduction: record.reduction,
        submitter: record.submitter,
        confirm_with: record.confirm_with,
        block: record.block,
        expires_ms: record.expires_ms,
        on_timeout: record.on_timeout,
        votes,
        ended: record.ended,
    };
    Ok(Found {
        gate,
        key,
        scope: row.int(1)?,
        scope_name: row.text(2)?,
        change: row.opt_int(5)?.map(|key| rows.id(Noun::Change, key)),
        run: place(rows, row)?,
        about: record.about,
        opened_at,
        calendar: record.calendar.unwrap_or_else(|| Calendar::silent(opened_at, record.expires_ms)),
        told: record.told,
        weight: row.int(15)?,
        cast,
    })
}
