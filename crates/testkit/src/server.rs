//! A real server in this process: a folder of its own, a free port, a token that may do everything.

use anyhow::Context;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;
use tiltyard_engine::Sharing;
use tiltyard_server::{End, Running, ServeOptions, serve};

/// The admin token of every test server.
pub const ADMIN_TOKEN: &str = "admin-token-of-a-test";

/// A server that runs until it is stopped or dropped.
pub struct TestServer {
    running: Option<Running>,
    folder: Folder,
}

/// A folder that goes with the server, or one that somebody keeps.
enum Folder {
    Own(TempDir),
    Kept(PathBuf),
}

impl TestServer {
    /// A server on an empty folder of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(|_| {}).await
    }

    /// The same with other options.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with(change: impl FnOnce(&mut ServeOptions)) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the server")?;
        Self::run(Folder::Own(folder), change).await
    }

    /// A server on a folder that outlives it: a second start finds what the first one left.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_in(folder: &Path, change: impl FnOnce(&mut ServeOptions)) -> anyhow::Result<Self> {
        Self::run(Folder::Kept(folder.to_owned()), change).await
    }

    async fn run(folder: Folder, change: impl FnOnce(&mut ServeOptions)) -> anyhow::Result<Self> {
        let mut options = ServeOptions::new(folder.path());
        options.admin_token = Some(ADMIN_TOKEN.to_owned().into());
        options.engine.sharing = crate::postgres::url_of(folder.path()).map(Sharing::of);
        change(&mut options);
        let running = serve(options).await?;
        Ok(Self { running: Some(running), folder })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.running().address()
    }

    /// The server itself: for what can be set while it runs.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs until it is stopped, which takes it")
    }

    /// Its address as a client wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client with the admin token.
    pub fn client(&self) -> Client {
        self.client_of(ADMIN_TOKEN)
    }

    /// A client with another token.
    pub fn client_of(&self, token: &str) -> Client {
        let token = Some(token.to_owned().into());
        Client::new(&Destination { url: self.url(), token, ..Destination::default() })
            .expect("a loopback address is one")
    }

    /// A client without a token.
    pub fn stranger(&self) -> Client {
        Client::new(&Destination { url: self.url(), ..Destination::default() })
            .expect("a loopback address is one")
    }

    /// Stops it in order and waits for its end; gives its folder, where that is to be kept.
    pub async fn stop(mut self) -> End {
        let running = self.running.take().expect("it runs until it is stopped, which takes it");
        running.stop();
        running.join().await
    }
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.end();
        }
        if let Folder::Own(folder) = &self.folder {
            crate::postgres::forget(folder.path());
        }
    }
}
