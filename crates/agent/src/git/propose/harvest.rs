//! Reading a clone that its program may have turned into anything.

use std::path::{Path, PathBuf};

use super::super::command::{Call, GitError, Reach, Refused, RefusedCode};
use super::super::name::Oid;
use super::super::private::{Private, Take, Trust};
use super::foreign::{Foreign, not_genuine};
use super::{ProposeRequest, clean_message};

/// How many paths a refusal names.
const MAX_PATHS_NAMED: usize = 10;
/// The name of the clone's head in folders of ours.
const HEAD: &str = "refs/tiltyard/head";

/// A private git folder with the clone's commits and files.
pub(super) struct Harvest<'a> {
    request: &'a ProposeRequest<'a>,
    tree: PathBuf,
    repo: Private,
    merge_head: Option<Oid>,
}

impl<'a> Harvest<'a> {
    /// Takes the clone's commits.
    pub(super) async fn of(request: &'a ProposeRequest<'a>) -> Result<Self, GitError> {
        let tree = request.clone.tree();
        genuine(&tree)?;
        let (stage, merge_head) = stage(request, &tree).await?;
        let dir = request.clone.folder.join("harvest.git");
        super::super::cleanup::remove(&dir).await?;
        let mirror = request.mirror.repo();
        let repo = Private::open(mirror.git(), &dir, request.clone.base.format()).await?;
        repo.borrow_from(mirror)?;
        repo.set("refs/tiltyard/base", &request.clone.base).await?;
        let refspecs = [format!("+{HEAD}:{HEAD}")];
        let (from, reach) = (stage.dir().as_os_str(), Reach::Folder(stage.dir()));
        let take = Take { from, reach, refspecs: &refspecs, trust: Trust::Proposed, depth: None };
        repo.take("read the clone's commits", take).await.map_err(not_readable)?;
        super::super::cleanup::remove(stage.dir()).await?;
        Ok(Self { request, tree, repo, merge_head })
    }

    /// The private git folder.
    pub(super) fn repo(&self) -> &Private {
        &self.repo
    }

    /// The change's head: the clone's own, and a commit on top of it when files differ from it.
    pub(super) async fn head(&self) -> Result<Oid, GitError> {
        let committed = self.repo.resolve(HEAD).await?;
        self.index(&committed).await?;
        let answer = self.repo.call("write the tree").args(["write-tree"]).run().await?.text();
        let tree =
            Oid::try_from(answer.as_str()).map_err(|_| GitError::unexpected("write the tree", &answer))?;
        let merged = self.merged_in(&committed).await?;
        if tree == self.repo.tree_of(&committed).await? && merged.is_none() {
            return Ok(committed);
        }
        self.commit(&tree, &committed, merged).await
    }

    /// Fills our own index from the clone's files. The clone's index is not asked: it can hide files.
    async fn index(&self, committed: &Oid) -> Result<(), GitError> {
        self.call("read the committed tree").args(["read-tree", committed.as_str()]).run().await?;
        let refresh = ["update-index", "-q", "--refresh", "--ignore-submodules"];
        self.call("compare the files").args(refresh).accept(&[0, 1]).run().await?;
        let (gone, mut kept) = self.differing().await?;
        kept.extend(self.unknown().await?);
        // By name and not by looking: a folder that became a link would be looked through.
        self.update(&["--force-remove"], &gone).await?;
        self.update(&["--add", "--replace"], &kept).await
    }

    async fn differing(&self) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), GitError> {
        let args = ["diff-files", "--name-status", "-z", "--ignore-submodules=all"];
        let answer = self.call("look for edited files").args(args).run().await?;
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        let mut parts = answer.parts();
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            if status == b"D" { gone.push(path.to_vec()) } else { kept.push(path.to_vec()) }
        }
        Ok((gone, kept))
    }

    /// Files that git does not know, without the ignored ones. A name that ends in `/` is a repository of its own.
    async fn unknown(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let args = ["ls-files", "-z", "--others", "--exclude-standard"];
        let answer = self.call("look for new files").args(args).run().await?;
        let nested: Vec<&[u8]> = answer.parts().filter(|path| path.ends_with(b"/")).collect();
        if !nested.is_empty() {
            let reason = format!(
                "the clone holds another repository at {}; remove its `.git`, or have it ignored",
                named(&nested)
            );
            return Err(Refused::new(RefusedCode::NestedRepository, reason).into());
        }
        Ok(answer.parts().map(<[u8]>::to_vec).collect())
    }

    async fn update(&self, how: &[&str], paths: &[Vec<u8>]) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut list = paths.join(&0);
        list.push(0);
        let call = self.call("take the files").args(["update-index"]).args(how).args(["-z", "--stdin"]);
        call.stdin(list).run().await.map(|_| ())
    }

    /// The base, when we began to merge it (C32) and the program has not committed that yet.
    async fn merged_in(&self, committed: &Oid) -> Result<Option<Oid>, GitError> {
        let base = &self.request.clone.base;
        if !self.request.clone.merging || self.merge_head.as_ref() != Some(base) {
            return Ok(None);
        }
        let pending = !self.repo.is_ancestor(base, committed).await?;
        Ok(pending.then(|| base.clone()))
    }

    async fn commit(&self, tree: &Oid, parent: &Oid, merged: Option<Oid>) -> Result<Oid, GitError> {
        const WHAT: &str = "commit what was left";
        let mut call = self.repo.call(WHAT).args(["commit-tree", tree.as_str(), "-p", parent.as_str()]);
        if let Some(other) = merged {
            call = call.args(["-p", other.as_str()]);
        }
        let call = self.request.signature.signs(call).stdin(clean_message(self.request.message));
        let text = call.args(["-F", "-"]).run().await?.text();
        Oid::try_from(text.as_str()).map_err(|_| GitError::unexpected(WHAT, &text))
    }

    /// Refused: a file that conflicted still has its markers. Read from the commit, so no link is followed.
    pub(super) async fn no_markers(&self, head: &Oid) -> Result<(), GitError> {
        let conflicts = &self.request.clone.conflicts;
        if conflicts.is_empty() {
            return Ok(());
        }
        let args = [
            "grep",
            "-z",
            "--name-only",
            "--all-match",
            "-e",
            "^<<<<<<< ",
            "-e",
            "^>>>>>>> ",
            head.as_str(),
            "--",
        ];
        let call = self.repo.call("look for conflict markers").attributes_of(head.empty_tree()).args(args);
        let answer = call.args(conflicts).accept(&[0, 1]).run().await?;
        let left: Vec<&[u8]> =
            answer.parts().filter_map(|name| name.get(head.as_str().len() + 1..)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let reason = format!("conflict markers were left in {}; resolve them", named(&left));
        Err(Refused::new(RefusedCode::ConflictMarkers, reason).into())
    }

    /// A call with our index and the clone's files. Among those may be repositories (where submodules belong), which
    /// git reads.
    fn call(&self, what: &'static str) -> Call<'_> {
        self.repo.call(what).tree(&self.tree).config("core.bare=false").foreign()
    }
}

/// A git folder of ours with the clone's objects, its head, and nothing else of it; and what it is merging.
async fn stage(request: &ProposeRequest<'_>, tree: &Path) -> Result<(Private, Option<Oid>), GitError> {
    const WHAT: &str = "read the clone";
    let dir = request.clone.folder.join("stage.git");
    super::super::cleanup::remove(&dir).await?;
    let stage = Private::open(request.mirror.repo().git(), &dir, request.clone.base.format()).await?;
    let (tree, objects) = (tree.to_owned(), dir.join("objects"));
    let reading = tokio::task::spawn_blocking(move || -> Result<(Oid, Option<Oid>), GitError> {
        let foreign = Foreign::open(&tree)?;
        foreign.lend_objects(&objects)?;
        Ok((foreign.head()?, foreign.merge_head()))
    });
    let (head, merge_head) =
        reading.await.map_err(|error| GitError::io(WHAT)(std::io::Error::other(error)))??;
    let shallow: String = request.clone.shallow.iter().map(|id| format!("{id}\n")).collect();
    if !shallow.is_empty() {
        std::fs::write(dir.join("shallow"), shallow).map_err(GitError::io(WHAT))?;
    }
    stage.set(HEAD, &head).await.map_err(not_readable)?;
    Ok((stage, merge_head))
}

/// Refused: the clone borrows from elsewhere, which an honest one has no reason for. What else was made of it does no
/// harm: see [`Foreign`].
fn genuine(tree: &Path) -> Result<(), Refused> {
    let absent = [".git/commondir", ".git/objects/info/alternates", ".git/objects/info/http-alternates"];
    let exists = |part: &&&str| std::fs::symlink_metadata(tree.join(part)).is_ok();
    absent.iter().find(exists).map_or(Ok(()), |part| Err(not_genuine(&format!("`{part}`"))))
}

fn not_readable(error: GitError) -> GitError {
    match error {
        GitError::Failed { reason, .. } => {
            let reason = format!("the clone's commits cannot be read: {reason}");
            Refused::new(RefusedCode::NotGenuine, reason).into()
        }
        other => other,
    }
}

fn named(paths: &[&[u8]]) -> String {
    let shown = paths.iter().take(MAX_PATHS_NAMED).map(|path| format!("`{}`", String::from_utf8_lossy(path)));
    shown.collect::<Vec<_>>().join(", ")
}
