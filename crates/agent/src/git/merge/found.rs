//! Is the change in the target already? Asked before anything is done.

use super::super::combine::{Combined, Landing};
use super::super::command::GitError;
use super::super::diff::Span;
use super::super::mirror::landings_of;
use super::super::name::Oid;
use super::{How, Merged, Merging};

/// How many of the target's newest commits are compared by patch-id.
const MAX_COMPARED_COMMITS: usize = 200;
/// How many commits with the change's patch-id are looked at.
const MAX_SAME_COMMITS: usize = 5;
/// How much diff is read for that, in bytes.
const MAX_COMPARED_BYTES: u64 = 64 * 1024 * 1024;

impl Merging<'_> {
    /// The proof that the target holds the change, when it does.
    pub(super) async fn found(&self, target_head: &Oid) -> Result<Option<Merged>, GitError> {
        let repo = self.bench.mirror.repo();
        let incoming = &self.job.incoming;
        for (_, commit) in repo.references(&landings_of(&incoming.change, &incoming.head)).await? {
            if repo.is_ancestor(&commit, target_head).await? && self.is_this_change(&commit).await? {
                return self.proven(commit, target_head, How::Found).await;
            }
        }
        if repo.is_ancestor(&incoming.head, target_head).await? {
            return self.proven(incoming.head.clone(), target_head, How::Elsewhere).await;
        }
        for commit in self.same_diff(target_head).await? {
            if self.holds_it(&commit, target_head).await? {
                return self.proven(commit, target_head, How::SameDiff).await;
            }
        }
        Ok(None)
    }

    /// A reference alone proves nothing, since a program of the agent's own user may be able to make one: a commit that landed
    /// is what the change makes of the commit before it.
    async fn is_this_change(&self, commit: &Oid) -> Result<bool, GitError> {
        let repo = self.bench.mirror.repo();
        let Some(before) = repo.find(&format!("{commit}^")).await? else { return Ok(false) };
        match self.combine(&before).await? {
            Combined::Landing(landing) => Ok(landing.tree == repo.tree_of(commit).await?),
            Combined::Conflict(_) | Combined::Contained => Ok(false),
        }
    }

    /// A patch-id says what, and not where: the same lines at another place have it too, so nothing of the change may
    /// be left to merge onto that commit. And what goes onto the newest base again was taken back since.
    async fn holds_it(&self, commit: &Oid, target_head: &Oid) -> Result<bool, GitError> {
        Ok(matches!(self.combine(commit).await?, Combined::Contained)
            && !matches!(self.combine(target_head).await?, Combined::Landing(_)))
    }

    async fn proven(&self, commit: Oid, target_head: &Oid, how: How) -> Result<Option<Merged>, GitError> {
        let tree = self.bench.mirror.repo().tree_of(&commit).await?;
        let proof = self.proof(&Landing { commit: commit.clone(), tree }, target_head, how).await?;
        let Some(merged) = proof else { return Ok(None) };
        let base_before = match how {
            How::Found => self.bench.mirror.repo().find(&format!("{commit}^")).await?,
            _ => None,
        };
        Ok(Some(Merged { base_before, ..merged }))
    }

    /// C34: patch-id, only for merges made by others elsewhere. Compared to the letter, and only for changes of
    /// text: for binaries and modes a patch-id says too little.
    async fn same_diff(&self, target_head: &Oid) -> Result<Vec<Oid>, GitError> {
        let repo = self.bench.mirror.repo();
        let head = &self.job.incoming.head;
        let merge_base = repo.merge_base(target_head, head).await?;
        if merge_base == *target_head {
            return Ok(Vec::new());
        }
        let span = Span { merge_base: &merge_base, head };
        let says_much = |lines: Option<u64>| lines.is_some_and(|lines| lines > 0);
        let files = span.files(repo).await?;
        if files.is_empty() || files.iter().any(|f| !says_much(f.added) && !says_much(f.deleted)) {
            return Ok(Vec::new());
        }
        let mine = self.patch_ids(&["diff", merge_base.as_str(), head.as_str()]).await?;
        let Some((mine, _)) = mine.first() else { return Ok(Vec::new()) };
        let range = format!("{merge_base}..{target_head}");
        let count = format!("--max-count={MAX_COMPARED_COMMITS}");
        let theirs = self.patch_ids(&["log", "-p", "--no-merges", &count, &range]).await?;
        let same = theirs.iter().filter(|(id, _)| id == mine).take(MAX_SAME_COMMITS);
        Ok(same.filter_map(|(_, commit)| Oid::try_from(commit.as_str()).ok()).collect())
    }

    /// Pairs of patch-id and commit.
    async fn patch_ids(&self, args: &[&str]) -> Result<Vec<(String, String)>, GitError> {
        const WHAT: &str = "compare the change with the target's history";
        let repo = self.bench.mirror.repo();
        let plain = ["--no-ext-diff", "--no-textconv", "--no-color", "--full-index", "--no-renames"];
        let call =
            repo.call(WHAT).attributes_of(self.job.incoming.head.empty_tree()).limit(MAX_COMPARED_BYTES);
        let diff = match call.args(&args[..1]).args(plain).args(&args[1..]).args(["--"]).run().await {
            Err(GitError::TooMuch { .. }) => return Ok(Vec::new()),
            other => other?.stdout,
        };
        let ids = repo.call(WHAT).args(["patch-id", "--verbatim"]).stdin(diff).run().await?.text();
        let pair = |line: &str| line.split_once(' ').map(|(id, commit)| (id.to_owned(), commit.to_owned()));
        Ok(ids.lines().filter_map(pair).collect())
    }
}
