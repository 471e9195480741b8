//! Connections of a store, whichever it is: one that writes, and any number that only read.

use crate::backend::sql;
use crate::error::{Error, Result};
use crate::journal::{Begun, Entry};
use crate::postgres::LOCK;
use crate::postgres::session::{Canceller, Session};
use crate::rows::{Base, Rows, Tx};
use crate::sqlite::control;

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

    /// Commits: when this is `Ok`, all of it is on disk.
    ///
    /// # Errors
    /// [`Error::Full`]: nothing of it happened. [`Error::Broken`]: nobody knows; the program must end (E2).
    pub fn commit(&self) -> Result<()> {
        match &self.tx.rows.base {
            Base::Sqlite(connection) => control(connection, "commit", "COMMIT"),
            Base::Postgres(session) => session.commit(),
        }
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
    /// behind the lock that the lost one may still hold.
    ///
    /// # Errors
    /// As long as nobody knows: ask again.
    pub fn resolve(&self, entry: &Entry) -> Result<bool> {
        let Base::Postgres(session) = &self.tx.rows.base else { return Ok(true) };
        session.rollback()?;
        begin_shared(session, i64::MAX)?;
        let parameters = [entry.seq.into(), (&entry.server).into(), entry.made_at.into()];
        let found = self.tx.one(sql!("journal/mark"), &parameters, |_| Ok(()));
        session.rollback()?;
        Ok(found?.is_some())
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

/// A connection that only reads.
pub struct Reader {
    pub(crate) rows: Rows,
}

impl Reader {
    /// Reads from one moment of the store: everything inside sees the same.
    ///
    /// # Errors
    /// What `read` says, or a broken file.
    pub fn read<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&Rows) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        match &self.rows.base {
            Base::Sqlite(connection) => {
                control(connection, "begin", "BEGIN DEFERRED").map_err(E::from)?;
                let found = read(&self.rows);
                control(connection, "end", "COMMIT").map_err(E::from)?;
                found
            }
            Base::Postgres(session) => {
                session.begin().map_err(E::from)?;
                let found = read(&self.rows);
                session.rollback().map_err(E::from)?;
                found
            }
        }
    }

    /// What ends its reads: a read that never ends would keep the write-ahead log from being used anew (E6), and a shared
    /// store's dead rows from being cleared away.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(match &self.rows.base {
            Base::Sqlite(connection) => Way::Sqlite(connection.get_interrupt_handle()),
            Base::Postgres(session) => Way::Postgres(session.canceller()),
        })
    }
}

/// Ends what a reader is reading, from another thread.
pub struct Interrupter(Way);

enum Way {
    Sqlite(rusqlite::InterruptHandle),
    Postgres(Canceller),
}

impl Interrupter {
    /// Ends the read under way; it fails as [`Error::Busy`].
    pub fn interrupt(&self) {
        match &self.0 {
            Way::Sqlite(handle) => handle.interrupt(),
            Way::Postgres(canceller) => canceller.cancel(),
        }
    }
}
