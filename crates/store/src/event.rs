//! Events: appended in the transaction of their change, read by cursor (D50, D51, E5).

use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::event::{Subject, Type};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::time::TimeMs;

/// Events after which numbers that every transaction raises go on in another row.
const EVENTS_A_PART: i64 = 32_768;

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the store's order; gap-free.
    pub seq: i64,
    /// The epoch that it was written in.
    pub epoch: i64,
    /// The scope.
    pub scope: String,
    /// Its place in the scope's order; gap-free.
    pub scope_seq: i64,
    /// What happened.
    pub kind: Type,
    /// When.
    pub time: TimeMs,
    /// Who.
    pub actor: String,
    /// The request that did it.
    pub request: Option<String>,
    /// The thing.
    pub subject: Subject,
    /// The task it belongs to.
    pub task: Option<Id>,
    /// The run it belongs to.
    pub run: Option<Id>,
    /// JSON text, as the type's schema says.
    pub data: String,
}

/// What the door appends.
#[derive(Debug)]
pub struct Append<'a> {
    /// Its place in the store's order.
    pub seq: i64,
    /// The store's epoch.
    pub epoch: i64,
    /// The scope's key.
    pub scope: i64,
    /// Its place in the scope's order.
    pub scope_seq: i64,
    /// What happened.
    pub kind: Type,
    /// When.
    pub time: TimeMs,
    /// The actor's key.
    pub actor: i64,
    /// The request that did it.
    pub request: Option<&'a str>,
    /// The thing.
    pub subject: &'a Subject,
    /// The key of the task it belongs to, where the thing is no task.
    pub task: Option<i64>,
    /// The key of the run it belongs to; that of the thing, where the thing is a run.
    pub run: Option<i64>,
    /// JSON text.
    pub data: &'a str,
}

/// Which events to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// Types; `None` for all.
    pub types: Option<Vec<Type>>,
    /// The thing, or the task it belongs to.
    pub subject: Option<Subject>,
    /// What belongs to this run.
    pub run: Option<Id>,
    /// Only what belongs to a run, whichever.
    pub runs_only: bool,
}

/// Appends one event.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn append(tx: &Tx, event: &Append<'_>) -> Result<()> {
    let (noun, thing, name) = match event.subject {
        Subject::Id(id) => (Some(noun_code(id.noun())), Some(id.key()), None),
        Subject::Name(name) => (None, None, Some(name.as_str())),
    };
    let parameters = [
        event.seq.into(),
        event.epoch.into(),
        event.scope.into(),
        event.scope_seq.into(),
        event.kind.code().into(),
        event.time.into(),
        event.actor.into(),
        event.request.into(),
        noun.into(),
        thing.into(),
        name.into(),
        event.task.into(),
        event.data.into(),
        event.run.into(),
    ];
    tx.put(sql!("event/append"), &parameters)
}

/// Keeps how far a scope's own sequence is.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn advance_scope(tx: &Tx, scope: i64, last_seq: i64) -> Result<()> {
    tx.put(sql!("scope/advance"), &[scope.into(), part_of(last_seq).into(), last_seq.into()])
}

/// Forgets where scopes' sequences were before, at most `limit` rows; says how many.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn forget_parts(tx: &Tx, limit: u32) -> Result<usize> {
    tx.run(sql!("scope/forget_parts"), &[limit.into()])
}

/// Where a number that every transaction raises is kept when the log, or a scope's part of it, has come to `seq`: in another row
/// every so often, since a database keeps each version of a row while somebody's transaction is left open.
pub(crate) const fn part_of(seq: i64) -> i64 {
    seq / EVENTS_A_PART
}

/// The first and the last seq that are kept; `(0, 0)` for an empty log.
///
/// # Errors
/// When the store is broken.
pub fn bounds(rows: &Rows) -> Result<(i64, i64)> {
    Ok(rows.one(sql!("event/bounds"), &[], |row| Ok((row.int(0)?, row.int(1)?)))?.unwrap_or_default())
}

/// The epoch of the event `seq`; `None` when it is not kept.
///
/// # Errors
/// When the store is broken.
pub fn epoch_of(rows: &Rows, seq: i64) -> Result<Option<i64>> {
    rows.one(sql!("event/epoch"), &[seq.into()], |row| row.int(0))
}

/// At most `limit` events after `seq`, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn after(rows: &Rows, seq: i64, filter: &Filter, limit: usize) -> Result<Vec<Event>> {
    between(rows, (seq, i64::MAX), filter, limit)
}

/// At most `limit` events after the first seq and up to the second, oldest first: a bound on how far a filter that
/// finds little is made to look.
///
/// # Errors
/// When the store is broken.
pub fn between(rows: &Rows, (seq, upto): (i64, i64), filter: &Filter, limit: usize) -> Result<Vec<Event>> {
    let scopes = filter.scopes.as_ref().map(crate::name::json);
    let types = filter.types.as_ref().map(|types| {
        let codes: Vec<i64> = types.iter().map(|kind| kind.code()).collect();
        crate::name::json(&codes)
    });
    let (noun, thing, name) = match &filter.subject {
        Some(Subject::Id(id)) => (Some(noun_code(id.noun())), Some(id.key()), None),
        Some(Subject::Name(name)) => (None, None, Some(name.as_str())),
        None => (None, None, None),
    };
    // A run that this store did not make has no events here.
    let run = match filter.run.map(|run| rows.key(run)) {
        Some(None) => return Ok(Vec::new()),
        run => run.flatten(),
    };
    let last = run.map_or_else(|| filter.runs_only.into(), Value::from);
    let parameters = [
        seq.into(),
        (limit as i64).into(),
        scopes.as_deref().into(),
        types.as_deref().into(),
        noun.into(),
        thing.into(),
        name.into(),
        upto.into(),
        last,
    ];
    let statement = if run.is_some() { sql!("event/of_run") } else { sql!("event/after") };
    rows.all(statement, &parameters, |row| event_of(rows, row))
}

fn event_of(rows: &Rows, row: &Row<'_>) -> Result<Event> {
    let kind = row.int(4)?;
    let subject = match (row.opt_int(8)?, row.opt_int(9)?) {
        (Some(noun), Some(key)) => {
            let noun = noun_of(noun).ok_or_else(|| row.unreadable(format!("no noun has number {noun}")))?;
            Subject::Id(rows.id(noun, key))
        }
        _ => Subject::Name(row.opt_text(10)?.unwrap_or_default()),
    };
    let task = match &subject {
        Subject::Id(id) if id.noun() == Noun::Task => Some(*id),
        _ => row.opt_int(11)?.map(|key| rows.id(Noun::Task, key)),
    };
    Ok(Event {
        seq: row.int(0)?,
        epoch: row.int(1)?,
        scope: row.text(2)?,
        scope_seq: row.int(3)?,
        kind: Type::from_code(kind).ok_or_else(|| row.unreadable(format!("no type has number {kind}")))?,
        time: row.int(5)?,
        actor: row.text(6)?,
        request: row.opt_text(7)?,
        subject,
        task,
        run: row.opt_int(13)?.map(|key| rows.id(Noun::Run, key)),
        data: row.text(12)?,
    })
}

/// The number of a noun in a row: its place in [`Noun::ALL`], which only grows.
fn noun_code(noun: Noun) -> i64 {
    noun as i64
}

fn noun_of(code: i64) -> Option<Noun> {
    usize::try_from(code).ok().and_then(|index| Noun::ALL.get(index)).copied()
}
