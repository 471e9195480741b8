//! The head of one file in a diff: what git says about it before its hunks.

use super::name::{self, Name};
use super::{Content, FileDiff, Lines, Mode, Status};

/// A file of which the lines so far are read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The names of `diff --git`, where they can be told apart.
    names: Option<(Name, Name)>,
    /// The names of `---` and `+++`; the inner `None` is `/dev/null`.
    old: Option<Option<Name>>,
    new: Option<Option<Name>>,
    from: Option<String>,
    to: Option<String>,
    status: Option<Status>,
    old_mode: Option<Mode>,
    new_mode: Option<Mode>,
    pub(super) content: Content,
    pub(super) hunks: bool,
    pub(super) added: u32,
    pub(super) removed: u32,
}

impl Draft {
    /// The draft of a file that begins with this line, if one does.
    pub(super) fn begin(line: &[u8], lines: &Lines<'_>, open: Option<&Self>) -> Result<Option<Self>, String> {
        if let Some(rest) = line.strip_prefix(b"diff --git ") {
            return Ok(Some(Self { names: name::both(rest)?, ..Self::default() }));
        }
        if line.starts_with(b"diff --cc ") || line.starts_with(b"diff --combined ") {
            return Err("it is the combined diff of a merge; write the diff against one base".to_owned());
        }
        // A plain unified diff has no line of git's before its names.
        let pair = line.starts_with(b"--- ") && lines.peek().is_some_and(|next| next.starts_with(b"+++ "));
        if pair && open.is_none_or(|draft| draft.hunks) {
            return Ok(Some(Self { old: Some(name::side(&line[4..])?), ..Self::default() }));
        }
        Ok(None)
    }

    /// Reads a line between the first and the hunks.
    pub(super) fn extended(&mut self, line: &[u8]) -> Result<(), String> {
        if self.hunks && !line.is_empty() {
            return Err("text between two files".to_owned());
        }
        if line.is_empty() {
            return Ok(());
        }
        let (word, rest) = split(line);
        match word {
            "--- " => self.old = Some(name::side(rest)?),
            "+++ " => self.new = Some(name::side(rest)?),
            "old mode " => self.old_mode = mode(rest),
            "new mode " => self.new_mode = mode(rest),
            "new file mode " => {
                self.status = Some(Status::Added);
                self.new_mode = mode(rest);
            }
            "deleted file mode " => {
                self.status = Some(Status::Deleted);
                self.old_mode = mode(rest);
            }
            "rename from " | "copy from " => self.from = Some(name::bare(rest)?),
            "rename to " => {
                self.status = Some(Status::Renamed);
                self.to = Some(name::bare(rest)?);
            }
            "copy to " => {
                self.status = Some(Status::Copied);
                self.to = Some(name::bare(rest)?);
            }
            "index " => self.index(rest),
            "similarity index " | "dissimilarity index " => {}
            "Binary files " => self.content = Content::Binary,
            _ => return Err("is no line of a diff".to_owned()),
        }
        Ok(())
    }

    /// `index OLD..NEW MODE`: the mode stands there when it did not change.
    fn index(&mut self, rest: &[u8]) {
        if let Some(blank) = rest.iter().position(|byte| *byte == b' ') {
            let same = mode(&rest[blank + 1..]);
            self.old_mode = self.old_mode.or(same);
            self.new_mode = self.new_mode.or(same);
        }
    }

    /// The file, once all its lines are read.
    pub(super) fn finish(self) -> Result<FileDiff, String> {
        let status = self.status();
        let old = agreed([
            self.names.as_ref().map(|(old, _)| old.path.as_str()),
            self.old.as_ref().and_then(|name| name.as_ref()).map(|name| name.path.as_str()),
            self.from.as_deref(),
        ])?;
        let new = agreed([
            self.names.as_ref().map(|(_, new)| new.path.as_str()),
            self.new.as_ref().and_then(|name| name.as_ref()).map(|name| name.path.as_str()),
            self.to.as_deref(),
        ])?;
        let moved = matches!(status, Status::Renamed | Status::Copied);
        let path = if status == Status::Deleted { old.or(new) } else { new.or(old) };
        let path = path.ok_or("the file has no name")?.to_owned();
        if !moved && old.zip(new).is_some_and(|(old, new)| old != new) {
            return Err("a file has two names, but is neither renamed nor copied".to_owned());
        }
        if self.names.as_ref().is_some_and(|(old, new)| old.prefix == new.prefix) {
            return Err("a name lacks its prefix; write the diff with a/ and b/".to_owned());
        }
        Ok(FileDiff {
            path,
            from: if moved { old.map(str::to_owned) } else { None },
            status,
            added: self.added,
            removed: self.removed,
            content: self.content,
            old_mode: self.old_mode,
            new_mode: self.new_mode,
        })
    }

    fn status(&self) -> Status {
        let changed = self.hunks || self.content == Content::Binary;
        match self.status {
            Some(status) => status,
            None if self.old == Some(None) => Status::Added,
            None if self.new == Some(None) => Status::Deleted,
            None if !changed && self.old_mode != self.new_mode => Status::Mode,
            None => Status::Modified,
        }
    }
}

/// The one name that all places give which give one.
fn agreed(names: [Option<&str>; 3]) -> Result<Option<&str>, String> {
    let mut known = names.into_iter().flatten();
    let first = known.next();
    if known.any(|name| Some(name) != first) {
        return Err("the names of a file contradict each other".to_owned());
    }
    Ok(first)
}

fn mode(text: &[u8]) -> Option<Mode> {
    match text {
        b"100644" | b"100664" => Some(Mode::Plain),
        b"100755" => Some(Mode::Executable),
        b"120000" => Some(Mode::Link),
        b"160000" => Some(Mode::Submodule),
        _ => None,
    }
}

const WORDS: [&str; 14] = [
    "--- ",
    "+++ ",
    "old mode ",
    "new mode ",
    "new file mode ",
    "deleted file mode ",
    "rename from ",
    "rename to ",
    "copy from ",
    "copy to ",
    "index ",
    "similarity index ",
    "dissimilarity index ",
    "Binary files ",
];

/// A line's known beginning, and the rest; an empty beginning for any other line.
fn split(line: &[u8]) -> (&'static str, &[u8]) {
    let known = WORDS.into_iter().find(|word| line.starts_with(word.as_bytes()));
    known.map_or(("", line), |word| (word, &line[word.len()..]))
}
