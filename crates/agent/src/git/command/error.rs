//! What can go wrong with git, in words.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The longest part of git's own words that goes into an error, in characters.
pub(super) const MAX_REASON_CHARS: usize = 600;

/// Why something was refused, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedCode {
    /// The path is not under a root that the agent's settings allow.
    OutsideRoots,
    /// Neither a path nor an address that git may be given.
    BadLocation,
    /// There is no repository there, or it cannot be read.
    Unreadable,
    /// The repository has no such branch.
    NoBranch,
    /// The repository's `.tiltyard.toml` cannot be read as text.
    RulesUnreadable,
    /// The git on this machine is too old.
    GitTooOld,
    /// The bundle or its head is not what was announced.
    BadBundle,
    /// The change shares no history with its base.
    Unrelated,
    /// The change changes nothing.
    Nothing,
    /// More files or bytes than a change may have.
    TooLarge,
    /// The clone is no longer the kind of folder that it was made as.
    NotGenuine,
    /// The work tree holds a repository of its own.
    NestedRepository,
    /// Conflict markers were left in a file.
    ConflictMarkers,
    /// The target, or a hook of it, said no.
    TargetRefused,
    /// The target's checkout is of a kind that we do not touch.
    UnsupportedCheckout,
    /// Somebody is in the middle of a merge or rebase there.
    Unfinished,
    /// The target does not hold what is said to be merged.
    NotProven,
    /// Another agent process uses the same folder.
    Busy,
}

/// A refusal: asking again changes nothing until a person does something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}")]
pub struct Refused {
    /// The stable word.
    pub code: RefusedCode,
    /// What happened, why, and what to do next.
    pub reason: String,
}

impl Refused {
    /// A refusal with its reason.
    pub fn new(code: RefusedCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// Any failure of the git work. [`GitError::Refused`] is final; the others may pass, so a retry makes sense.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no such program.
    #[error("git was not found as `{}`: install git 2.41 or newer where the agent's PATH leads", program.display())]
    Missing {
        /// What was looked for.
        program: PathBuf,
    },
    /// It was ended by us.
    #[error("could not {what}: git did not finish within {seconds} s (`agent.git_timeout_ms`) and was ended")]
    TimedOut {
        /// What it was for.
        what: &'static str,
        /// The time it had, in seconds.
        seconds: u64,
    },
    /// Its answer went over the limit.
    #[error("could not {what}: git's answer is larger than {limit} bytes")]
    TooMuch {
        /// What it was for.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It said no.
    #[error("could not {what}: {reason}")]
    Failed {
        /// What it was for.
        what: &'static str,
        /// Its exit code; -1 when a signal ended it.
        code: i32,
        /// Its own words, shortened, credentials masked.
        reason: String,
    },
    /// A file or a process of ours failed.
    #[error("could not {what}: {source}")]
    Io {
        /// What it was for.
        what: &'static str,
        /// The system's word for it.
        source: std::io::Error,
    },
    /// It answered something that we do not understand.
    #[error("could not {what}: git answered `{answer}`")]
    Unexpected {
        /// What it was for.
        what: &'static str,
        /// The answer, shortened.
        answer: String,
    },
    /// A check could not be run for a reason that is not its own.
    #[error("the check `{check}` could not be run: {why}")]
    Runner {
        /// The check.
        check: String,
        /// The runner's words.
        why: String,
    },
    /// The program that was run for us was cancelled.
    #[error("cancelled while running `{0}`")]
    Cancelled(String),
    /// Final: asking again changes nothing.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl GitError {
    /// Wraps an error of the file system or of a process.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// An answer that was not understood.
    pub(crate) fn unexpected(what: &'static str, answer: &str) -> Self {
        Self::Unexpected { what, answer: masked(answer).chars().take(MAX_REASON_CHARS).collect() }
    }

    /// The refusal, when it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }
}

/// What may be repeated of git's complaint about a folder that others write in. Git quotes what it cannot read, and
/// a link there makes it read files that are nobody's business (C6): so only what a hook says, and lines of a kind that
/// quotes nothing but names.
const QUOTABLE: &[&str] = &[
    "not a git repository",
    "does not appear to be a git repository",
    "find remote ref",
    "dubious ownership",
    "ermission denied",
    "No such file or directory",
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Input/output error",
    "Too many open files",
    "annot allocate memory",
    "Out of memory",
    "File exists",
    "File too large",
    "cannot lock ref",
    "failed to update ref",
    "Could not read from remote repository",
    "hung up",
    "early EOF",
    "unable to create",
    "unable to write file",
    "is not a valid object",
    "shallow roots are not allowed",
];

/// The words for what is not repeated.
const NOT_REPEATED: &str = "git cannot read the folder; its words are not repeated here, because they may quote files \
                            that are none of it: `git fsck` in there shows them";

/// Git's complaint about a folder that others write in, as one line.
pub(crate) fn careful_sentence(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let quotable = |line: &&str| {
        let line = line.trim_start();
        let by_a_hook = line.starts_with("remote:") || line.starts_with('!');
        by_a_hook || QUOTABLE.iter().any(|mark| line.contains(mark))
    };
    let kept: Vec<&str> = text.lines().filter(quotable).collect();
    if kept.is_empty() { NOT_REPEATED.to_owned() } else { sentence(kept.join("\n").as_bytes()) }
}

/// Git's complaint as one line: the lines that say something, without decoration, secrets or control characters.
pub(crate) fn sentence(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling = |line: &&&str| {
        ["fatal:", "error:", "remote:", "!"].iter().any(|mark| line.starts_with(mark))
            && line.len() > "remote:".len()
    };
    let mut chosen: Vec<&str> = lines.iter().filter(telling).copied().collect();
    // Then the reason is in the transport's words, before git's.
    let transport = |line: &&str| line.contains("Could not read from remote") || line.contains("hung up");
    if chosen.is_empty() || chosen.iter().all(transport) {
        chosen.clear();
        chosen.extend(lines.iter().rev().take(5).rev().copied());
    }
    let plain = chosen.iter().map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: "));
    let joined: String = plain.collect::<Vec<_>>().join("; ");
    let visible: String = joined.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let short: String = masked(&visible).chars().take(MAX_REASON_CHARS).collect();
    if short.is_empty() {
        "git gave no reason".to_owned()
    } else if short.contains(".lock': File exists") {
        format!("{short} When no git works there, one that was killed has left that file: remove it")
    } else {
        short
    }
}

/// A text without the secrets that are known by their shape: credentials in addresses, and tokens of ours.
pub(crate) fn masked(text: &str) -> String {
    crate::token::masked(&mask_credentials(text))
}

/// `https://user:secret@host` becomes `https://***@host`.
fn mask_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(sign) => {
                out.push_str("***");
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_gits_own_words_in_one_line() {
        let stderr = b"Cloning...\nfatal: repository '/x' does not exist\n\nhint: look\n";
        assert_eq!(sentence(stderr), "repository '/x' does not exist");
        assert_eq!(
            sentence(b"remote: policy says no\n! [remote rejected]\n"),
            "remote: policy says no; ! [remote rejected]"
        );
        assert_eq!(sentence(b""), "git gave no reason");
        assert!(!sentence(b"fatal: \x1b[31mred").contains('\x1b'));
        assert!(sentence(&[b'x'; 5000]).len() <= MAX_REASON_CHARS);
    }

    // C6: of a folder that others write in, only what quotes nothing is repeated.
    #[test]
    fn c6_what_git_quotes_of_a_foreign_folder_is_not_repeated() {
        let quoted = b"error: bad graft data: token = x\nfatal: unexpected line in .git/packed-refs: y\n";
        assert_eq!(careful_sentence(quoted), NOT_REPEATED);
        let mixed =
            b"error: bad shallow line: zzz\nremote: no merges on Fridays\nfatal: cannot lock ref 'a'\n";
        assert_eq!(careful_sentence(mixed), "remote: no merges on Fridays; cannot lock ref 'a'");
    }

    #[test]
    fn credentials_in_an_address_are_masked() {
        assert_eq!(
            mask_credentials("at 'https://me:pw@h/x' and ssh://git@h"),
            "at 'https://***@h/x' and ssh://***@h"
        );
        assert_eq!(mask_credentials("no address"), "no address");
    }
}
