//! A work tree of the target's owner, looked at and moved through a shadow: a private git folder of ours with the
//! owner's index, work tree and objects, but not the owner's configuration. So no filter, no fsmonitor and no hook
//! of that configuration runs, whatever it says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::command::{Call, Git, GitError, Refused, RefusedCode};
use super::name::Oid;
use super::private::Private;

/// How many dirty paths are named.
const MAX_DIRTY_NAMED: usize = 50;

/// Settings that describe the file system and not a program; taken over, as switches only.
const FILE_SYSTEM: &[&str] = &["core.fileMode", "core.symlinks", "core.ignoreCase"];

/// A checked-out target branch.
#[derive(Debug)]
pub(crate) struct Checkout {
    git: Git,
    tree: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    switches: Vec<String>,
}

/// How a checkout stands to the commit it should hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Exactly as the commit.
    Clean,
    /// These paths (at most [`MAX_DIRTY_NAMED`]) differ.
    Dirty(Vec<String>),
}

impl Checkout {
    /// Looks at it. Refused: a kind of checkout that we do not touch (sparse, split index, its tree elsewhere).
    pub(crate) async fn new(
        git: &Git,
        tree: PathBuf,
        git_dir: PathBuf,
        common_dir: PathBuf,
    ) -> Result<Self, GitError> {
        let mut checkout = Self { git: git.clone(), tree, git_dir, common_dir, switches: Vec::new() };
        let split = std::fs::read_dir(&checkout.git_dir).map_err(GitError::io("look at the checkout"))?;
        let split =
            split.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("sharedindex."));
        if split || checkout.says("core.sparseCheckout").await?.as_deref() == Some("true") {
            let reason = "the target's checkout is sparse or has a split index; check the branch out plainly, or not at all";
            return Err(Refused::new(RefusedCode::UnsupportedCheckout, reason).into());
        }
        for name in FILE_SYSTEM {
            if let Some(value) = checkout.says(name).await? {
                checkout.switches.push(format!("{name}={value}"));
            }
        }
        Ok(checkout)
    }

    /// The git folder of this work tree.
    #[expect(dead_code, reason = "the merge uses it; it comes next")]
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// How the checkout stands to `commit`. Files that git does not know are not looked at.
    pub(crate) async fn standing(&self, commit: &Oid) -> Result<Standing, GitError> {
        let shadow = Shadow::of(self, commit.format()).await?;
        let copy = shadow.folder.path().join("index");
        copy_index(&self.git_dir.join("index"), &copy)?;
        let refresh = ["update-index", "-q", "--refresh", "--ignore-submodules", "--unmerged"];
        shadow
            .call("refresh the index")
            .env("GIT_INDEX_FILE", &copy)
            .args(refresh)
            .accept(&[0, 1])
            .run()
            .await?;
        let staged = ["diff-index", "--cached", "--name-only", "-z", commit.as_str(), "--"];
        let edited = ["diff-files", "--name-only", "-z", "--ignore-submodules=all"];
        let mut dirty = Vec::new();
        for args in [&staged[..], &edited[..]] {
            let answer = shadow
                .call("look for changes in the checkout")
                .env("GIT_INDEX_FILE", &copy)
                .args(args)
                .run()
                .await?;
            dirty.extend(answer.parts().map(|path| String::from_utf8_lossy(path).into_owned()));
        }
        dirty.extend(self.unfinished());
        dirty.sort();
        dirty.dedup();
        dirty.truncate(MAX_DIRTY_NAMED);
        Ok(if dirty.is_empty() { Standing::Clean } else { Standing::Dirty(dirty) })
    }

    /// A merge, cherry-pick or revert that its owner has not finished.
    fn unfinished(&self) -> impl Iterator<Item = String> {
        let states = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"];
        states
            .into_iter()
            .filter(|state| self.git_dir.join(state).exists())
            .map(|state| format!(".git/{state}"))
    }

    async fn says(&self, name: &str) -> Result<Option<String>, GitError> {
        let args = ["config", "--type=bool", "--get", name];
        let call = self.git.call("read a switch of the repository").dir(&self.git_dir).args(args);
        let answer = call.accept(&[0, 1, 128]).run().await?;
        Ok(Some(answer.text()).filter(|text| answer.code == 0 && (text == "true" || text == "false")))
    }
}

/// The private git folder that stands in for the owner's.
pub(crate) struct Shadow<'a> {
    checkout: &'a Checkout,
    repo: Private,
    folder: tempfile::TempDir,
}

impl<'a> Shadow<'a> {
    pub(crate) async fn of(checkout: &'a Checkout, format: &str) -> Result<Self, GitError> {
        let folder = tempfile::tempdir().map_err(GitError::io("make a private git folder"))?;
        let repo = Private::open(&checkout.git, &folder.path().join("shadow.git"), format).await?;
        Ok(Self { checkout, repo, folder })
    }

    /// A call with the owner's objects and work tree.
    pub(crate) fn call(&self, what: &'static str) -> Call<'_> {
        let objects = self.checkout.common_dir.join("objects");
        let mut call = self.repo.call(what).tree(&self.checkout.tree).config("core.bare=false");
        for switch in &self.checkout.switches {
            call = call.config(OsString::from(switch));
        }
        call.env("GIT_OBJECT_DIRECTORY", objects)
    }
}

/// A checkout that was never filled has no index: that is an empty one.
fn copy_index(from: &Path, to: &Path) -> Result<(), GitError> {
    match std::fs::copy(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io("read the index")(error))
        }
        _ => Ok(()),
    }
}
