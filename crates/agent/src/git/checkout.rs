//! A work tree of the target's owner, looked at and moved through a shadow: a private git folder of ours with the
//! owner's index, work tree and objects, but not the owner's configuration. So no filter, no fsmonitor and no hook
//! of that configuration runs, whatever it says.

mod footprint;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::command::{Call, Git, GitError, Refused, RefusedCode};
use super::mirror::Mirror;
use super::name::Oid;
use super::private::Private;

pub(crate) use footprint::Footprint;

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

    /// Refused: the commit keeps files in Git LFS. Their pointers would be written into the owner's work tree as text.
    pub(crate) async fn takes(&self, mirror: &Mirror, commit: &Oid) -> Result<(), GitError> {
        if !mirror.keeps_files_elsewhere(commit).await? {
            return Ok(());
        }
        let reason = format!(
            "`{}` has the branch checked out, and its `.gitattributes` keeps files in Git LFS, whose pointers would be written there as text; register a bare repository, or check another branch out there",
            self.tree.display()
        );
        Err(Refused::new(RefusedCode::UnsupportedCheckout, reason).into())
    }

    /// The git folder of this work tree.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The folder that its objects are in.
    pub(crate) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// How the checkout stands to `commit`. Files that git does not know are not looked at.
    pub(crate) async fn standing(&self, commit: &Oid) -> Result<Standing, GitError> {
        let shadow = Shadow::of(&self.git, &self.common_dir, commit.format()).await?;
        let copy = shadow.folder.path().join("index");
        copy_index(&self.git_dir.join("index"), &copy)?;
        let call = |what| self.in_tree(shadow.call(what)).env("GIT_INDEX_FILE", &copy);
        let refresh = ["update-index", "-q", "--refresh", "--ignore-submodules", "--unmerged"];
        call("refresh the index").args(refresh).accept(&[0, 1]).run().await?;
        let staged = ["diff-index", "--cached", "--name-only", "-z", commit.as_str(), "--"];
        let edited = ["diff-files", "--name-only", "-z", "--ignore-submodules=all"];
        let mut dirty = Vec::new();
        for args in [&staged[..], &edited[..]] {
            let answer = call("look for changes in the checkout").args(args).run().await?;
            dirty.extend(answer.parts().map(|path| String::from_utf8_lossy(path).into_owned()));
        }
        dirty.extend(self.unfinished());
        dirty.sort();
        dirty.dedup();
        dirty.truncate(MAX_DIRTY_NAMED);
        Ok(if dirty.is_empty() { Standing::Clean } else { Standing::Dirty(dirty) })
    }

    /// Whether files and index are exactly what is about to land: a move of ours that was killed before the branch
    /// followed. A commit that is not even here cannot be.
    pub(crate) async fn holds(&self, commit: &Oid) -> Result<bool, GitError> {
        let shadow = Shadow::of(&self.git, &self.common_dir, commit.format()).await?;
        let known =
            shadow.call("look for a commit").args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        if known.accept(&[0, 1, 128]).run().await?.code != 0 {
            return Ok(false);
        }
        Ok(self.standing(commit).await? == Standing::Clean)
    }

    /// Whether it is the same work tree of the same repository.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.tree, &self.git_dir, &self.common_dir) == (&other.tree, &other.git_dir, &other.common_dir)
    }

    /// Files of the owner at the places of new ones (at most [`MAX_DIRTY_NAMED`]), ignored ones too: git would
    /// overwrite those.
    pub(crate) async fn in_the_way(&self, footprint: &Footprint) -> Result<Vec<String>, GitError> {
        let (footprint, tree) = (footprint.clone(), self.tree.clone());
        let looked = tokio::task::spawn_blocking(move || footprint.in_the_way(&tree)).await;
        looked.map_err(|error| GitError::io("look at the checkout")(std::io::Error::other(error)))
    }

    /// Moves files and index from one commit to another. Files that would be lost are told, and nothing is moved. A
    /// move that fails half-way (a full disk) is taken back.
    pub(crate) async fn move_files(
        &self,
        shadow: &Shadow,
        from: &Oid,
        to: &Oid,
        footprint: &Footprint,
    ) -> Result<Moved, GitError> {
        let index = self.git_dir.join("index");
        let call = |what| self.in_tree(shadow.call(what)).env("GIT_INDEX_FILE", &index);
        // Not quietly: git would not say either who has the index locked.
        let refresh = ["update-index", "--refresh", "--ignore-submodules", "--unmerged"];
        call("refresh the index").args(refresh).accept(&[0, 1]).run().await?;
        let args = ["read-tree", "-m", "-u", from.as_str(), to.as_str()];
        match call("update the checkout").args(args).run().await {
            Ok(_) => Ok(Moved::Done),
            Err(GitError::Failed { reason, .. }) if in_the_way(&reason) => Ok(Moved::InTheWay(reason)),
            // Then nothing has been moved, and somebody works there.
            Err(error) if error.to_string().contains("index.lock'") => Err(error),
            Err(error) => Err(self.take_back(shadow, from, footprint, error).await),
        }
    }

    /// Puts the files back as `from` has them, which the index still says; tells the error with what came of that.
    async fn take_back(
        &self,
        shadow: &Shadow,
        from: &Oid,
        footprint: &Footprint,
        error: GitError,
    ) -> GitError {
        footprint.remove_new(&self.tree);
        let index = self.git_dir.join("index");
        let call = |what| self.in_tree(shadow.call(what)).env("GIT_INDEX_FILE", &index);
        let put_back = call("put the checkout back").args(["checkout-index", "-f", "-z", "--stdin"]);
        let put_back = put_back.stdin(footprint.of_the_first()).run().await;
        let left = match self.standing(from).await {
            Ok(Standing::Clean) => "the checkout was put back as it was".to_owned(),
            Ok(Standing::Dirty(paths)) => {
                let why = put_back.err().map(|error| format!(" ({error})")).unwrap_or_default();
                format!("the checkout could not be put back{why}: {} are the change's", paths.join(", "))
            }
            Err(error) => format!("whether the checkout was put back is not known: {error}"),
        };
        match error {
            GitError::Failed { what, code, reason } => {
                GitError::Failed { what, code, reason: format!("{reason}; {left}") }
            }
            other => {
                tracing::warn!(target: "agent", error = %other, "a move of a checkout failed: {left}");
                other
            }
        }
    }

    fn in_tree<'c>(&self, mut call: Call<'c>) -> Call<'c> {
        for switch in &self.switches {
            call = call.config(OsString::from(switch));
        }
        call.tree(&self.tree).config("core.bare=false")
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
        let call = self.git.call("read a switch of the repository").dir(&self.git_dir).foreign().args(args);
        let answer = call.accept(&[0, 1, 128]).run().await?;
        Ok(Some(answer.text()).filter(|text| answer.code == 0 && (text == "true" || text == "false")))
    }
}

/// What became of the files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// They are as the new commit has them.
    Done,
    /// A file that git does not know, or that was edited meanwhile, would be lost: git's words.
    InTheWay(String),
}

fn in_the_way(reason: &str) -> bool {
    ["would be overwritten", "not uptodate", "would lose untracked", "would be removed"]
        .iter()
        .any(|mark| reason.contains(mark))
}

/// A private git folder that reads and writes the objects of the owner's, and has nothing else of it.
pub(crate) struct Shadow {
    repo: Private,
    objects: PathBuf,
    folder: tempfile::TempDir,
}

impl Shadow {
    /// A shadow of the git folder whose objects are in `common_dir`.
    pub(crate) async fn of(git: &Git, common_dir: &Path, format: &str) -> Result<Self, GitError> {
        let folder = tempfile::tempdir().map_err(GitError::io("make a private git folder"))?;
        let repo = Private::open(git, &folder.path().join("shadow.git"), format).await?;
        Ok(Self { repo, objects: common_dir.join("objects"), folder })
    }

    /// A call with the owner's objects.
    pub(crate) fn call(&self, what: &'static str) -> Call<'_> {
        self.repo.call(what).env("GIT_OBJECT_DIRECTORY", &self.objects)
    }
}

/// A checkout that was never filled has no index: that is an empty one. The copy has the time of the original: git
/// takes a file that is as young as the index for one that may have been edited since, and looks into it.
fn copy_index(from: &Path, to: &Path) -> Result<(), GitError> {
    let copy = || {
        let written = std::fs::metadata(from)?.modified()?;
        std::fs::copy(from, to)?;
        std::fs::File::options().write(true).open(to)?.set_modified(written)
    };
    match copy() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io("read the index")(error))
        }
        _ => Ok(()),
    }
}
