//! A server that stands still: stopped by a signal, or by a disk that takes its time. Whoever sends heartbeats
//! meanwhile cannot be heard, and does not lose its leases for that; whoever is dead loses them soon after.

use crate::fault::{Disk, until};
use crate::line::Line;
use crate::seen::{Log, read};
use crate::server::{Server, Yard};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The shortest lease there is.
const LEASE: Duration = Duration::from_secs(1);
/// How long the server stands still: longer than the lease.
const STILL: Duration = Duration::from_millis(2_500);
/// The pause of a loop that waits for time to pass on the server.
const STEP: Duration = Duration::from_millis(25);
/// A dead worker's task is ready again within its lease and this (D9).
const MAX_RESCUE: Duration = Duration::from_secs(2);

async fn claimed(line: &mut Line, agent: &str) -> Value {
    let task = json!({"kind": "chaos", "queue": agent, "title": agent});
    assert!(line.post("/tasks", &task).await.unwrap().is_done());
    let claim = json!({"agent": agent, "queues": [agent], "lease_ms": LEASE.as_millis() as u64});
    let task = line.post("/tasks/claim", &claim).await.unwrap().body["tasks"][0].clone();
    json!({"id": task["id"], "generation": task["generation"]})
}

/// Lets real time pass while a process that is not this one stands still: there is no signal for that.
async fn stand_still(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        tokio::time::sleep(STEP).await;
    }
}

/// Heartbeats of a worker that is well: one after the other, each said as soon as the one before was answered.
async fn beat(
    mut line: Line,
    held: Value,
    mut over: tokio::sync::watch::Receiver<bool>,
) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !*over.borrow_and_update() {
        let answer = line.post("/agents/well/heartbeat", &json!({ "leases": [held] })).await.unwrap();
        assert_eq!(
            answer.body["keep"],
            json!([held]),
            "beat {count} after {:?}: {}",
            answer.took,
            answer.body
        );
        longest = longest.max(answer.took);
        count += 1;
        // It ends early where the story does.
        let _ = tokio::time::timeout(STEP, over.changed()).await;
    }
    (count, longest)
}

/// Waits until the dead worker's task is ready again.
async fn rescued(server: &Server, dead: &Value) {
    let (mut line, path) = (server.line(), format!("/tasks/{}", dead["id"].as_str().unwrap()));
    let began = Instant::now();
    while read(&mut line, &path).await["state"] != "ready" {
        assert!(began.elapsed() < LEASE + MAX_RESCUE, "a dead worker's lease runs out all the same");
        tokio::time::sleep(STEP).await;
    }
}

async fn assert_only_the_dead_lost(server: &Server, dead: &Value) {
    let mut log = Log::default();
    log.follow(&mut server.line()).await;
    let lost = log.events.iter().filter(|event| event["type"] == "tiltyard.task.lease_lost");
    let lost: Vec<&Value> = lost.map(|event| &event["subject"]).collect();
    assert_eq!(lost, [&dead["id"]]);
}

// E4, E7, D9: SIGSTOP for longer than a lease. The time in which nobody could be heard is not held against those who
// spoke in it; the lease of a worker that is dead runs out within its length and two seconds of the server's going on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_a_frozen_server_ends_no_healthy_lease() {
    let yard = Yard::new();
    let server = yard.start().await;
    let mut line = server.line();
    let (well, dead) = (claimed(&mut line, "well").await, claimed(&mut line, "dead").await);
    let (over, heard) = tokio::sync::watch::channel(false);
    let beating = tokio::spawn(beat(server.line(), well.clone(), heard));
    server.signal(Signal::STOP);
    stand_still(STILL).await;
    server.signal(Signal::CONT);
    rescued(&server, &dead).await;
    over.send_replace(true);
    let (count, longest) = beating.await.expect("the worker is well");
    println!("frozen for {STILL:?}: {count} heartbeats, the longest took {} ms", longest.as_millis());
    assert!(longest >= LEASE, "the server stood still for longer than the lease");
    assert_only_the_dead_lost(&server, &dead).await;
}

// E7: a slow disk does not end healthy leases: a heartbeat that waits behind an fsync was said in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_a_slow_disk_ends_no_healthy_lease() {
    let yard = Yard::new();
    let disk = Disk::under(&yard);
    let server = yard.start_as(disk.command(&yard)).await;
    let mut line = server.line();
    let (well, dead) = (claimed(&mut line, "well").await, claimed(&mut line, "dead").await);
    let began = disk.syncs();
    disk.slow(STILL);
    let mut other = server.line();
    let slow = tokio::spawn(async move {
        let task = json!({"kind": "chaos", "queue": "other", "title": "slow"});
        other.post("/tasks", &task).await.unwrap()
    });
    until("an fsync begins", || disk.syncs() > began).await;
    disk.slow(Duration::ZERO);
    // Late enough that the server's own watch stands before it in the line.
    stand_still(LEASE / 2).await;
    let beaten = line.post("/agents/well/heartbeat", &json!({ "leases": [well] })).await.unwrap();
    assert!(slow.await.unwrap().took >= STILL);
    println!("fsync of {STILL:?}: a heartbeat took {} ms", beaten.took.as_millis());
    assert_eq!(beaten.body["keep"], json!([well]), "{}", beaten.body);
    let (over, heard) = tokio::sync::watch::channel(false);
    let beating = tokio::spawn(beat(server.line(), well, heard));
    rescued(&server, &dead).await;
    over.send_replace(true);
    beating.await.expect("the worker is well");
    assert_only_the_dead_lost(&server, &dead).await;
}
