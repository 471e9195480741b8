//! A log file that cannot fill the disk: at 10 MB it is set aside, and five are kept in all.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Size at which the file is set aside, in bytes.
pub const MAX_FILE_BYTES: u64 = 10_000_000;
/// Files kept in all: the one being written and the ones set aside (`.1` is the newest).
pub const MAX_FILES: usize = 5;

/// An open log file.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
}

impl RotatingFile {
    /// Opens or makes the file (mode 0600), and goes on at its end.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Self::with_limit(path, MAX_FILE_BYTES)
    }

    fn with_limit(path: &Path, max_bytes: u64) -> std::io::Result<Self> {
        let file = append_to(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes, max_bytes })
    }

    /// Writes one line, to a fresh file if this one is full.
    ///
    /// # Errors
    /// When the file cannot be written or set aside.
    pub fn write_line(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> std::io::Result<()> {
        for number in (1..MAX_FILES - 1).rev() {
            let older = self.aside(number);
            if older.exists() {
                std::fs::rename(&older, self.aside(number + 1))?;
            }
        }
        std::fs::rename(&self.path, self.aside(1))?;
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    fn aside(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    // O20: optional rotating file, five kept.
    #[test]
    fn o20_the_file_is_set_aside_when_full_and_five_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("server.log");
        let mut file = RotatingFile::with_limit(&path, 10).expect("opens");
        for number in 0..9 {
            file.write_line(format!("line {number}\n").as_bytes()).expect("writes");
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("is there");
        assert_eq!((read("server.log"), read("server.log.1")), ("line 8\n".into(), "line 7\n".into()));
        assert_eq!(read("server.log.4"), "line 4\n");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), MAX_FILES);
    }

    #[test]
    fn o20_a_restart_goes_on_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("server.log");
        for _ in 0..2 {
            RotatingFile::open(&path).and_then(|mut file| file.write_line(b"x\n")).expect("writes");
        }
        assert_eq!(std::fs::read_to_string(&path).expect("is there"), "x\nx\n");
    }
}
