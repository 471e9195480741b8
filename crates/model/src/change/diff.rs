//! Reads a unified diff as git writes it (`git diff`, with or without `--binary`) into its files. The text comes
//! from outside: lengths are bounded, hunks are read by their counts so that no content can pass for a header,
//! and what contradicts itself is refused instead of guessed.

mod header;
mod name;

use header::Draft;
use serde::{Deserialize, Serialize};

/// Largest diff that is read, in bytes.
pub const MAX_DIFF_BYTES: usize = 64 * 1024 * 1024;
/// Most files of a diff.
pub const MAX_DIFF_FILES: usize = 20_000;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is new.
    Added,
    /// Its content changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path.
    Renamed,
    /// It is a copy of another.
    Copied,
    /// Only its mode changed.
    Mode,
}

impl Status {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
            Self::Copied => "copied",
            Self::Mode => "mode",
        }
    }
}

/// Whether the lines of a file can be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// They can.
    #[default]
    Text,
    /// They cannot.
    Binary,
}

/// What sort of thing a path is in git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A file.
    Plain,
    /// A file that may be executed.
    Executable,
    /// A symbolic link.
    Link,
    /// A commit of another repository.
    Submodule,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FileDiff {
    /// Its path, after the change; before it for a deleted one. Bytes that are no UTF-8 are shown as U+FFFD.
    pub path: String,
    /// Its path before, for a renamed or copied one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happened to it.
    pub status: Status,
    /// Lines that are new.
    #[serde(default)]
    pub added: u32,
    /// Lines that are gone.
    #[serde(default)]
    pub removed: u32,
    /// Whether its lines can be counted.
    #[serde(default)]
    pub content: Content,
    /// What it was, where the diff says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_mode: Option<Mode>,
    /// What it is, where the diff says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_mode: Option<Mode>,
}

impl FileDiff {
    /// New and gone lines together.
    pub const fn lines(&self) -> u32 {
        self.added.saturating_add(self.removed)
    }

    /// Its path, and the one it had before.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.path.as_str()).chain(self.from.as_deref())
    }
}

/// Why a text is no diff that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the diff: {error}")]
pub struct BadDiff {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub error: String,
}

/// Reads a diff into its files, in its order. Text before the first file (a commit message) is passed over.
///
/// # Errors
/// [`BadDiff`] for what is too large, cut off, combined, or contradicts itself.
pub fn parse(diff: &[u8]) -> Result<Vec<FileDiff>, BadDiff> {
    if diff.len() > MAX_DIFF_BYTES {
        return Err(BadDiff { line: 1, error: format!("it has more than {MAX_DIFF_BYTES} bytes") });
    }
    let mut lines = Lines { rest: diff, number: 0 };
    let mut files = Vec::new();
    let mut draft: Option<Draft> = None;
    while let Some(line) = lines.next() {
        let begins = Draft::begin(line, &lines, draft.as_ref()).map_err(|error| lines.bad(error))?;
        if let Some(next) = begins {
            finish(draft.replace(next), &mut files, &lines)?;
        } else if line == b"-- " {
            // The signature of a mail: what follows is text until the next file.
            finish(draft.take(), &mut files, &lines)?;
        } else if let Some(open) = &mut draft {
            read(open, line, &mut lines)?;
        }
    }
    finish(draft, &mut files, &lines)?;
    Ok(files)
}

fn finish(draft: Option<Draft>, files: &mut Vec<FileDiff>, lines: &Lines<'_>) -> Result<(), BadDiff> {
    let Some(draft) = draft else { return Ok(()) };
    files.push(draft.finish().map_err(|error| lines.bad(error))?);
    if files.len() > MAX_DIFF_FILES {
        return Err(lines.bad(format!("it changes more than {MAX_DIFF_FILES} files")));
    }
    Ok(())
}

fn read(draft: &mut Draft, line: &[u8], lines: &mut Lines<'_>) -> Result<(), BadDiff> {
    if line.starts_with(b"@@ ") {
        return hunk(draft, line, lines);
    }
    if line == b"GIT binary patch" {
        draft.content = Content::Binary;
        lines.skip_binary();
        return Ok(());
    }
    draft.extended(line).map_err(|error| lines.bad(error))
}

/// Reads as many lines as the hunk's head announces.
fn hunk(draft: &mut Draft, head: &[u8], lines: &mut Lines<'_>) -> Result<(), BadDiff> {
    let (mut old, mut new) = counts(head).ok_or_else(|| lines.bad("the hunk's head cannot be read"))?;
    draft.hunks = true;
    while old > 0 || new > 0 {
        let line = lines.next().ok_or_else(|| lines.bad("it ends in the middle of a hunk"))?;
        let (gone, come) = match line.first() {
            Some(b'-') => (1, 0),
            Some(b'+') => (0, 1),
            Some(b'\\') => continue,
            // Mailers cut the blank of an empty line.
            Some(b' ') | None => (1, 1),
            Some(_) => return Err(lines.bad("a hunk's line begins with neither blank, + nor -")),
        };
        let left = (old.checked_sub(gone), new.checked_sub(come));
        let (Some(old_left), Some(new_left)) = left else {
            return Err(lines.bad("the hunk has other lines than its head says"));
        };
        (old, new) = (old_left, new_left);
        if gone != come {
            draft.removed = draft.removed.saturating_add(gone);
            draft.added = draft.added.saturating_add(come);
        }
    }
    if lines.peek().is_some_and(|line| line.starts_with(b"\\ ")) {
        lines.next();
    }
    Ok(())
}

/// The counts of `@@ -1,2 +3,4 @@`; a missing one is 1.
fn counts(head: &[u8]) -> Option<(u32, u32)> {
    let head = std::str::from_utf8(head).ok().or_else(|| {
        // What follows the second @@ is a line of the file and need not be UTF-8.
        let end = head.windows(3).position(|part| part == b" @@")?;
        std::str::from_utf8(&head[..end + 3]).ok()
    })?;
    let (ranges, _) = head.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    Some((count(old)?, count(new)?))
}

fn count(range: &str) -> Option<u32> {
    let (start, count) = range.split_once(',').unwrap_or((range, "1"));
    start.parse::<u32>().ok()?;
    count.parse().ok()
}

/// The lines of a diff, with their number.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn split(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.rest.is_empty() {
            return None;
        }
        match self.rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => Some((&self.rest[..end], &self.rest[end + 1..])),
            None => Some((self.rest, &[])),
        }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let (line, rest) = self.split()?;
        self.rest = rest;
        self.number += 1;
        Some(line)
    }

    fn peek(&self) -> Option<&'a [u8]> {
        self.split().map(|(line, _)| line)
    }

    /// Passes over the blocks of a binary patch: each ends with an empty line.
    fn skip_binary(&mut self) {
        let begins = |line: &[u8]| line.starts_with(b"literal ") || line.starts_with(b"delta ");
        while self.peek().is_some_and(begins) {
            while self.next().is_some_and(|line| !line.is_empty()) {}
        }
    }

    fn bad(&self, error: impl Into<String>) -> BadDiff {
        BadDiff { line: self.number, error: error.into() }
    }
}
