//! Servers over one database are replaced one by one, while everybody goes on working.

use super::site::{DATABASE, Site, cluster, short_or_long};
use crate::ledger::{Ledger, Word};
use crate::line::Line;
use crate::load::Load;
use crate::measure::Times;
use crate::seen::Log;
use crate::server::Yard;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::Sync;
use tokio::process::Command;
use tokio::sync::watch;

/// Answers of success before each step.
const HEARD: u64 = 150;
/// Somebody who asks one server after the other is answered within this, whatever is being replaced.
const MAX_CALL: Duration = Duration::from_secs(5);
/// The pause between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// The pause between two calls.
const CALL_AGAIN: Duration = Duration::from_millis(5);

/// Submits one task after the other, each to one server after the other until it is acknowledged; how long each took.
async fn call(mut servers: watch::Receiver<Vec<SocketAddr>>, ledger: Arc<Ledger>) -> Times {
    let mut times = Times::default();
    for number in 0_usize.. {
        let title = format!("call-{number}");
        ledger.will_submit(&title, None, None);
        let began = Instant::now();
        let id = acknowledged(&servers, &title, number).await;
        times.add(began.elapsed());
        ledger.submitted(&title, Word::Done(id));
        tokio::time::sleep(CALL_AGAIN).await;
        if servers.has_changed().is_err() {
            break;
        }
        servers.borrow_and_update();
    }
    times
}

async fn acknowledged(servers: &watch::Receiver<Vec<SocketAddr>>, title: &str, number: usize) -> String {
    let body = json!({"kind": "chaos", "title": title, "payload": {"of": title}});
    for turn in number.. {
        let present = servers.borrow().clone();
        let mut line = Line::to(present[turn % present.len()]);
        match line.post_once("/tasks", title, &body).await {
            Ok(answer) if answer.is_done() => {
                return answer.body["id"].as_str().expect("it has an id").to_owned();
            }
            Ok(answer) => {
                assert!(answer.status == 503 || answer.code() == "idempotency_running", "{answer:?}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
    unreachable!("numbers do not end");
}

// O16, E1, E3, E5: two servers are stopped (TERM) and started anew in turn, under load: nothing acknowledged is lost, and whoever
// asks the one or the other is answered all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_servers_are_replaced_one_by_one_under_load() {
    let cluster = cluster(Sync::Off, &[]);
    let stores = vec![cluster.tcp_url(DATABASE); 2];
    let (mut site, load, mut log) = (Site::open(&stores).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    let (present, servers) = watch::channel(site.addresses());
    let caller = tokio::spawn(call(servers, Arc::clone(&load.ledger)));
    let mut replaced = Times::default();
    for round in 0..short_or_long(4, 40) {
        let place = round % 2;
        load.heard(HEARD).await;
        let began = Instant::now();
        site.end(place).await;
        load.heard(HEARD).await;
        site.start(place).await;
        replaced.add(began.elapsed());
        load.go_to(&site.addresses());
        present.send_replace(site.addresses());
    }
    load.heard(HEARD).await;
    drop(present);
    let times = caller.await.expect("it does not panic");
    let seen = site.settle(load, &mut log).await;
    println!("{} tasks; replaced in {replaced}; calls {times}", seen.tasks.len());
    assert!(times.percentile(100) < MAX_CALL, "a call waited too long: {times}");
}

// O10, O16: servers that are started at once over an empty database make its schema once, and `migrate status` tells of it while
// they run; steps are taken back when none is up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o10_o16_servers_that_start_at_once_migrate_once() {
    let cluster = cluster(Sync::Off, &[]);
    let store = cluster.tcp_url(DATABASE);
    let yards = [Yard::at(&store), Yard::at(&store), Yard::at(&store)];
    let (one, two, three) = tokio::join!(yards[0].start(), yards[1].start(), yards[2].start());
    let twice = "SELECT count(*) - count(DISTINCT version) FROM migration";
    assert_eq!(cluster.ask(DATABASE, twice).expect("answers"), "0");
    let task = json!({"kind": "chaos", "title": "one for all"});
    let made = one.line().post("/tasks", &task).await.expect("answers");
    let id = made.body["id"].as_str().expect("an id").to_owned();
    for other in [&two, &three] {
        let found = other.line().get(&format!("/tasks/{id}")).await.expect("answers");
        assert_eq!(found.status, 200, "they agree about ids: {}", found.body);
    }
    let (status, told) = migrate(&yards[0], &["status", "--store", &store]).await;
    assert!(status && told["items"][0]["applied_at"].is_string(), "{told}");
    let (status, told) = migrate(&yards[0], &["down", "--store", &store]).await;
    assert!(
        !status && told["error"].as_str().is_some_and(|text| text.contains("stop every server")),
        "{told}"
    );
    assert!(one.line().get(&format!("/tasks/{id}")).await.expect("answers").is_done());
}

/// Whether it was done, and what it says.
async fn migrate(yard: &Yard, words: &[&str]) -> (bool, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiltyard"));
    command.arg("migrate").args(words).arg("--json").env_clear().env("HOME", yard.beside(""));
    let done = command.output().await.expect("the binary starts");
    let said = if done.status.success() { done.stdout } else { done.stderr };
    (done.status.success(), serde_json::from_slice(&said).expect("is JSON"))
}
