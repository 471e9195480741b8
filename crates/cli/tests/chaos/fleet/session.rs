//! A database that is there but will not have us: sessions ended, connections exhausted, locks held by somebody else.

use super::site::{DATABASE, Site, cluster, short_or_long, until};
use crate::load::Load;
use crate::seen::Log;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::{Cluster, Sync, program};

/// How often all sessions are ended.
const EVERY: Duration = Duration::from_secs(2);
/// What writers of a store stand in line for.
const LOCK: i64 = 0x7469_6c74_7961_7264;
/// Longer than a server waits for the lock.
const HELD_SECONDS: u64 = 12;
/// Bounds the failure of something that never happens.
const MAX_WAIT: Duration = Duration::from_secs(40);
/// Answers of success that show that all is well.
const HEARD: u64 = 100;

const END_ALL: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'tiltyard'";
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tiltyard'";

fn number(cluster: &Cluster, sql: &str) -> u64 {
    cluster.ask("postgres", sql).expect("the database answers").parse().expect("a number")
}

/// Nobody keeps a connection that he no longer uses.
async fn assert_no_leak(cluster: &Cluster, before: u64) {
    until("connections are as before", MAX_WAIT, async || number(cluster, SESSIONS) <= before).await;
}

// O16, E1, E2: all sessions are ended every two seconds under load. Nothing acknowledged is lost, whoever is refused is told when
// to come again, and there are no more connections afterwards than before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_sessions_that_are_ended_lose_nothing() {
    let cluster = cluster(Sync::Off, &[]);
    let store = cluster.tcp_url(DATABASE);
    let (mut site, load, mut log) = (Site::open(&[store.clone(), store]).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    // Every reader of every server has been needed by now.
    site.read_at_once().await;
    let before = number(&cluster, SESSIONS);
    let mut ticks = tokio::time::interval(EVERY);
    let mut ended = 0;
    for _ in 0..short_or_long(4, 60) {
        ticks.tick().await;
        ended += number(&cluster, END_ALL);
        load.heard(HEARD / 4).await;
    }
    let began = Instant::now();
    let seen = site.settle(load, &mut log).await;
    assert_no_leak(&cluster, before).await;
    println!(
        "{ended} sessions ended, {} tasks; drained in {:?}; {before} sessions before, {} after",
        seen.tasks.len(),
        began.elapsed(),
        number(&cluster, SESSIONS)
    );
}

// O16, E1, E7: fewer connections than servers want. Requests are done or refused with a time to come again; when there are enough
// again, servers go on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e7_connections_that_run_out_are_waited_for() {
    let cluster = cluster(Sync::Off, &[]);
    for sql in ["CREATE ROLE few LOGIN", "ALTER DATABASE tiltyard OWNER TO few"] {
        cluster.ask("postgres", sql).expect("the database answers");
    }
    let store = cluster.tcp_url(DATABASE).replace("tiltyard@", "few@");
    let (mut site, load, mut log) = (Site::open(&[store.clone(), store]).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    site.read_at_once().await;
    let before = number(&cluster, SESSIONS);
    for limit in short_or_long(vec![1, 0], [1, 0, 2, 1, 0, 3].repeat(5)) {
        cluster.ask("postgres", &format!("ALTER ROLE few CONNECTION LIMIT {limit}")).expect("it answers");
        number(&cluster, END_ALL);
        let places = site.running();
        until("some server says that it is not ready", MAX_WAIT, async || {
            for place in &places {
                let ready = site.ready(*place).await;
                if ready.status == 503 {
                    assert!(ready.says_when(), "{ready:?}");
                    return true;
                }
            }
            false
        })
        .await;
        cluster.ask("postgres", "ALTER ROLE few CONNECTION LIMIT -1").expect("it answers");
        let began = Instant::now();
        for place in site.running() {
            let took = site.serves(place, &load, began).await;
            println!("server {place} serves {took:?} after there are connections again");
        }
        load.heard(HEARD).await;
    }
    site.settle(load, &mut log).await;
    assert_no_leak(&cluster, before).await;
}

// O16, E7: somebody else holds the lock of the store for longer than servers wait for it. They say that they are not ready, refuse
// with a time to come again, and go on when it is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e7_a_lock_that_is_held_is_waited_for_and_given_up() {
    let cluster = cluster(Sync::Off, &[]);
    let store = cluster.tcp_url(DATABASE);
    let (mut site, load, mut log) = (Site::open(&[store.clone(), store]).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    let hold = format!("SELECT pg_advisory_lock({LOCK}), pg_sleep({HELD_SECONDS})");
    let mut holder = tokio::process::Command::new(program("psql").expect("it is installed"));
    holder.args(["-h", "127.0.0.1", "-p", &cluster.port().to_string(), "-U", "tiltyard", "-XAtc"]);
    holder.arg(hold).arg(DATABASE).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let mut holder = holder.spawn().expect("psql starts");
    let began = Instant::now();
    until("a server is not ready", Duration::from_secs(10), async || site.ready(0).await.status == 503).await;
    println!("not ready {:?} after the lock was taken", began.elapsed());
    holder.wait().await.expect("it is our child");
    let freed = Instant::now();
    for place in site.running() {
        let took = site.serves(place, &load, freed).await;
        println!("server {place} serves {took:?} after the lock is free");
    }
    load.heard(HEARD).await;
    site.settle(load, &mut log).await;
}
