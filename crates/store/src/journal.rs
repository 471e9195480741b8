//! What each transaction of a shared store did to the memory that every server keeps. An embedded store has none of it.

use crate::backend::{Row, Value, sql};
use crate::error::{Error, Result};
use crate::postgres::session::Session;
use crate::rows::{Rows, Tx};
use tiltyard_model::time::TimeMs;

/// Most rows of the journal that the beginning of a transaction brings with it; who is further behind reads the rest by
/// [`after`].
pub const MAX_ENTRIES_OF_BEGIN: i64 = 256;

/// Most rows of the journal that are forgotten at once, which happens under the store's lock. Every two seconds so many are more
/// than one lock lets servers write.
pub const MAX_PRUNED_ROWS: i64 = 5_000;

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: dense, drawn under the store's lock.
    pub seq: i64,
    /// The server whose transaction it was; with its process, so that a server started anew is another one.
    pub server: String,
    /// When, by the database's clock.
    pub made_at: TimeMs,
    /// What it did to memory, and what is to be done outside because of it.
    pub steps: Vec<u8>,
}

/// What the beginning of a shared store's transaction tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Begun {
    /// The database's time, which decides; `None` in an embedded store.
    pub now: Option<TimeMs>,
    /// Which life of the database this is: another number after every restart and failover (E4).
    pub incarnation: i64,
    /// The number of the journal's last row; 0 when it is empty. Smaller than what was seen before: this is not the store
    /// that was seen.
    pub head: i64,
    /// When that row was made; `None` when the journal is empty.
    pub last_at: Option<TimeMs>,
    /// Who wrote the row that was seen last, and when; `None` when it is not there.
    pub seen: Option<(String, TimeMs)>,
    /// The rows after those that were seen, at most [`MAX_ENTRIES_OF_BEGIN`].
    pub entries: Vec<Entry>,
}

/// The lock, then time and journal, in one way there and back. Each statement sees what was committed before it, so the
/// journal is read as it is under the lock.
pub(crate) fn begin(session: &Session, lock: i64, seen: i64) -> Result<Begun> {
    let parameters = [Value::Int(seen), Value::Int(MAX_ENTRIES_OF_BEGIN)];
    let found = session.ask_rows(&[
        (sql!("journal/lock"), &[Value::Int(lock)]),
        (sql!("journal/begin"), &parameters[..1]),
        (sql!("journal/after"), &parameters),
    ])?;
    begun(&found[1..])
}

/// The same without the lock: what is committed by now.
pub(crate) fn look(session: &Session, seen: i64) -> Result<Begun> {
    let parameters = [Value::Int(seen), Value::Int(MAX_ENTRIES_OF_BEGIN)];
    let asks: [(_, &[Value<'_>]); 2] =
        [(sql!("journal/begin"), &parameters[..1]), (sql!("journal/after"), &parameters)];
    begun(&session.ask_rows(&asks)?)
}

fn begun(found: &[Vec<tokio_postgres::Row>]) -> Result<Begun> {
    let [facts, entries] = found else { return Err(incomplete()) };
    let facts = facts.first().map(|row| crate::rows::of_postgres(row, sql!("journal/begin")));
    let facts = facts.ok_or_else(incomplete)?;
    let entry = |row| entry_of(&crate::rows::of_postgres(row, sql!("journal/after")));
    Ok(Begun {
        now: Some(facts.int(0)?),
        incarnation: facts.int(1)?,
        head: facts.int(2)?,
        last_at: facts.opt_int(3)?,
        seen: facts.opt_text(5)?.zip(facts.opt_int(4)?),
        entries: entries.iter().map(entry).collect::<Result<_>>()?,
    })
}

fn incomplete() -> Error {
    Error::Broken { statement: "journal/begin", reason: "an answer is missing".to_owned() }
}

/// At most `limit` rows after `seq`, in order.
///
/// # Errors
/// When the store is broken.
pub fn after(rows: &Rows, seq: i64, limit: i64) -> Result<Vec<Entry>> {
    rows.all(sql!("journal/after"), &[seq.into(), limit.into()], entry_of)
}

/// The number of the last row; 0 when there is none.
///
/// # Errors
/// When the store is broken.
pub fn head(rows: &Rows) -> Result<i64> {
    rows.number(sql!("journal/head"), &[])
}

/// Forgets the rows up to `seq`, which every server has followed: at most [`MAX_PRUNED_ROWS`] of them, the oldest. None is before
/// `from`, which is 0 or what this gave the last time: the oldest row that was kept before.
///
/// # Errors
/// When the store is broken.
pub fn prune(tx: &Tx, from: i64, seq: i64) -> Result<i64> {
    let first = first(tx, from)?;
    tx.put(sql!("journal/prune"), &[first.into(), seq.into(), MAX_PRUNED_ROWS.into()])?;
    Ok(first)
}

/// The number of the oldest row that is kept, of those that are not before `from`; 0 when there is none.
///
/// # Errors
/// When the store is broken.
pub(crate) fn first(rows: &Rows, from: i64) -> Result<i64> {
    rows.number(sql!("journal/first"), &[from.into()])
}

/// The database's time.
///
/// # Errors
/// When the store is broken.
pub fn now(rows: &Rows) -> Result<TimeMs> {
    rows.number(sql!("journal/now"), &[])
}

fn entry_of(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry { seq: row.int(0)?, server: row.text(1)?, made_at: row.int(2)?, steps: row.bytes(3)? })
}
