//! The versions of PostgreSQL that are promised, beside the one that is installed: the oldest and the newest, as packages of npm
//! bring them.

use super::debian::is_root;
use super::npm;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Their names in `crates/testkit/postgres/package.json`.
const NAMES: [&str; 2] = ["oldest", "newest"];
/// The machine that the packages are for.
pub(super) const IS_FOR_THIS: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// The folders with the programs of each version.
pub(super) fn there() -> Result<Vec<PathBuf>> {
    let modules = npm::there("postgres")?;
    NAMES.iter().map(|name| programs(&modules.join(name)).with_context(|| (*name).to_owned())).collect()
}

fn programs(package: &Path) -> Result<PathBuf> {
    // What its install script does: a package of npm holds no links.
    run(Command::new("node").arg("scripts/hydrate-symlinks.js").current_dir(package))?;
    let native = package.join("native");
    let native = if is_root() { for_everybody(&native)? } else { native };
    let version = Command::new(native.join("bin/postgres")).arg("--version").output()?;
    println!("{}", String::from_utf8_lossy(&version.stdout).trim());
    Ok(native.join("bin"))
}

/// A copy that others can read: the server refuses to run as root, and nobody else may be able to look into this folder.
fn for_everybody(native: &Path) -> Result<PathBuf> {
    let own = std::fs::read_to_string(native.with_file_name("package.json"))?;
    let own: serde_json::Value = serde_json::from_str(&own)?;
    let version = own["version"].as_str().context("a package has a version")?;
    let kept = std::env::temp_dir().join(format!("tiltyard-pg-programs-{version}"));
    if !kept.exists() {
        let made = kept.with_extension(std::process::id().to_string());
        run(Command::new("cp").arg("-a").arg(native).arg(&made))?;
        run(Command::new("chmod").args(["-R", "a+rX"]).arg(&made))?;
        std::fs::rename(&made, &kept).context("keeping the programs")?;
    }
    Ok(kept)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
