//! A git folder of our own: made here, configured here, written by nobody else. Whatever needs a configuration, an
//! index or a work tree happens in one of these, so that a foreign `.git/config` never has a say.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::command::{Call, Git, GitError, Reach, Refused, RefusedCode};
use super::name::{Branch, Oid};

/// A private git folder.
#[derive(Debug, Clone)]
pub(crate) struct Private {
    git: Git,
    dir: PathBuf,
}

/// What is taken from where.
pub(crate) struct Take<'a> {
    /// A folder, a bundle or an address.
    pub(crate) from: &'a std::ffi::OsStr,
    /// How far that reaches.
    pub(crate) reach: Reach<'a>,
    /// What to take under which names here.
    pub(crate) refspecs: &'a [String],
    /// Whether its objects are examined.
    pub(crate) trust: Trust,
    /// How much history, in commits; all of it when nothing is said.
    pub(crate) depth: Option<u32>,
}

/// Whether the objects that come in are examined (`fsck`): `.git` in a tree, options as submodule addresses, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The registered repository: old histories hold harmless oddities that `fsck` would refuse.
    Registered,
    /// What a program made.
    Proposed,
}

impl Private {
    /// Makes the folder, or takes it over when it is there; its configuration is written anew either way.
    pub(crate) async fn open(git: &Git, dir: &Path, format: &str) -> Result<Self, GitError> {
        const WHAT: &str = "make a private git folder";
        if !dir.join("objects").is_dir() {
            std::fs::create_dir_all(dir).map_err(GitError::io(WHAT))?;
            let call = git.call(WHAT).args(["init", "--quiet", "--bare", "--template="]);
            call.args([format!("--object-format={format}")]).args(["--"]).args([dir]).run().await?;
        }
        let version = if format == "sha1" { "0" } else { "1\n[extensions]\n\tobjectFormat = sha256" };
        let config =
            format!("[core]\n\tbare = true\n\tfilemode = true\n\trepositoryformatversion = {version}\n");
        replace(&dir.join("config"), config.as_bytes()).map_err(GitError::io(WHAT))?;
        Ok(Self { git: git.clone(), dir: dir.to_owned() })
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Git itself.
    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    /// Begins a call in this folder.
    pub(crate) fn call(&self, what: &'static str) -> Call<'_> {
        self.git.call(what).dir(&self.dir)
    }

    /// Reads objects of another folder of ours as if they were here.
    pub(crate) fn borrow_from(&self, other: &Self) -> Result<(), GitError> {
        let line = format!("{}\n", other.dir.join("objects").display());
        let file = self.dir.join("objects/info/alternates");
        std::fs::create_dir_all(self.dir.join("objects/info")).map_err(GitError::io("share objects"))?;
        replace(&file, line.as_bytes()).map_err(GitError::io("share objects"))
    }

    /// The object that a reference or an expression of ours names.
    pub(crate) async fn resolve(&self, expression: &str) -> Result<Oid, GitError> {
        self.find(expression).await?.ok_or_else(|| GitError::unexpected("read a reference", expression))
    }

    /// The same, or nothing when there is no such thing.
    pub(crate) async fn find(&self, expression: &str) -> Result<Option<Oid>, GitError> {
        const WHAT: &str = "read a reference";
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", expression];
        let answer = self.call(WHAT).args(args).accept(&[0, 1]).run().await?;
        let text = answer.text();
        if text.is_empty() {
            return Ok(None);
        }
        Oid::try_from(text.as_str()).map(Some).map_err(|_| GitError::unexpected(WHAT, &text))
    }

    /// The tree of a commit.
    pub(crate) async fn tree_of(&self, commit: &Oid) -> Result<Oid, GitError> {
        self.resolve(&format!("{commit}^{{tree}}")).await
    }

    /// Sets a reference of ours.
    pub(crate) async fn set(&self, reference: &str, to: &Oid) -> Result<(), GitError> {
        self.call("set a reference").args(["update-ref", reference, to.as_str()]).run().await.map(|_| ())
    }

    /// Removes a reference of ours; one that is not there is fine.
    pub(crate) async fn unset(&self, reference: &str) -> Result<(), GitError> {
        self.call("remove a reference").args(["update-ref", "-d", reference]).run().await.map(|_| ())
    }

    /// The references under a prefix (`refs/changes/x/`) and what they name.
    pub(crate) async fn references(&self, prefix: &str) -> Result<Vec<(String, Oid)>, GitError> {
        const WHAT: &str = "list references";
        let args = ["for-each-ref", "--format=%(refname) %(objectname)", prefix];
        let text = self.call(WHAT).args(args).run().await?.text();
        let read = |line: &str| {
            let (name, oid) = line.split_once(' ')?;
            Some((name.to_owned(), Oid::try_from(oid).ok()?))
        };
        text.lines().map(|line| read(line).ok_or_else(|| GitError::unexpected(WHAT, line))).collect()
    }

    /// Whether the commit is here with all it needs to be read as a commit.
    pub(crate) async fn has(&self, commit: &Oid) -> Result<bool, GitError> {
        let object = format!("{commit}^{{commit}}");
        let call = self.call("look for a commit").args(["cat-file", "-e", &object]);
        Ok(call.accept(&[0, 1, 128]).run().await?.code == 0)
    }

    /// Whether `old` is `new` or one of its ancestors.
    pub(crate) async fn is_ancestor(&self, old: &Oid, new: &Oid) -> Result<bool, GitError> {
        let args = ["merge-base", "--is-ancestor", old.as_str(), new.as_str()];
        Ok(self.call("compare two commits").args(args).accept(&[0, 1]).run().await?.code == 0)
    }

    /// The best common ancestor. Refused: there is none.
    pub(crate) async fn merge_base(&self, base: &Oid, head: &Oid) -> Result<Oid, GitError> {
        const WHAT: &str = "find the common ancestor";
        let call = self.call(WHAT).args(["merge-base", base.as_str(), head.as_str()]);
        let text = call.accept(&[0, 1]).run().await?.text();
        if text.is_empty() {
            let reason =
                "the change shares no history with the target branch; it must be built on a clone of it";
            return Err(Refused::new(RefusedCode::Unrelated, reason).into());
        }
        Oid::try_from(text.as_str()).map_err(|_| GitError::unexpected(WHAT, &text))
    }

    /// Fetches objects and references; tells what git complained about all the same.
    pub(crate) async fn take(&self, what: &'static str, take: Take<'_>) -> Result<String, GitError> {
        Ok(take.onto(self.call(what)).run().await?.complaint)
    }
}

impl<'a> Take<'a> {
    /// Makes a call a fetch.
    pub(crate) fn onto<'c>(&self, call: Call<'c>) -> Call<'c>
    where
        'a: 'c,
    {
        let examine = match self.trust {
            Trust::Registered => "fetch.fsckObjects=false",
            Trust::Proposed => "fetch.fsckObjects=true",
        };
        let quiet = ["fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--refmap="];
        let narrow = ["--no-auto-maintenance", "--no-recurse-submodules", "--no-prune"];
        let depth = self.depth.map(|commits| format!("--depth={commits}"));
        let call = match self.trust {
            Trust::Registered if !matches!(self.reach, Reach::Network) => call.foreign(),
            _ => call,
        };
        let call = call.config(examine).reach(self.reach).args(quiet).args(narrow).args(depth);
        call.args(["--end-of-options"]).args([self.from]).args(self.refspecs)
    }
}

/// Asks a repository where a branch is, without having a folder for it yet.
pub(crate) async fn remote_head(
    git: &Git,
    location: &super::Location,
    branch: &Branch,
) -> Result<Option<Oid>, GitError> {
    const WHAT: &str = "ask the repository for its branch";
    let reference = branch.reference();
    let call = git.call(WHAT).dir(Path::new("/dev/null")).reach(location.reach());
    let call = if matches!(location, super::Location::Folder(_)) { call.foreign() } else { call };
    let call = call.args(["ls-remote", "--quiet", "--end-of-options"]).args([location.argument()]);
    let text = call.args([&reference]).run().await?.text();
    // The pattern matches the ends of names, so that `refs/x/refs/heads/main` would be listed too.
    let exact = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == reference);
    exact.map(|(oid, _)| Oid::try_from(oid).map_err(|_| GitError::unexpected(WHAT, &text))).transpose()
}

/// Writes a file beside and renames it over: a link that stands there is replaced, never followed, and whoever reads
/// meanwhile sees the old text or the new one. Others may write the same at the same time.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let plain = std::fs::symlink_metadata(file).is_ok_and(|meta| meta.is_file());
    if plain && std::fs::read(file)? == bytes {
        return Ok(());
    }
    let mut beside = tempfile::NamedTempFile::new_in(file.parent().unwrap_or_else(|| Path::new("/")))?;
    beside.write_all(bytes)?;
    beside.persist(file).map(drop).map_err(|error| error.error)
}
