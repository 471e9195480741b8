//! Files that are whole or not there: written aside, synced, then moved into place.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Its owner only: 0600.
    Private,
    /// Everybody: 0644.
    Public,
}

/// Writes a file so that a reader sees the old content or the new one, never a part. Its folder is made if
/// missing (0700).
///
/// # Errors
/// When the folder or the file cannot be written; the old content stays.
pub fn write_whole(path: &Path, content: &[u8], privacy: Privacy) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let aside = beside(path);
    let written = write_aside(&aside, content, privacy).and_then(|()| std::fs::rename(&aside, path));
    if let Err(error) = written {
        // The half-written file is of no use; that it cannot go either adds nothing.
        drop(std::fs::remove_file(&aside));
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Makes a folder and what is missing above it, for its owner only. One that is there stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}

fn write_aside(aside: &Path, content: &[u8], privacy: Privacy) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        let mode = if privacy == Privacy::Private { 0o600 } else { 0o644 };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    let mut file = options.open(aside)?;
    file.write_all(content)?;
    file.sync_all()
}
