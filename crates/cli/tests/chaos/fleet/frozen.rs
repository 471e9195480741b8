//! A server that stands still in the middle of its transaction; a database that stands still.

use super::site::{DATABASE, Site, cluster, short_or_long, until};
use crate::load::Load;
use crate::measure::Times;
use crate::seen::Log;
use rustix::process::Signal;
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::{Cluster, Sync};

/// A transaction in which nothing happens is ended by the database after 4 s; what comes to that on a loaded machine.
const MAX_STALL: Duration = Duration::from_secs(7);
/// A server that cannot use its store says so within this.
const MAX_UNREADY: Duration = Duration::from_secs(10);
/// Bounds the failure of something that never happens.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Answers of success before each.
const HEARD: u64 = 50;

/// Whether the server has the lock of the store, and its transaction waits for it.
fn holds(cluster: &Cluster) -> bool {
    let sql = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' \
               AND granted AND application_name = 'still' AND state LIKE 'idle in transaction%'";
    cluster.ask(DATABASE, sql).expect("the database answers") != "0"
}

/// Stops the server with the lock in its hand.
async fn stop_amidst(cluster: &Cluster, site: &Site) {
    until("it is stopped in a transaction", MAX_WAIT, async || {
        site.server(0).signal(Signal::STOP);
        if holds(cluster) {
            return true;
        }
        site.server(0).signal(Signal::CONT);
        false
    })
    .await;
}

// O16, E1, E4: SIGSTOP in the middle of a transaction, with the lock of the store. The other server waits no longer than the database
// lets a transaction rest; the one that goes on again does so correctly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e4_a_server_frozen_in_its_transaction_holds_nobody_up() {
    let cluster = cluster(Sync::Off, &[]);
    let store = cluster.tcp_url(DATABASE);
    let (mut site, load, mut log) =
        (Site::open(&[format!("{store}?application_name=still"), store]).await, Load::new(), Log::default());
    let mut stalls = Times::default();
    for _ in 0..short_or_long(1, 20) {
        load.go_to(&site.addresses());
        load.heard(HEARD).await;
        stop_amidst(&cluster, &site).await;
        let stopped = Instant::now();
        let took = site.serves(1, &load, stopped).await;
        assert!(took <= MAX_STALL, "the other one stood still for {took:?}");
        stalls.add(took);
        // It has work of its own now.
        load.go_to(&[site.server(1).address]);
        load.heard(HEARD / 5).await;
        site.server(0).signal(Signal::CONT);
        site.serves(0, &load, Instant::now()).await;
    }
    let seen = site.settle(load, &mut log).await;
    println!("stood still {stalls}; {} tasks", seen.tasks.len());
}

// O16, E1, E2, E7, O23: the database stands still, in the long version for longer than servers wait for an answer. They say that they
// are not ready within 10 s, and go on by themselves when it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e2_o23_a_database_that_stands_still_loses_nothing() {
    let cluster = cluster(Sync::Off, &[]);
    let store = cluster.tcp_url(DATABASE);
    let (mut site, load, mut log) = (Site::open(&[store.clone(), store]).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    let mut back = Times::default();
    for round in 0..short_or_long(1, 5) {
        load.heard(HEARD).await;
        cluster.freeze().expect("it is ours");
        for place in site.running() {
            until("it is not ready", MAX_UNREADY, async || site.ready(place).await.status == 503).await;
        }
        let given_up = |site: &Site| site.log(0).matches("has not answered in time").count();
        let wanted = short_or_long(0, round + 1);
        until("it has given up waiting", MAX_WAIT, async || given_up(&site) >= wanted).await;
        cluster.thaw().expect("it is ours");
        let thawed = Instant::now();
        for place in site.running() {
            back.add(site.serves(place, &load, thawed).await);
        }
    }
    let seen = site.settle(load, &mut log).await;
    println!("back {back}; {} tasks", seen.tasks.len());
}
