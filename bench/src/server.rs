//! The real server on a fresh folder.

use crate::http::Connection;
use crate::plan::{Plan, Store};
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tiltyard_testkit::postgres::{Cluster, Sync};

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(20);
const TOKEN: &str = "bench-admin-token-0123456789abcdef";

/// A running server, or several that share a store; they are killed and their folders removed with this.
pub(crate) struct Server {
    processes: Vec<Process>,
    next: AtomicUsize,
    worker: String,
    database: Option<String>,
    /// After the servers.
    _cluster: Option<Cluster>,
}

struct Process {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// Starts what the plan says and mints a worker's token.
    pub(crate) async fn start(plan: &Plan) -> Result<Self> {
        let cluster = match plan.store {
            Store::Sqlite => None,
            // 64 MiB of buffers would be read from the disk again and again; what the package sets is twice that.
            Store::Postgres => Some(Cluster::start(Sync::On, &["shared_buffers=128MB"])?),
        };
        let url = match &cluster {
            Some(cluster) => Some(made(cluster)?),
            None => None,
        };
        let mut processes = Vec::new();
        for _ in 0..plan.servers {
            processes.push(Process::start(&plan.server, url.as_deref()).await?);
        }
        let worker = mint(processes[0].address).await?;
        Ok(Self { processes, next: AtomicUsize::new(0), worker, database: url, _cluster: cluster })
    }

    /// A connection of a worker; to one server after the other.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.processes.len();
        Connection::open(self.processes[next].address, &self.worker).await
    }

    /// A connection of an admin to the first: who starts runs.
    pub(crate) async fn connect_admin(&self) -> Result<Connection> {
        Connection::open(self.processes[0].address, TOKEN).await
    }

    /// The address of the shared store's database.
    pub(crate) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The process of the first.
    pub(crate) fn pid(&self) -> u32 {
        self.processes[0].child.id()
    }

    /// Lets what was written before settle, so that it does not count against what comes.
    pub(crate) async fn settle(&self) {
        // `sync` flushes the disk's queue; the pause lets checkpoints end.
        let _ = Command::new("sync").status();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The database of a run.
fn made(cluster: &Cluster) -> Result<String> {
    let database = cluster.database()?;
    let url = database.tcp_url();
    // It goes with its cluster.
    std::mem::forget(database);
    Ok(url)
}

async fn mint(address: SocketAddr) -> Result<String> {
    let mut admin = Connection::open(address, TOKEN).await?;
    let body = br#"{"label":"bench","role":"worker","scopes":["default"],"queues":["default"]}"#;
    let answer: serde_json::Value = serde_json::from_slice(admin.post("/auth/tokens", body).await?)?;
    Ok(answer["token"].as_str().context("no token")?.to_owned())
}

impl Process {
    async fn start(program: &Path, url: Option<&str>) -> Result<Self> {
        let folder = TempDir::new()?;
        let ready = folder.path().join("ready.json");
        let child = Command::new(program)
            .args(["server", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .current_dir(folder.path())
            .env_clear()
            .env("ADMIN_TOKEN", TOKEN)
            .env("HOME", folder.path())
            .env("TILTYARD_LOG_LEVEL", "warn")
            .env("TILTYARD_STORE", url.unwrap_or("embedded"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, address, _folder: folder };
        process.address = process.wait_ready(&ready).await?;
        Ok(process)
    }

    async fn wait_ready(&mut self, ready: &Path) -> Result<SocketAddr> {
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(ready) {
                let said: serde_json::Value = serde_json::from_str(&text)?;
                return Ok(said["address"].as_str().context("no address")?.parse()?);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            if began.elapsed() > START {
                bail!("the server did not answer within {START:?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that has ended by itself is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
