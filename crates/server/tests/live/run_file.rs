//! `runs/<id>/events.jsonl` (D25).

use crate::support::soon;
use std::path::{Path, PathBuf};
use tiltyard_client::{Client, Request};
use tiltyard_testkit::TestServer;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::run::{Cancel, Definition, Start, View};

const TEXT: &str = "stages:\n  - {id: a, uses: agent, with: {kind: note}}\n  - {id: b, uses: agent, needs: a, with: {kind: note}}\n";

async fn start(client: &Client) -> View {
    let body = Start { definition: Some(Definition::Text(TEXT.into())), ..Start::default() };
    client.call(Request::<call::RunStart>::new().body(body)).await.unwrap()
}

async fn cancel(client: &Client, run: &View) {
    let body = Cancel::default();
    client.call(Request::<call::RunCancel>::new().place(run.id).body(body)).await.unwrap();
}

/// What the log says of a run.
async fn lines(client: &Client, run: &View) -> String {
    client.text(Request::<call::RunEvents>::new().place(run.id)).await.unwrap()
}

fn place(folder: &Path, run: &View) -> PathBuf {
    folder.join("runs").join(run.id.to_string()).join("events.jsonl")
}

/// Waits until the file of a run is what the log says.
async fn same(server: &TestServer, folder: &Path, run: &View) -> String {
    let (client, path) = (server.client(), place(folder, run));
    let look = async {
        loop {
            let wanted = lines(&client, run).await;
            if std::fs::read_to_string(&path).is_ok_and(|text| text == wanted) {
                return wanted;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(look).await
}

// D25: each run's events are a file too; what a crash tore off, and a file that is gone, come again from the log.
#[tokio::test]
async fn d25_the_events_of_a_run_are_a_file_too() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let server = TestServer::start_in(folder, |_| {}).await.unwrap();
    let client = server.client();
    let (torn, gone, quiet) = (start(&client).await, start(&client).await, start(&client).await);
    for run in [&torn, &gone, &quiet] {
        let text = same(&server, folder, run).await;
        assert!(text.lines().next().unwrap().contains("tiltyard.run.created"), "{text}");
        assert!(text.lines().all(|line| line.contains(&format!("\"runid\":\"{}\"", run.id))), "{text}");
    }
    server.stop().await;
    let whole = std::fs::read(place(folder, &torn)).unwrap();
    std::fs::write(place(folder, &torn), &whole[..whole.len() - 7]).unwrap();
    std::fs::remove_file(place(folder, &gone)).unwrap();
    let before = std::fs::read(place(folder, &quiet)).unwrap();
    let server = TestServer::start_in(folder, |_| {}).await.unwrap();
    let client = server.client();
    cancel(&client, &torn).await;
    let text = same(&server, folder, &torn).await;
    assert!(text.contains("tiltyard.run.cancelled"), "{text}");
    // Whoever asks for it has it made.
    same(&server, folder, &gone).await;
    assert_eq!(std::fs::read(place(folder, &quiet)).unwrap(), before);
}
