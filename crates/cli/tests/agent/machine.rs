//! A machine of its own for each test: a home, an environment with nothing else in it, and the binary.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tiltyard_client::{Client, Request};
use tiltyard_model::task::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::model::id::Id;
use tiltyard_wire::task::{Submit, View};
use tokio::process::{Child, Command};

/// How long a signal is awaited before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A machine.
pub(crate) struct Machine {
    pub(crate) home: TempDir,
}

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.home.path().join(part)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiltyard"));
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("PATH", path);
        command.current_dir(self.home.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Run {
        let output = tokio::time::timeout(PATIENCE, self.command(arguments).output()).await;
        let output = output.expect("ends in time").expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("is UTF-8");
        Run {
            code: output.status.code().expect("ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Starts an agent, and waits until it is welcome.
    pub(crate) async fn agent(&self, arguments: &[&str]) -> Child {
        let ready = self.path("ready");
        std::fs::remove_file(&ready).ok();
        let mut all = vec!["agent", "--ready-file", ready.to_str().expect("is UTF-8")];
        all.extend(arguments);
        let log = std::fs::File::create(self.path("agent.log")).expect("a file");
        let child = self.command(&all).stderr(log).spawn().expect("starts");
        self.appears(&ready).await;
        child
    }

    /// Waits for a file.
    pub(crate) async fn appears(&self, path: &Path) {
        let looking = async {
            while !path.exists() {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            let log = std::fs::read_to_string(self.path("agent.log")).unwrap_or_default();
            panic!("{} does not appear; the agent says:\n{log}", path.display());
        }
    }

    /// A program in the machine's own `bin`.
    pub(crate) fn program(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path("bin").join(name);
        std::fs::create_dir_all(self.path("bin")).expect("a folder");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("changes");
    }
}

impl Run {
    /// What it printed as JSON, when it ended as done.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).expect("is JSON")
    }
}

/// Submits a shell script.
pub(crate) async fn submit(client: &Client, script: &str) -> View {
    let payload = serde_json::json!({ "argv": script, "shell": true });
    let body = Submit {
        kind: "command".to_owned(),
        title: "A task".to_owned(),
        payload: Some(serde_json::value::to_raw_value(&payload).expect("is JSON")),
        ..Submit::default()
    };
    client.call(Request::<call::TaskSubmit>::new().body(body)).await.expect("is taken")
}

/// Waits until a task has come to a state.
pub(crate) async fn until(client: &Client, id: Id, wanted: impl Fn(&View) -> bool) -> View {
    let looking = async {
        loop {
            let task = client.call(Request::<call::TaskGet>::new().place(id)).await.expect("is there");
            if wanted(&task) {
                return task;
            }
            assert!(!task.state.is_final(), "{} is {}: {:?}", task.id, task.state.as_str(), task.error);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("comes in time")
}

pub(crate) async fn succeeds(client: &Client, id: Id) -> View {
    until(client, id, |task| task.state == State::Succeeded).await
}

/// Sends TERM.
pub(crate) fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("is alive"), rustix::process::Signal::TERM).expect("is told");
}

/// Waits for its end; its exit code.
pub(crate) async fn ended(mut child: Child) -> Option<i32> {
    tokio::time::timeout(PATIENCE, child.wait()).await.expect("ends in time").expect("is a child").code()
}
