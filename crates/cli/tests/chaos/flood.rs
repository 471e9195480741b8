//! A flood: new work is shed, and whoever works does not notice.

use crate::line::Line;
use crate::measure::Times;
use crate::seen::{Log, read};
use crate::server::{Server, Yard};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Deeds that may wait in the flooded server.
const QUEUED_INTENTS: &str = "4";
/// Connections that flood.
const FLOODERS: usize = 64;
/// Heartbeats and settles under the flood.
const WORDS: usize = 40;
/// The shortest lease there is: a heartbeat that is late loses it.
const LEASE_MS: u64 = 1_000;
/// Between two heartbeats.
const BEAT_EVERY: Duration = Duration::from_millis(50);
/// Tasks of one flooding request.
const BATCH: usize = 5;

/// What a flooder heard.
#[derive(Default)]
struct Heard {
    acknowledged: BTreeSet<String>,
    shed: usize,
    otherwise: Vec<String>,
}

async fn flood(mut line: Line, number: usize, over: Arc<AtomicBool>) -> Heard {
    let mut heard = Heard::default();
    let mut round = 0;
    while !over.load(Ordering::Relaxed) {
        round += 1;
        let task =
            |place| json!({"kind": "chaos", "queue": "flood", "title": format!("{number}-{round}-{place}")});
        let body = json!({ "tasks": (0..BATCH).map(task).collect::<Vec<_>>() });
        match line.post("/tasks/batch", &body).await {
            Ok(answer) if answer.status == 201 => {
                let tasks = answer.body["tasks"].as_array().unwrap();
                heard.acknowledged.extend(tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()));
            }
            Ok(answer) if answer.status == 503 && answer.code() == "overloaded" && answer.says_when() => {
                heard.shed += 1;
            }
            other => heard.otherwise.push(format!("{other:?}")),
        }
    }
    heard
}

/// Works through the flood: heartbeats of two leases, and a settle with the next claim for each.
async fn work(line: &mut Line) -> (Times, Times) {
    let (mut beats, mut settles) = (Times::default(), Times::default());
    let mut held = claim(line).await;
    for _ in 0..WORDS {
        let beat = json!({ "leases": [held] });
        let answer = line.post("/agents/worker/heartbeat", &beat).await.unwrap();
        assert_eq!(answer.body["keep"], json!([held]), "the lease lives: {}", answer.body);
        beats.add(answer.took);
        let mut item = held.clone();
        item["outcome"] = json!("succeeded");
        let claim = json!({"agent": "worker", "queues": ["work"], "lease_ms": LEASE_MS});
        let answer = line.post("/tasks/settle", &json!({"items": [item], "claim": claim})).await.unwrap();
        assert_eq!(answer.body["verdicts"][0]["status"], "accepted", "{}", answer.body);
        settles.add(answer.took);
        held = lease(&answer.body["tasks"][0]);
        tokio::time::sleep(BEAT_EVERY).await;
    }
    // What nobody works on any more is given back.
    let released = json!({"id": held["id"], "generation": held["generation"], "outcome": "released"});
    assert!(line.post("/tasks/settle", &json!({ "items": [released] })).await.unwrap().is_done());
    (beats, settles)
}

async fn claim(line: &mut Line) -> Value {
    let claim = json!({"agent": "worker", "queues": ["work"], "lease_ms": LEASE_MS});
    lease(&line.post("/tasks/claim", &claim).await.unwrap().body["tasks"][0])
}

fn lease(task: &Value) -> Value {
    json!({"id": task["id"], "generation": task["generation"]})
}

async fn prepare(server: &Server) -> Line {
    let mut line = server.line();
    let task = |number| json!({"kind": "chaos", "queue": "work", "title": format!("work {number}")});
    let tasks = json!({ "tasks": (0..WORDS + 2).map(task).collect::<Vec<_>>() });
    assert!(line.post("/tasks/batch", &tasks).await.unwrap().is_done());
    line
}

// E7, D9: beyond `limits.queued_intents` new work is 503 with Retry-After; heartbeats and settles go first, no healthy
// lease is lost, and nothing that was acknowledged is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_a_flood_is_shed_and_workers_do_not_notice() {
    let yard = Yard::new();
    let mut command = yard.command();
    command.env("TILTYARD_LIMITS_QUEUED_INTENTS", QUEUED_INTENTS);
    let server = yard.start_as(command).await;
    let mut line = prepare(&server).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut flooders = JoinSet::new();
    for number in 0..FLOODERS {
        flooders.spawn(flood(server.line(), number, Arc::clone(&over)));
    }
    let (beats, settles) = work(&mut line).await;
    over.store(true, Ordering::Relaxed);
    let heard = flooders.join_all().await;
    let shed: usize = heard.iter().map(|heard| heard.shed).sum();
    let otherwise: Vec<&String> = heard.iter().flat_map(|heard| &heard.otherwise).collect();
    let acknowledged: BTreeSet<String> = heard.iter().flat_map(|heard| heard.acknowledged.clone()).collect();
    println!(
        "flood: {} tasks taken, {shed} requests shed; heartbeats {beats}; settles {settles}",
        acknowledged.len()
    );
    assert!(otherwise.is_empty(), "{otherwise:?}");
    assert!(shed > 0, "the flood was no flood");

    let lost = read(&mut line, "/events?after=0&types=task.lease_lost").await;
    assert_eq!(lost["items"], json!([]), "a healthy lease was lost");
    let mut log = Log::default();
    log.follow(&mut line).await;
    let told: BTreeSet<String> =
        log.events.iter().filter_map(|event| event["subject"].as_str().map(str::to_owned)).collect();
    assert!(acknowledged.is_subset(&told), "something acknowledged is not in the log");
}
