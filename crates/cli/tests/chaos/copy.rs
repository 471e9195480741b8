//! A store in the middle of its work is moved into a database and back, by a command that is killed again and again.

use crate::check::assert_whole;
use crate::kill::{assert_followed, drained};
use crate::load::Load;
use crate::seen::{Log, look_closely};
use crate::server::{Server, Yard};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::Cluster;
use tokio::process::Command;

/// Answers of success before each move.
const HEARD: u64 = 500;
/// The shortest lease there is.
const LEASE_MS: u64 = 1_000;
/// A kill comes so much later than the one before it.
const LATER: Duration = Duration::from_millis(40);
/// Bounds the failure of a copy that never comes to its end.
const MAX_KILLS: u32 = 200;

fn copy(yard: &Yard, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiltyard"));
    command.args(["store", "copy", "--json"]).args(words).env_clear();
    command.env("HOME", yard.beside("")).current_dir(yard.beside(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs the copy under kills that come later and later, until it is done; how many there were, and what it says.
async fn copied(yard: &Yard, words: &[&str]) -> (u32, Value) {
    for kills in 0..MAX_KILLS {
        let mut child = copy(yard, words).spawn().expect("the binary starts");
        if tokio::time::timeout(LATER * kills, child.wait()).await.is_err() {
            child.kill().await.expect("it is ours");
            continue;
        }
        let ended = child.wait_with_output().await;
        let Output { status, stdout, stderr } = ended.expect("it is our child");
        assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
        return (kills, serde_json::from_slice(&stdout).expect("is JSON"));
    }
    panic!("it does not come to its end");
}

async fn end(mut server: Server) {
    server.signal(Signal::TERM);
    assert!(server.ended().await.success());
}

async fn on_database(yard: &Yard, url: &str) -> Server {
    let mut command = yard.command();
    command.args(["--store", url]);
    yard.start_as(command).await
}

async fn in_folder(yard: &Yard, data: &Path) -> Server {
    let mut command = yard.command();
    command.arg("--set").arg(format!("data={}", data.display()));
    yard.start_as(command).await
}

/// Takes a task with the shortest lease there is.
async fn take(server: &Server) -> (String, Value) {
    let task = json!({"kind": "held", "title": "held", "queue": "held"});
    assert!(server.line().post("/tasks", &task).await.expect("answers").is_done());
    let claim = json!({"agent": "holder", "queues": ["held"], "max": 1, "lease_ms": LEASE_MS});
    let answer = server.line().post("/tasks/claim", &claim).await.expect("answers");
    let task = answer.body["tasks"][0].clone();
    (task["id"].as_str().expect("it is handed out").to_owned(), task["generation"].clone())
}

// O16, E1, E5: whatever was acknowledged is there after a copy that was killed at many moments; ids and the numbers of events
// stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_e5_a_store_is_moved_under_kills_and_back() {
    let (yard, load, mut log) = (Yard::new(), Load::new(), Log::default());
    let database = Cluster::shared().database().expect("a database");
    let server = yard.start().await;
    load.go(&server);
    load.heard(HEARD).await;
    log.follow(&mut server.line()).await;
    end(server).await;

    let data = yard.data();
    let data = data.to_str().expect("is UTF-8");
    let (kills, said) = copied(&yard, &["--data", data, "--to", &database.url]).await;
    let rows = said["rows"].as_u64().unwrap_or_default();
    println!(
        "into the database: {rows} rows, {kills} kills, {} rows were there at the last start",
        said["found"]
    );
    assert!(kills > 1, "{said}");
    assert_eq!(said["audit"]["broken"], json!([]));
    let server = on_database(&yard, &database.url).await;
    load.go(&server);
    load.heard(HEARD).await;
    end(server).await;

    let other = yard.beside("other");
    let path = other.to_str().expect("is UTF-8");
    let (kills, said) = copied(&yard, &["--from", &database.url, "--data", path]).await;
    println!(
        "back: {} rows, {kills} kills, {} rows were there at the last start",
        said["rows"], said["found"]
    );
    assert!(said["rows"].as_u64().unwrap_or_default() > rows, "{said}");
    let server = in_folder(&yard, &other).await;
    load.go(&server);
    load.heard(HEARD).await;
    load.drain();
    drained(&server, &mut log, &load).await;
    let ledger = load.stop().await;
    let seen = look_closely(&server, &mut log).await;
    assert_whole(&ledger, &seen);
    assert_followed(&server, &log).await;
}

// O16, E4: a lease that ran when its server was stopped has its full length again after the move.
#[tokio::test]
async fn o16_e4_a_lease_lives_on_in_the_other_store() {
    let yard = Yard::new();
    let database = Cluster::shared().database().expect("a database");
    let server = yard.start().await;
    let began = Instant::now();
    let (held, generation) = take(&server).await;
    end(server).await;
    let data = yard.data();
    copied(&yard, &["--data", data.to_str().expect("is UTF-8"), "--to", &database.url]).await;
    // By the wall it is over; a process that waits for it is not needed, only that this moment has come.
    tokio::time::sleep_until((began + Duration::from_millis(LEASE_MS)).into()).await;
    let server = on_database(&yard, &database.url).await;
    let beat = json!({"generation": generation});
    let answer = server.line().post(&format!("/tasks/{held}/heartbeat"), &beat).await.expect("answers");
    assert!(answer.is_done(), "{}", answer.body);
    end(server).await;
}
