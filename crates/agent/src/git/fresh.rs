//! A fresh clone: until somebody's program runs in it, its configuration is ours.

use std::path::{Path, PathBuf};

use super::command::{Call, Git, GitError, Reach};
use super::identity::Identity;
use super::name::Oid;
use super::private::{Private, Take, Trust};

/// A clone in the making.
pub(crate) struct Fresh<'g> {
    git: &'g Git,
    tree: PathBuf,
}

impl<'g> Fresh<'g> {
    /// Makes an empty repository in a folder: no template, so no hook.
    pub(crate) async fn init(git: &'g Git, tree: PathBuf, format: &str) -> Result<Self, GitError> {
        let call =
            git.call("make the clone").args(["init", "--quiet", "--template=", "--initial-branch=unborn"]);
        call.args([format!("--object-format={format}")]).args(["--"]).args([&tree]).run().await?;
        Ok(Self { git, tree })
    }

    /// A call in the clone.
    pub(crate) fn call(&self, what: &'static str) -> Call<'_> {
        self.git.call(what).dir(&self.tree.join(".git")).tree(&self.tree)
    }

    /// The clone's folder.
    pub(crate) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Who commits in it unless told otherwise.
    pub(crate) async fn belongs_to(&self, identity: &Identity) -> Result<(), GitError> {
        for (name, value) in [("user.name", identity.name()), ("user.email", identity.email())] {
            self.call("name the clone's author").args(["config", "--local", "--", name, value]).run().await?;
        }
        Ok(())
    }

    /// By `upload-pack`, never by hard links: the clone's objects are its own.
    pub(crate) async fn fill(
        &self,
        from: &Private,
        refspecs: &[String],
        depth: Option<u32>,
    ) -> Result<(), GitError> {
        let (from, reach) = (from.dir().as_os_str(), Reach::Folder(from.dir()));
        let take = Take { from, reach, refspecs, trust: Trust::Registered, depth };
        take.onto(self.call("fill the clone")).run().await.map(|_| ())
    }

    /// The object that a reference names.
    pub(crate) async fn resolve(&self, reference: &str) -> Result<Oid, GitError> {
        let args = ["rev-parse", "--verify", "--end-of-options", reference];
        let text = self.call("read a reference").args(args).run().await?.text();
        Oid::try_from(text.as_str()).map_err(|_| GitError::unexpected("read a reference", &text))
    }

    /// Checks a commit out.
    pub(crate) async fn checkout(&self, how: &[&str], commit: &Oid) -> Result<(), GitError> {
        let call = self.call("check the clone out").args(["checkout", "--quiet"]).args(how);
        call.args([commit.as_str()]).run().await.map(|_| ())
    }
}
