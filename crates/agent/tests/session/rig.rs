//! An agent for these tests: a host in a folder of its own, and a session with short times.

use crate::hub::PATIENCE;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tiltyard_agent::executor::Executors;
use tiltyard_agent::executor::command::{COMMAND_KIND, CommandExecutor};
use tiltyard_agent::host::{Host, HostSettings};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::process::{Graces, Launcher};
use tiltyard_agent::session::{Backoff, Identity, Session, SessionSettings, Shutdown, Status, Times};
use tiltyard_client::Client;
use tiltyard_wire::task::work::Lease;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const GRACES: Graces = Graces { stop_ms: 300, leftover_ms: 300, orphan_ms: 300, confirm_ms: 30_000 };

/// An agent that talks.
pub(crate) struct Agent {
    pub(crate) host: Arc<Host>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) shutdown: watch::Sender<Shutdown>,
    session: JoinHandle<()>,
    folder: Option<tempfile::TempDir>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.session.abort();
    }
}

pub(crate) fn times() -> Times {
    let backoff = Backoff { least: Duration::from_millis(20), most: Duration::from_millis(200) };
    Times {
        backoff,
        silence: Duration::from_secs(30),
        resettle: Duration::from_secs(15),
        refusal: Duration::from_millis(50),
        resources: Duration::from_secs(10),
        finish: Duration::from_secs(5),
        flush: Duration::from_secs(5),
    }
}

impl Agent {
    pub(crate) async fn start(client: Client) -> Self {
        Self::start_with(client, times()).await
    }

    pub(crate) async fn start_with(client: Client, times: Times) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut agent = Self::start_in(folder.path(), client, times).await;
        agent.folder = Some(folder);
        agent
    }

    /// In a folder that an earlier agent may have used.
    pub(crate) async fn start_in(folder: &Path, client: Client, times: Times) -> Self {
        let host = open_host(folder);
        host.recover(PATIENCE).await.expect("recovers");
        let identity = Identity {
            name: "builder".to_owned(),
            version: "1.2.3".to_owned(),
            host: "workbench".to_owned(),
            capabilities: vec!["rust".to_owned()],
            queues: vec!["default".to_owned(), "git".to_owned()],
        };
        let settings = SessionSettings { identity, folder: folder.to_owned(), times };
        let session = Session::new(client, Arc::clone(&host), settings).expect("has randomness");
        let status = session.status();
        let (shutdown, wish) = watch::channel(Shutdown::No);
        let session = tokio::spawn(session.run(wish));
        Self { host, status, shutdown, session, folder: None }
    }

    /// Waits for the end of the session.
    pub(crate) async fn ended(&mut self) {
        tokio::time::timeout(PATIENCE, &mut self.session)
            .await
            .expect("ends in time")
            .expect("does not break");
    }

    /// Waits until nothing is held any more.
    pub(crate) async fn holds_nothing(&self) {
        let nothing = async {
            while !self.host.slots().held().is_empty() || !self.host.outbox().waiting().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, nothing).await.expect("is settled in time");
    }
}

pub(crate) fn open_host(folder: &Path) -> Arc<Host> {
    let settings = HostSettings {
        seal: tiltyard_agent::outbox::SealKey::default(),
        folder: folder.join("agent"),
        slots: 2,
        launcher: Launcher::new(PathBuf::from(env!("CARGO_BIN_EXE_agent-stub")), vec!["exec-shim".into()]),
        hide: Vec::new(),
        user: None,
        graces: GRACES,
        log_limits: LogLimits::default(),
        executors: Executors::default().with(COMMAND_KIND, CommandExecutor::default()),
    };
    let (host, damage) = Host::open(settings).expect("opens");
    assert_eq!(damage, []);
    host
}

/// Some task's lease.
pub(crate) fn lease(number: u32, generation: i64) -> Lease {
    let id = format!("task_01h2xcejqtf2nbrexx3vqj{number:04}");
    Lease { id: id.parse().expect("is an id"), generation }
}

/// An `assign` of a shell script.
pub(crate) fn assign(lease: Lease, script: &str) -> Value {
    assign_kind(lease, COMMAND_KIND, &json!({ "argv": script, "shell": true }))
}

pub(crate) fn assign_kind(lease: Lease, kind: &str, payload: &Value) -> Value {
    json!({ "type": "assign", "lease_ms": 30_000, "task": {
        "id": lease.id, "generation": lease.generation, "scope": "default", "queue": "default", "kind": kind,
        "title": "A task", "payload": payload, "priority": 5, "category": null, "labels": [], "capabilities": [],
        "depends_on": [], "run_at": null, "deadline": null, "timeout_ms": 600_000, "max_attempts": 3,
        "backoff": { "kind": "fixed", "base_ms": 1, "max_ms": 1, "jitter": "none" }, "unique_key": null,
        "unique_for_ms": null, "concurrency_key": null, "concurrency_limit": null, "rate_key": null,
        "rate_per_minute": null, "assign_to": null, "on_dependency_failure": "cancel", "state": "running",
        "attempts": 0, "waiting_for": 0, "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z", "created_by": "ada",
    } })
}

pub(crate) fn settled(lease: Lease, status: &str) -> Value {
    json!({ "type": "settled", "id": lease.id, "generation": lease.generation, "status": status })
}

/// A named pipe: a program that reads it waits until the test opens it; one that writes into it is heard to die.
pub(crate) struct Pipe {
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Pipe {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
        Self { path, _folder: folder }
    }

    /// A line of shell that waits for [`Pipe::open`].
    pub(crate) fn wait(&self) -> String {
        format!("read -r word < '{}'", self.path.display())
    }

    /// Lets whoever waits go on.
    pub(crate) async fn open(&self) {
        let path = self.path.clone();
        let opened = tokio::task::spawn_blocking(move || std::fs::write(path, "go\n"));
        tokio::time::timeout(PATIENCE, opened).await.expect("somebody waits").expect("runs").expect("writes");
    }

    /// A line of shell that keeps the pipe open for as long as the shell and its children live.
    pub(crate) fn hold(&self) -> String {
        format!("exec 3> '{}'", self.path.display())
    }

    /// Begins to wait until nobody holds it any more.
    pub(crate) fn all_gone(&self) -> JoinHandle<()> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || drop(std::fs::read(path).expect("reads")))
    }
}
