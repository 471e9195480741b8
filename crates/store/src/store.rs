//! An open store, whichever it is.

use crate::error::Result;
use crate::forge::Forge;
use crate::postgres::Wakes;
use crate::sqlite::{Checkpointer, Durability};
use crate::writer::{Reader, Writer};
use crate::{postgres, sqlite};
use std::path::Path;

/// Which store to open, and how.
#[derive(Debug, Clone)]
pub enum Options {
    /// The embedded one.
    Embedded(sqlite::Options),
    /// A shared one. Opening it blocks, so it must be done on a thread that may.
    Shared(postgres::Options),
}

/// An open store.
pub enum Store {
    /// One file in a data folder, of one server.
    Embedded(sqlite::Store),
    /// A database of any number of servers.
    Shared(postgres::Store),
}

impl Store {
    /// Opens a store, makes it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] when another server has the folder or the database will not do, [`crate::Error::Newer`] when a newer
    /// program wrote it, [`crate::Error::Lost`] when no database answers.
    pub fn open(options: &Options) -> Result<(Self, Writer)> {
        match options {
            Options::Embedded(options) => {
                sqlite::Store::open(options).map(|(store, writer)| (Self::Embedded(store), writer))
            }
            Options::Shared(options) => {
                postgres::Store::open(options).map(|(store, writer)| (Self::Shared(store), writer))
            }
        }
    }

    /// A further connection that only reads. Blocks where the store is shared.
    ///
    /// # Errors
    /// When the store cannot be opened again.
    pub fn reader(&self) -> Result<Reader> {
        match self {
            Self::Embedded(store) => store.reader(),
            Self::Shared(store) => store.reader(),
        }
    }

    /// Whether other servers may use it too.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// What it is called where it is shown.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "sqlite",
            Self::Shared(_) => "postgres",
        }
    }

    /// The version of the library or of the database.
    pub fn version(&self) -> &str {
        match self {
            Self::Embedded(_) => sqlite::version(),
            Self::Shared(store) => store.version(),
        }
    }

    /// The ids of this store.
    pub fn forge(&self) -> &Forge {
        match self {
            Self::Embedded(store) => store.forge(),
            Self::Shared(store) => store.forge(),
        }
    }

    /// The epoch: grows with every restore (E9).
    pub fn epoch(&self) -> i64 {
        match self {
            Self::Embedded(store) => store.epoch(),
            Self::Shared(store) => store.epoch(),
        }
    }

    /// What an acknowledged write survives.
    pub fn durability(&self) -> Durability {
        match self {
            Self::Embedded(store) => store.durability(),
            Self::Shared(store) => store.durability(),
        }
    }

    /// Bytes of the file and of its write-ahead log; `None` for a shared store, which has to be asked
    /// ([`postgres::size`]).
    pub fn file_sizes(&self) -> Option<(u64, u64)> {
        match self {
            Self::Embedded(store) => Some(store.sizes()),
            Self::Shared(_) => None,
        }
    }

    /// The database file of an embedded store.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Embedded(store) => Some(store.path()),
            Self::Shared(_) => None,
        }
    }

    /// What moves the write-ahead log of an embedded store into its file.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn checkpointer(&self) -> Result<Option<Checkpointer>> {
        match self {
            Self::Embedded(store) => store.checkpointer().map(Some),
            Self::Shared(_) => Ok(None),
        }
    }

    /// What wakes the servers of a shared store.
    pub fn wakes(&self) -> Option<Wakes> {
        match self {
            Self::Embedded(_) => None,
            Self::Shared(store) => Some(store.wakes()),
        }
    }
}
