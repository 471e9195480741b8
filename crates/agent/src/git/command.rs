//! The one way to run git: an argv and no shell, an environment that begins empty, a configuration that switches
//! off whatever a repository could make git execute, a time-out that ends the whole process group, a bounded
//! answer, and an error that a person can read.
//!
//! `-c` beats a repository's own configuration, so what is listed in [`HARDENING`] holds in any repository. Drivers
//! whose names a repository chooses itself (`filter.X.smudge`, `diff.X.textconv`, `merge.X.driver`) cannot be
//! listed; they are harmless because only private git folders of ours are ever used with a work tree or a diff.

mod call;
mod ending;
mod error;
mod process;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use call::{Call, Reach};
pub(crate) use ending::{Ending, to_the_end};
pub(crate) use error::masked;
pub use error::{GitError, Refused, RefusedCode};
pub(crate) use process::Conversation;

/// How long a git command may take unless the settings say otherwise, in seconds.
pub const GIT_TIMEOUT_SECONDS: u64 = 600;
/// The largest answer of git that is held in memory, in bytes.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// The oldest git that knows every option used here.
pub const OLDEST_GIT: (u32, u32) = (2, 41);

/// Settings that no repository can overrule: nothing is executed, nothing is asked, nothing is fetched on the side.
const HARDENING: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.sshCommand=",
    "core.askPass=",
    "core.editor=:",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.alternateRefsCommand=true",
    "core.protectNTFS=true",
    "core.protectHFS=true",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.quotePath=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "credential.helper=",
    "color.ui=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "push.gpgSign=false",
    "log.showSignature=false",
    "diff.external=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "init.templateDir=",
    "safe.bareRepository=explicit",
    "http.followRedirects=initial",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "transfer.credentialsInUrl=die",
];

/// The ssh that is used unless the settings name another: it never asks, does not wait for a host that is silent, and
/// leaves no master connection behind.
const SSH: &str = "ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=10 -oServerAliveCountMax=3 -oControlMaster=no";

/// Variables a call over the network gets from the agent's own environment: how the operator reaches the forge.
const NETWORK_VARIABLES: &[&str] = &[
    "HOME",
    "SSH_AUTH_SOCK",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// How git is found and bounded on this machine.
#[derive(Debug, Clone, Default)]
pub struct GitSettings {
    /// The program; `None` looks for `git` in `PATH`.
    pub program: Option<PathBuf>,
    /// The command git uses for `ssh://`; `None` is `ssh` that never asks.
    pub ssh_command: Option<OsString>,
    /// The credential helper for `https://`, as git's `credential.helper` takes it; `None` is none.
    pub credential_helper: Option<String>,
    /// The longest a git command may take; `None` is [`GIT_TIMEOUT_SECONDS`].
    pub timeout: Option<Duration>,
}

/// A git that is ready to be called; cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    path: OsString,
    ssh_command: OsString,
    timeout: Duration,
    network: Vec<(&'static str, OsString)>,
    home: Option<OsString>,
    credential_helper: Option<String>,
}

impl Git {
    /// Finds git. Errors: none in `PATH`, or the program named does not exist.
    pub fn find(settings: GitSettings) -> Result<Self, GitError> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let named = settings.program.unwrap_or_else(|| PathBuf::from("git"));
        let program = locate(&named, &path).ok_or(GitError::Missing { program: named })?;
        let network = NETWORK_VARIABLES.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let inner = Inner {
            program,
            path,
            ssh_command: settings.ssh_command.unwrap_or_else(|| SSH.into()),
            timeout: settings.timeout.unwrap_or(Duration::from_secs(GIT_TIMEOUT_SECONDS)),
            network: network.collect(),
            home: std::env::var_os("HOME"),
            credential_helper: settings.credential_helper,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The program's version, `(2, 47)`. Errors: it does not run, or is older than [`OLDEST_GIT`].
    pub async fn version(&self) -> Result<(u32, u32), GitError> {
        let answer = self.call("read git's version").args(["--version"]).run().await?.text();
        let mut numbers = answer.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < OLDEST_GIT {
            let (major, minor) = OLDEST_GIT;
            let reason = format!("this is `{}`; git {major}.{minor} or newer is needed", answer.trim());
            return Err(Refused::new(RefusedCode::GitTooOld, reason).into());
        }
        Ok(version)
    }

    /// Begins a call; `what` says in a few words what it is for (`read the tree`), and heads each error of it.
    pub(crate) fn call(&self, what: &'static str) -> Call<'_> {
        Call::new(&self.inner, what)
    }
}

/// The first executable of that name; relative entries of `PATH` are skipped, since the folder we stand in may
/// belong to a repository.
fn locate(named: &Path, path: &OsStr) -> Option<PathBuf> {
    if named.components().count() > 1 || named.is_absolute() {
        return named.is_file().then(|| named.to_owned());
    }
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(named))
        .find(|p| p.is_file())
}
