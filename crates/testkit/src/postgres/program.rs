//! Where the programs of PostgreSQL are: in the folder that a variable names, or where packages put them.

use anyhow::{Context, bail};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Where packages put the server's programs; below these, one folder a version.
const HOMES: &[&str] = &["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"];
/// Folders with the programs themselves.
const FOLDERS: &[&str] = &["/usr/local/pgsql/bin", "/usr/pgsql/bin", "/usr/local/bin", "/usr/bin"];
/// Names a folder with the programs of the server that is to be tested, in the place of the installed one.
const CHOICE: &str = "TILTYARD_TEST_POSTGRES_BIN";
/// What must be of the chosen server; clients (`psql`, …) may be of the installed one.
const OF_SERVER: &[&str] = &["initdb", "postgres"];

/// A program of the server that is chosen, or of the newest that is installed.
///
/// # Errors
/// When there is none.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(chosen) = chosen() {
        let file = chosen.join(name);
        if file.is_file() {
            return Ok(file);
        }
        if OF_SERVER.contains(&name) {
            bail!("{CHOICE} names {}, and there is no `{name}`", chosen.display());
        }
    }
    let versions = HOMES.iter().filter_map(|home| fs::read_dir(home).ok()).flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by_key(|folder| version_of(folder));
    folders.reverse();
    folders.extend(FOLDERS.iter().map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.with_context(|| {
        format!("no `{name}` of PostgreSQL is installed (Debian: apt-get install postgresql)")
    })
}

fn version_of(folder: &Path) -> u32 {
    let name = folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or_default()
}

/// What tells the server of the chosen programs from others that tests share; short, as the name of a socket must be.
pub(super) fn chosen_suffix() -> String {
    let Some(chosen) = chosen() else { return String::new() };
    let mut hasher = DefaultHasher::new();
    chosen.hash(&mut hasher);
    format!("-{:x}", hasher.finish())
}

fn chosen() -> Option<PathBuf> {
    std::env::var_os(CHOICE).map(PathBuf::from)
}
