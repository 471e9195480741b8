//! Connections of a store, whichever it is: one that writes, and any number that only read.

use crate::backend::sql;
use crate::error::{Error, Result};
use crate::journal::{Begun, Entry};
use crate::meta;
use crate::postgres::session::Session;
use crate::postgres::{LOCK, Role};
use crate::rows::{Base, Rows, Tx};
use crate::sqlite::{commit, connect_to_read, control};
use std::path::PathBuf;
use std::time::Duration;

/// What is written to write something over.
pub(crate) const WRITTEN_OVER: &str = "written_over";
/// Longest read from one moment of a store (E6).
pub const MAX_READ_TIME: Duration = Duration::from_secs(10);

/// The one connection of a server that writes.
pub struct Writer {
    pub(crate) tx: Tx,
}

impl Writer {
    /// What the door's deeds write through.
    pub fn tx(&self) -> &Tx {
        &self.tx
    }

    /// Begins a write transaction. In a shared store [`Writer::begin_after`] is what a door wants.
    ///
    /// # Errors
    /// When the file cannot be locked or read; what [`Writer::begin_after`] says.
    pub fn begin(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => control(connection, "begin", "BEGIN IMMEDIATE"),
            Base::Postgres(_) => self.begin_after(i64::MAX).map(drop),
        }
    }

    /// Begins a write transaction of a shared store: waits for its lock, then reads the time that decides and what others
    /// have written into the journal after `seen`, all in one way there and back. An embedded store has none of it to tell.
    ///
    /// # Errors
    /// [`Error::Busy`] and [`Error::Lost`]: nothing has begun, it may be tried again in a moment.
    pub fn begin_after(&self, seen: i64) -> Result<Begun> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => {
                control(connection, "begin", "BEGIN IMMEDIATE")?;
                Ok(Begun::default())
            }
            Base::Postgres(session) => begin_shared(session, seen),
        }
    }

    /// What others have written into the journal of a shared store after `seen`, and the time, without the store's lock and
    /// without a transaction: for who only wants to keep up. An embedded store has none of it to tell.
    ///
    /// # Errors
    /// As [`Writer::begin_after`].
    pub fn look(&self, seen: i64) -> Result<Begun> {
        let Base::Postgres(session) = &self.tx.rows.base else { return Ok(Begun::default()) };
        session.begin()?;
        let found = crate::journal::look(session, seen);
        session.rollback()?;
        found
    }

    /// A further connection to a shared store, to read a moment of it from beginning to end; `None` for an embedded one, whose
    /// writer holds nobody up while it reads.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn beside(&self) -> Result<Option<Beside>> {
        let Base::Postgres(session) = &self.tx.rows.base else { return Ok(None) };
        let base = Base::Postgres(Box::new(session.beside(Role::Rebuild)?));
        Ok(Some(Beside { rows: Rows::of(base, self.tx.rows.forge.clone()) }))
    }

    /// What the present transaction, or the part of it that is to be undone, has failed of; an embedded store does not keep it.
    pub fn failure(&self) -> Option<Error> {
        match &self.tx.rows.base {
            Base::Sqlite(_) => None,
            Base::Postgres(session) => session.failure(),
        }
    }

    /// Whether the transaction has changed a row, or may have. An embedded store does not say, and need not: nobody else
    /// has to know.
    pub fn has_written(&self) -> bool {
        match &self.tx.rows.base {
            Base::Sqlite(_) => true,
            Base::Postgres(session) => session.has_written(),
        }
    }

    /// Commits: when this is `Ok`, all of it is on disk.
    ///
    /// # Errors
    /// [`Error::Full`]: nothing of it happened. [`Error::Unsynced`]: nothing either, once it is written over.
    /// [`Error::Broken`]: nobody knows; the program must end (E2).
    pub fn commit(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => commit(connection),
            Base::Postgres(session) => session.commit(),
        }
    }

    /// Takes away for good what a commit that failed as [`Error::Unsynced`] may have left in the log: another transaction takes
    /// its place there, and is made sure.
    ///
    /// # Errors
    /// [`Error::Broken`]: nobody knows whether it would come back, and the program must end.
    pub fn write_over(&self) -> Result<()> {
        let broken = |error: Error| {
            let reason = format!("what was refused on a full disk may come back: {error}");
            Error::Broken { statement: "write over", reason }
        };
        let written = || {
            self.rollback()?;
            self.begin()?;
            self.write_something()
        };
        written().map_err(broken)
    }

    /// Writes what means nothing, and commits.
    fn write_something(&self) -> Result<()> {
        // Another value each time: an equal one would write nothing.
        let times = meta::get(&self.tx, WRITTEN_OVER)?.and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        meta::put(&self.tx, WRITTEN_OVER, &times.wrapping_add(1).to_string())?;
        self.commit()
    }

    /// Commits with a row of the journal, which in a shared store says what this transaction did to memory and proves that
    /// it happened. An embedded store keeps no journal.
    ///
    /// # Errors
    /// As [`Writer::commit`]. [`Error::Unknown`] when the connection was lost meanwhile: nobody may be answered before
    /// [`Writer::resolve`] with the same row has said what happened. All others: nothing of it happened.
    pub fn commit_with(&self, entry: &Entry) -> Result<()> {
        if let Base::Postgres(_) = &self.tx.rows.base {
            let seq = entry.seq.into();
            let parameters =
                [seq, (&entry.server).into(), entry.made_at.into(), entry.steps.as_slice().into()];
            self.tx.put(sql!("journal/append"), &parameters)?;
        }
        self.commit()
    }

    /// Whether the transaction that ended with this row was committed, after [`Error::Unknown`]: asked on a new connection,
    /// behind the lock that the lost one may still hold. A primary whose session was ended while it waited for its standby
    /// has the row, and the standby may not have it: a commit behind it, which waits for the standby too, makes sure.
    ///
    /// # Errors
    /// As long as nobody knows: ask again.
    pub fn resolve(&self, entry: &Entry) -> Result<Fate> {
        let Base::Postgres(session) = &self.tx.rows.base else { return Ok(Fate::Committed) };
        session.rollback()?;
        begin_shared(session, i64::MAX)?;
        let parameters = [entry.seq.into(), (&entry.server).into(), entry.made_at.into()];
        let found = self.tx.one(sql!("journal/mark"), &parameters, |_| Ok(()));
        if let Ok(Some(())) = found {
            return self.write_something().map(|()| Fate::Committed);
        }
        let first = found.and_then(|_| crate::journal::first(&self.tx, 0));
        session.rollback()?;
        Ok(if first? > entry.seq { Fate::Forgotten } else { Fate::Lost })
    }

    /// Takes the whole transaction back.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn rollback(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) if connection.is_autocommit() => Ok(()),
            Base::Sqlite(connection) => control(connection, "rollback", "ROLLBACK"),
            Base::Postgres(session) => session.rollback(),
        }
    }

    /// Marks a point to come back to.
    ///
    /// # Errors
    /// When the file is broken or the disk is full; in a shared store when the transaction is lost already.
    pub fn save(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => control(connection, "savepoint", "SAVEPOINT deed"),
            Base::Postgres(session) => session.save("deed"),
        }
    }

    /// Keeps what came after the mark.
    ///
    /// # Errors
    /// As [`Writer::save`].
    pub fn keep(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => control(connection, "release", "RELEASE deed"),
            Base::Postgres(session) => session.keep("deed"),
        }
    }

    /// Takes back what came after the mark.
    ///
    /// # Errors
    /// When the file is broken; in a shared store when the transaction is lost as a whole.
    pub fn undo(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => {
                control(connection, "rollback to", "ROLLBACK TO deed")?;
                control(connection, "release", "RELEASE deed")
            }
            Base::Postgres(session) => session.undo("deed"),
        }
    }
}

/// A connection that reads one moment of a shared store, however long that takes.
pub struct Beside {
    rows: Rows,
}

impl Beside {
    /// From now on it reads what is committed at this moment; says with which row the journal ends then. With the store's lock held
    /// by the writer, that is the moment of its transaction.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn begin(&self) -> Result<i64> {
        if let Base::Postgres(session) = &self.rows.base {
            session.begin()?;
        }
        crate::journal::head(&self.rows)
    }

    /// What it reads.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

fn begin_shared(session: &Session, seen: i64) -> Result<Begun> {
    session.begin()?;
    crate::journal::begin(session, LOCK, seen).inspect_err(|_| {
        // The first error is the one that is told; the session's end takes the rest back.
        let _ = session.rollback();
    })
}

/// Inside a deed: what may be taken back without the rest of it.
impl Tx {
    /// Marks a point to come back to.
    ///
    /// # Errors
    /// As [`Writer::save`].
    pub fn save_part(&self) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(connection) => control(connection, "savepoint", "SAVEPOINT part"),
            Base::Postgres(session) => session.save("part"),
        }
    }

    /// Keeps what came after the mark.
    ///
    /// # Errors
    /// As [`Writer::save`].
    pub fn keep_part(&self) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(connection) => control(connection, "release", "RELEASE part"),
            Base::Postgres(session) => session.keep("part"),
        }
    }

    /// Takes back what came after the mark.
    ///
    /// # Errors
    /// As [`Writer::undo`].
    pub fn undo_part(&self) -> Result<()> {
        match &self.rows.base {
            Base::Sqlite(connection) => {
                control(connection, "rollback to", "ROLLBACK TO part")?;
                control(connection, "release", "RELEASE part")
            }
            Base::Postgres(session) => session.undo("part"),
        }
    }
}

/// What became of a transaction whose commit was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It happened, and is sure.
    Committed,
    /// Nothing of it happened.
    Lost,
    /// Nobody will ever know: the rows of the journal from that time are gone.
    Forgotten,
}

/// A connection that only reads.
pub struct Reader {
    rows: Rows,
    limit: Duration,
}

impl Reader {
    pub(crate) fn new(rows: Rows) -> Self {
        Self { rows, limit: MAX_READ_TIME }
    }

    /// The same with another limit than [`MAX_READ_TIME`] for each of its reads.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Reads from one moment of the store: everything inside sees the same. A read that never ends would keep the write-ahead
    /// log from being used anew (E6), and a shared store's dead rows from being cleared away: it fails as [`Error::Busy`]
    /// when its time is over, whoever waits for it. In a shared store its last statement may take that time once more.
    ///
    /// # Errors
    /// What `read` says, or a broken file.
    pub fn read<T, E: From<Error>>(
        &mut self,
        read: impl FnOnce(&Rows) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.begin().map_err(E::from)?;
        let moment = Moment(&self.rows);
        self.rows.deadline.set(self.limit);
        let found = read(&self.rows);
        drop(moment);
        found
    }

    fn begin(&mut self) -> Result<()> {
        if let Base::Sqlite(connection) = &mut self.rows.base
            && !connection.is_autocommit()
            && control(connection, "rollback", "ROLLBACK").is_err()
        {
            // What cannot even be given up is of no use to anybody.
            let path = connection.path().map(PathBuf::from).unwrap_or_default();
            *connection = connect_to_read(&path, &self.rows.deadline)?;
        }
        match &self.rows.base {
            Base::Sqlite(connection) => control(connection, "begin", "BEGIN DEFERRED"),
            Base::Postgres(session) => session.begin(),
        }
    }
}

/// A read under way. It is over when this goes, also when the reader panicked: nothing was written, so it is taken back.
struct Moment<'a>(&'a Rows);

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        self.0.deadline.lift();
        let ended = match &self.0.base {
            Base::Sqlite(connection) if connection.is_autocommit() => Ok(()),
            Base::Sqlite(connection) => control(connection, "rollback", "ROLLBACK"),
            Base::Postgres(session) => session.rollback(),
        };
        if let Err(error) = ended {
            tracing::warn!(target: "store", "a read could not be ended, its connection is mended before the next: {error}");
        }
    }
}
