//! Gates and the votes on them.

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use crate::task::list::Window;
use serde::{Deserialize, Serialize};
use tiltyard_model::gate::quorum::Quorum;
use tiltyard_model::gate::{
    Block, Ended, Gate, OnTimeout, Reduction, SelfApproval, State, SubjectKind, Vote,
};
use tiltyard_model::id::{Id, Noun};
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
    /// What it asks about.
    pub about: About,
    /// When it opened, in milliseconds since 1970.
    pub opened_at: TimeMs,
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
    #[serde(flatten)]
    about: About,
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
    let parameters: [Value<'_>; 9] = [
        new.key.into(),
        new.scope.into(),
        gate.state.as_str().into(),
        (&gate.subject_sha256).into(),
        new.change.map(Id::key).into(),
        (&record).into(),
        new.opened_at.into(),
        acts_at(gate).into(),
        gate.ended.as_ref().map(|ended| ended.at_ms).into(),
    ];
    tx.put(sql!("gate/insert"), &parameters)
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
    ];
    tx.put(sql!("gate/update"), &parameters)
}

/// Keeps a vote, the `seq`th of its gate from 1.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn keep_vote(tx: &Tx, gate: i64, seq: usize, vote: &Vote) -> Result<()> {
    let record = json(vote);
    let parameters = [gate.into(), (seq as i64).into(), (&vote.voter.identity).into(), (&record).into()];
    tx.put(sql!("gate/keep_vote"), &parameters)
}

/// Which gates to list. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// The state.
    pub state: Option<State>,
}

/// Gates, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Found>> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters: Vec<Value<'_>> =
        vec![scopes.as_deref().into(), window.below.into(), window.limit.into(), window.offset.into()];
    let statement = match filter.state {
        Some(state) => {
            parameters.push(state.as_str().into());
            sql!("gate/page_by_state")
        }
        None => sql!("gate/page"),
    };
    rows.all(statement, &parameters, |row| found(rows, row))
}

/// How many there are, counted up to `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let scopes = filter.scopes.as_ref().map(json);
    let mut parameters: Vec<Value<'_>> = vec![scopes.as_deref().into(), limit.into()];
    let statement = match filter.state {
        Some(state) => {
            parameters.push(state.as_str().into());
            sql!("gate/count_by_state")
        }
        None => sql!("gate/count"),
    };
    Ok(rows.number(statement, &parameters)? as u64)
}

/// The gates of a change, newest first.
///
/// # Errors
/// When the store is broken.
pub fn of_change(rows: &Rows, change: i64, limit: u32) -> Result<Vec<Found>> {
    rows.all(sql!("gate/of_change"), &[change.into(), limit.into()], |row| found(rows, row))
}

/// Open gates whose time is over, the earliest first.
///
/// # Errors
/// When the store is broken.
pub fn due(rows: &Rows, now: TimeMs, limit: u32) -> Result<Vec<Id>> {
    rows.all(sql!("gate/due"), &[now.into(), limit.into()], |row| Ok(rows.id(Noun::Gate, row.int(0)?)))
}

fn votes(rows: &Rows, gate: i64) -> Result<Vec<Vote>> {
    rows.all(sql!("gate/votes"), &[gate.into()], |row| {
        serde_json::from_str(&row.text(0)?).map_err(|error| row.unreadable(error.to_string()))
    })
}

fn found(rows: &Rows, row: &Row<'_>) -> Result<Found> {
    let (key, state) = (row.int(0)?, row.text(3)?);
    let state = State::parse(&state).ok_or_else(|| row.unreadable(format!("no state is called {state}")))?;
    let record: Record =
        serde_json::from_str(&row.text(6)?).map_err(|error| row.unreadable(error.to_string()))?;
    let gate = Gate {
        id: rows.id(Noun::Gate, key),
        state,
        subject_sha256: row.text(4)?,
        quorum: record.quorum,
        self_approval: record.self_approval,
        reduction: record.reduction,
        submitter: record.submitter,
        confirm_with: record.confirm_with,
        block: record.block,
        expires_ms: record.expires_ms,
        on_timeout: record.on_timeout,
        votes: votes(rows, key)?,
        ended: record.ended,
    };
    Ok(Found {
        gate,
        key,
        scope: row.int(1)?,
        scope_name: row.text(2)?,
        change: row.opt_int(5)?.map(|key| rows.id(Noun::Change, key)),
        about: record.about,
        opened_at: row.int(7)?,
    })
}
