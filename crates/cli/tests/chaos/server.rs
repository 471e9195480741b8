//! The real binary on a real folder: started, killed, stopped, and heard out.

use crate::line::Line;
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The token of every request; at least 16 characters (SEC2).
pub(crate) const ADMIN_TOKEN: &str = "chaos-admin-token-0123456789";
/// Bounds the failure of a server that never answers; a loaded machine needs a part of it.
const MAX_START: Duration = Duration::from_secs(30);
/// Bounds the failure of a server that never ends.
const MAX_END: Duration = Duration::from_secs(30);
/// The pause of a loop that looks for a file.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Lines of the server's log that a failed test shows.
const SHOWN_LINES: usize = 20;

/// A folder on which servers run, one after the other.
pub(crate) struct Yard {
    folder: TempDir,
    /// The address of a shared store.
    store: Option<String>,
}

impl Yard {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), store: None }
    }

    /// An empty one whose servers share a store.
    pub(crate) fn at(store: &str) -> Self {
        Self { store: Some(store.to_owned()), ..Self::new() }
    }

    /// Where the servers keep their data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place beside the data.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command that runs a server here.
    pub(crate) fn command(&self) -> Command {
        self.command_inside(&[])
    }

    /// The same behind these words, which run it in a place of its own.
    pub(crate) fn command_inside(&self, words: &[String]) -> Command {
        let log = std::fs::File::options().create(true).append(true).open(self.beside("server.log"));
        let log = log.expect("the log of the server can be written");
        let binary = env!("CARGO_BIN_EXE_tiltyard").to_owned();
        let words: Vec<&String> = words.iter().chain([&binary]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("server").args(["--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        command.arg("--ready-file").arg(self.beside("ready.json"));
        if let Some(store) = &self.store {
            command.arg("--store").arg(store);
        }
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("ADMIN_TOKEN", ADMIN_TOKEN).env("RUST_BACKTRACE", "1");
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file has two handles")).stderr(log);
        command.kill_on_drop(true);
        command
    }

    /// Starts a server and waits until it answers.
    pub(crate) async fn start(&self) -> Server {
        self.start_as(self.command()).await
    }

    /// Starts one with another environment, or under a preloaded library.
    pub(crate) async fn start_as(&self, command: Command) -> Server {
        self.start_behind(command, |address| address).await
    }

    /// The same where it is reached by another address than its own.
    pub(crate) async fn start_behind(
        &self,
        mut command: Command,
        seen: impl FnOnce(SocketAddr) -> SocketAddr,
    ) -> Server {
        let ready = self.beside("ready.json");
        // Left by the one before; absent the first time.
        let _ = std::fs::remove_file(&ready);
        let began = Instant::now();
        let mut child = command.spawn().expect("the binary starts");
        let address = seen(self.address(&ready, &mut child, began).await);
        let answer = Line::to(address).get("/tasks?limit=1").await.expect("it answers once it is ready");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Server { child, address, answered_after: began.elapsed(), log: self.beside("server.log") }
    }

    async fn address(&self, ready: &Path, child: &mut Child, began: Instant) -> SocketAddr {
        loop {
            if let Ok(text) = std::fs::read(ready) {
                let said: serde_json::Value =
                    serde_json::from_slice(&text).expect("it is written whole (O2)");
                assert_eq!(said["pid"], child.id().expect("it runs"));
                return said["address"].as_str().and_then(|text| text.parse().ok()).expect("an address");
            }
            let ended = child.try_wait().expect("the child can be asked");
            let late = began.elapsed() > MAX_START;
            assert!(ended.is_none() && !late, "no server: {ended:?}\n{}", tail(&self.beside("server.log")));
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What servers here have written about themselves.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.beside("server.log")).unwrap_or_default()
    }
}

/// A running server. It dies with the test.
pub(crate) struct Server {
    child: Child,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// From its start to its first answer to a request with a token.
    pub(crate) answered_after: Duration,
    log: PathBuf,
}

impl Server {
    /// A connection to it.
    pub(crate) fn line(&self) -> Line {
        Line::to(self.address)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(pid, signal).expect("it is ours");
    }

    /// Kills it without a word (`kill -9`) and waits for its end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it is ours");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(MAX_END, self.child.wait()).await;
        ended.expect("it ends").expect("it is our child")
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the end of the server's log:\n{}", tail(&self.log));
        }
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
