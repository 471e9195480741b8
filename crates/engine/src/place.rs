//! Where a store lies, for what is done with it while no engine has it open.

use std::path::PathBuf;

/// Where a store lies.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// In a data folder.
    Folder(PathBuf),
    /// In a database, by its address, which may hold a password.
    Database(String),
}
