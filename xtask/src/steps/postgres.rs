//! PostgreSQL for the tests: the installed one, or the system's package.

use super::{End, debian};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// Where packages put servers, one folder a version; where else `testkit` looks is in PATH.
const HOMES: &[&str] = &["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"];
/// What a person does where this cannot.
const BY_HAND: &str =
    "install PostgreSQL 14 or later (Debian, Ubuntu: sudo apt-get install postgresql) and start again";

/// Looks for a server, and installs Debian's package where there is none. The tests of the shared store are never passed
/// over in silence.
pub(super) fn there() -> Result<End> {
    if let Some(found) = server() {
        println!("{}", found.display());
        return Ok(End::Ok);
    }
    println!("no PostgreSQL is installed: installing the package `postgresql`");
    debian::install(&["postgresql"]).context(BY_HAND)?;
    match server() {
        Some(_) => Ok(End::Ok),
        None => bail!("the package brought no server: {BY_HAND}"),
    }
}

fn server() -> Option<PathBuf> {
    let versions = HOMES.iter().filter_map(|home| std::fs::read_dir(home).ok()).flatten().flatten();
    let packaged = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = packaged.chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("initdb")).find(|file| file.is_file())
}
