//! The two stores of a copy: one that is read from one moment, one that is filled.

use super::cell::{Cell, Cells};
use super::mark::Mark;
use super::table::{Dialect, META, TABLES, Table};
use super::{Place, refused};
use crate::backend::Value;
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::migration::{Applied, listed};
use crate::postgres::{self, Patience};
use crate::rows::{Base, Rows, Tx, failure};
use crate::sqlite::{self, control};
use crate::writer::Writer;
use crate::{journal, meta, server};
use rusqlite::Connection;
use std::fs::File;
use tiltyard_model::time::{DurationMs, TimeMs};

/// How long statements of a copy may take, in milliseconds: it reads and writes more at once than a server does.
const SLOW_MS: DurationMs = 600_000;
/// How long a transaction of a copy may rest, in milliseconds: as long as the other store takes for its part.
const REST_MS: DurationMs = 120_000;

/// Rows of a table, in the order of its key.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Cells>,
}

/// A store that is read.
pub(super) struct Source {
    rows: Rows,
    /// The end of the journal of a shared store, as it was when reading began.
    head: Option<i64>,
    _lock: Option<File>,
}

/// A store that is filled.
pub(super) struct Target {
    pub(super) writer: Writer,
    _lock: Option<File>,
}

fn patient(options: &postgres::Options) -> postgres::Options {
    let patience =
        Patience { statement_ms: SLOW_MS, read_ms: SLOW_MS, idle_ms: REST_MS, ..Patience::default() };
    postgres::Options { patience, ..options.clone() }
}

impl Source {
    /// Begins to read: all that follows is of this moment.
    pub(super) fn open(place: &Place) -> Result<Self> {
        let (rows, lock) = match place {
            Place::Folder(folder) => {
                let (lock, connection) = sqlite::open_to_leave(folder)?;
                (Rows::of(Base::Sqlite(connection), Forge::new(&[])), Some(lock))
            }
            Place::Database(options) => (postgres::rows(&patient(options))?, None),
        };
        let mut source = Self { rows, head: None, _lock: lock };
        source.begin()?;
        source.is_fit(place)?;
        Ok(source)
    }

    fn begin(&mut self) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(connection) => control(connection, "begin", "BEGIN DEFERRED"),
            Base::Postgres(session) => session.begin(),
        }
    }

    fn is_fit(&mut self, place: &Place) -> Result<()> {
        let none = || refused(format!("there is no store in {place}"));
        if !holds_store(&self.rows)? {
            return Err(none());
        }
        let is_made = |step: &Applied| step.applied_at.is_some();
        if !listed(&self.rows)?.iter().all(is_made) {
            let text = "its schema is of an older program: `tiltyard migrate up` brings it up to date";
            return Err(refused(format!("{place} cannot be copied: {text}")));
        }
        if Mark::read(&self.rows)?.is_some() {
            let text = "it is itself a copy that was not finished";
            return Err(refused(format!("{place} cannot be copied: {text}")));
        }
        if self.salt()?.is_empty() {
            return Err(none());
        }
        if let Base::Postgres(_) = &self.rows.base {
            self.head = Some(journal::head(&self.rows)?);
            server::none_is_up(&self.rows)?;
        }
        Ok(())
    }

    /// Nobody has written since reading began.
    pub(super) fn is_still(&mut self) -> Result<()> {
        let (Base::Postgres(session), Some(head)) = (&self.rows.base, self.head) else { return Ok(()) };
        session.rollback()?;
        session.begin()?;
        if journal::head(&self.rows)? == head {
            return Ok(());
        }
        let text =
            "a server has written into the store while it was copied: stop it, and copy again with --anew";
        Err(refused(text.to_owned()))
    }

    pub(super) fn salt(&self) -> Result<String> {
        Ok(meta::get(&self.rows, "salt")?.unwrap_or_default())
    }

    pub(super) fn page(&self, table: &Table, after: &[Cell], limit: i64) -> Result<Page> {
        page(&self.rows, table, after, limit)
    }

    pub(super) fn count(&self, table: &Table) -> Result<u64> {
        count(&self.rows, table)
    }
}

impl Target {
    /// Opens a store to be filled, and makes its schema when there is none.
    pub(super) fn open(place: &Place, now: TimeMs) -> Result<Self> {
        match place {
            Place::Folder(folder) => {
                let (lock, connection) = sqlite::open_to_fill(folder, now)?;
                let rows = Rows::of(Base::Sqlite(connection), Forge::new(&[]));
                Ok(Self { writer: Writer { tx: Tx { rows } }, _lock: Some(lock) })
            }
            Place::Database(options) => {
                Ok(Self { writer: Writer { tx: postgres::open_to_fill(&patient(options))? }, _lock: None })
            }
        }
    }

    /// Does something in one transaction, alone.
    pub(super) fn alone<T>(&self, work: impl FnOnce(&Tx) -> Result<T>) -> Result<T> {
        self.writer.begin()?;
        let done = work(self.writer.tx()).and_then(|done| self.writer.commit().map(|()| done));
        if done.is_err() {
            self.writer.rollback()?;
        }
        done
    }

    pub(super) fn page(&self, table: &Table, after: &[Cell], limit: i64) -> Result<Page> {
        page(self.writer.tx(), table, after, limit)
    }

    /// Whether no table has a row.
    pub(super) fn is_empty(&self) -> Result<bool> {
        for table in TABLES.iter().chain([&META]) {
            if count(self.writer.tx(), table)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes every row.
    pub(super) fn empty(&self) -> Result<()> {
        self.alone(|tx| {
            for table in TABLES.iter().rev().chain([&META]) {
                match &tx.rows.base {
                    Base::Sqlite(connection) => run(connection, table, &table.empty(Dialect::Sqlite), &[])?,
                    Base::Postgres(session) => {
                        session.free(table.name, &table.empty(Dialect::Postgres), &[])?;
                    }
                }
            }
            Ok(())
        })
    }

    /// What a database has to know of a table that has just been filled.
    pub(super) fn analyze(&self, table: &Table) -> Result<()> {
        let Base::Postgres(session) = &self.writer.tx().rows.base else { return Ok(()) };
        session.free(table.name, &table.analyze(), &[]).map(drop)
    }
}

fn holds_store(rows: &Rows) -> Result<bool> {
    match &rows.base {
        Base::Sqlite(connection) => {
            connection.table_exists(None, META.name).map_err(|error| failure(META.name, &error))
        }
        Base::Postgres(_) => postgres::holds_store(rows),
    }
}

/// Writes rows that all have these columns.
pub(super) fn write(tx: &Tx, table: &Table, page: &Page, key: &[usize]) -> Result<()> {
    match &tx.rows.base {
        Base::Sqlite(connection) => {
            let text = table.write(Dialect::Sqlite, page.columns.len());
            page.rows.iter().try_for_each(|row| run(connection, table, &text, row))
        }
        Base::Postgres(session) => {
            if let Some(row) = page.rows.iter().find(|row| row.iter().any(Cell::is_text_with_nul)) {
                let key: Vec<Cell> = key.iter().map(|place| row[*place].clone()).collect();
                let (name, key) = (table.name, super::cell::shown(&key));
                return Err(refused(format!(
                    "row {key} of {name} holds U+0000 in a text, which PostgreSQL cannot keep: nothing can be copied before it is gone"
                )));
            }
            let rows = page.rows.iter().map(|row| row.iter().map(Cell::value).collect());
            let (like, text) = (table.page(Dialect::Postgres), table.write(Dialect::Postgres, 0));
            session.pour(table.name, (&like, &text), rows)
        }
    }
}

fn run(connection: &Connection, table: &Table, text: &str, row: &[Cell]) -> Result<()> {
    let failed = |error| failure(table.name, &error);
    let mut prepared = connection.prepare_cached(text).map_err(failed)?;
    prepared.execute(rusqlite::params_from_iter(row.iter().map(Cell::value))).map(drop).map_err(failed)
}

fn count(rows: &Rows, table: &Table) -> Result<u64> {
    let count = match &rows.base {
        Base::Sqlite(connection) => connection
            .query_row(&table.count(Dialect::Sqlite), [], |row| row.get(0))
            .map_err(|error| failure(table.name, &error))?,
        Base::Postgres(session) => {
            let (_, found) = session.free(table.name, &table.count(Dialect::Postgres), &[])?;
            found.first().map_or(0_i64, |row| row.get(0))
        }
    };
    Ok(count.unsigned_abs())
}

fn page(rows: &Rows, table: &Table, after: &[Cell], limit: i64) -> Result<Page> {
    let values: Vec<Value<'_>> = after.iter().map(Cell::value).chain([limit.into()]).collect();
    match &rows.base {
        Base::Sqlite(connection) => page_of_sqlite(connection, table, &values),
        Base::Postgres(session) => {
            let (mut columns, found) = session.free(table.name, &table.page(Dialect::Postgres), &values)?;
            let kept: Vec<usize> = (0..columns.len()).filter(|place| !is_made(&columns[*place])).collect();
            columns.retain(|column| !is_made(column));
            let rows = found.iter().map(|row| {
                let cell = |place| match postgres::value::cell(row, place) {
                    Ok(value) => Cell::of(value, table.name),
                    Err(error) => Err(Error::Unreadable { statement: table.name, reason: error.to_string() }),
                };
                kept.iter().copied().map(cell).collect()
            });
            Ok(Page { rows: rows.collect::<Result<_>>()?, columns })
        }
    }
}

fn is_made(column: &str) -> bool {
    postgres::MADE.contains(&column)
}

fn page_of_sqlite(connection: &Connection, table: &Table, values: &[Value<'_>]) -> Result<Page> {
    let failed = |error| failure(table.name, &error);
    let mut prepared = connection.prepare_cached(&table.page(Dialect::Sqlite)).map_err(failed)?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let mut found = prepared.query(rusqlite::params_from_iter(values)).map_err(failed)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let cell = |place| row.get_ref(place).map_err(failed).and_then(|value| Cell::of(value, table.name));
        rows.push((0..columns.len()).map(cell).collect::<Result<_>>()?);
    }
    Ok(Page { columns, rows })
}
