//! Hides folders under empty ones, in a view of the file system that only the program has.
//!
//! This needs the right to mount, so it works for an agent that runs as root (or has `CAP_SYS_ADMIN`). A name
//! space of users would give the right to everybody, but makes files of root look like nobody's, and ssh and
//! others refuse to work then; elsewhere Landlock has to do (`fence.rs`).

use super::launch::Obstacle;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::thread::UnshareFlags;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Size and rights of an empty folder: nothing fits in, everybody may look.
const COVER_OPTIONS: &std::ffi::CStr = c"size=64k,mode=755";

/// Covers `hide` for this thread and what it starts, with `open` showing through. False when this process
/// may not mount; then nothing has happened.
pub(super) fn cover(hide: &[PathBuf], open: &[PathBuf]) -> Result<bool, Obstacle> {
    let hide = outermost(hide.iter().filter_map(|folder| folder.canonicalize().ok()).collect());
    if hide.is_empty() || !own_view()? {
        return Ok(false);
    }
    let pinned = open
        .iter()
        .filter_map(|folder| folder.canonicalize().ok())
        .map(pin)
        .collect::<Result<Vec<_>, _>>()?;
    for folder in &hide {
        mount("tiltyard-hidden", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, COVER_OPTIONS)
            .map_err(|error| Obstacle::confinement(&format!("cover {}", folder.display()), &error))?;
    }
    for (folder, below) in &pinned {
        if hide.iter().any(|hidden| folder.starts_with(hidden)) {
            show_through(folder, below)?;
        }
    }
    for folder in &hide {
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        mount_remount(folder, flags, COVER_OPTIONS)
            .map_err(|error| Obstacle::confinement(&format!("seal {}", folder.display()), &error))?;
    }
    Ok(true)
}

/// Gives this thread its own view; mounts of the host still appear in it, ours do not appear there.
fn own_view() -> Result<bool, Obstacle> {
    match unshare_view() {
        Err(Errno::PERM | Errno::NOSYS | Errno::INVAL) => return Ok(false),
        Err(error) => return Err(Obstacle::confinement("unshare the view of the file system", &error)),
        Ok(()) => {}
    }
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags)
        .map_err(|error| Obstacle::confinement("separate the view of the file system", &error))?;
    Ok(true)
}

#[expect(deprecated, reason = "its successor is unsafe because of FILES, which is not asked for here")]
fn unshare_view() -> Result<(), Errno> {
    rustix::thread::unshare(UnshareFlags::NEWNS)
}

/// Folders without those that lie inside another one: covering the outer one hides both.
fn outermost(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    folders.sort();
    folders.dedup_by(|inner, outer| inner.starts_with(&*outer));
    folders
}

/// Holds a folder by descriptor: its path will lead to the cover.
fn pin(folder: PathBuf) -> Result<(PathBuf, OwnedFd), Obstacle> {
    let held = open(&folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let said = |error| Obstacle::confinement(&format!("open {}", folder.display()), &error);
    let held = held.map_err(said)?;
    Ok((folder, held))
}

fn show_through(folder: &Path, below: &OwnedFd) -> Result<(), Obstacle> {
    let said =
        |error: &dyn std::fmt::Display| Obstacle::confinement(&format!("show {}", folder.display()), error);
    std::fs::create_dir_all(folder).map_err(|error| said(&error))?;
    let source = format!("/proc/self/fd/{}", below.as_raw_fd());
    mount_bind_recursive(source, folder).map_err(|error| said(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c6_only_the_outermost_folders_are_covered() {
        let folders = ["/b/c", "/a", "/a/b", "/ab", "/a"].map(PathBuf::from).to_vec();
        assert_eq!(outermost(folders), ["/a", "/ab", "/b/c"].map(PathBuf::from));
    }
}
