//! The databases that are examined, each empty but for one scope.

use tempfile::TempDir;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::scope::Scope;
use tiltyard_store::sqlite::{Durability, Options, Store};
use tiltyard_store::{Error, Rows, Tx, Writer, name, postgres};
use tiltyard_testkit::postgres::{Cluster, Database};

/// When every test begins.
pub(crate) const NOW: i64 = 1_790_000_000_000;

/// One database.
pub(crate) struct Body {
    writer: Writer,
    _store: Kept,
}

/// What must live as long as the database is used.
enum Kept {
    Sqlite { _store: Store, _folder: TempDir },
    Postgres { _store: postgres::Store, _database: Database },
}

/// Says the same to every database.
pub(crate) fn each(test: impl Fn(&Body)) {
    test(&Body::sqlite());
    test(&Body::postgres());
}

impl Body {
    fn sqlite() -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = Options {
            folder: folder.path().to_owned(),
            durability: Durability::Relaxed,
            seed: [7; 16],
            now: NOW,
        };
        let (store, writer) = Store::open(&options).expect("opens");
        Self { writer, _store: Kept::Sqlite { _store: store, _folder: folder } }
    }

    fn postgres() -> Self {
        let database = Cluster::shared().database().expect("a database");
        let options = postgres::Options::new(&database.url, [7; 16]);
        let (store, writer) = postgres::Store::open(&options).expect("opens");
        Self { writer, _store: Kept::Postgres { _store: store, _database: database } }
    }

    /// Writes in a transaction of its own.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&Tx) -> tiltyard_store::Result<T>) -> T {
        self.writer.begin().expect("begins");
        let found = write(self.writer.tx()).expect("is written");
        self.writer.commit().expect("commits");
        found
    }

    /// Tries to write, in a transaction that is taken back: gives the refusal.
    pub(crate) fn refused<T>(&self, write: impl FnOnce(&Tx) -> tiltyard_store::Result<T>) -> Error {
        self.writer.begin().expect("begins");
        let tx = self.writer.tx();
        let refused = write(tx).and_then(|_| tx.flush()).expect_err("is refused");
        self.writer.rollback().expect("rolls back");
        refused
    }

    /// The writing connection itself.
    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Reads what was committed.
    pub(crate) fn rows(&self) -> &Rows {
        self.writer.tx()
    }

    /// The key of a scope, made when it is new.
    pub(crate) fn scope(&self, name: &str) -> i64 {
        let scope = Scope { name: name.to_owned(), description: String::new(), created_at: NOW };
        self.write(|tx| name::put_scope(tx, &scope))
    }

    /// The `n`th id of a noun.
    pub(crate) fn id(&self, noun: Noun, n: u16) -> Id {
        self.rows().id(noun, Id::key_at(NOW, n))
    }
}
