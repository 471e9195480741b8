//! The shared store: a PostgreSQL database that any number of servers use (O16).
//!
//! Each connection is driven by a runtime of its own on the thread that uses it. So a [`crate::writer::Writer`] and a
//! [`crate::writer::Reader`] of a shared store block, and must be made and used on threads that may.

mod address;
mod dial;
mod entry;
pub mod examine;
mod failure;
mod live;
mod pool;
mod prepared;
pub(crate) mod queue;
pub(crate) mod schema;
pub(crate) mod session;
mod tls;
pub(crate) mod value;
mod wake;

pub use wake::{WAKE_EVERY, Wakes};

use crate::backend::sql;
use crate::error::Result;
use crate::forge::Forge;
use crate::meta;
use crate::migration::Applied;
use crate::rows::{Base, Rows, Tx};
use crate::sqlite::Durability;
use crate::writer::{Reader, Writer};
use address::Address;
use parking_lot::Mutex;
use session::Session;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;
use tiltyard_model::time::DurationMs;

/// The oldest PostgreSQL that is known to do what is asked of it, as it numbers its versions.
pub const OLDEST_VERSION: i64 = 140_000;
/// The lock that puts all who write in line. One number for all stores of a database.
pub(crate) const LOCK: i64 = 0x7469_6c74_7961_7264;
/// The columns that the database makes by itself: nobody writes them, and a copy leaves them out.
pub(crate) const MADE: &[&str] = &["phase", "starts_at", "ends_by"];
/// How long the database may stay silent beyond its own limits before the connection is given up.
const SILENCE: Duration = Duration::from_secs(2);
/// One statement of whoever makes memory from the store: a page of it, or a list that has a limit of its own. Nobody waits for it in a
/// database that hangs: the door, which goes on writing beside it, notices that and gives it up.
const PAGE_MS: DurationMs = 60_000;
/// How long a step of the schema may take, which may read and write every row.
const STEP_TIME: Duration = Duration::from_secs(3_600);
/// How much longer than a read a step of the schema waits for a table, in milliseconds.
const STEP_LOCK_MS: DurationMs = 5_000;

/// How to open a shared store.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://…`, several hosts allowed. `sslmode` and `sslrootcert` as libpq has them: `require` and what is stricter
    /// looks at the certificate.
    pub url: String,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// 16 random bytes, used when the store is new.
    pub seed: [u8; 16],
    /// How long things may take.
    pub patience: Patience,
    /// What a connection is at the other end.
    pub sessions: Sessions,
}

impl Options {
    /// The usual ones for this address.
    pub fn new(url: impl Into<String>, seed: [u8; 16]) -> Self {
        Self {
            url: url.into(),
            durability: Durability::Full,
            seed,
            patience: Patience::default(),
            sessions: Sessions::Own,
        }
    }
}

/// What a connection is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// One session as long as it lasts: it keeps the statements that were prepared in it.
    Own,
    /// Each transaction may be another session's, because a pool stands between: nothing is kept there. Works everywhere, and each
    /// statement is planned anew.
    Mixed,
}

/// How long things may take in a transaction. All of it together keeps what a server promises: that it goes on by itself within 15 s of
/// a promotion, also when the primary before does not die but hangs. So whoever waits for the database is told within
/// `answer`, be it for a statement or for a commit. A commit may well take longer, when it waits for its standby: then it counts as cut
/// off and is looked for, behind the lock that it still holds, and whoever asked is answered when that is known. Said in each transaction anew: what stands between (PgBouncer) may hand each
/// one to another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// One statement of a writer.
    pub statement_ms: DurationMs,
    /// One statement of a reader.
    pub read_ms: DurationMs,
    /// Waiting for the lock of the store, and for others.
    pub lock_ms: DurationMs,
    /// A transaction in which nothing happens; then the database ends its session, so that a server that is frozen holds
    /// nobody up.
    pub idle_ms: DurationMs,
}

impl Default for Patience {
    fn default() -> Self {
        Self { statement_ms: 8_000, read_ms: 10_000, lock_ms: 6_000, idle_ms: 4_000 }
    }
}

/// No statement here is long enough for machine code of its own or for processes to share it; by a guess that is wrong (who comes due of a
/// million rows, when nobody has a time) the database makes both, every time: 60 to 170 ms for an answer without a row.
const PLAIN: &str = "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0";

/// What deeds ask for has an index, always. Their plans are made once, without the values and maybe for a table that was still empty, so
/// a guess is wrong sooner or later: beside somebody's open transaction, of which no page counts as visible to all, the whole table
/// looked cheaper than an index with nothing in it.
const BY_INDEX: &str = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off";

impl Patience {
    /// The words that begin a transaction.
    fn begin(&self, role: Role, durability: Durability) -> String {
        let Self { statement_ms, read_ms, lock_ms, idle_ms } = self;
        match role {
            Role::Writer => {
                let commit = if durability == Durability::Full { "on" } else { "off" };
                format!(
                    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {statement_ms}; \
                     SET LOCAL lock_timeout = {lock_ms}; \
                     SET LOCAL idle_in_transaction_session_timeout = {idle_ms}; \
                     SET LOCAL synchronous_commit = {commit}; {BY_INDEX}; {PLAIN}"
                )
            }
            Role::Reader => Self::begin_to_read(*read_ms),
            Role::Rebuild => Self::begin_to_read(PAGE_MS),
        }
    }

    fn begin_to_read(longest_ms: DurationMs) -> String {
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {longest_ms}; \
             SET LOCAL idle_in_transaction_session_timeout = {longest_ms}; {PLAIN}"
        )
    }

    /// When a database that says nothing is given up.
    fn answer(&self, role: Role) -> Duration {
        let longest_ms = match role {
            Role::Writer => self.statement_ms.max(self.lock_ms),
            Role::Reader => self.read_ms,
            Role::Rebuild => PAGE_MS,
        };
        Duration::from_millis(longest_ms.unsigned_abs()) + SILENCE
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Writes.
    Writer,
    /// Reads from one moment of the store.
    Reader,
    /// Makes memory from one moment of the store, however long that takes.
    Rebuild,
}

/// What all connections of a store share.
pub(crate) struct Shared {
    /// One for each host.
    hosts: Vec<tokio_postgres::Config>,
    tls: tls::Tls,
    patience: Patience,
    durability: Durability,
    sessions: Sessions,
    /// What is known of statements, where sessions are mixed.
    known: Mutex<HashMap<&'static str, prepared::Prepared>>,
    /// The newest line of time that was seen; a primary of an older one is not talked to any more.
    line: AtomicI64,
}

/// An open shared store.
pub struct Store {
    shared: Arc<Shared>,
    forge: Forge,
    epoch: i64,
    durability: Durability,
    version: String,
}

impl Store {
    /// Connects, makes the store when there is none, and brings its schema up to date, all under the store's lock: servers
    /// that start at once do it once.
    ///
    /// # Errors
    /// [`crate::Error::Newer`] when a newer program wrote it, [`crate::Error::Locked`] when the address or the database
    /// will not do, also when a pool mixes sessions that should be our own; [`crate::Error::Lost`] when nothing answers.
    pub fn open(options: &Options) -> Result<(Self, Writer)> {
        let shared = Arc::new(share(options)?);
        let mut tx = tx(&shared)?;
        if shared.sessions == Sessions::Own {
            schema::session(&tx)?.refuse_pool()?;
        }
        schema::up(&tx)?;
        let kept = schema::locked(&tx, || meta::load_or_make(&tx, options.seed))?;
        tx.rows.forge = Forge::new(kept.salt.as_bytes());
        let forge = tx.rows.forge.clone();
        let version = tx.one(sql!("journal/version"), &[], |row| row.text(0))?.unwrap_or_default();
        let store = Self { shared, forge, epoch: kept.epoch, durability: options.durability, version };
        Ok((store, Writer { tx }))
    }

    /// A further connection that only reads.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn reader(&self) -> Result<Reader> {
        let session = Session::open(Arc::clone(&self.shared), Role::Reader)?;
        Ok(Reader::new(Rows::of(Base::Postgres(Box::new(session)), self.forge.clone())))
    }

    /// What wakes the servers of this store.
    pub fn wakes(&self) -> Wakes {
        Wakes { shared: Arc::clone(&self.shared) }
    }

    /// The database's version, as it says it.
    pub fn version(&self) -> &str {
        &self.version
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
}

/// Bytes that the store takes of its database, indexes included.
///
/// # Errors
/// When the database does not answer.
pub fn size(rows: &Rows) -> Result<u64> {
    Ok(rows.number(sql!("journal/sizes"), &[])?.unsigned_abs())
}

/// The steps of a store's schema and when each was made. Nothing is written.
///
/// # Errors
/// [`crate::Error::Newer`] when a newer program wrote the store; when the database does not answer.
pub fn migrations(options: &Options) -> Result<Vec<Applied>> {
    schema::list(&tx(&Arc::new(share(options)?))?)
}

/// Makes every step that a store lacks.
///
/// # Errors
/// As [`Store::open`].
pub fn migrate_up(options: &Options) -> Result<()> {
    Store::open(options).map(drop)
}

/// Takes steps back until the schema has `target`. What those steps held is gone.
///
/// # Errors
/// As [`migrations`]; when a step back fails, the store is as before that step.
pub fn migrate_down(options: &Options, target: i64) -> Result<()> {
    schema::down(&tx(&Arc::new(share(options)?))?, target)
}

/// A connection that reads from one moment.
pub(crate) fn rows(options: &Options) -> Result<Rows> {
    let session = Session::open(Arc::new(share(options)?), Role::Reader)?;
    Ok(Rows::of(Base::Postgres(Box::new(session)), Forge::new(&[])))
}

/// A connection that a whole store is written by; the database gets the newest schema, with nothing in it.
pub(crate) fn open_to_fill(options: &Options) -> Result<Tx> {
    let tx = tx(&Arc::new(share(options)?))?;
    schema::up(&tx)?;
    Ok(tx)
}

/// Whether there is a schema of ours at all.
pub(crate) fn holds_store(rows: &Rows) -> Result<bool> {
    schema::is_there(rows)
}

fn share(options: &Options) -> Result<Shared> {
    let Address { hosts, tls } = Address::parse(&options.url)?;
    let (patience, durability) = (options.patience, options.durability);
    let (sessions, known, line) = (options.sessions, Mutex::default(), AtomicI64::new(0));
    Ok(Shared { hosts, tls, patience, durability, sessions, known, line })
}

fn tx(shared: &Arc<Shared>) -> Result<Tx> {
    let session = Session::open(Arc::clone(shared), Role::Writer)?;
    Ok(Tx { rows: Rows::of(Base::Postgres(Box::new(session)), Forge::new(&[])) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // O16: a server goes on within 15 s of a promotion, also when the primary before hangs: it has given it up by then, called all
    // hosts, and begun. A frozen server's transaction is ended before the patience of those behind it.
    #[test]
    fn o16_a_primary_that_hangs_is_given_up_in_time() {
        const PROMISE: Duration = Duration::from_secs(15);
        let usual = Patience::default();
        let ms = |ms: DurationMs| Duration::from_millis(ms.unsigned_abs());
        for role in [Role::Writer, Role::Reader] {
            assert!(usual.answer(role) + dial::GRACE + Duration::from_secs(2) <= PROMISE, "{role:?}");
        }
        assert!(usual.answer(Role::Writer) > ms(usual.statement_ms), "the database's own word comes first");
        assert!(usual.answer(Role::Reader) > ms(usual.read_ms));
        assert!(usual.statement_ms > usual.lock_ms && usual.lock_ms > usual.idle_ms);
    }
}
