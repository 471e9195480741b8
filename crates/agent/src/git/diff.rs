//! The diff of a change, the very bytes that an approval binds (D24): `git diff --full-index --binary` against the
//! merge base; and the list of its files that the risk rules weigh.
//!
//! Attributes are those of the merge base ("judged by the rules of its base"), so a change cannot hide its own
//! lines behind a `.gitattributes` that it brings along. For the file list they do not count at all.

use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::command::{GitError, Refused, RefusedCode};
use super::name::Oid;
use super::private::Private;

/// The largest diff of a change, in bytes.
pub const MAX_DIFF_BYTES: u64 = 64 * 1024 * 1024;
/// The most files that a change may touch.
pub const MAX_CHANGED_FILES: usize = 10_000;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its content or mode is another.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps another content.
    Renamed,
    /// It is a copy of another file.
    Copied,
    /// A file became a link, or the like.
    TypeChanged,
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Its name; bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// Its earlier name, when it was renamed or copied.
    pub old_path: Option<String>,
    /// What happened to it.
    pub status: FileStatus,
    /// Lines added; `None` for a binary file.
    pub added: Option<u64>,
    /// Lines deleted; `None` for a binary file.
    pub deleted: Option<u64>,
    /// The mode before, six octal digits as git writes it; `000000` when it did not exist.
    pub old_mode: String,
    /// The mode now: `100755` can be executed, `120000` is a link, `160000` a submodule.
    pub new_mode: String,
}

/// A diff on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its bytes, 64 lower-case hex digits.
    pub sha256: String,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// What lies between two commits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span<'a> {
    pub(crate) merge_base: &'a Oid,
    pub(crate) head: &'a Oid,
}

const PLAIN: &[&str] = &["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short"];

impl Span<'_> {
    /// Writes the diff to a file. Refused: larger than [`MAX_DIFF_BYTES`].
    pub(crate) async fn write(&self, repo: &Private, to: &Path) -> Result<Stored, GitError> {
        const WHAT: &str = "write the diff";
        let mut file = std::fs::File::create(to).map_err(GitError::io(WHAT))?;
        let (sha256, bytes) = self.read(repo, &mut |part| file.write_all(part)).await?;
        file.sync_all().map_err(GitError::io(WHAT))?;
        Ok(Stored { path: to.to_owned(), sha256, bytes })
    }

    /// The digest alone.
    pub(crate) async fn digest(&self, repo: &Private) -> Result<String, GitError> {
        self.read(repo, &mut |_| Ok(())).await.map(|(sha256, _)| sha256)
    }

    async fn read(
        &self,
        repo: &Private,
        take: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> Result<(String, u64), GitError> {
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        let call = repo.call("write the diff").attributes_of(self.merge_base.as_str()).limit(MAX_DIFF_BYTES);
        let call = call.args(PLAIN).args(["--full-index", "--binary", "--end-of-options"]).args(self.ends());
        let mut counted = |part: &[u8]| {
            digest.update(part);
            bytes += part.len() as u64;
            take(part)
        };
        call.stream(&mut counted).await.map_err(too_large)?;
        Ok((hex(&digest.finalize()), bytes))
    }

    /// The files. Refused: more than [`MAX_CHANGED_FILES`].
    pub(crate) async fn files(&self, repo: &Private) -> Result<Vec<FileChange>, GitError> {
        const WHAT: &str = "list the changed files";
        let call = repo.call(WHAT).attributes_of(self.head.empty_tree()).args(PLAIN);
        let call =
            call.args(["--raw", "--numstat", "-z", "--no-abbrev", "--end-of-options"]).args(self.ends());
        let answer = call.run().await.map_err(|error| match error {
            GitError::TooMuch { .. } => large("a list of files of more than 8 MiB").into(),
            other => other,
        })?;
        let files = parse(&answer.stdout).ok_or_else(|| GitError::unexpected(WHAT, &answer.text()))?;
        if files.len() > MAX_CHANGED_FILES {
            return Err(large("more than 10,000 files").into());
        }
        Ok(files)
    }

    /// The two ends as arguments.
    pub(crate) fn ends(&self) -> [&str; 2] {
        [self.merge_base.as_str(), self.head.as_str()]
    }
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

/// How much of a file is read at once for its digest, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// SHA-256 of a file's bytes, as hex.
pub(crate) fn sha256_of_file(path: &Path) -> std::io::Result<(String, u64)> {
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut file = std::io::BufReader::with_capacity(READ_BYTES, std::fs::File::open(path)?);
    loop {
        let part = file.fill_buf()?;
        if part.is_empty() {
            return Ok((hex(&digest.finalize()), bytes));
        }
        digest.update(part);
        let length = part.len();
        bytes += length as u64;
        file.consume(length);
    }
}

fn too_large(error: GitError) -> GitError {
    match error {
        GitError::TooMuch { limit, .. } => large(&format!("a diff of more than {limit} bytes")).into(),
        other => other,
    }
}

fn large(what: &str) -> Refused {
    let reason =
        format!("the change is too large to review ({what}); split it, or keep generated files out of it");
    Refused::new(RefusedCode::TooLarge, reason)
}

/// `--raw -z` entries, then `--numstat -z` entries, in the same order.
fn parse(answer: &[u8]) -> Option<Vec<FileChange>> {
    let mut parts = answer.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part)).peekable();
    let mut files = Vec::new();
    while let Some(entry) = parts.next_if(|part| part.starts_with(':')) {
        let mut words = entry[1..].split(' ');
        let (old_mode, new_mode) = (words.next()?.to_owned(), words.next()?.to_owned());
        let status = status(words.nth(2)?)?;
        let first = parts.next()?.into_owned();
        let two_names = matches!(status, FileStatus::Renamed | FileStatus::Copied);
        let (old_path, path) =
            if two_names { (Some(first), parts.next()?.into_owned()) } else { (None, first) };
        files.push(FileChange { path, old_path, status, added: None, deleted: None, old_mode, new_mode });
    }
    for file in &mut files {
        let entry = parts.next()?;
        let mut columns = entry.splitn(3, '\t');
        (file.added, file.deleted) = (columns.next()?.parse().ok(), columns.next()?.parse().ok());
        if columns.next()?.is_empty() {
            parts.nth(1)?;
        }
    }
    Some(files)
}

fn status(word: &str) -> Option<FileStatus> {
    Some(match word.as_bytes().first()? {
        b'A' => FileStatus::Added,
        b'M' => FileStatus::Modified,
        b'D' => FileStatus::Deleted,
        b'R' => FileStatus::Renamed,
        b'C' => FileStatus::Copied,
        b'T' => FileStatus::TypeChanged,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c22_the_file_list_reads_renames_binaries_and_odd_names() {
        let zero = "0".repeat(40);
        let raw = format!(
            ":100644 100755 {zero} {zero} M\0a\nb\0:100644 100644 {zero} {zero} R100\0old\0new\0:000000 120000 {zero} {zero} A\0-x\0"
        );
        let answer = [raw.as_str(), "1\t2\ta\nb\0", "0\t0\t\0old\0new\0", "-\t-\t-x\0"].concat();
        let files = parse(answer.as_bytes()).unwrap();
        assert_eq!(files.len(), 3);
        assert_eq!(
            (files[0].path.as_str(), files[0].added, files[0].new_mode.as_str()),
            ("a\nb", Some(1), "100755")
        );
        assert_eq!((files[1].path.as_str(), files[1].old_path.as_deref()), ("new", Some("old")));
        assert_eq!(
            (files[2].path.as_str(), files[2].added, files[2].status),
            ("-x", None, FileStatus::Added)
        );
        assert_eq!(parse(b""), Some(Vec::new()));
        assert_eq!(parse(b":100644 garbage"), None);
    }
}
