//! The paths that a landing touches: what of the owner's would be in its way, and how a move that failed half-way is
//! taken back.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::super::command::GitError;
use super::super::name::Oid;
use super::super::private::Private;
use super::MAX_DIRTY_NAMED;

/// The paths that differ between two commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Footprint {
    new: Vec<Vec<u8>>,
    gone: BTreeSet<Vec<u8>>,
    changed: Vec<Vec<u8>>,
}

impl Footprint {
    /// Of the move from one commit to another, both in `repo`.
    pub(crate) async fn of(repo: &Private, from: &Oid, to: &Oid) -> Result<Self, GitError> {
        let args = ["diff-tree", "-r", "-z", "--name-status", "--no-renames", from.as_str(), to.as_str()];
        let answer = repo.call("list what the change touches").args(args).run().await?;
        let mut footprint = Self::default();
        let mut parts = answer.parts();
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            let path = path.to_vec();
            match status {
                b"A" => footprint.new.push(path),
                b"D" => drop(footprint.gone.insert(path)),
                _ => footprint.changed.push(path),
            }
        }
        Ok(footprint)
    }

    /// Files of the owner, ignored ones too, at the places of new files. Git asks for the owner's leave only where a
    /// file is not ignored; ours to overwrite is neither. The work tree is known to hold the first commit.
    pub(super) fn in_the_way(&self, tree: &Path) -> Vec<String> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        for path in &self.new {
            found.extend(self.blocked(tree, path));
            if found.len() >= MAX_DIRTY_NAMED {
                break;
            }
        }
        found.sort();
        found.dedup();
        found.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    /// What is in the way of one new file: a file where it needs a folder, or something at its very place.
    fn blocked(&self, tree: &Path, path: &[u8]) -> Option<Vec<u8>> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let (part, last) = (&path[..end], end == path.len());
            let Ok(meta) = fs::symlink_metadata(place(tree, part)) else { return None };
            match (meta.is_dir(), last) {
                (true, false) => {}
                (true, true) => return self.unknown_below(tree, part),
                (false, _) => return (!self.gone.contains(part)).then(|| part.to_vec()),
            }
        }
        None
    }

    /// The first file in a folder that does not go with the change.
    fn unknown_below(&self, tree: &Path, folder: &[u8]) -> Option<Vec<u8>> {
        let entries = fs::read_dir(place(tree, folder)).ok()?;
        entries.flatten().find_map(|entry| {
            let path = [folder, b"/", entry.file_name().as_bytes()].concat();
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => self.unknown_below(tree, &path),
                false => (!self.gone.contains(&path)).then_some(path),
            }
        })
    }

    /// Removes new files, which were not there before, with folders that are empty then.
    pub(super) fn remove_new(&self, tree: &Path) {
        for path in &self.new {
            let file = place(tree, path);
            // Most were never made; one that cannot be removed shows when the checkout is looked at afterwards.
            let _ = fs::remove_file(&file);
            let folders = file.ancestors().skip(1).take_while(|folder| *folder != tree);
            for folder in folders {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
    }

    /// The files that the first commit has otherwise, as git reads a list.
    pub(super) fn of_the_first(&self) -> Vec<u8> {
        self.gone.iter().chain(&self.changed).flat_map(|path| [path, &b"\0"[..]].concat()).collect()
    }
}

fn place(tree: &Path, path: &[u8]) -> PathBuf {
    tree.join(OsStr::from_bytes(path))
}
