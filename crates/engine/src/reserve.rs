//! Space kept back for settling (E2): a file of zeroes in the data folder that is given up when the disk is full, so
//! that what runs can be settled; and the watch over free space that turns new work away before that (O15).

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Size of the reserve.
pub const RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// Below so much free space new work is refused.
pub const LOW_BYTES: u64 = 512 * 1024 * 1024;
/// On file systems smaller than this, a twentieth of it counts instead.
const SMALL_DISK_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// Zeroes written at a time.
static BLOCK: [u8; 64 * 1024] = [0; 64 * 1024];

/// The reserve of a data folder.
#[derive(Debug, Clone)]
pub struct Reserve {
    path: PathBuf,
    folder: PathBuf,
}

/// The space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for this user, in bytes.
    pub free: u64,
    /// In all, in bytes.
    pub total: u64,
}

impl Space {
    /// Whether new work is to be refused.
    pub fn is_low(self) -> bool {
        let limit = if self.total < SMALL_DISK_BYTES { self.total / 20 } else { LOW_BYTES };
        self.free < limit
    }
}

impl Reserve {
    /// The reserve of `folder`; nothing is written yet.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("reserve"), folder: folder.to_owned() }
    }

    /// Fills the reserve up; does nothing when it is full.
    ///
    /// # Errors
    /// When the disk has no room for it; what was written is given back.
    pub fn fill(&self) -> io::Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|found| found.len() >= RESERVE_BYTES) {
            return Ok(());
        }
        self.write().inspect_err(|_| self.give_up())
    }

    fn write(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        for _ in 0..RESERVE_BYTES / BLOCK.len() as u64 {
            file.write_all(&BLOCK)?;
        }
        file.sync_all()
    }

    /// Gives the reserve up.
    pub fn give_up(&self) {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::warn!(target: "store", "the disk is full: the space kept for settling is given up");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(target: "store", "the space kept for settling cannot be given up: {error}");
            }
        }
    }

    /// The space of the data folder's file system.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn space(&self) -> io::Result<Space> {
        let found = rustix::fs::statvfs(&self.folder)?;
        Ok(Space { free: found.f_bavail * found.f_frsize, total: found.f_blocks * found.f_frsize })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // E2: the reserve is really on disk, and comes back after it was given up.
    #[test]
    fn e2_the_reserve_is_written_and_given_up() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let reserve = Reserve::of(folder.path());
        let size = || std::fs::metadata(folder.path().join("reserve")).map_or(0, |found| found.len());
        for _ in 0..2 {
            reserve.fill().expect("there is room");
            assert_eq!(size(), RESERVE_BYTES);
            reserve.give_up();
            assert_eq!(size(), 0);
        }
        reserve.give_up();
    }

    // O15: 512 MiB, or a twentieth of a small disk.
    #[test]
    fn o15_low_is_relative_on_small_disks() {
        let gib = 1024 * 1024 * 1024;
        assert!(Space { free: LOW_BYTES - 1, total: 100 * gib }.is_low());
        assert!(!Space { free: LOW_BYTES, total: 100 * gib }.is_low());
        assert!(!Space { free: gib / 10, total: gib }.is_low());
        assert!(Space { free: gib / 21, total: gib }.is_low());
    }
}
