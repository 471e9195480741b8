//! Two servers over one PostgreSQL, whose artifacts and logs lie in a bucket that both reach (O16).

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

mod bytes;
mod mark;
mod sweep;

use std::time::Duration;
use tempfile::TempDir;
use tiltyard_client::{Client, Request};
use tiltyard_engine::{Bytes, Sharing};
use tiltyard_server::ServeOptions;
use tiltyard_testkit::TestServer;
use tiltyard_testkit::postgres::{Cluster, Database};
use tiltyard_testkit::s3::S3;
use tiltyard_wire::artifact::{PutQuery, View as Artifact};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::work::Claim;
use tiltyard_wire::task::{Submit, View};

/// How long a signal is awaited before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes in time")
}

/// A database and a bucket; the folders of servers go with it.
struct Yard {
    database: Database,
    s3: S3,
    folders: TempDir,
}

impl Yard {
    fn new() -> Self {
        let database = Cluster::shared().database().expect("a database");
        Self { database, s3: S3::start().expect("S3 starts"), folders: TempDir::new().expect("a folder") }
    }

    /// Where servers keep their bytes.
    fn bytes(&self) -> Bytes {
        let access = self.s3.access().into_iter().map(|(name, value)| (name, value.into())).collect();
        Bytes { address: self.s3.place("team/one").parse().expect("is an address"), access }
    }

    async fn server(&self, name: &str) -> TestServer {
        self.server_with(name, |_| {}).await.expect("starts")
    }

    async fn server_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut ServeOptions),
    ) -> anyhow::Result<TestServer> {
        let (url, bytes) = (self.database.url.clone(), self.bytes());
        TestServer::start_in(&self.folders.path().join(name), |options| {
            options.engine.sharing = Some(Sharing { name: name.to_owned(), ..Sharing::of(url) });
            options.engine.bytes = bytes;
            change(options);
        })
        .await
    }
}

async fn submit(client: &Client) -> View {
    let task = Submit { kind: "command".into(), title: "talks".into(), ..Submit::default() };
    client.call(Request::<call::TaskSubmit>::new().body(task)).await.unwrap()
}

async fn claim(client: &Client) -> View {
    let body = Claim { agent: "me".into(), ..Claim::default() };
    client.call(Request::<call::TaskClaim>::new().body(body)).await.unwrap().tasks.remove(0)
}

fn digest_of(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn put(client: &Client, task: &View, bytes: &[u8]) -> Artifact {
    let query = PutQuery { task: Some(task.id), generation: Some(task.generation), ..PutQuery::default() };
    let request = Request::<call::ArtifactPut>::new().place(digest_of(bytes)).query(query);
    client.call(request.bytes(bytes.to_vec(), "text/plain")).await.unwrap()
}

async fn download(client: &Client, artifact: &Artifact) -> Vec<u8> {
    let mut download = client.download(Request::<call::ArtifactGet>::new().place(artifact.id)).await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = download.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    read
}
