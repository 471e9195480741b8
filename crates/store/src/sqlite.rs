//! The embedded store: one file, one writer, many readers, WAL with `synchronous=FULL` (E1, E6).

use crate::deadline::{Deadline, STEPS_BETWEEN_LOOKS};
use crate::error::{Error, Result};
use crate::forge::Forge;
use crate::rows::{Base, Rows, Tx, failure, is_unsynced};
use crate::writer::{Reader, Writer};
use crate::{meta, migration};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiltyard_model::time::TimeMs;

/// The database's name in the data folder.
pub const FILE_NAME: &str = "tiltyard.db";
/// The folder of backups in the data folder.
pub const BACKUPS: &str = "backups";
/// Statements kept prepared by each connection.
const CACHED_STATEMENTS: usize = 256;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Page cache of a reader, in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;
/// Pages of the log after which they are moved into a file that is being filled: 16 MiB.
const FILLED_LOG_PAGES: i64 = 4_096;
/// How long a statement waits for a lock; only a checkpoint and a backup ever hold one.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long writers wait for a log to begin anew.
const BEGIN_ANEW_WAIT: Duration = Duration::from_millis(100);

/// What an acknowledged write survives (E1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut.
    #[default]
    Full,
    /// The death of the program, not of the machine.
    Relaxed,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; it must exist.
    pub folder: PathBuf,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// 16 random bytes, used when the store is new.
    pub seed: [u8; 16],
    /// The present time, for the record of migrations.
    pub now: TimeMs,
}

/// An open store: where it is, and what its connections share.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    durability: Durability,
    forge: Forge,
    epoch: i64,
    _lock: File,
}

impl Store {
    /// Opens the store, makes it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::Locked`] when another server has the folder, [`Error::Newer`] when a newer program wrote it.
    pub fn open(options: &Options) -> Result<(Self, Writer)> {
        let lock = lock(&options.folder)?;
        let path = options.folder.join(FILE_NAME);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        tune_writer(&connection, options.durability)?;
        migration::up(&connection, &options.folder.join(BACKUPS), options.now)?;
        let base = Base::Sqlite(connection);
        let mut tx = Tx { rows: Rows::of(base, Forge::new(&[])) };
        let kept = meta::load_or_make(&tx, options.seed)?;
        tx.rows.forge = Forge::new(kept.salt.as_bytes());
        let forge = tx.rows.forge.clone();
        let store = Self { path, durability: options.durability, forge, epoch: kept.epoch, _lock: lock };
        Ok((store, Writer { tx }))
    }

    /// A further connection that only reads.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn reader(&self) -> Result<Reader> {
        let deadline = Deadline::default();
        let base = Base::Sqlite(connect_to_read(&self.path, &deadline)?);
        Ok(Reader::new(Rows { base, forge: self.forge.clone(), deadline }))
    }

    /// A connection that moves the write-ahead log into the file, apart from the writer.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn checkpointer(&self) -> Result<Checkpointer> {
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        tune_writer(&connection, self.durability)?;
        Ok(Checkpointer { connection, durability: self.durability })
    }

    /// The ids of this store.
    pub fn forge(&self) -> &Forge {
        &self.forge
    }

    /// The epoch: grows with every restore (E9).
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// What an acknowledged write survives.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file and of its write-ahead log.
    pub fn sizes(&self) -> (u64, u64) {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        (size(&self.path), size(Path::new(&wal)))
    }
}

/// The steps of a store's schema and when each was made, with the server stopped. Nothing is written.
///
/// # Errors
/// [`Error::Locked`] while a server has the folder; [`Error::Newer`] when a newer program wrote the store.
pub fn migrations(folder: &Path) -> Result<Vec<migration::Applied>> {
    let _lock = lock(folder)?;
    let path = folder.join(FILE_NAME);
    if !path.exists() {
        return Ok(migration::none());
    }
    let base = Base::Sqlite(connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?);
    migration::listed(&Rows::of(base, Forge::new(&[])))
}

/// Makes every step that a store lacks, with the server stopped.
///
/// # Errors
/// As [`Store::open`].
pub fn migrate_up(options: &Options) -> Result<()> {
    Store::open(options).map(drop)
}

/// Takes steps back until the schema has `target`, with the server stopped. What those steps held is gone.
///
/// # Errors
/// As [`migrations`]; when a step back fails, the store is as before that step.
pub fn migrate_down(folder: &Path, target: i64, now: TimeMs) -> Result<()> {
    let _lock = lock(folder)?;
    let connection = connect(&folder.join(FILE_NAME), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migration::down(&connection, target, &folder.join(BACKUPS), now)
}

/// The connection that a whole store is read by, with the server stopped.
pub(crate) fn open_to_leave(folder: &Path) -> Result<(File, Connection)> {
    let path = folder.join(FILE_NAME);
    if !path.exists() {
        return Err(Error::Locked(format!("there is no store in {}", folder.display())));
    }
    let lock = lock(folder)?;
    Ok((lock, connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?))
}

/// The connection that a whole store is written by; the file is made, with the newest schema and nothing in it.
pub(crate) fn open_to_fill(folder: &Path, now: TimeMs) -> Result<(File, Connection)> {
    let lock = lock(folder)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = connect(&folder.join(FILE_NAME), flags)?;
    tune_writer(&connection, Durability::Full)?;
    // Nobody else moves the log meanwhile.
    pragma(&connection, "wal_autocheckpoint", FILLED_LOG_PAGES)?;
    migration::up(&connection, &folder.join(BACKUPS), now)?;
    Ok((lock, connection))
}

/// The library's version.
pub fn version() -> &'static str {
    rusqlite::version()
}

/// One data folder, one server (E10). The kernel drops the lock with the process, so a killed one blocks nobody.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| Error::io("open the lock", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked(format!(
            "another tiltyard server is using {}: stop it, or give this one another --data folder",
            folder.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock the data folder", &error)),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failure("open", &error))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.busy_timeout(BUSY_WAIT).map_err(|error| failure("busy_timeout", &error))?;
    // A store that broke must not try its failed fsync again while it closes (E2); the next start finds the log.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(|error| failure("no checkpoint on close", &error))?;
    pragma(&connection, "foreign_keys", 1)?;
    Ok(connection)
}

/// A connection that only reads, and whose statements end when their time is over.
pub(crate) fn connect_to_read(path: &Path, deadline: &Deadline) -> Result<Connection> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    pragma(&connection, "cache_size", -READER_CACHE_KIB)?;
    let deadline = deadline.clone();
    connection
        .progress_handler(STEPS_BETWEEN_LOOKS, Some(move || deadline.has_passed()))
        .map_err(|error| failure("progress_handler", &error))?;
    Ok(connection)
}

fn tune_writer(connection: &Connection, durability: Durability) -> Result<()> {
    // Before the first table: the file gives space back in small steps later.
    pragma(connection, "auto_vacuum", 2)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(|error| failure("journal_mode", &error))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Error::Broken {
            statement: "journal_mode",
            reason: format!("the file system of the data folder cannot hold a write-ahead log (mode {mode})"),
        });
    }
    pragma(connection, "synchronous", if durability == Durability::Full { 2 } else { 1 })?;
    pragma(connection, "wal_autocheckpoint", 0)?;
    pragma(connection, "temp_store", 2)?;
    pragma(connection, "cache_size", -WRITER_CACHE_KIB)
}

fn pragma(connection: &Connection, name: &'static str, value: i64) -> Result<()> {
    connection.pragma_update(None, name, value).map_err(|error| failure(name, &error))
}

/// A word of the transaction itself.
pub(crate) fn control(connection: &Connection, name: &'static str, text: &'static str) -> Result<()> {
    let prepared = connection.prepare_cached(text);
    prepared.and_then(|mut statement| statement.execute([])).map(drop).map_err(|error| failure(name, &error))
}

/// Commits; when the disk turns out to be full only as the log is made sure, the words may be in it.
pub(crate) fn commit(connection: &Connection) -> Result<()> {
    let done = connection.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    done.map(drop).map_err(|error| {
        if is_unsynced(&error) { Error::Unsynced(error.to_string()) } else { failure("commit", &error) }
    })
}

/// Moves the write-ahead log into the file.
pub struct Checkpointer {
    connection: Connection,
    durability: Durability,
}

impl Checkpointer {
    /// Moves what no reader needs, without holding anybody up; says how many pages the log has and how many moved.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn run(&self) -> Result<(i64, i64)> {
        self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)")
    }

    /// Moves all of it and begins the log anew, as soon as nobody reads from it; holds writers up meanwhile, at most
    /// 100 ms. Needed when reads overlap for so long that the log never falls empty by itself.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn begin_anew(&self) -> Result<(i64, i64)> {
        let patience =
            |wait| self.connection.busy_timeout(wait).map_err(|error| failure("busy_timeout", &error));
        patience(BEGIN_ANEW_WAIT)?;
        let moved = self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
        patience(BUSY_WAIT)?;
        moved
    }

    /// A file that could not grow is written again as a whole, from a log that each commit has made sure. Where commits do not,
    /// this fsync is the one that does, and then what it left undone is unknown.
    fn failure(&self, error: &rusqlite::Error) -> Error {
        let is_sure = self.durability == Durability::Full;
        if is_unsynced(error) && is_sure {
            return Error::Full(error.to_string());
        }
        failure("checkpoint", error)
    }

    fn checkpoint(&self, text: &str) -> Result<(i64, i64)> {
        self.connection
            .query_row(text, [], |row| Ok((row.get(1)?, row.get(2)?)))
            .map_err(|error| self.failure(&error))
    }
}
