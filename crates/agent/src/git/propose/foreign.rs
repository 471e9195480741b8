//! A clone's `.git` after its program ran. No git of ours reads it: git parses and quotes whatever links there lead
//! to (`packed-refs`, `shallow`, `info/grafts`), and follows settings and borrowed objects. So it is read here, step
//! by step from open folders, never through a link: where HEAD is, and the files of its objects, which are linked
//! into a folder of ours and examined there.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, linkat, mkdirat, openat, statat};
use rustix::io::Errno;

use super::super::command::{GitError, Refused, RefusedCode};
use super::super::name::{Branch, Oid};

/// The largest file that names one commit, in bytes.
const MAX_HEAD_BYTES: u64 = 4 * 1024;
/// The largest list of packed references, in bytes.
const MAX_PACKED_BYTES: u64 = 16 * 1024 * 1024;
/// How many references may lead to one another.
const MAX_HOPS: usize = 5;
/// The most files of objects that are taken.
const MAX_OBJECT_FILES: usize = 1_000_000;

const WHAT: &str = "read the clone";

/// An open `.git`.
pub(super) struct Foreign(OwnedFd);

/// Why something was not read.
enum Miss {
    /// There is no such file.
    Absent,
    /// It is no plain file or folder, or not readable.
    Odd,
}

impl Foreign {
    /// Opens it. Refused: it is not the folder that we made.
    pub(super) fn open(tree: &Path) -> Result<Self, Refused> {
        let tree = folder(CWD, tree).map_err(|_| not_genuine("the clone's folder"))?;
        Ok(Self(folder(tree, ".git").map_err(|_| not_genuine("`.git`"))?))
    }

    /// The commit that HEAD names. Refused: it names none, or is not the plain file that it was.
    pub(super) fn head(&self) -> Result<Oid, Refused> {
        let text = self.text(&["HEAD"], MAX_HEAD_BYTES).map_err(|_| not_genuine("`.git/HEAD`"))?;
        self.followed(&text).ok_or_else(|| {
            let reason =
                "the clone's HEAD names no commit that can be read; check a branch with a commit out in it";
            Refused::new(RefusedCode::NotGenuine, reason)
        })
    }

    /// The commit that is being merged in, when one is.
    pub(super) fn merge_head(&self) -> Option<Oid> {
        let text = self.text(&["MERGE_HEAD"], MAX_HEAD_BYTES).ok()?;
        Oid::try_from(text.trim()).ok()
    }

    /// An id, or a branch that has one.
    fn followed(&self, text: &str) -> Option<Oid> {
        let mut text = text.to_owned();
        for _ in 0..MAX_HOPS {
            let name = match text.trim().strip_prefix("ref: ") {
                Some(name) => name,
                None => return Oid::try_from(text.trim()).ok(),
            };
            // The branch's rules leave no way out of the folder.
            let branch = Branch::try_from(name.strip_prefix("refs/heads/")?).ok()?;
            let path: Vec<&str> = ["refs", "heads"].into_iter().chain(branch.as_str().split('/')).collect();
            text = match self.text(&path, MAX_HEAD_BYTES) {
                Ok(text) => text,
                Err(Miss::Absent) => return self.packed(&branch.reference()),
                Err(Miss::Odd) => return None,
            };
        }
        None
    }

    fn packed(&self, reference: &str) -> Option<Oid> {
        let text = self.text(&["packed-refs"], MAX_PACKED_BYTES).ok()?;
        let ids = text.lines().filter_map(|line| line.split_once(' ')).filter(|(_, name)| *name == reference);
        ids.filter_map(|(id, _)| Oid::try_from(id).ok()).next()
    }

    /// A plain file, as text; no part of its path is a link.
    fn text(&self, path: &[&str], limit: u64) -> Result<String, Miss> {
        let (name, folders) = path.split_last().ok_or(Miss::Absent)?;
        let mut at = self.0.try_clone().map_err(|_| Miss::Odd)?;
        for part in folders {
            at = folder(at, *part).map_err(miss)?;
        }
        let mut text = String::new();
        let file = plain(at, name).map_err(miss)?;
        file.take(limit + 1).read_to_string(&mut text).map_err(|_| Miss::Odd)?;
        if text.len() as u64 > limit { Err(Miss::Odd) } else { Ok(text) }
    }

    /// Puts the clone's objects, loose and packed, into the `objects` folder of a repository of ours. Refused: one of
    /// them is a link or the like.
    pub(super) fn lend_objects(&self, to: &Path) -> Result<(), GitError> {
        let objects = folder(&self.0, "objects").map_err(|_| not_genuine("`.git/objects`"))?;
        let to = folder(CWD, to).map_err(io)?;
        let mut room = MAX_OBJECT_FILES;
        for name in names(&objects)? {
            let wanted: fn(&str) -> bool = match name.as_str() {
                "pack" => is_pack,
                name if name.len() == 2 && is_hex(name) => is_object,
                // Nothing else is an object: graphs and indices over all packs could tell lies, `info` borrows.
                _ => continue,
            };
            let from = folder(&objects, &name).map_err(|_| not_genuine(&format!("`.git/objects/{name}`")))?;
            match mkdirat(&to, &name, Mode::from_raw_mode(0o700)) {
                Err(error) if error != Errno::EXIST => return Err(io(error)),
                _ => {}
            }
            let into = folder(&to, &name).map_err(io)?;
            for file in names(&from)?.iter().filter(|file| wanted(file)) {
                room = room.checked_sub(1).ok_or_else(too_many)?;
                lend(&from, &into, file)?;
            }
        }
        Ok(())
    }
}

/// A link of ours to the same file; a copy where the file system or the kernel gives none.
fn lend(from: &OwnedFd, into: &OwnedFd, name: &str) -> Result<(), GitError> {
    let odd = || GitError::from(not_genuine(&format!("the object file `{name}`")));
    match linkat(from, name, into, name, AtFlags::empty()) {
        Ok(()) => {
            let stat = statat(into, name, AtFlags::SYMLINK_NOFOLLOW).map_err(io)?;
            if FileType::from_raw_mode(stat.st_mode).is_file() { Ok(()) } else { Err(odd()) }
        }
        // A branch of the same objects may be there twice; the second says the same.
        Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOENT) => Err(odd()),
        Err(_) => {
            let mut source = plain(from, name).map_err(|_| odd())?;
            let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let copy = openat(into, name, create, Mode::from_raw_mode(0o400)).map_err(io)?;
            std::io::copy(&mut source, &mut File::from(copy)).map(drop).map_err(GitError::io(WHAT))
        }
    }
}

fn folder(at: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, how, Mode::empty())
}

/// Without waiting, should it be a pipe.
fn plain(at: impl AsFd, name: &str) -> Result<File, Errno> {
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(at, name, how, Mode::empty())?;
    let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
    if kind.is_file() { Ok(File::from(file)) } else { Err(Errno::INVAL) }
}

/// The names in a folder that are text; no object has another.
fn names(folder: &OwnedFd) -> Result<Vec<String>, GitError> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if names.len() > MAX_OBJECT_FILES {
            return Err(too_many());
        }
        names.extend(entry.file_name().to_str().ok().map(str::to_owned));
    }
    Ok(names)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_object(name: &str) -> bool {
    matches!(name.len(), 38 | 62) && is_hex(name)
}

fn is_pack(name: &str) -> bool {
    let stem = name.strip_suffix(".pack").or_else(|| name.strip_suffix(".idx"));
    stem.and_then(|stem| stem.strip_prefix("pack-")).is_some_and(is_hex)
}

fn miss(error: Errno) -> Miss {
    if error == Errno::NOENT { Miss::Absent } else { Miss::Odd }
}

fn io(error: Errno) -> GitError {
    GitError::Io { what: WHAT, source: error.into() }
}

fn too_many() -> GitError {
    let reason = "the clone's repository has more than 1,000,000 files of objects; pack them (`git gc`)";
    Refused::new(RefusedCode::TooLarge, reason).into()
}

/// It is no longer what we made.
pub(super) fn not_genuine(part: &str) -> Refused {
    let reason =
        format!("{part} is not as it was made; the attempt's clone must stay a repository of its own");
    Refused::new(RefusedCode::NotGenuine, reason)
}
