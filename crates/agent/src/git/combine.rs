//! A change on top of a base, computed in the mirror without a work tree: what would land.
//!
//! One change lands as one commit, whatever its program committed on the way: only the last tree is checked, and the
//! target's `git log` must never show an untested one (C30).

use serde::{Deserialize, Serialize};

use super::command::GitError;
use super::identity::Signature;
use super::name::{Key, Oid};
use super::private::Private;
use super::propose::clean_message;

/// The most conflicting files that are told.
pub const MAX_CONFLICTS_TOLD: usize = 200;

/// How a change lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Its own commit, moved onto the newest base when that has moved; several are folded into one.
    FastForward,
    /// One commit of ours with the change's title.
    Squash,
}

/// What is to be put on what, and how it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Combine<'a> {
    pub(crate) repo: &'a Private,
    pub(crate) change: &'a Key,
    pub(crate) base: &'a Oid,
    pub(crate) head: &'a Oid,
    pub(crate) method: Method,
    pub(crate) message: &'a str,
    pub(crate) signature: &'a Signature,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Combined {
    /// This would land.
    Landing(Landing),
    /// These files conflict.
    Conflict(Vec<String>),
    /// The base holds all of it already.
    Contained,
}

/// What would land.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) commit: Oid,
    pub(crate) tree: Oid,
}

impl Combine<'_> {
    /// Computes it. The same arguments make the same commit.
    pub(crate) async fn compute(&self) -> Result<Combined, GitError> {
        let tree = match self.merge_trees().await? {
            Ok(tree) => tree,
            Err(files) => return Ok(Combined::Conflict(files)),
        };
        if tree == self.repo.tree_of(self.base).await? {
            return Ok(Combined::Contained);
        }
        let commit = match self.method {
            Method::Squash => self.squashed(&tree).await?,
            Method::FastForward => self.moved(&tree).await?,
        };
        Ok(Combined::Landing(Landing { commit, tree }))
    }

    /// The merged tree, or the files that conflict. Attributes (`merge=union`) are those of the base.
    async fn merge_trees(&self) -> Result<Result<Oid, Vec<String>>, GitError> {
        const WHAT: &str = "merge the change onto its base";
        let args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"];
        let call = self.repo.call(WHAT).attributes_of(self.base.as_str()).args(args);
        let answer = call.args([self.base.as_str(), self.head.as_str()]).accept(&[0, 1]).run().await?;
        let mut parts = answer.parts().map(|part| String::from_utf8_lossy(part).into_owned());
        let tree = parts.next().unwrap_or_default();
        let tree = Oid::try_from(tree.as_str()).map_err(|_| GitError::unexpected(WHAT, &answer.text()))?;
        if answer.code == 0 {
            return Ok(Ok(tree));
        }
        let mut files: Vec<String> = parts.collect();
        files.dedup();
        files.truncate(MAX_CONFLICTS_TOLD);
        Ok(Err(files))
    }

    async fn squashed(&self, tree: &Oid) -> Result<Oid, GitError> {
        self.commit(Commit { tree, parents: &[self.base], message: &self.told(self.message), author: None })
            .await
    }

    /// The change's own commit when it stands on the base already; else its one commit, or all folded, made anew.
    async fn moved(&self, tree: &Oid) -> Result<Oid, GitError> {
        let own = self.own_commits().await?;
        if let [only] = &own[..] {
            if only.id == *self.head && only.parents == [self.base.as_str()] {
                return Ok(self.head.clone());
            }
            let commit =
                Commit { tree, parents: &[self.base], message: &only.message, author: Some(&only.author) };
            return self.commit(commit).await;
        }
        let author = own.first().map(|commit| &commit.author);
        self.commit(Commit { tree, parents: &[self.base], message: &self.told(self.message), author }).await
    }

    /// The message with the change's name, so that a reader of `git log` finds it.
    fn told(&self, message: &str) -> String {
        format!("{}\nTiltyard-Change: {}\n", clean_message(message), self.change)
    }

    /// Commits of the change that are not merges, newest first.
    async fn own_commits(&self) -> Result<Vec<Own>, GitError> {
        const WHAT: &str = "read the change's commits";
        let range = format!("{}..{}", self.base, self.head);
        let args =
            ["log", "-z", "--max-count=2", "--no-merges", "--format=%H%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%B"];
        let answer = self.repo.call(WHAT).args(args).args([&range]).args(["--"]).run().await?;
        answer
            .parts()
            .map(|part| Own::read(part).ok_or_else(|| GitError::unexpected(WHAT, "odd fields")))
            .collect()
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Oid, GitError> {
        const WHAT: &str = "make the commit that lands";
        let mut call = self.signature.signs(self.repo.call(WHAT)).args(["commit-tree", commit.tree.as_str()]);
        for parent in commit.parents {
            call = call.args(["-p", parent.as_str()]);
        }
        if let Some(author) = commit.author {
            call = call.env("GIT_AUTHOR_NAME", &author.name).env("GIT_AUTHOR_EMAIL", &author.email);
            call = call.env("GIT_AUTHOR_DATE", format!("@{} +0000", author.at));
        }
        let text = call.args(["-F", "-"]).stdin(clean_message(commit.message)).run().await?.text();
        Oid::try_from(text.as_str()).map_err(|_| GitError::unexpected(WHAT, &text))
    }
}

struct Commit<'a> {
    tree: &'a Oid,
    parents: &'a [&'a Oid],
    message: &'a str,
    author: Option<&'a Author>,
}

/// A commit of the change's own.
struct Own {
    id: Oid,
    parents: Vec<String>,
    author: Author,
    message: String,
}

struct Author {
    name: String,
    email: String,
    at: u64,
}

/// The end of the year 9999, in seconds since the epoch: what a program may have set beyond is cut.
const LATEST_SECONDS: u64 = 253_402_300_799;

/// Git strips such characters from names and refuses what is then empty.
fn plain(text: &str) -> String {
    let stripped =
        text.trim_matches(|c: char| c.is_control() || c.is_whitespace() || ".,:;<>\"\\'".contains(c));
    if stripped.is_empty() { "unknown".to_owned() } else { stripped.to_owned() }
}

impl Own {
    fn read(part: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(part).into_owned();
        let fields: Vec<&str> = text.splitn(6, '\x1f').collect();
        let [id, parents, name, email, at, message] = fields[..] else { return None };
        let at = at.parse().unwrap_or(0).min(LATEST_SECONDS);
        let author = Author { name: plain(name), email: plain(email), at };
        Some(Self {
            id: Oid::try_from(id.trim()).ok()?,
            parents: parents.split(' ').map(str::to_owned).collect(),
            author,
            message: message.to_owned(),
        })
    }
}
