//! PostgreSQL for the tests: the installed one, or the system's package.

use super::End;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    install().context(BY_HAND)?;
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

fn install() -> Result<()> {
    let root = Path::new("/proc/self").exists() && is_root();
    for args in [["apt-get", "update", "-q"].as_slice(), &["apt-get", "install", "-q", "-y", "postgresql"]] {
        let mut command = if root { Command::new(args[0]) } else { Command::new("sudo") };
        // Nobody may be there to answer a question.
        let words = if root { &args[1..] } else { args };
        let command = if root { &mut command } else { command.arg("-n") };
        let status = command.args(words).env("DEBIAN_FRONTEND", "noninteractive").status();
        let status = status.with_context(|| format!("starting {}", args.join(" ")))?;
        if !status.success() {
            bail!("`{}` failed: {status}", args.join(" "));
        }
    }
    Ok(())
}

pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
