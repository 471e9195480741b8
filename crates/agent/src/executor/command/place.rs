//! Places inside of an attempt's folder: named by a payload, and looked at by the agent while the program may have left
//! links there. None is followed: the program has no say in what the agent reads and writes (SEC16).

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tiltyard_wire::model::pipeline::MAX_PATH_BYTES;

/// Rights of folders and files that are made for a program: its own.
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// How folders are opened on the way: links are not followed.
const WAY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A path that stays inside of the folder it is looked for in: relative, without `.` and `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inside(String);

/// It does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotInside;

impl Inside {
    /// Reads a path.
    ///
    /// # Errors
    /// [`NotInside`].
    pub fn read(path: &str) -> Result<Self, NotInside> {
        let plain = !path.is_empty() && path.len() <= MAX_PATH_BYTES && !path.chars().any(char::is_control);
        let inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (plain && inside).then(|| Self(path.to_owned())).ok_or(NotInside)
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part of it.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Where it is in `folder`, for people and programs; the agent itself opens it by [`Inside::open`].
    pub fn below(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// Opens the file to read it; `None` when there is none.
    ///
    /// # Errors
    /// When it is no plain file, a link is on the way, or it cannot be read.
    pub fn open(&self, folder: &Path) -> io::Result<Option<File>> {
        // Without waiting: a named pipe must not hold the agent up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = self.folder(folder, |_, _| Ok(())).and_then(|(folder, name)| {
            rustix::fs::openat(&folder, name, flags, Mode::empty()).map(File::from)
        });
        let file = match opened {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(told(error)),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
        }
        Ok(Some(file))
    }

    /// Makes the file, and the folders on the way to it.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    pub fn create(&self, folder: &Path) -> io::Result<File> {
        let make = |folder: &OwnedFd, name: &str| match rustix::fs::mkdirat(folder, name, FOLDER_MODE) {
            Err(Errno::EXIST) => Ok(()),
            made => made,
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (folder, name) = self.folder(folder, make).map_err(told)?;
        rustix::fs::openat(&folder, name, flags, FILE_MODE).map(File::from).map_err(told)
    }

    /// The folder that it lies in, and its name there; `before` is asked before each folder on the way is entered.
    fn folder(
        &self,
        folder: &Path,
        before: impl Fn(&OwnedFd, &str) -> rustix::io::Result<()>,
    ) -> rustix::io::Result<(OwnedFd, &str)> {
        let mut at = rustix::fs::open(folder, WAY, Mode::empty())?;
        let (way, name) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        for part in way.split('/').filter(|part| !part.is_empty()) {
            before(&at, part)?;
            at = rustix::fs::openat(&at, part, WAY, Mode::empty())?;
        }
        Ok((at, name))
    }
}

fn told(error: Errno) -> io::Error {
    let text = match error {
        Errno::LOOP => "it is a link, and links are not followed",
        Errno::NOTDIR => "a part of the way is a link or no folder, and links are not followed",
        Errno::EXIST => "it is there already",
        Errno::ISDIR => "it is a folder",
        error => return error.into(),
    };
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;

    fn inside(path: &str) -> Inside {
        Inside::read(path).expect("is inside")
    }

    // SEC16: a name cannot leave its folder.
    #[test]
    fn sec16_only_paths_inside_are_read() {
        for bad in ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a\0", "a\nb"] {
            assert_eq!(Inside::read(bad), Err(NotInside), "{bad:?}");
        }
        assert_eq!(Inside::read(&"a".repeat(MAX_PATH_BYTES + 1)), Err(NotInside));
        assert_eq!(inside("notes/..draft .md").file_name(), "..draft .md");
    }

    #[test]
    fn d21_a_file_is_made_with_its_folders_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        inside("a/b/c").create(folder.path()).expect("makes it").write_all(b"here").expect("writes");
        inside("a/b/d").create(folder.path()).expect("makes another beside it");
        let mut text = String::new();
        let mut file = inside("a/b/c").open(folder.path()).expect("opens").expect("is there");
        file.read_to_string(&mut text).expect("reads");
        assert_eq!(text, "here");
        assert!(inside("a/x").open(folder.path()).expect("looks").is_none());
        let twice = inside("a/b/c").create(folder.path()).expect_err("is there");
        assert!(twice.to_string().contains("there already"), "{twice}");
        assert!(inside("a/b/c/d").create(folder.path()).is_err(), "a file is no folder");
    }

    // SEC16: links that a program left are not followed, wherever they are on the way.
    #[test]
    fn sec16_links_are_not_followed() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("another"));
        std::fs::write(other.path().join("secret"), "x").expect("writes");
        symlink(other.path(), folder.path().join("way")).expect("links");
        symlink(other.path().join("secret"), folder.path().join("file")).expect("links");
        symlink("nowhere", folder.path().join("dangling")).expect("links");
        for path in ["way/secret", "file", "dangling"] {
            let error = inside(path).open(folder.path()).expect_err(path);
            assert!(error.to_string().contains("links are not followed"), "{path}: {error}");
        }
        assert!(
            inside("way/new").create(folder.path()).is_err()
                && inside("dangling").create(folder.path()).is_err()
        );
        assert!(!other.path().join("new").exists());
        assert!(inside("sub").open(folder.path()).expect("looks").is_none());
        std::fs::create_dir(folder.path().join("sub")).expect("makes it");
        assert!(
            inside("sub").open(folder.path()).expect_err("is a folder").to_string().contains("no plain file")
        );
    }
}
