//! Tools of npm for the tests, each pinned by a lock file beside what uses it.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are put.
const TOOLS: &str = "target/tools";
/// What says which ones they are.
const FILES: &[&str] = &["package.json", "package-lock.json"];
/// What a person does where this cannot.
const BY_HAND: &str = "install Node.js 18 or later with npm, and start again";

/// Installs what is pinned in `crates/testkit/NAME` where it is not there, and says where that is.
pub(super) fn there(name: &str) -> Result<PathBuf> {
    let pinned = crate::tree::root().join("crates/testkit").join(name);
    let tools = crate::tree::root().join(TOOLS).join(name);
    let same = |name: &&str| {
        let read = |folder: &Path| std::fs::read(folder.join(name)).ok();
        read(&pinned) == read(&tools)
    };
    let modules = tools.join("node_modules");
    // npm writes it last.
    if modules.join(".package-lock.json").exists() && FILES.iter().all(same) {
        println!("{TOOLS}/{name}");
        return Ok(modules);
    }
    std::fs::create_dir_all(&tools).context(TOOLS)?;
    for file in FILES {
        std::fs::copy(pinned.join(file), tools.join(file)).with_context(|| pinned.display().to_string())?;
    }
    println!("installing {name} into {TOOLS}");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&tools);
    let status = npm.status().context(BY_HAND)?;
    if !status.success() {
        bail!("`npm ci` failed: {status}; {BY_HAND}");
    }
    Ok(modules)
}
