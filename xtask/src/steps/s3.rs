//! A server that speaks S3 for the tests: s3rver, a package of npm, pinned by the lock file beside the tests' own script.

use super::End;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Where it is pinned.
const PINNED: &str = "crates/testkit/s3rver";
/// Where it is put.
const TOOLS: &str = "target/tools/s3rver";
/// What says which one it is.
const FILES: &[&str] = &["package.json", "package-lock.json"];
/// What a person does where this cannot.
const BY_HAND: &str = "install Node.js 18 or later with npm, and start again";

/// Installs it where it is not there. The tests of shared bytes are never passed over in silence.
pub(super) fn there() -> Result<End> {
    let root = crate::tree::root();
    let (pinned, tools) = (root.join(PINNED), root.join(TOOLS));
    let same = |name: &&str| {
        let read = |folder: &Path| std::fs::read(folder.join(name)).ok();
        read(&pinned) == read(&tools)
    };
    if tools.join("node_modules/s3rver").exists() && FILES.iter().all(same) {
        println!("{TOOLS}");
        return Ok(End::Ok);
    }
    std::fs::create_dir_all(&tools).context(TOOLS)?;
    for name in FILES {
        std::fs::copy(pinned.join(name), tools.join(name)).context(PINNED)?;
    }
    println!("installing s3rver into {TOOLS}");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&tools);
    let status = npm.status().context(BY_HAND)?;
    if !status.success() {
        bail!("`npm ci` failed: {status}; {BY_HAND}");
    }
    Ok(End::Ok)
}
