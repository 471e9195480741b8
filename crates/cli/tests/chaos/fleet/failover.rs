//! The primary dies with all its processes, its synchronous standby takes its place, and later it comes back as if nothing had
//! happened.

use super::site::{DATABASE, Site, cluster, short_or_long, until};
use crate::load::Load;
use crate::measure::Times;
use crate::seen::Log;
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::{Cluster, Sync};

/// Servers go on by themselves within this, counted from the promotion.
const MAX_BACK: Duration = Duration::from_secs(15);
/// Answers of success before each failover.
const HEARD: u64 = 150;

/// What the primary dies of is not the disk: nothing needs to reach it.
const SYNC: Sync = Sync::Off;
const SETTINGS: [&str; 2] = ["wal_keep_size=256MB", "max_connections=50"];

/// Commits that wait for the standby.
const WAITS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'tiltyard'";
/// Those of them that have written a task.
const OF_TASKS: &str = "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) \
     WHERE wait_event = 'SyncRep' AND relation = 'task'::regclass AND mode = 'RowExclusiveLock'";

fn url(ports: [u16; 2]) -> String {
    format!("postgres://tiltyard@127.0.0.1:{},127.0.0.1:{}/{DATABASE}", ports[0], ports[1])
}

/// What has died comes back as the primary it was, and is refused: also by a server that has just been started and knows of no
/// promotion, and although it is named first.
async fn comes_back(stale: &mut Cluster, primary: &Cluster, site: &Site, load: &Load) {
    stale.start_again(SYNC, &SETTINGS).expect("the stale primary starts");
    let before = stale.ask(DATABASE, "SELECT count(*) FROM task").expect("it answers");
    let end_all =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'tiltyard'";
    primary.ask("postgres", end_all).expect("it answers");
    let began = Instant::now();
    for place in site.running() {
        site.serves(place, load, began).await;
    }
    let fresh = Site::open(&[url([stale.port(), primary.port()])]).await;
    fresh.serves(0, load, began).await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tiltyard' AND backend_xid IS NOT NULL";
    assert_eq!(stale.ask(DATABASE, sessions).expect("it answers"), "0");
    assert_eq!(stale.ask(DATABASE, "SELECT count(*) FROM task").expect("it answers"), before);
}

// O16, E1, E2, E5: the primary is killed under load and its synchronous standby promoted; twice here, 20 times in the long
// run. Nothing acknowledged is lost, no generation is given twice, the log has no holes, servers go on by themselves within
// 15 s of the promotion, and the stale primary is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_e2_e5_a_failover_loses_nothing_that_was_acknowledged() {
    let mut primary = cluster(SYNC, &SETTINGS);
    let mut standby = primary.standby(SYNC, &SETTINGS).expect("a standby");
    primary.wait_for_standby().expect("it follows");
    let store = url([primary.port(), standby.port()]);
    let (mut site, load, mut log) =
        (Site::open(&[store.clone(), store.clone()]).await, Load::new(), Log::default());
    let mut back = Times::default();
    let rounds = short_or_long(2, 20);
    for round in 0..rounds {
        load.go_to(&site.addresses());
        load.heard(HEARD).await;
        primary.kill().expect("it is ours");
        standby.promote().expect("it becomes the primary");
        let promoted = Instant::now();
        for place in site.running() {
            let took = site.serves(place, &load, promoted).await;
            assert!(took <= MAX_BACK, "server {place} came back after {took:?}");
            back.add(took);
        }
        load.heard(HEARD).await;
        if round == 0 {
            comes_back(&mut primary, &standby, &site, &load).await;
            primary.kill().expect("it is ours");
        }
        primary.follow(&standby, SYNC, &SETTINGS).expect("it follows the new one");
        standby.wait_for_standby().expect("it follows");
        std::mem::swap(&mut primary, &mut standby);
    }
    let seen = site.settle(load, &mut log).await;
    println!(
        "{rounds} failovers, {} tasks, {} events; back after {back}",
        seen.tasks.len(),
        seen.events.len()
    );
}

// O16, E1, E2: the primary does not die, it hangs: its machine takes what is said and answers nothing. Servers go on by themselves within
// 15 s of the promotion, with writing and with reading, and stay with the new one when the old one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_e2_a_primary_that_hangs_is_left_for_its_successor() {
    let primary = cluster(SYNC, &SETTINGS);
    let standby = primary.standby(SYNC, &SETTINGS).expect("a standby");
    primary.wait_for_standby().expect("it follows");
    let store = url([primary.port(), standby.port()]);
    let (mut site, load, mut log) =
        (Site::open(&[store.clone(), store.clone()]).await, Load::new(), Log::default());
    let mut back = Times::default();
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    primary.freeze().expect("it is ours");
    standby.promote().expect("it becomes the primary");
    let promoted = Instant::now();
    for place in site.running() {
        let took = site.serves(place, &load, promoted).await;
        assert!(took <= MAX_BACK, "server {place} came back after {took:?}");
        back.add(took);
        let left = MAX_BACK.saturating_sub(promoted.elapsed());
        let reads =
            async || site.line(place).get("/tasks?limit=1").await.is_ok_and(|answer| answer.is_done());
        until("it reads", left, reads).await;
    }
    load.heard(HEARD).await;
    primary.thaw().expect("it is ours");
    let thawed = Instant::now();
    for place in site.running() {
        site.serves(place, &load, thawed).await;
    }
    let seen = site.settle(load, &mut log).await;
    println!("{} tasks, {} events; back after {back}", seen.tasks.len(), seen.events.len());
}

// O16, E1, E2: the standby is away, a commit waits for it, and its session is ended: the primary has it, and nobody else. Whoever
// waits is not told that it is done before the standby has it too; when the primary dies instead, it never happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_e2_what_only_the_primary_has_is_not_acknowledged() {
    let mut primary = cluster(SYNC, &SETTINGS);
    let mut standby = primary.standby(SYNC, &SETTINGS).expect("a standby");
    primary.wait_for_standby().expect("it follows");
    let site = Site::open(&[url([primary.port(), standby.port()])]).await;
    let count = |sql: &str| primary.ask(DATABASE, sql).expect("it answers");
    let waits = async || count(WAITS) == "1";
    let mut tries = 0;
    let (title, asked) = loop {
        standby.kill().expect("it is ours");
        let (mut line, title) = (site.line(0), format!("only here {tries}"));
        let task = serde_json::json!({"kind": "chaos", "title": title});
        let asked = tokio::spawn(async move { line.post("/tasks", &task).await });
        until("a commit waits for the standby", MAX_BACK, waits).await;
        if count(OF_TASKS) == "1" {
            break (title, asked);
        }
        // The server's own word came before it.
        standby.start_again(SYNC, &SETTINGS).expect("it starts");
        assert!(asked.await.expect("no panic").expect("it answers").is_done());
        tries += 1;
        assert!(tries < 10, "a submission is never the one that waits");
    };
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    primary.ask("postgres", end).expect("it answers");
    let is_there = format!("SELECT count(*) FROM task WHERE title = '{title}'");
    until("the primary has it", MAX_BACK, async || count(&is_there) == "1").await;
    // The outcome is looked for by now, and found.
    until("the server waits for the standby again", MAX_BACK, waits).await;
    assert!(!asked.is_finished(), "it is acknowledged, and only the primary has it");
    primary.kill().expect("it is ours");
    standby.start_again(SYNC, &SETTINGS).expect("it starts");
    standby.promote().expect("it becomes the primary");
    let answer = asked.await.expect("no panic").expect("it answers");
    assert_eq!((answer.status, answer.code()), (503, "store_unreachable"), "{}", answer.body);
    assert_eq!(standby.ask(DATABASE, &is_there).expect("it answers"), "0");
}
