//! A git process and all that it starts (transports, `ssh`, a target's hooks): one process group, ended as one.
//! TERM first, because git removes its lock files on TERM and leaves them behind on KILL.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::ending::Ending;
use super::error::GitError;
use crate::process::tree;

/// How much of the end of standard error is kept, in bytes.
const MAX_STDERR_BYTES: usize = 64 * 1024;
/// How long git has to clean up after TERM, in seconds.
const TERM_GRACE_SECONDS: u64 = 3;

/// How long a process may take to go after KILL, in seconds.
const KILL_GRACE_SECONDS: u64 = 10;
/// Pause between two looks at who is still there, in milliseconds.
const LOOK_PAUSE_MS: u64 = 20;

/// Receives the answer piece by piece.
pub(crate) type Take<'t> = dyn FnMut(&[u8]) -> std::io::Result<()> + Send + 't;

/// Where standard output goes.
pub(super) enum Kept<'k> {
    Memory(&'k mut Vec<u8>),
    Handed(&'k mut Take<'k>),
}

/// A process to run.
pub(super) struct Job<'j> {
    pub(super) what: &'static str,
    pub(super) program: &'j Path,
    pub(super) command: Command,
    pub(super) stdin: &'j [u8],
    pub(super) timeout: Duration,
    pub(super) limit: u64,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) stderr: Vec<u8>,
}

impl Job<'_> {
    pub(super) async fn run(mut self, kept: &mut Kept<'_>) -> Result<Ended, GitError> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = self.command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => GitError::Missing { program: self.program.to_owned() },
            _ => GitError::Io { what: self.what, source },
        })?;
        let mut group = Group::new(child);
        let Ok(result) = tokio::time::timeout(self.timeout, self.follow(&mut group, kept)).await else {
            group.end().await;
            return Err(GitError::TimedOut { what: self.what, seconds: self.timeout.as_secs() });
        };
        if result.is_err() {
            group.end().await;
        } else {
            group.child = None;
        }
        result
    }

    async fn follow(&self, group: &mut Group, kept: &mut Kept<'_>) -> Result<Ended, GitError> {
        let child = group.child.as_mut().expect("the child is taken only after this");
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (_, stderr, ()) = tokio::try_join!(self.keep(stdout, kept), self.tail(stderr), self.feed(stdin))?;
        let status = child.wait().await.map_err(GitError::io(self.what))?;
        Ok(Ended { code: status.code().unwrap_or(-1), stderr })
    }

    async fn keep(&self, from: Option<impl AsyncRead + Unpin>, kept: &mut Kept<'_>) -> Result<(), GitError> {
        let Some(mut from) = from else { return Ok(()) };
        let (mut buffer, mut total) = (vec![0_u8; 64 * 1024], 0_u64);
        loop {
            let read = from.read(&mut buffer).await.map_err(GitError::io(self.what))?;
            if read == 0 {
                return Ok(());
            }
            total += read as u64;
            if total > self.limit {
                return Err(GitError::TooMuch { what: self.what, limit: self.limit });
            }
            match kept {
                Kept::Memory(bytes) => bytes.extend_from_slice(&buffer[..read]),
                Kept::Handed(take) => take(&buffer[..read]).map_err(GitError::io(self.what))?,
            }
        }
    }

    async fn tail(&self, from: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, GitError> {
        let Some(mut from) = from else { return Ok(Vec::new()) };
        let (mut buffer, mut tail) = (vec![0_u8; 8 * 1024], Vec::new());
        loop {
            let read = from.read(&mut buffer).await.map_err(GitError::io(self.what))?;
            if read == 0 {
                return Ok(tail);
            }
            tail.extend_from_slice(&buffer[..read]);
            let excess = tail.len().saturating_sub(MAX_STDERR_BYTES);
            tail.drain(..excess);
        }
    }

    async fn feed(&self, to: Option<ChildStdin>) -> Result<(), GitError> {
        let Some(mut to) = to else { return Ok(()) };
        match to.write_all(self.stdin).await {
            // It ended without reading all of it: its exit code says why, better than a broken pipe does.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(GitError::io(self.what)(error))
            }
            _ => Ok(()),
        }
    }
}

/// A git that is talked to line by line (`update-ref --stdin`). Dropped, it is ended; whatever it has not been told
/// to commit is undone by git itself.
pub(crate) struct Conversation {
    what: &'static str,
    timeout: Duration,
    group: Group,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    telling: fn(&[u8]) -> String,
}

impl Conversation {
    pub(super) fn start(
        what: &'static str,
        mut command: Command,
        timeout: Duration,
        telling: fn(&[u8]) -> String,
    ) -> Result<Self, GitError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(GitError::io(what))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(GitError::unexpected(what, "no pipes"));
        };
        let (group, stdout) = (Group::new(child), BufReader::new(stdout));
        Ok(Self { what, timeout, group, stdin, stdout, stderr, telling })
    }

    /// Says one line and waits for the answer that means yes. Errors: any other answer, with git's complaint.
    pub(crate) async fn say(&mut self, line: &str, yes: &str) -> Result<(), GitError> {
        let (what, seconds) = (self.what, self.timeout.as_secs());
        let asked = tokio::time::timeout(self.timeout, self.ask(line));
        match asked.await.map_err(|_| GitError::TimedOut { what, seconds })? {
            Ok(answer) if answer.trim() == yes => Ok(()),
            Ok(answer) if !answer.is_empty() => Err(GitError::unexpected(what, &answer)),
            _ => Err(GitError::Failed { what, code: -1, reason: self.complaint().await }),
        }
    }

    async fn ask(&mut self, line: &str) -> std::io::Result<String> {
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.write_all(b"\n").await?;
        self.stdin.flush().await?;
        let mut answer = String::new();
        (&mut self.stdout).take(MAX_STDERR_BYTES as u64).read_line(&mut answer).await?;
        Ok(answer)
    }

    /// It has said no, so it ends by itself.
    async fn complaint(&mut self) -> String {
        let mut words = Vec::new();
        let mut stderr = (&mut self.stderr).take(MAX_STDERR_BYTES as u64);
        match tokio::time::timeout(self.timeout, stderr.read_to_end(&mut words)).await {
            Ok(Ok(_)) => (self.telling)(&words),
            _ => "git gave no reason".to_owned(),
        }
    }

    /// Nothing more is to be said: waits for its end.
    pub(crate) async fn finish(mut self) -> Result<(), GitError> {
        drop(self.stdin);
        let Some(mut child) = self.group.child.take() else { return Ok(()) };
        let waited = tokio::time::timeout(self.timeout, child.wait()).await;
        match waited {
            Ok(status) => status.map(|_| ()).map_err(GitError::io(self.what)),
            Err(_) => {
                let busy = self.group.ending.as_ref().map(Ending::begin);
                tell_left(end(child, self.group.id).await, busy.as_ref());
                Err(GitError::TimedOut { what: self.what, seconds: self.timeout.as_secs() })
            }
        }
    }
}

/// A child with its process group; ends it when dropped before it is done (a cancelled task drops the future).
struct Group {
    child: Option<Child>,
    id: Option<Pid>,
    /// Who wants to know when it has ended.
    ending: Option<Ending>,
}

impl Group {
    fn new(child: Child) -> Self {
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Self { child: Some(child), id, ending: Ending::current() }
    }

    async fn end(&mut self) {
        if let Some(child) = self.child.take() {
            let busy = self.ending.as_ref().map(Ending::begin);
            tell_left(end(child, self.id).await, busy.as_ref());
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (id, busy) = (self.id, self.ending.as_ref().map(Ending::begin));
            runtime.spawn(async move { tell_left(end(child, id).await, busy.as_ref()) });
        } else {
            signal(self.id, Signal::KILL);
        }
    }
}

/// Ends a group; tells its number when something of it stays.
async fn end(mut child: Child, id: Option<Pid>) -> Option<u32> {
    signal(id, Signal::TERM);
    let grace = Duration::from_secs(TERM_GRACE_SECONDS);
    let waited = tokio::time::timeout(grace, child.wait()).await;
    // Also after the leader went in peace: a hook of a target may have ignored TERM.
    signal(id, Signal::KILL);
    if waited.is_err()
        && let Err(error) = child.wait().await
    {
        tracing::warn!(%error, "a git process could not be waited for");
    }
    let id = id?;
    let patience = tokio::time::Instant::now() + Duration::from_secs(KILL_GRACE_SECONDS);
    while lives(id) {
        if tokio::time::Instant::now() >= patience {
            // A process's number is never negative.
            return u32::try_from(id.as_raw_nonzero().get()).ok();
        }
        tokio::time::sleep(Duration::from_millis(LOOK_PAUSE_MS)).await;
    }
    None
}

/// Whether a process of the group is alive. Dead ones that have become our children are buried.
fn lives(id: Pid) -> bool {
    while let Ok(Some(_)) = waitpgid(id, WaitOptions::NOHANG) {}
    let group = u32::try_from(id.as_raw_nonzero().get()).unwrap_or_default();
    // Who cannot look says nothing: KILL was sent, and the leader has gone.
    tree::all().unwrap_or_default().iter().any(|entry| entry.group == group && !entry.zombie)
}

fn tell_left(left: Option<u32>, busy: Option<&super::ending::Busy>) {
    if let Some(group) = left {
        tracing::warn!(target: "agent", group, "processes that git started do not end");
        busy.inspect(|busy| busy.stays(group));
    }
}

fn signal(id: Option<Pid>, which: Signal) {
    if let Some(id) = id {
        // The only failure is that the group is gone, which is what is wanted.
        kill_process_group(id, which).ok();
    }
}
