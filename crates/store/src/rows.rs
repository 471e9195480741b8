//! A connection as the faces see it: [`Rows`] reads, [`Tx`] also writes.

use crate::backend::{Row, Statement, Value};
use crate::error::{Error, Result};
use crate::forge::Forge;
use rusqlite::Connection;
use std::ops::Deref;
use tiltyard_model::id::{Id, Noun};

/// Reads rows, inside whatever transaction its connection is in.
pub struct Rows {
    pub(crate) connection: Connection,
    pub(crate) forge: Forge,
}

impl Rows {
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
        let mut prepared = self.prepare(statement)?;
        let mut rows = prepared
            .query(rusqlite::params_from_iter(parameters))
            .map_err(|e| failure(statement.name, &e))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| failure(statement.name, &error))? {
            found.push(each(&Row { inner: row, statement: statement.name })?);
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
        let mut prepared = self.prepare(statement)?;
        let mut rows = prepared
            .query(rusqlite::params_from_iter(parameters))
            .map_err(|e| failure(statement.name, &e))?;
        match rows.next().map_err(|error| failure(statement.name, &error))? {
            Some(row) => each(&Row { inner: row, statement: statement.name }).map(Some),
            None => Ok(None),
        }
    }

    /// The first number of an answer; 0 when there is none.
    pub(crate) fn number(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<i64> {
        Ok(self.one(statement, parameters, |row| row.opt_int(0))?.flatten().unwrap_or_default())
    }

    fn prepare(&self, statement: &'static Statement) -> Result<rusqlite::CachedStatement<'_>> {
        self.connection.prepare_cached(statement.sqlite).map_err(|error| failure(statement.name, &error))
    }
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
    /// Writes, and says how many rows it touched.
    pub(crate) fn run(&self, statement: &'static Statement, parameters: &[Value<'_>]) -> Result<usize> {
        let mut prepared = self.rows.prepare(statement)?;
        prepared
            .execute(rusqlite::params_from_iter(parameters))
            .map_err(|error| failure(statement.name, &error))
    }
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
        Some(Code::OperationInterrupted) => Error::Busy("the read took too long: ask for less".to_owned()),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => Error::Busy(reason),
        Some(Code::ConstraintViolation) => Error::Constraint { statement, reason },
        _ => Error::Broken { statement, reason },
    }
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
