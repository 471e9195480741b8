//! Landlock around the program, as far as the kernel has it.
//!
//! Landlock can only allow, and what it allows for a folder it allows for all below. So everything is allowed
//! but the way to the hidden folders; a file that is made later in a folder on that way (say in `$HOME`) is
//! not allowed either. To keep that bearable only reading is fenced where no cover can be had: a
//! program may make files everywhere, and cannot read those of hidden folders.
//!
//! Around every program the fence also keeps it from signalling, tracing or looking into processes outside of
//! it (its shim, its agent, their environment), and from mounting.

use super::launch::Obstacle;
use landlock::{
    AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::path::{Path, PathBuf};

/// Most folders and files that are allowed one by one; a busier way to a hidden folder leaves it visible.
const MAX_RULES: usize = 20_000;

/// Fences the program without hiding anything: what covers hide stays covered.
pub(super) fn keep_covers() -> Result<bool, Obstacle> {
    restrict(&[PathBuf::from("/")]).map_err(|error| Obstacle::confinement("set up Landlock", &error))
}

/// Hides the content of all files under `hide`, but not under `open`. False when the kernel cannot.
pub(super) fn hide(hide: &[PathBuf], open: &[PathBuf]) -> Result<bool, Obstacle> {
    let hide: Vec<PathBuf> = hide.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let mut allowed = Vec::new();
    let complete = allow_beside(Path::new("/"), &hide, &mut allowed);
    if !complete {
        allowed = vec![PathBuf::from("/")];
    }
    allowed.extend(open.iter().cloned());
    let fenced = restrict(&allowed).map_err(|error| Obstacle::confinement("set up Landlock", &error))?;
    Ok(fenced && complete)
}

/// Collects what is not on the way to a hidden folder; false when that is too much.
fn allow_beside(folder: &Path, hide: &[PathBuf], allowed: &mut Vec<PathBuf>) -> bool {
    if hide.iter().any(|hidden| hidden == folder) {
        return true;
    }
    if !hide.iter().any(|hidden| hidden.starts_with(folder)) {
        allowed.push(folder.to_owned());
        return allowed.len() <= MAX_RULES;
    }
    // A folder that cannot be listed cannot be looked into by the program either.
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    // A link is never allowed itself: its target is, or is not, by its own place.
    let entries = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    entries.into_iter().all(|entry| allow_beside(&entry.path(), hide, allowed))
}

/// What sees through every fence: mounting, tracing, reading the memory and environment of any process (which the
/// kernel grants for profiling), and ways into the kernel itself.
const SIGHT: [CapabilitySet; 6] = [
    CapabilitySet::SYS_ADMIN,
    CapabilitySet::SYS_PTRACE,
    CapabilitySet::PERFMON,
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::BPF,
];

/// Takes these rights from a program of root.
pub(super) fn drop_sight() {
    for capability in SIGHT {
        // Who may not give them up (no root) has none that a new program would get.
        let _ = remove_capability_from_bounding_set(capability);
    }
}

fn restrict(allowed: &[PathBuf]) -> Result<bool, RulesetError> {
    // The first Landlock (Linux 5.13 to 5.18) lets nobody move a file to another folder: worse than no fence.
    let moving =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
    if moving.is_err() {
        return Ok(false);
    }
    // `Refer` is denied everywhere unless it is named: then nothing could be moved between folders.
    let fenced = AccessFs::ReadFile | AccessFs::Refer;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(fenced)?
        .scope(Scope::Signal)?
        .create()?;
    for path in allowed {
        ruleset = allow(ruleset, path)?;
    }
    let root = PathFd::new("/").map(|root| PathBeneath::new(root, AccessFs::Refer));
    if let Ok(root) = root {
        ruleset = ruleset.add_rule(root)?;
    }
    let RestrictionStatus { ruleset: status, .. } = ruleset.restrict_self()?;
    Ok(status != RulesetStatus::NotEnforced)
}

fn allow(ruleset: RulesetCreated, path: &Path) -> Result<RulesetCreated, RulesetError> {
    // What has vanished since, or cannot be opened, needs no permission.
    let Ok(place) = PathFd::new(path) else { return Ok(ruleset) };
    ruleset.add_rule(PathBeneath::new(place, BitFlags::from_flag(AccessFs::ReadFile)))
}
