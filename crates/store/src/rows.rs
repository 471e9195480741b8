//! A connection as the faces see it: [`Rows`] reads, [`Tx`] also writes.

use crate::backend::{Inner, Row, Statement, Value};
use crate::deadline::{Deadline, TOO_LONG};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::postgres::queue::Expect;
use crate::postgres::session::Session;
use rusqlite::Connection;
use std::ops::Deref;
use tiltyard_model::id::{Id, Noun};

/// Reads rows, inside whatever transaction its connection is in.
pub struct Rows {
    pub(crate) base: Base,
    pub(crate) forge: Forge,
    pub(crate) deadline: Deadline,
}

/// The connection.
pub(crate) enum Base {
    /// Of the embedded store.
    Sqlite(Connection),
    /// Of a shared store.
    Postgres(Box<Session>),
}

impl Rows {
    /// Of a connection whose reads have no limit.
    pub(crate) fn of(base: Base, forge: Forge) -> Self {
        Self { base, forge, deadline: Deadline::default() }
    }

    /// The id of a row's key.
    pub fn id(&self, noun: Noun, key: i64) -> Id {
        self.forge.id(noun, key)
    }

    /// The key of an id; `None` when this store did not make it.
    pub fn key(&self, id: Id) -> Option<i64> {
        self.forge.key(id)
    }

    /// Every row of an answer.
    pub(crate) fn all<T>(
        &self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
        mut each: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.deadline.check()?;
        let connection = match &self.base {
            Base::Sqlite(connection) => connection,
            Base::Postgres(session) => {
                let found = session.query(statement, parameters)?;
                return found.iter().map(|row| each(&of_postgres(row, statement))).collect();
            }
        };
        let mut prepared = prepare(connection, statement)?;
        let mut rows = prepared
            .query(rusqlite::params_from_iter(parameters))
            .map_err(|e| failure(statement.name, &e))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| failure(statement.name, &error))? {
            found.push(each(&Row { inner: Inner::Sqlite(row), statement: statement.name })?);
        }
        Ok(found)
    }

    /// The first row of an answer, when there is one.
    pub(crate) fn one<T>(
        &self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
        each: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.deadline.check()?;
        let connection = match &self.base {
            Base::Sqlite(connection) => connection,
            Base::Postgres(session) => {
                let found = session.query(statement, parameters)?;
                return found.first().map(|row| each(&of_postgres(row, statement))).transpose();
            }
        };
        let mut prepared = prepare(connection, statement)?;
        let mut rows = prepared
            .query(rusqlite::params_from_iter(parameters))
            .map_err(|e| failure(statement.name, &e))?;
        match rows.next().map_err(|error| failure(statement.name, &error))? {
            Some(row) => each(&Row { inner: Inner::Sqlite(row), statement: statement.name }).map(Some),
            None => Ok(None),
        }
    }

    /// The first number of an answer; 0 when there is none.
    pub(crate) fn number(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<i64> {
        Ok(self.one(statement, parameters, |row| row.opt_int(0))?.flatten().unwrap_or_default())
    }
}

/// A row of a shared store.
pub(crate) fn of_postgres<'a>(row: &'a tokio_postgres::Row, statement: &'static Statement) -> Row<'a> {
    Row { inner: Inner::Postgres(row), statement: statement.name }
}

fn prepare<'a>(
    connection: &'a Connection,
    statement: &'static Statement,
) -> Result<rusqlite::CachedStatement<'a>> {
    connection.prepare_cached(statement.sqlite).map_err(|error| failure(statement.name, &error))
}

/// Reads and writes inside a write transaction. Only the door makes one (architecture, invariant 4).
pub struct Tx {
    pub(crate) rows: Rows,
}

impl Deref for Tx {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.rows
    }
}

impl Tx {
    /// Writes, and says how many rows it touched. In a shared store that is a way there and back: use [`Tx::put`] or
    /// [`Tx::must`] where nothing has to be decided by it.
    pub(crate) fn run(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<usize> {
        match &self.rows.base {
            Base::Sqlite(connection) => execute(connection, statement, parameters),
            Base::Postgres(session) => session.run(statement, parameters),
        }
    }

    /// Writes, however many rows that touches. A shared store may send it later: before the next read, at the latest
    /// with the commit. What goes wrong then costs the whole transaction.
    pub(crate) fn put(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(connection) => execute(connection, statement, parameters).map(drop),
            Base::Postgres(session) => session.defer(statement, parameters, Expect::Any),
        }
    }

    /// Writes one row that the caller knows to be there, and says whether it was. A shared store may send it later, as
    /// with [`Tx::put`]: it says yes, and when that turns out to be wrong the whole transaction fails as
    /// [`Error::Unreadable`], since memory and rows disagree.
    pub(crate) fn must(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<bool> {
        match &self.rows.base {
            Base::Sqlite(connection) => Ok(execute(connection, statement, parameters)? == 1),
            Base::Postgres(session) => session.defer(statement, parameters, Expect::One).map(|()| true),
        }
    }

    /// The rows that a statement gives for each of many sets of parameters: one after the other in an embedded store, at
    /// once and in any order in a shared one, where each parameter of the statement is a list.
    pub(crate) fn all_many<'a, const N: usize>(
        &self,
        statement: &'static Statement,
        many: impl Iterator<Item = [Value<'a>; N]>,
        mut each: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(_) => {
                for parameters in many {
                    self.rows.all(statement, &parameters, &mut each)?;
                }
                Ok(())
            }
            Base::Postgres(session) => {
                let found = session.query_many(statement, many)?;
                found.iter().try_for_each(|row| each(&of_postgres(row, statement)))
            }
        }
    }

    /// Sends what waits to be written, so that its errors show now. Nothing waits in an embedded store.
    ///
    /// # Errors
    /// What the writes meet.
    pub fn flush(&self) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(_) => Ok(()),
            Base::Postgres(session) => session.flush(),
        }
    }
}

fn execute(
    connection: &Connection,
    statement: &'static Statement,
    parameters: &[Value<'_>],
) -> Result<usize> {
    prepare(connection, statement)?
        .execute(rusqlite::params_from_iter(parameters))
        .map_err(|error| failure(statement.name, &error))
}

/// What an error of SQLite means for us (E2).
pub(crate) fn failure(statement: &'static str, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(Code::DiskFull) => Error::Full(reason),
        // The index of the log could not grow. It is made anew from the log, so nothing is lost by it.
        Some(_) if extended(error) == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => Error::Full(reason),
        Some(Code::OutOfMemory) => Error::Busy(reason),
        Some(Code::OperationInterrupted) => Error::Busy(TOO_LONG.to_owned()),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => Error::Busy(reason),
        Some(Code::ConstraintViolation) => Error::Constraint { statement, reason },
        _ => Error::Broken { statement, reason },
    }
}

/// Whether an fsync failed for want of room and for no other reason. The library tells only that it failed; why is still in this
/// thread's `errno`, as nothing behind it fails. Where something does, it is not said to be the disk's room, and the server ends.
pub(crate) fn is_unsynced(error: &rusqlite::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let cause = std::io::Error::last_os_error().kind();
    extended(error) == Some(rusqlite::ffi::SQLITE_IOERR_FSYNC) && matches!(cause, StorageFull | QuotaExceeded)
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

#[cfg(test)]
mod tests {
    use super::{Error, failure};
    use rusqlite::ffi;

    fn of(code: i32) -> Error {
        failure("test", &rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    // E2: a disk or a memory that is full is no broken store; a write or an fsync that failed is.
    #[test]
    fn e2_only_what_failed_for_good_is_broken() {
        assert!(matches!(of(ffi::SQLITE_FULL), Error::Full(_)));
        assert!(matches!(of(ffi::SQLITE_IOERR_SHMSIZE), Error::Full(_)));
        assert!(matches!(of(ffi::SQLITE_NOMEM), Error::Busy(_)));
        for code in
            [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB]
        {
            assert!(matches!(of(code), Error::Broken { .. }), "{code}");
        }
    }
}
