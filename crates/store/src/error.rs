//! What can go wrong below: few kinds, because few things can be done about it.

/// The result of this floor.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a statement or a commit did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The disk is full: nothing was written, and it may be tried again once there is room (E2).
    #[error("the disk is full: {0}")]
    Full(String),
    /// The disk turned out to be full when a commit was to be made sure: it did not happen, but its words may lie in the log,
    /// where a restart would find them. [`crate::writer::Writer::write_over`] takes them away; before that, nobody may be told
    /// that nothing happened (E2).
    #[error("the disk is full: {0}")]
    Unsynced(String),
    /// Somebody else holds the store.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The connection to a shared store is gone, and with it the transaction: nothing of it happened. It may be tried again.
    #[error("the connection to the database is lost: {0}")]
    Lost(String),
    /// The connection to a shared store was lost while it committed: nobody knows yet whether that happened, and nobody may
    /// be told. [`crate::writer::Writer::resolve`] finds out (E2).
    #[error("nobody knows yet whether the transaction was committed: {0}")]
    Unknown(String),
    /// A constraint of the schema refused a row: a fault of ours, not of the caller.
    #[error("the store refused a row in {statement}: {reason}")]
    Constraint {
        /// The statement's name.
        statement: &'static str,
        /// What the database said.
        reason: String,
    },
    /// A row holds what no word stands for.
    #[error("a row of {statement} cannot be read: {reason}")]
    Unreadable {
        /// The statement's name.
        statement: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The store was written by a newer program.
    #[error(
        "the store has schema version {found}, this program knows {known}: start the newer program, or restore a backup made before the upgrade"
    )]
    Newer {
        /// The store's version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Another server has the data folder.
    #[error("{0}")]
    Locked(String),
    /// The disk or the file does not do what it must: never retried, never acknowledged (E2).
    #[error("the store is broken in {statement}: {reason}")]
    Broken {
        /// The statement's name, or what was done.
        statement: &'static str,
        /// What the system said.
        reason: String,
    },
}

impl Error {
    /// A broken store, from an error of the file system.
    pub fn io(statement: &'static str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::Full(error.to_string());
        }
        Self::Broken { statement, reason: error.to_string() }
    }

    /// Whether the file or its disk is at fault, and not who asked or when.
    pub fn is_storage(&self) -> bool {
        match self {
            Self::Full(_)
            | Self::Unsynced(_)
            | Self::Constraint { .. }
            | Self::Unreadable { .. }
            | Self::Broken { .. } => true,
            Self::Busy(_) | Self::Lost(_) | Self::Unknown(_) | Self::Newer { .. } | Self::Locked(_) => false,
        }
    }
}
