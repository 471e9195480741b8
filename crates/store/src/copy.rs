//! Moves a whole store into another kind of one, from a data folder into a database or back (O16), with no server on either.
//!
//! A copy is taken in pages, each one transaction of the store that is filled, together with the mark of how far it is. Whoever
//! is killed meanwhile goes on from there. At the end all rows of both are compared, and only then the store that was filled
//! learns who it is and can be opened.

mod cell;
mod compare;
mod mark;
mod side;
mod size;
mod table;

pub(crate) use mark::refuse_unfinished;

use crate::error::{Error, Result};
use crate::meta;
use crate::migration::newest;
use crate::postgres;
use mark::{MARK, Mark};
use side::{Page, Source, Target};
use size::Size;
use std::fmt;
use std::path::PathBuf;
use table::{META, TABLES};
use tiltyard_model::time::TimeMs;

/// Words of `meta` that belong to the file and not to the store.
const OWN_WORDS: &[&str] = &[MARK, crate::writer::WRITTEN_OVER];

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a data folder, which must exist.
    Folder(PathBuf),
    /// In a database.
    Database(postgres::Options),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            // Its address may hold a password.
            Self::Database(_) => f.write_str("the database"),
        }
    }
}

/// What happens to what an interrupted copy has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is gone on with.
    GoOn,
    /// It is removed first.
    Remove,
}

/// What is to be copied.
#[derive(Debug)]
pub struct Request {
    /// The store that is read; it is not changed.
    pub from: Place,
    /// Where it goes: empty, or what an interrupted copy has left.
    pub to: Place,
    /// What happens to what an interrupted copy has left.
    pub left: Left,
    /// The present time, for the record of the schema.
    pub now: TimeMs,
}

/// What happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Rows are copied: so many in all, of which so many are there already.
    Copying {
        /// In all.
        rows: u64,
        /// There already.
        done: u64,
    },
    /// Both stores are compared.
    Comparing {
        /// In all.
        rows: u64,
    },
    /// So many further rows are done.
    Rows(u64),
}

/// A table that is the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: u64,
    /// The SHA-256 over all of its rows in the order of their keys, in hex.
    pub sha256: String,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Every table.
    pub tables: Vec<Table>,
    /// Rows that were there already, from a copy that was interrupted.
    pub found: u64,
    /// How many audit chains were read back.
    pub chains: usize,
    /// What is wrong with chains that are not whole; they are copied as they are.
    pub broken_chains: Vec<String>,
}

/// What the target holds.
enum Holds {
    Nothing,
    Part(Mark),
    All,
}

/// Copies, or goes on with it.
///
/// # Errors
/// [`Error::Locked`] with a sentence that says why it cannot be done; else what the stores meet. It can always be run again.
pub fn copy(request: &Request, tell: &mut dyn FnMut(Progress)) -> Result<Report> {
    let mut source = Source::open(&request.from)?;
    let target = Target::open(&request.to, request.now)?;
    let rows = TABLES.iter().map(|table| source.count(table)).sum::<Result<u64>>()?;
    let mut found = 0;
    let holds = begin(&source, &target, request)?;
    if let Holds::Part(mark) = &holds {
        found = mark.rows;
        tell(Progress::Copying { rows, done: found });
        fill(&source, &target, mark.clone(), tell)?;
    }
    tell(Progress::Comparing { rows });
    let tables = compare::all(&source, &target, tell).map_err(|error| match (&holds, error) {
        (Holds::All, Error::Locked(_)) => occupied(request),
        (_, error) => error,
    })?;
    let (chains, broken_chains) = compare::chains(target.writer.tx())?;
    source.is_still()?;
    match holds {
        Holds::All => found = rows,
        _ => finish(&source, &target)?,
    }
    Ok(Report { tables, found, chains, broken_chains })
}

fn refused(text: String) -> Error {
    Error::Locked(text)
}

/// Finds out what the target holds, and takes it when that is nothing.
fn begin(source: &Source, target: &Target, request: &Request) -> Result<Holds> {
    let salt = source.salt()?;
    if let (Holds::Part(_), Left::Remove) = (holds(target, &salt, request)?, request.left) {
        target.empty()?;
    }
    target.alone(|tx| match holds(target, &salt, request)? {
        Holds::Nothing => {
            let first = TABLES.first();
            let (table, after) = (first.map(|own| own.name.to_owned()), first.map(table::Table::start));
            let after = after.unwrap_or_default();
            let mark = Mark { salt, table, after, rows: 0, schema: newest() };
            mark.put(tx)?;
            Ok(Holds::Part(mark))
        }
        Holds::Part(mark) if mark.salt != salt => Err(refused(format!(
            "{} holds an unfinished copy of another store: --anew removes it and begins again",
            request.to
        ))),
        Holds::Part(mark) if mark.schema != newest() => Err(refused(format!(
            "{} holds an unfinished copy that a program with another schema has begun: --anew removes it and begins again",
            request.to
        ))),
        other => Ok(other),
    })
}

fn holds(target: &Target, salt: &str, request: &Request) -> Result<Holds> {
    let rows = target.writer.tx();
    if let Some(mark) = Mark::read(rows)? {
        return Ok(Holds::Part(mark));
    }
    match meta::get(rows, "salt")? {
        Some(own) if own == salt => Ok(Holds::All),
        None if target.is_empty()? => Ok(Holds::Nothing),
        _ => Err(occupied(request)),
    }
}

fn occupied(request: &Request) -> Error {
    refused(format!("{} holds rows already: a copy needs a place that is empty", request.to))
}

/// Copies every table from where the mark stands.
fn fill(source: &Source, target: &Target, mut mark: Mark, tell: &mut dyn FnMut(Progress)) -> Result<()> {
    let mut size = Size::default();
    while let Some(name) = mark.table.clone() {
        let place = TABLES.iter().position(|table| table.name == name);
        let place = place.ok_or_else(|| {
            refused(format!("the copy stopped in {name}, which this program does not know"))
        })?;
        let table = &TABLES[place];
        let page = source.page(table, &mark.after, size.rows())?;
        let next = advance(&mark, table, TABLES.get(place + 1), &page)?;
        store(target, table, &page, (&mark, &next))?;
        tell(Progress::Rows(page.rows.len() as u64));
        if page.rows.is_empty() {
            target.analyze(table)?;
            size = Size::default();
        } else {
            size.learn(&page.rows);
        }
        mark = next;
    }
    Ok(())
}

/// The mark behind a page; an empty one ends its table.
fn advance(mark: &Mark, table: &table::Table, then: Option<&table::Table>, page: &Page) -> Result<Mark> {
    let odd = || refused(format!("the table {} has no key as this program knows it", table.name));
    let key = table.key_places(&page.columns).ok_or_else(odd)?;
    let mut next = Mark { rows: mark.rows + page.rows.len() as u64, ..mark.clone() };
    match page.rows.last() {
        Some(row) => next.after = key.iter().map(|place| row[*place].clone()).collect(),
        None => {
            next.table = then.map(|own| own.name.to_owned());
            next.after = then.map(table::Table::start).unwrap_or_default();
        }
    }
    Ok(next)
}

fn store(target: &Target, table: &table::Table, page: &Page, (mark, next): (&Mark, &Mark)) -> Result<()> {
    let columns = target.page(table, &table.start(), 0)?.columns;
    if columns != page.columns {
        return Err(refused(format!("the table {} has other columns in the two stores", table.name)));
    }
    let key = table.key_places(&columns).unwrap_or_default();
    target.alone(|tx| {
        mark.is_mine(tx)?;
        if !page.rows.is_empty() {
            side::write(tx, table, page, &key)?;
        }
        next.put(tx)
    })
}

/// Tells the target who it is: from now on it is a store.
fn finish(source: &Source, target: &Target) -> Result<()> {
    let mut words = source.page(&META, &META.start(), i64::from(u16::MAX))?;
    let own = |row: &Vec<cell::Cell>| matches!(row.first(), Some(cell::Cell::Text(word)) if OWN_WORDS.contains(&word.as_str()));
    words.rows.retain(|row| !own(row));
    target.alone(|tx| {
        Mark::remove(tx)?;
        tx.flush()?;
        side::write(tx, &META, &words, &[0])
    })
}
