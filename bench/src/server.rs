//! The real server on a fresh folder.

use crate::http::Connection;
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(20);
const TOKEN: &str = "bench-admin-token-0123456789abcdef";

/// A running server; it is killed and its folder removed with it.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    worker: String,
}

impl Server {
    /// Starts one and mints a worker's token.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
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
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server =
            Self { child, folder, address: SocketAddr::from(([127, 0, 0, 1], 0)), worker: String::new() };
        server.address = server.wait_ready(&ready).await?;
        server.worker = server.mint().await?;
        Ok(server)
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

    async fn mint(&self) -> Result<String> {
        let mut admin = Connection::open(self.address, TOKEN).await?;
        let body = br#"{"label":"bench","role":"worker","scopes":["default"]}"#;
        let answer: serde_json::Value = serde_json::from_slice(admin.post("/auth/tokens", body).await?)?;
        Ok(answer["token"].as_str().context("no token")?.to_owned())
    }

    /// A connection of a worker.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(self.address, &self.worker).await
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets what was written before settle, so that it does not count against what comes.
    pub(crate) async fn settle(&self) {
        // `sync` flushes the disk's queue; the pause lets checkpoints end.
        let _ = Command::new("sync").status();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that has ended by itself is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.folder.path();
    }
}
