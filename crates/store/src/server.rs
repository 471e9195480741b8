//! The servers that share a store.

use crate::backend::sql;
use crate::error::{Error, Result};
use crate::journal;
use crate::rows::{Rows, Tx};
use tiltyard_model::time::{DurationMs, TimeMs};

/// A server that was seen within so long may still run; one that was killed counts for so long too.
const QUIET_MS: DurationMs = 15_000;

/// A server that shares the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, which no other one has.
    pub name: String,
    /// Its process: another word after every start.
    pub instance: String,
    /// Where the other servers reach it.
    pub address: String,
    /// When it was seen last, by the database's clock.
    pub seen_at: TimeMs,
    /// How far it has followed the journal.
    pub applied: i64,
}

/// Makes a server known, or says how far it is.
///
/// # Errors
/// When the store is broken.
pub fn put(tx: &Tx, server: &Server) -> Result<()> {
    let parameters = [
        (&server.name).into(),
        (&server.instance).into(),
        (&server.address).into(),
        server.seen_at.into(),
        server.applied.into(),
    ];
    tx.put(sql!("server/put"), &parameters)
}

/// Every server, by name.
///
/// # Errors
/// When the store is broken.
pub fn all(rows: &Rows) -> Result<Vec<Server>> {
    rows.all(sql!("server/all"), &[], |row| {
        Ok(Server {
            name: row.text(0)?,
            instance: row.text(1)?,
            address: row.text(2)?,
            seen_at: row.int(3)?,
            applied: row.int(4)?,
        })
    })
}

/// Forgets this process of a server.
///
/// # Errors
/// When the store is broken.
pub fn delete(tx: &Tx, name: &str, instance: &str) -> Result<()> {
    tx.put(sql!("server/delete"), &[name.into(), instance.into()])
}

/// Nobody serves the store.
///
/// # Errors
/// [`Error::Locked`] with the names of those that were seen a moment ago.
pub(crate) fn none_is_up(rows: &Rows) -> Result<()> {
    let now = journal::now(rows)?;
    let seen = all(rows)?.into_iter().filter(|own| (own.seen_at - now).abs() < QUIET_MS);
    let names: Vec<String> = seen.map(|own| own.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let text = "stop every server of the store first (one that was killed counts for 15 s)";
    Err(Error::Locked(format!("{text}: {}", names.join(", "))))
}
