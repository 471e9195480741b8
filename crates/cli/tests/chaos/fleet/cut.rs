//! A server that is cut off from the database, and not from those who work.

use super::site::{DATABASE, Site, cluster, until};
use crate::seen::read;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tiltyard_testkit::Proxy;
use tiltyard_testkit::postgres::Sync;

/// A server that cannot reach its store says so within this.
const MAX_UNREADY: Duration = Duration::from_secs(10);
/// Bounds the failure of something that never happens: a silent connection is given up after 20 s.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The lease is over, and its work can be had elsewhere, within this: what the cut one did for all is done by another then.
const MAX_TAKEN_OVER: Duration = Duration::from_secs(15);
/// A lease that lapses soon.
const LEASE_MS: u64 = 1_500;

/// How the way to the database breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// What is open ends, and nobody gets through.
    Loud,
    /// Nothing comes back.
    Silent,
}

async fn claimed(site: &Site, place: usize, agent: &str) -> Value {
    let claim = json!({"agent": agent, "lease_ms": LEASE_MS});
    let answer = site.line(place).post("/tasks/claim", &claim).await.expect("it answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["tasks"][0].clone()
}

async fn cut_off(how: Break) {
    let (cluster, proxy) = (cluster(Sync::Off, &[]), Proxy::start().await.expect("a proxy"));
    let database = ([127, 0, 0, 1], cluster.port()).into();
    proxy.open(database);
    let away = format!("postgres://tiltyard@{}/{DATABASE}", proxy.address());
    let mut site = Site::open(&[away, cluster.tcp_url(DATABASE)]).await;
    let task = json!({"kind": "chaos", "title": "for somebody"});
    for _ in 0..2 {
        assert_eq!(site.line(0).post("/tasks", &task).await.expect("it answers").status, 201);
    }
    let held = claimed(&site, 0, "first").await;
    let path = format!("/tasks/{}", held["id"].as_str().expect("an id"));
    let began = Instant::now();
    match how {
        Break::Loud => proxy.cut(),
        Break::Silent => proxy.deafen(),
    }
    // It gives nothing out, and says when to come again.
    let mut line = site.line(0);
    let asked = tokio::spawn(async move { line.post("/tasks/claim", &json!({"agent": "second"})).await });
    until("it says that it is not ready", MAX_UNREADY, async || site.ready(0).await.status == 503).await;
    println!("{how:?}: not ready after {:?}", began.elapsed());
    let health = site.line(0).get("/health").await.expect("it answers").body;
    let store = &health["components"]["store"];
    assert_eq!((&health["status"], &store["status"]), (&json!("failing"), &json!("failing")), "{health}");
    assert!(store["reason"].as_str().is_some_and(|why| why.contains("database")), "{health}");
    assert!(store["since"].is_string(), "{health}");
    // The lease runs out, and another server gives the work to somebody else.
    let over = async || read(&mut site.line(1), &path).await["state"] == "ready";
    until("the lease runs out", MAX_TAKEN_OVER, over).await;
    println!("{how:?}: the lease was over after {:?}", began.elapsed());
    // The one that was never claimed comes first, or the one that was: both are taken.
    let taken = [claimed(&site, 1, "third").await, claimed(&site, 1, "third").await];
    let again = taken.iter().find(|task| task["id"] == held["id"]).expect("it is given again");
    assert_eq!(again["generation"], 2);
    let refused = asked.await.expect("no panic").expect("it answers");
    assert!(refused.status == 503 && refused.says_when(), "{refused:?}");
    assert!(matches!(refused.code(), "store_unreachable" | "overloaded"), "{refused:?}");
    // It catches up by itself.
    let healed = Instant::now();
    proxy.open(database);
    until("it is ready again", MAX_WAIT, async || site.ready(0).await.status == 200).await;
    println!("{how:?}: ready {:?} after the way was whole again", healed.elapsed());
    let late = json!({"generation": 1, "result": "late"});
    let late = site.line(0).post(&format!("{path}/complete"), &late).await.expect("it answers");
    assert_eq!((late.status, late.code()), (409, "stale_generation"), "{}", late.body);
    let done = json!({"generation": 2, "result": "in time"});
    let done = site.line(0).post(&format!("{path}/complete"), &done).await.expect("it answers");
    // The second lease is as short as the first.
    assert!(done.is_done() || done.code() == "stale_generation", "{done:?}");
    site.assert_none_ended();
}

// E4, E9, O16, O23: a server that is cut off from the database gives out no work, says that it is not ready within 10 s, and since
// when and why; its leases run out, others take over, what comes late is refused, and it catches up by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_o16_o23_a_server_whose_way_to_the_database_breaks() {
    cut_off(Break::Loud).await;
}

// The same where the network swallows what is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_o16_o23_a_server_whose_database_falls_silent() {
    cut_off(Break::Silent).await;
}
