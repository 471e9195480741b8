//! Who does what only one server does.

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::time::TimeMs;

/// A duty and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// What is to be done.
    pub duty: String,
    /// Who does it.
    pub server: String,
    /// Until when, by the database's clock, unless it is renewed.
    pub until: TimeMs,
}

/// Takes a duty that nobody has any more, or renews one's own; false when another server has it.
///
/// # Errors
/// When the store is broken.
pub fn take(tx: &Tx, duty: &Duty, now: TimeMs) -> Result<bool> {
    let parameters = [(&duty.duty).into(), (&duty.server).into(), now.into(), duty.until.into()];
    Ok(tx.run(sql!("leader/take"), &parameters)? == 1)
}

/// Gives a duty up, so that nobody has to wait for its end.
///
/// # Errors
/// When the store is broken.
pub fn give_up(tx: &Tx, duty: &str, server: &str) -> Result<()> {
    tx.put(sql!("leader/give_up"), &[duty.into(), server.into()])
}

/// Every duty that somebody has or had.
///
/// # Errors
/// When the store is broken.
pub fn all(rows: &Rows) -> Result<Vec<Duty>> {
    rows.all(sql!("leader/all"), &[], |row| {
        Ok(Duty { duty: row.text(0)?, server: row.text(1)?, until: row.int(2)? })
    })
}
