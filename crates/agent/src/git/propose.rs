//! C11: from what a program left behind to a proposal. "Done" is checked, not believed.
//!
//! After its program ran, a clone is hostile: its configuration, hooks and `.git` may say anything. It is harvested
//! into a private git folder: no git reads its `.git`, its objects are examined one by one, files are read with an
//! index and a configuration of ours, and links are taken as links.

mod foreign;
mod harvest;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bundle;
use super::clone::WorkClone;
use super::command::{GitError, Refused, RefusedCode};
use super::diff::{FileChange, Span, Stored};
use super::identity::Signature;
use super::mirror::Mirror;
use super::name::{Branch, Oid};
use super::private::Private;
use super::secret::{self, Finding};
use harvest::Harvest;

/// The most commits that are listed.
pub const MAX_COMMITS_LISTED: usize = 100;
/// The longest message of a commit of ours, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// A proposal that is asked for.
#[derive(Debug)]
pub struct ProposeRequest<'a> {
    /// The repository's mirror.
    pub mirror: &'a Mirror,
    /// The clone, its program ended.
    pub clone: &'a WorkClone,
    /// The message for what the program left uncommitted; the first line is its subject.
    pub message: &'a str,
    /// Who commits it, and when.
    pub signature: &'a Signature,
}

/// A commit of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitLine {
    /// Its id.
    pub id: Oid,
    /// Its author's name.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}

/// What a program proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The target's head when the clone was made.
    pub base: Oid,
    /// Where it leaves the target's history; the diff is against this.
    pub merge_base: Oid,
    /// Its head.
    pub head: Oid,
    /// The head's tree.
    pub tree: Oid,
    /// The branch's name in the bundle.
    pub branch: Branch,
    /// `git diff --full-index --binary` against the merge base.
    pub diff: Stored,
    /// The commits since the base.
    pub bundle: Stored,
    /// The files.
    pub files: Vec<FileChange>,
    /// The commits, newest first, at most [`MAX_COMMITS_LISTED`].
    pub commits: Vec<CommitLine>,
    /// Secrets in what would leave the machine (C24).
    pub secrets: Vec<Finding>,
}

/// Makes a proposal of what is in the clone. The files are in the clone's `out/`. Refused, with what the
/// program should do: nothing was done, markers or a nested repository were left, the clone is no longer genuine,
/// the history is unrelated, the change is too large.
pub async fn propose(request: ProposeRequest<'_>) -> Result<Proposal, GitError> {
    let ProposeRequest { mirror, clone, .. } = &request;
    let harvest = Harvest::of(&request).await?;
    let head = harvest.head().await?;
    let repo = harvest.repo();
    let merge_base = repo.merge_base(&clone.base, &head).await?;
    let span = Span { merge_base: &merge_base, head: &head };
    let out = out_folder(clone).await?;
    let diff = span.write(repo, &out.join("change.diff")).await?;
    something(clone, &head, &diff)?;
    harvest.no_markers(&head).await?;
    repo.set(&clone.branch.reference(), &head).await?;
    let bundle = bundle::write(repo, &clone.branch, &clone.base, &out.join("change.bundle")).await?;
    tracing::debug!(repository = %mirror.branch(), %head, "a proposal was made");
    let files = span.files(repo).await?;
    Ok(Proposal {
        base: clone.base.clone(),
        tree: repo.tree_of(&head).await?,
        branch: clone.branch.clone(),
        files,
        commits: commits(repo, &span).await?,
        secrets: secret::scan(repo, span).await?,
        merge_base: merge_base.clone(),
        head: head.clone(),
        diff,
        bundle,
    })
}

/// Refused: the program added nothing, or took back what there was.
fn something(clone: &WorkClone, head: &Oid, diff: &Stored) -> Result<(), Refused> {
    let came_back = clone.start != clone.base;
    let reason = match diff.bytes {
        0 if came_back => "its program took back all that it had proposed before",
        0 => {
            "nothing was done: the clone holds no change against its base; a task is only done when it changes something"
        }
        _ if *head == clone.start => "its program left its earlier proposal as it was",
        _ => return Ok(()),
    };
    Err(Refused::new(RefusedCode::Nothing, reason))
}

/// Made anew: the program may have put a link there.
async fn out_folder(clone: &WorkClone) -> Result<PathBuf, GitError> {
    let out = clone.out();
    super::cleanup::remove(&out).await?;
    std::fs::create_dir(&out).map_err(GitError::io("make the folder for the diff"))?;
    Ok(out)
}

/// The commits of a span, newest first.
pub(crate) async fn commits(repo: &Private, span: &Span<'_>) -> Result<Vec<CommitLine>, GitError> {
    const WHAT: &str = "list the commits";
    let count = format!("--max-count={MAX_COMMITS_LISTED}");
    let range = format!("{}..{}", span.merge_base, span.head);
    let args = ["log", "-z", "--no-color", &count, "--format=%H%x1f%an%x1f%s", &range, "--"];
    let answer = repo.call(WHAT).args(args).run().await?;
    let line = |part: &[u8]| {
        let text = String::from_utf8_lossy(part).into_owned();
        let mut fields = text.splitn(3, '\x1f').map(str::to_owned);
        let id = fields.next().and_then(|id| Oid::try_from(id).ok());
        let (id, author, subject) = (id?, fields.next()?, fields.next()?);
        Some(CommitLine { id, author, subject })
    };
    answer
        .parts()
        .map(|part| line(part).ok_or_else(|| GitError::unexpected(WHAT, "a line without fields")))
        .collect()
}

/// A message that git takes: no control characters but line ends, bounded, never empty.
pub(crate) fn clean_message(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t');
    let mut kept = String::new();
    for c in visible {
        if kept.len() + c.len_utf8() > MAX_MESSAGE_BYTES {
            break;
        }
        kept.push(c);
    }
    let trimmed = kept.trim();
    if trimmed.is_empty() { "Change\n".to_owned() } else { format!("{trimmed}\n") }
}
