//! What a killed agent left in its mirrors: git's locks, which git itself never removes, and gits that still run.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::tree::{self, Entry};

/// How long gits of an earlier process may go on, in seconds; then they are ended.
const MAX_ORPHAN_SECONDS: u64 = 5;
/// How long they may take to end, in seconds.
const END_SECONDS: u64 = 3;
/// Pause between two looks, in milliseconds.
const LOOK_PAUSE_MS: u64 = 50;

/// Removes stale locks in all mirrors below `root`, once no git of an earlier process works there. The folder is held
/// by this process, so that no other agent's git can.
pub(super) fn remove_locks(root: &Path) {
    wait_for_orphans(root);
    let Ok(entries) = fs::read_dir(root) else { return };
    for mirror in entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "git")) {
        remove_locks_in(&mirror.path());
    }
}

fn remove_locks_in(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        // No lock lies among loose objects, and there are many of those.
        if is_folder && entry.file_name().len() != 2 {
            remove_locks_in(&path);
        } else if !is_folder && path.extension().is_some_and(|end| end == "lock") {
            let lock = path.display();
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(target: "agent", %lock, %error, "a stale lock stays; remove it");
            } else {
                tracing::info!(target: "agent", %lock, "a lock that a killed git left is removed");
            }
        }
    }
}

/// Gits of an earlier process: they have no shim, and end by themselves or are ended.
fn wait_for_orphans(root: &Path) {
    let steps =
        [(None, MAX_ORPHAN_SECONDS), (Some(Signal::TERM), END_SECONDS), (Some(Signal::KILL), END_SECONDS)];
    for (signal, seconds) in steps {
        let patience = Instant::now() + Duration::from_secs(seconds);
        let mut there = orphans(root);
        if let Some(signal) = signal {
            there.iter().for_each(|entry| tree::send(entry, signal));
        }
        while !there.is_empty() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(LOOK_PAUSE_MS));
            there = orphans(root);
        }
        if there.is_empty() {
            return;
        }
    }
    tracing::warn!(target: "agent", "a git of an earlier process does not end");
}

/// Processes that name a mirror of ours as their git folder.
fn orphans(root: &Path) -> Vec<Entry> {
    let word = format!("--git-dir={}/", root.display());
    let ours = |entry: &Entry| {
        let line = fs::read(format!("/proc/{}/cmdline", entry.pid)).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part.starts_with(word.as_bytes()))
    };
    tree::all().unwrap_or_default().into_iter().filter(|entry| !entry.zombie && ours(entry)).collect()
}
