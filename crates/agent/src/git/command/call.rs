//! One call of git: what it is for, its argv, where it may reach, how much it may answer.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::error::{GitError, careful_sentence, sentence};
use super::process::{self, Conversation, Kept};
use super::{HARDENING, Inner, MAX_ANSWER_BYTES};

/// Where a call may read from or write to beside its own git folder.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Nowhere: every transport is off.
    Nowhere,
    /// One folder (or bundle file) on this machine; it alone is trusted whoever owns it.
    Folder(&'a Path),
    /// The same, to push to it: its owner's hooks run, and they may reach where they like.
    Target(&'a Path),
    /// A server by `https`, `http` or `ssh`.
    Network,
}

/// What git answered.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; one of those that the call accepts.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Git's complaint as one line.
    pub(crate) complaint: String,
}

/// How much of git's complaint is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// It reads what is ours.
    Own,
    /// It reads a folder that others write in: see [`careful_sentence`].
    Foreign,
}

impl Words {
    fn telling(self) -> fn(&[u8]) -> String {
        match self {
            Self::Own => sentence,
            Self::Foreign => careful_sentence,
        }
    }
}

impl Output {
    /// Standard output as text, ends trimmed.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// The parts of a `-z` answer.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.stdout.split(|b| *b == 0).filter(|part| !part.is_empty())
    }
}

/// A call that is being put together.
#[must_use = "a call does nothing until it is run"]
pub(crate) struct Call<'a> {
    inner: &'a Inner,
    what: &'static str,
    dir: Option<PathBuf>,
    tree: Option<PathBuf>,
    attributes: Option<String>,
    config: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    stdin: Vec<u8>,
    reach: Reach<'a>,
    words: Words,
    accept: &'static [i32],
    limit: u64,
}

impl<'a> Call<'a> {
    pub(super) fn new(inner: &'a Inner, what: &'static str) -> Self {
        Self {
            inner,
            what,
            dir: None,
            tree: None,
            attributes: None,
            config: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: Vec::new(),
            reach: Reach::Nowhere,
            words: Words::Own,
            accept: &[0],
            limit: MAX_ANSWER_BYTES as u64,
        }
    }

    /// The git folder; it is never searched for.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// The work tree, for the few commands that have one.
    pub(crate) fn tree(mut self, tree: &Path) -> Self {
        self.tree = Some(tree.to_owned());
        self
    }

    /// Attributes are read from this tree and from nowhere else.
    pub(crate) fn attributes_of(mut self, tree: &str) -> Self {
        self.attributes = Some(tree.to_owned());
        self
    }

    /// One more `-c name=value`.
    pub(crate) fn config(mut self, setting: impl Into<OsString>) -> Self {
        self.config.push(setting.into());
        self
    }

    /// More arguments. What comes from outside goes in as a checked name or after `--`.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// What git reads from standard input.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Where it may reach.
    pub(crate) fn reach(mut self, reach: Reach<'a>) -> Self {
        self.reach = reach;
        self
    }

    /// It reads a folder that others write in, so its complaint is not repeated as it is.
    pub(crate) fn foreign(mut self) -> Self {
        self.words = Words::Foreign;
        self
    }

    /// The exit codes that are an answer and not a failure.
    pub(crate) fn accept(mut self, codes: &'static [i32]) -> Self {
        self.accept = codes;
        self
    }

    /// The largest answer, in bytes.
    pub(crate) fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Runs it and holds the answer in memory.
    pub(crate) async fn run(self) -> Result<Output, GitError> {
        let mut stdout = Vec::new();
        let (code, complaint) = self.drive(&mut Kept::Memory(&mut stdout)).await?;
        Ok(Output { code, stdout, complaint })
    }

    /// Starts it, to be talked to line by line.
    pub(crate) fn converse(self) -> Result<Conversation, GitError> {
        Conversation::start(
            self.what,
            self.command(Path::new("/dev/null")),
            self.timeout(),
            self.words.telling(),
        )
    }

    /// Runs it and hands the answer piece by piece to `take`, never more than the limit.
    pub(crate) async fn stream(self, take: &mut process::Take<'_>) -> Result<(), GitError> {
        self.drive(&mut Kept::Handed(take)).await.map(|_| ())
    }

    async fn drive(self, kept: &mut Kept<'_>) -> Result<(i32, String), GitError> {
        let trusted = self.trusted_file()?;
        let global = trusted.as_ref().map_or_else(|| Path::new("/dev/null"), |file| file.path());
        let job = process::Job {
            what: self.what,
            program: &self.inner.program,
            command: self.command(global),
            stdin: &self.stdin,
            timeout: self.timeout(),
            limit: self.limit,
        };
        let ended = job.run(kept).await?;
        let reason = self.words.telling()(&ended.stderr);
        if self.accept.contains(&ended.code) {
            return Ok((ended.code, reason));
        }
        Err(GitError::Failed { what: self.what, code: ended.code, reason })
    }

    fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// `safe.directory` is only heard from a file or the command line, and a local transport's other end does not
    /// get our command line: so the one folder asked for is named in a file of ours.
    fn trusted_file(&self) -> Result<Option<tempfile::NamedTempFile>, GitError> {
        let (Reach::Folder(folder) | Reach::Target(folder)) = self.reach else { return Ok(None) };
        // Git asks about the git folder, which is the folder itself when that is bare.
        let quoted = folder.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let text = format!("[safe]\n\tdirectory = \"{quoted}\"\n\tdirectory = \"{quoted}/.git\"\n");
        let mut file = tempfile::NamedTempFile::new().map_err(GitError::io(self.what))?;
        file.write_all(text.as_bytes()).map_err(GitError::io(self.what))?;
        Ok(Some(file))
    }

    fn command(&self, global: &Path) -> Command {
        let mut command = Command::new(&self.inner.program);
        for setting in HARDENING {
            command.args(["-c", setting]);
        }
        if matches!(self.reach, Reach::Target(_)) {
            command.args(["-c", "protocol.allow=never", "-c", "protocol.file.allow=always"]);
        }
        if let (Reach::Network, Some(helper)) = (self.reach, &self.inner.credential_helper) {
            command.arg("-c").arg(format!("credential.helper={helper}"));
        }
        for setting in &self.config {
            command.arg("-c").arg(setting);
        }
        if let Some(tree) = &self.attributes {
            command.arg(format!("--attr-source={tree}"));
        }
        if let Some(dir) = &self.dir {
            command.arg(joined("--git-dir=", dir));
        }
        if let Some(tree) = &self.tree {
            command.arg(joined("--work-tree=", tree));
        }
        command.args(["--no-pager", "--literal-pathspecs", "--no-replace-objects"]).args(&self.args);
        command.current_dir(self.standing_in());
        self.surround(&mut command, global);
        command
    }

    /// A git folder may also be a file that names one (a linked work tree): then its folder.
    fn standing_in(&self) -> &Path {
        let place = self.tree.as_deref().or(self.dir.as_deref()).filter(|place| place.is_absolute());
        let folder = place.and_then(|place| if place.is_dir() { Some(place) } else { place.parent() });
        folder.unwrap_or_else(|| Path::new("/"))
    }

    /// The whole environment: it begins empty, so nothing of ours (tokens, `TILTYARD_*`) is passed on.
    fn surround(&self, command: &mut Command, global: &Path) {
        command.env_clear();
        command.env("PATH", &self.inner.path).env("LC_ALL", "C").env("TZ", "UTC").env("HOME", "/nonexistent");
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", global)
            .env("GIT_ATTR_NOSYSTEM", "1");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "false").env("SSH_ASKPASS", "false");
        command.env("GIT_EDITOR", ":").env("GIT_SEQUENCE_EDITOR", ":").env("GIT_PAGER", "cat");
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_SSH_VARIANT", "ssh");
        command.env("GIT_SSH_COMMAND", &self.inner.ssh_command);
        match self.reach {
            Reach::Nowhere => command.env("GIT_ALLOW_PROTOCOL", "none"),
            Reach::Folder(_) => command.env("GIT_ALLOW_PROTOCOL", "file"),
            // The other end does not get our command line: what is said there does not bind the owner's hooks.
            Reach::Target(_) => command.envs(self.inner.home.iter().map(|home| ("HOME", home))),
            Reach::Network => {
                command.env("GIT_ALLOW_PROTOCOL", "https:http:ssh");
                command.envs(self.inner.network.iter().map(|(name, value)| (*name, value)))
            }
        };
        command.envs(self.env.iter().map(|(name, value)| (*name, value)));
    }
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut text = OsString::from(option);
    text.push(path);
    text
}
