//! Migrations of the shared store (O10): one transaction each, under the store's lock, so that servers which start at once
//! make each step once.

use super::LOCK;
use super::session::Session;
use crate::backend::sql;
use crate::error::{Error, Result};
use crate::migration::{ALL, Applied, Migration, listed, none, refuse_newer};
use crate::rows::{Base, Rows, Tx};
use crate::server;

/// Makes every step that the store lacks.
pub(crate) fn up(tx: &Tx) -> Result<()> {
    make(tx, ALL)
}

pub(crate) fn make(tx: &Tx, steps: &[Migration]) -> Result<()> {
    if let (true, last) = (is_there(tx)?, steps.last().map_or(0, |step| step.version)) {
        // The usual start, without the lock.
        if refuse_newer(version(tx)?, steps)? == last {
            return Ok(());
        }
    }
    for step in steps {
        locked(tx, || {
            tx.flush()?;
            if !is_there(tx)? {
                session(tx)?.script("migration/ledger", sql!("migration/ledger").postgres)?;
            }
            // Another server may have made it while this one waited for the lock.
            if refuse_newer(version(tx)?, steps)? >= step.version {
                return Ok(());
            }
            session(tx)?.script("migration", step.postgres.up)?;
            let now = tx.number(sql!("journal/now"), &[])?;
            tx.put(sql!("migration/record"), &[step.version.into(), step.name.into(), now.into()])
        })?;
    }
    Ok(())
}

/// Takes steps back until the schema has `target`; refused while a server is up, which would lose what it stands on.
pub(crate) fn down(tx: &Tx, target: i64) -> Result<()> {
    if !is_there(tx)? {
        return Ok(());
    }
    for step in ALL.iter().rev().filter(|step| step.version > target) {
        locked(tx, || {
            if refuse_newer(version(tx)?, ALL)? < step.version {
                return Ok(());
            }
            server::none_is_up(tx)?;
            session(tx)?.script("migration", step.postgres.down)?;
            tx.put(sql!("migration/forget"), &[step.version.into()])
        })?;
    }
    Ok(())
}

/// Every step that this program knows, and when it was made here.
pub(crate) fn list(tx: &Tx) -> Result<Vec<Applied>> {
    if is_there(tx)? { listed(tx) } else { Ok(none()) }
}

/// Does something in a transaction that has the store's lock.
pub(crate) fn locked<T>(tx: &Tx, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let session = session(tx)?;
    session.begin()?;
    let done = tx.all(sql!("journal/lock"), &[LOCK.into()], |_| Ok(())).and_then(|_| work());
    match done {
        Ok(done) => session.commit().map(|()| done),
        Err(error) => {
            session.rollback()?;
            Err(error)
        }
    }
}

pub(super) fn session(tx: &Tx) -> Result<&Session> {
    match &tx.rows.base {
        Base::Postgres(session) => Ok(session),
        Base::Sqlite(_) => {
            Err(Error::Broken { statement: "migration", reason: "no shared store".to_owned() })
        }
    }
}

pub(crate) fn is_there(rows: &Rows) -> Result<bool> {
    Ok(rows.number(sql!("migration/present"), &[])? == 1)
}

fn version(tx: &Tx) -> Result<i64> {
    tx.number(sql!("migration/version"), &[])
}
