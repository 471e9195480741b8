//! Disks that fail: an fsync that fails ends the server, a full disk does not.

use crate::check::assert_whole;
use crate::fault::{Disk, On, Sync, until};
use crate::line::{Answer, Line};
use crate::load::Load;
use crate::seen::{Log, look_closely, read};
use crate::server::{Server, Yard};
use serde_json::{Value, json};
use std::time::Duration;

/// Answers of success before the disk fails.
const HEARD: u64 = 150;
/// The exit code of a storage failure (O3).
const STORAGE_FAILURE: i32 = 5;
/// Bytes of a payload that fills a disk soon.
const LARGE_BYTES: usize = 128 * 1024;
/// Bytes of a result; results end at 64 KiB.
const RESULT_BYTES: usize = 60 * 1024;
/// Bytes left to the disk when it begins to fill up.
const ROOM_BYTES: u64 = 1024 * 1024;
/// More than enough submissions to fill that.
const MAX_SUBMISSIONS: usize = 64;
/// How soon a server recovers by itself once there is room.
const MAX_RECOVERY: Duration = Duration::from_secs(10);
/// The pause between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(20);

fn task(title: &str, bytes: usize) -> Value {
    json!({"kind": "chaos", "title": title, "payload": "x".repeat(bytes)})
}

// E2: a failed fsync of the log is never acknowledged and never tried again: the server says so and ends with 5, and
// the restart has everything that was acknowledged, even where nothing else survived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_failed_fsync_ends_the_server_and_loses_nothing() {
    let (yard, load) = (Yard::new(), Load::new());
    let disk = Disk::under(&yard);
    let mut server = yard.start_as(disk.command(&yard)).await;
    load.go(&server);
    load.heard(HEARD).await;
    disk.sync(Sync::Fails, On::Log);
    assert_eq!(server.ended().await.code(), Some(STORAGE_FAILURE));
    assert_eq!(disk.failed(), 1, "a failed fsync is not tried again");
    let log = yard.log();
    assert!(log.contains("can no longer be trusted"), "{log}");
    disk.sync(Sync::True, On::Any);
    for name in ["tiltyard.db", "tiltyard.db-wal"] {
        std::fs::copy(disk.shadow().join(name), yard.data().join(name)).expect("the disk has room");
    }
    let server = yard.start().await;
    assert_whole(&load.ledger, &look_closely(&server, &mut Log::default()).await);
    load.go(&server);
    load.heard(HEARD).await;
    let ledger = load.stop().await;
    assert_whole(&ledger, &look_closely(&server, &mut Log::default()).await);
}

// E2: the request whose fsync failed hears no 2xx; nor does any after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_what_no_fsync_confirmed_is_not_acknowledged() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let mut server = yard.start_as(disk.command(&yard)).await;
    let mut line = server.line();
    assert_eq!(line.post("/tasks", &task("before", 10)).await.unwrap().status, 201);
    disk.sync(Sync::Fails, On::Log);
    for title in ["while", "after"] {
        let answer = line.post("/tasks", &task(title, 10)).await;
        if let Ok(answer) = &answer {
            assert_eq!((answer.status, answer.code()), (503, "storage_broken"), "{title}: {}", answer.body);
        }
        println!("{title}: {:?}", answer.map(|answer| answer.status));
    }
    assert_eq!(server.ended().await.code(), Some(STORAGE_FAILURE));
    let log = yard.log();
    assert!(log.contains("can no longer be trusted"), "{log}");
}

// E2: the same for the database file, which is written apart from the commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_failed_fsync_of_the_database_ends_the_server_too() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let mut server = yard.start_as(disk.command(&yard)).await;
    disk.sync(Sync::Fails, On::Database);
    let mut line = server.line();
    let mut acknowledged = 0;
    while server.runs() && disk.failed() == 0 {
        match line.post("/tasks", &task("filling", LARGE_BYTES)).await {
            Ok(answer) if answer.is_done() => acknowledged += 1,
            _ => break,
        }
    }
    assert_eq!(server.ended().await.code(), Some(STORAGE_FAILURE));
    assert_eq!(disk.failed(), 1, "a failed fsync is not tried again");
    disk.sync(Sync::True, On::Any);
    let server = yard.start().await;
    let page = read(&mut server.line(), "/tasks?limit=1").await;
    assert!(page["total"].as_u64() >= Some(acknowledged), "{acknowledged} were acknowledged: {page}");
}

/// Submits until the disk is full; gives the refusal and how many were taken.
async fn fill(line: &mut Line) -> (Answer, usize) {
    for count in 0..MAX_SUBMISSIONS {
        let answer = line.post("/tasks", &task(&format!("filler {count}"), LARGE_BYTES)).await.unwrap();
        if !answer.is_done() {
            return (answer, count);
        }
    }
    panic!("the disk has no end");
}

fn used(yard: &Yard) -> u64 {
    let size = |name| std::fs::metadata(yard.data().join(name)).map_or(0, |found| found.len());
    ["tiltyard.db", "tiltyard.db-wal", "tiltyard.db-shm", "reserve"].into_iter().map(size).sum()
}

/// Takes tasks of the queue.
async fn claim(line: &mut Line, max: usize) -> Vec<(String, i64)> {
    let claim = json!({"agent": "keeper", "max": max, "lease_ms": 60_000});
    let answer = line.post("/tasks/claim", &claim).await.unwrap();
    let tasks = answer.body["tasks"].as_array().unwrap_or_else(|| panic!("{}", answer.body));
    tasks
        .iter()
        .map(|task| (task["id"].as_str().unwrap().to_owned(), task["generation"].as_i64().unwrap()))
        .collect()
}

async fn complete(line: &mut Line, (id, generation): &(String, i64)) -> Answer {
    let body = json!({"generation": generation, "result": "y".repeat(RESULT_BYTES)});
    line.post(&format!("/tasks/{id}/complete"), &body).await.unwrap()
}

/// A server on a disk that has room for the reserve and little more, with tasks in somebody's hands.
async fn nearly_full(yard: &Yard, disk: &Disk) -> (Server, Vec<(String, i64)>) {
    let server = yard.start_as(disk.command(yard)).await;
    let mut line = server.line();
    for number in 0..20 {
        assert!(line.post("/tasks", &task(&format!("early {number}"), 10)).await.unwrap().is_done());
    }
    let held = claim(&mut line, 20).await;
    assert_eq!(held.len(), 20);
    let reserve = yard.data().join("reserve");
    let whole = tiltyard_engine::reserve::RESERVE_BYTES;
    until("the reserve is filled", || std::fs::metadata(&reserve).is_ok_and(|found| found.len() == whole))
        .await;
    disk.quota(used(yard) + ROOM_BYTES);
    (server, held)
}

// E2, O15: on a full disk new work is 503 `storage_low`, what runs is settled in the space kept for it, and the
// server recovers by itself once there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o15_a_full_disk_takes_no_new_work_and_settles_what_runs() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let (mut server, held) = nearly_full(&yard, &disk).await;
    let mut line = server.line();
    let (refusal, taken) = fill(&mut line).await;
    assert_eq!((refusal.status, refusal.code()), (503, "storage_low"), "{}", refusal.body);
    assert!(refusal.says_when() && disk.full() > 0 && taken > 0, "{taken} taken, {refusal:?}");
    assert!(!yard.data().join("reserve").exists(), "the reserve is given up");

    for attempt in &held {
        let beat = json!({"generation": attempt.1, "progress": 0.5});
        let beaten = line.post(&format!("/tasks/{}/heartbeat", attempt.0), &beat).await.unwrap();
        assert_eq!(beaten.status, 200, "{}", beaten.body);
        let settled = complete(&mut line, attempt).await;
        assert_eq!(settled.status, 200, "{}", settled.body);
        let more = line.post("/tasks", &task("more", 10)).await.unwrap();
        assert_eq!((more.status, more.code()), (503, "storage_low"), "{}", more.body);
    }
    assert!(server.runs());

    disk.room();
    let recovered = std::time::Instant::now();
    while !line.post("/tasks", &task("again", 10)).await.unwrap().is_done() {
        assert!(recovered.elapsed() < MAX_RECOVERY, "there is room again");
        tokio::time::sleep(TRY_AGAIN).await;
    }
    println!(
        "full after {taken} tasks; new work again {} ms after there was room",
        recovered.elapsed().as_millis()
    );
    until("the reserve is filled again", || yard.data().join("reserve").exists()).await;
    server.kill().await;
    let server = yard.start().await;
    let found = read(&mut server.line(), "/tasks?state=succeeded&limit=100").await;
    assert_eq!(found["total"].as_u64(), Some(held.len() as u64));
    assert_eq!(
        read(&mut server.line(), "/tasks?limit=1").await["total"].as_u64(),
        Some((held.len() + taken + 1) as u64)
    );
}

// E2, O15: when even the reserve is used up, a settle is refused as well, and taken once there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_disk_without_a_byte_left_refuses_and_lives() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let (mut server, held) = nearly_full(&yard, &disk).await;
    let mut line = server.line();
    fill(&mut line).await;
    disk.no_room(On::Any);
    let refused = complete(&mut line, &held[0]).await;
    assert_eq!((refused.status, refused.code()), (503, "storage_low"), "{}", refused.body);
    let task = read(&mut line, &format!("/tasks/{}", held[0].0)).await;
    assert_eq!(task["state"], "running", "nothing was done");
    assert!(server.runs());
    disk.room();
    let settled = complete(&mut line, &held[0]).await;
    assert_eq!((settled.status, &settled.body["replayed"]), (200, &json!(false)), "{}", settled.body);
    assert!(server.runs());
}

// E2: a disk that says only with the fsync that it is full: the request is refused and did not happen, also for a server that
// is killed right after, and the server goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_disk_that_is_full_at_the_fsync_refuses_and_lives() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let (mut server, _) = nearly_full(&yard, &disk).await;
    disk.room();
    let mut line = server.line();
    disk.sync(Sync::FullBesideReserve, On::Log);
    let refused = line.post("/tasks", &task("refused", 10)).await.unwrap();
    assert_eq!((refused.status, refused.code()), (503, "storage_low"), "{}", refused.body);
    assert!(disk.failed() > 0 && server.runs(), "{}", yard.log());
    disk.sync(Sync::True, On::Any);
    server.kill().await;
    let mut server = yard.start_as(disk.command(&yard)).await;
    let mut line = server.line();
    assert_eq!(read(&mut line, "/tasks?limit=1").await["total"].as_u64(), Some(20), "it did not come back");
    assert!(line.post("/tasks", &task("later", 10)).await.unwrap().is_done());
    assert!(server.runs());
}

// E2: where not even the reserve helps, nobody knows whether what was refused would come back: the server ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_disk_that_stays_full_at_the_fsync_ends_the_server() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let mut server = yard.start_as(disk.command(&yard)).await;
    let mut line = server.line();
    assert!(line.post("/tasks", &task("early", 10)).await.unwrap().is_done());
    disk.sync(Sync::Full, On::Log);
    if let Ok(answer) = line.post("/tasks", &task("lost", 10)).await {
        assert_eq!((answer.status, answer.code()), (503, "storage_broken"), "{}", answer.body);
    }
    assert_eq!(server.ended().await.code(), Some(STORAGE_FAILURE));
    assert!(yard.log().contains("may come back"), "{}", yard.log());
}

// E2: the file that cannot grow while the log is moved into it waits for room; what is in the log is safe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_file_that_is_full_at_the_fsync_waits_for_room() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let mut server = yard.start_as(disk.command(&yard)).await;
    disk.sync(Sync::Full, On::Database);
    let mut line = server.line();
    let mut acknowledged = 0;
    while disk.failed() < 2 {
        let answer = line.post("/tasks", &task("filling", LARGE_BYTES)).await.unwrap();
        assert!(answer.is_done(), "{}", answer.body);
        acknowledged += 1;
    }
    assert!(server.runs(), "{}", yard.log());
    disk.sync(Sync::True, On::Any);
    server.kill().await;
    let server = yard.start().await;
    let page = read(&mut server.line(), "/tasks?limit=1").await;
    assert_eq!(page["total"].as_u64(), Some(acknowledged));
}
