//! Checks of this machine: git, clock, data folder, disk.

use super::finding::Finding;
use crate::settings::Settings;
use crate::settings::store::Store;
use crate::version::current;
use std::path::Path;
use tiltyard_agent::git::{Git, GitSettings};
use tiltyard_model::time::{SECOND_MS, TimeMs, parse_rfc3339, rfc3339};

/// Free space below which a server refuses new work (O15), in bytes.
const MIN_FREE_BYTES: u64 = 512 << 20;
/// On file systems smaller than this, in bytes, a share counts instead: 5 %.
const SMALL_DISK_BYTES: u64 = 10 << 30;
const MIN_FREE_SHARE: u64 = 20;

/// Whether git is there and new enough for an agent.
pub async fn git() -> Finding {
    let mend = "install git from https://git-scm.com/downloads";
    let git = match Git::find(GitSettings::default()) {
        Ok(git) => git,
        Err(error) => return Finding::fail("git", error.to_string()).mend(mend),
    };
    match git.version().await {
        Ok((major, minor)) => Finding::ok("git", format!("{major}.{minor}")),
        Err(error) => Finding::fail("git", error.to_string()).mend(mend),
    }
}

/// Whether the clock can be right: no moment is before the program was built.
pub fn clock() -> Finding {
    judge_clock(now(), current().built.as_deref().and_then(parse_rfc3339))
}

fn judge_clock(now: TimeMs, built: Option<TimeMs>) -> Finding {
    let said = rfc3339(now - now % SECOND_MS);
    match built {
        Some(built) if now < built => {
            Finding::fail("clock", format!("{said} is before this program was built"))
                .mend("timedatectl set-ntp true")
        }
        _ => Finding::ok("clock", said),
    }
}

#[expect(clippy::disallowed_methods, reason = "the wall clock itself is what is looked at")]
pub(super) fn now() -> TimeMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// Whether the data folder is private (SEC16), or can be made.
pub fn data_folder(folder: &Path) -> Finding {
    let shown = folder.display().to_string();
    match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            Finding::fail("data", format!("{shown} is no folder")).mend("tiltyard config")
        }
        Ok(found) => judge_mode(&shown, &found),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok("data", format!("{shown} will be made"))
        }
        Err(error) => Finding::fail("data", format!("{shown}: {error}")).mend(format!("ls -ld {shown}")),
    }
}

#[cfg(unix)]
fn judge_mode(shown: &str, found: &std::fs::Metadata) -> Finding {
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        return Finding::ok("data", shown);
    }
    Finding::warn("data", format!("{shown} is open to other users ({mode:o})"))
        .mend(format!("chmod 700 '{shown}'"))
}

#[cfg(not(unix))]
fn judge_mode(shown: &str, _: &std::fs::Metadata) -> Finding {
    Finding::ok("data", shown)
}

/// Whether the disk of the data folder has room (O15).
pub fn disk(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(there) {
        Ok(disk) => judge_disk(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize, there),
        Err(error) => Finding::warn("disk", format!("{}: {error}", there.display())),
    }
}

fn judge_disk(free: u64, size: u64, folder: &Path) -> Finding {
    let needed = if size < SMALL_DISK_BYTES { size / MIN_FREE_SHARE } else { MIN_FREE_BYTES };
    let said = format!("{} MiB free, {} MiB are needed", free >> 20, needed >> 20);
    if free >= needed {
        return Finding::ok("disk", said);
    }
    Finding::fail("disk", said).mend(format!("du -xh --max-depth=2 '{}' | sort -h | tail", folder.display()))
}

/// Whether every server of a shared store reaches artifacts and logs (O16); nothing where they lie in the data folder of the only
/// one.
pub fn bytes(settings: &Settings) -> Option<Finding> {
    match (&settings.shared.blobs, &settings.store) {
        (Some(place), _) => Some(Finding::ok("bytes", place)),
        (None, Store::Embedded) => None,
        (None, Store::Shared(_)) => {
            let said =
                "artifacts and logs lie in the data folder, where other servers of the store do not see them";
            Some(Finding::warn("bytes", said).mend("export TILTYARD_SHARED_BLOBS=s3://bucket/prefix"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    // O16: what must be shared is said before a second server starts.
    #[test]
    fn o16_bytes_that_only_one_server_sees_are_told_of() {
        let mut settings = Settings::default();
        assert!(bytes(&settings).is_none());
        settings.store = Store::Shared("postgres://h/d".to_owned().into());
        let told = bytes(&settings).expect("is told");
        assert!(told.verdict == Verdict::Warn && told.mend.is_some_and(|mend| mend.contains("SHARED_BLOBS")));
        settings.shared.blobs = Some("file:/mnt/x".to_owned());
        assert_eq!(bytes(&settings).expect("is told").verdict, Verdict::Ok);
    }

    // O23: doctor checks git, disk, clock.
    #[test]
    fn o23_a_clock_before_the_build_is_wrong() {
        assert_eq!(judge_clock(1_000, Some(2_000)).verdict, Verdict::Fail);
        assert_eq!(judge_clock(2_000, Some(1_000)).verdict, Verdict::Ok);
        assert_eq!(judge_clock(2_000, None).verdict, Verdict::Ok);
    }

    #[test]
    fn o23_o15_a_disk_needs_room() {
        let at = |free: u64, size: u64| judge_disk(free, size, Path::new("/")).verdict;
        assert_eq!(at(600 << 20, 100 << 30), Verdict::Ok);
        assert_eq!(at(500 << 20, 100 << 30), Verdict::Fail);
        assert_eq!(at(60 << 20, 1 << 30), Verdict::Ok, "5 % of a small one");
        assert_eq!(at(40 << 20, 1 << 30), Verdict::Fail);
    }

    #[cfg(unix)]
    #[test]
    fn sec16_a_data_folder_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let set = |mode| {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).expect("sets");
        };
        set(0o755);
        assert_eq!(data_folder(folder.path()).verdict, Verdict::Warn);
        set(0o700);
        assert_eq!(data_folder(folder.path()).verdict, Verdict::Ok);
        assert!(data_folder(&folder.path().join("none")).said.ends_with("will be made"));
    }
}
