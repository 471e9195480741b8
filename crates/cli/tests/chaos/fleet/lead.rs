//! What one server does for all is done by another soon after its death.

use super::site::{DATABASE, Site, cluster, until};
use crate::seen::read;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::{Cluster, Sync};

/// The duties are handed over within this.
const MAX_HAND_OVER: Duration = Duration::from_secs(10);
/// Bounds the failure of something that never happens.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// A lease that lapses soon.
const LEASE_MS: u64 = 1_000;

/// The place of the one that leads.
async fn leader(cluster: &Cluster, site: &Site) -> usize {
    let mut found = None;
    until("somebody leads", MAX_WAIT, async || {
        let name = cluster.ask(DATABASE, "SELECT server FROM leader").expect("the database answers");
        let is_it = |place: &usize| name.contains(&format!("-{}/", site.server(*place).pid()));
        found = site.running().into_iter().find(is_it);
        found.is_some()
    })
    .await;
    found.expect("it was waited for")
}

/// A moment of the database's clock, as the API writes it.
fn soon(cluster: &Cluster, seconds: u64) -> String {
    let sql = format!(
        "SELECT to_char((now() + interval '{seconds} s') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    );
    cluster.ask(DATABASE, &sql).expect("the database answers")
}

async fn made(site: &Site, place: usize, path: &str, body: Value) -> Value {
    let answer = site.line(place).post(path, &body).await.expect("it answers");
    assert!(answer.is_done(), "{path}: {}", answer.body);
    answer.body
}

// O16, E4, D9: the server that leads is killed: within 10 s another one starts what is due, ends leases that ran out and tokens whose
// time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e4_duties_are_handed_over_within_ten_seconds() {
    let cluster = cluster(Sync::Off, &[]);
    let mut site = Site::open(&vec![cluster.tcp_url(DATABASE); 2]).await;
    let leads = leader(&cluster, &site).await;
    let other = 1 - leads;
    let due = json!({"kind": "chaos", "queue": "later", "title": "later", "run_at": soon(&cluster, 2)});
    let due = made(&site, other, "/tasks", due).await;
    made(&site, other, "/tasks", json!({"kind": "chaos", "title": "given"})).await;
    let token = json!({"label": "short", "role": "viewer", "scopes": ["*"], "expires": soon(&cluster, 2)});
    let token = made(&site, other, "/auth/tokens", token).await;
    let claim = json!({"agent": "silent", "lease_ms": LEASE_MS});
    let held = made(&site, other, "/tasks/claim", claim).await["tasks"][0].clone();
    site.kill(leads).await;
    let killed = Instant::now();
    let path = |task: &Value| format!("/tasks/{}", task["id"].as_str().expect("an id"));
    for (what, task) in [("what was due", &due), ("what was held", &held)] {
        let path = path(task);
        until(what, MAX_HAND_OVER, async || read(&mut site.line(other), &path).await["state"] == "ready")
            .await;
        println!("{what} is ready {:?} after the leader's death", killed.elapsed());
    }
    until("the token has ended", MAX_HAND_OVER, async || {
        let entries = read(&mut site.line(other), "/audit?limit=100").await["items"].clone();
        let ended =
            |entry: &Value| entry["target"] == token["id"] || entry.to_string().contains("\"expired\"");
        entries
            .as_array()
            .expect("a page")
            .iter()
            .any(|entry| ended(entry) && entry.to_string().contains("expired"))
    })
    .await;
    println!("the token has ended {:?} after the leader's death", killed.elapsed());
    assert!(killed.elapsed() <= MAX_HAND_OVER, "{:?}", killed.elapsed());
    assert_eq!(leader(&cluster, &site).await, other);
}
