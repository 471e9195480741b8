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
        Some(Code::OperationInterrupted) => Error::Busy("the read took too long: ask for less".to_owned()),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => Error::Busy(reason),
        Some(Code::ConstraintViolation) => Error::Constraint { statement, reason },
        _ => Error::Broken { statement, reason },
    }
}
