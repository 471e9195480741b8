//! Servers that reach the database through a pool of connections: a real PgBouncer.

use super::site::{DATABASE, Site, cluster, short_or_long};
use crate::agent::{Job, Scene};
use crate::load::Load;
use crate::seen::Log;
use crate::server::Yard;
use serde_json::Value;
use std::time::Duration;
use tiltyard_testkit::pgbouncer::{Pool, PoolMode};
use tiltyard_testkit::postgres::Sync;
use tokio::process::Command;

/// Fewer sessions than two servers have connections: what one leaves in a session another one finds.
const FEW_SESSIONS: usize = 4;
/// Enough whole sessions for two servers, and for those that replace them.
const WHOLE_SESSIONS: usize = 30;
/// Answers of success before each step.
const HEARD: u64 = 150;
/// What the page about several servers says of such a pool.
const POLLS: &str = "shared.poll_only=true";

fn polling(yard: &Yard) -> Command {
    let mut command = yard.command();
    command.arg("--set").arg(POLLS);
    command
}

// O16, E1, E5: two servers behind a pool that hands out single transactions (any version of it), under load; one of them is killed
// and replaced. Nothing acknowledged is lost, and nobody executes another's statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_servers_behind_a_pool_of_transactions() {
    let cluster = cluster(Sync::Off, &[]);
    let pool = Pool::before(&cluster, PoolMode::Transaction, FEW_SESSIONS).expect("it starts");
    let stores = vec![pool.url(DATABASE); 2];
    let mut site = Site::open_with(&stores, |_, yard| polling(yard)).await;
    let (load, mut log) = (Load::new(), Log::default());
    load.go_to(&site.addresses());
    for _ in 0..short_or_long(1, 20) {
        load.heard(HEARD).await;
        site.read_at_once().await;
        site.kill(0).await;
        load.heard(HEARD).await;
        site.start_as(0, polling).await;
        load.go_to(&site.addresses());
    }
    load.heard(HEARD).await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let sessions: usize = cluster.ask(DATABASE, sessions).expect("it answers").parse().expect("a number");
    assert!(sessions <= FEW_SESSIONS, "they share {sessions} sessions");
    site.settle(load, &mut log).await;
}

// O16, E4: an agent that hangs on one server does what was handed in at the other, through such a pool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_work_crosses_servers_behind_a_pool_of_transactions() {
    let cluster = cluster(Sync::Off, &[]);
    let pool = Pool::before(&cluster, PoolMode::Transaction, FEW_SESSIONS).expect("it starts");
    let lease = Duration::from_secs(30);
    let near = Scene::set_with(Yard::at(&pool.url(DATABASE)), lease, &[POLLS]).await;
    let mut far = Scene::set_with(Yard::at(&pool.url(DATABASE)), lease, &[POLLS]).await;
    let job = Job::new(&near.yard);
    let _agent = near.agent("near").await;
    let task = far.submit(&job.script()).await;
    job.has_begun(1).await;
    job.go().await;
    far.succeeds(&task).await;
    assert_eq!(far.story(&task).await, ["submitted ready", "leased 1 near", "succeeded 1"]);
}

// O16: whole sessions are as good as none between, wake-ups included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e1_servers_behind_a_pool_of_sessions() {
    let cluster = cluster(Sync::Off, &[]);
    let pool = Pool::before(&cluster, PoolMode::Session, WHOLE_SESSIONS).expect("it starts");
    let stores = vec![pool.url(DATABASE); 2];
    let (mut site, load, mut log) = (Site::open(&stores).await, Load::new(), Log::default());
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    site.kill(0).await;
    load.heard(HEARD).await;
    site.start(0).await;
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    site.settle(load, &mut log).await;
}

// O16, O23: a server that counts on sessions of its own does not start where a pool mixes them, and says what to set; so does `doctor`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_o23_a_pool_that_mixes_sessions_is_named() {
    let cluster = cluster(Sync::Off, &[]);
    let pool = Pool::before(&cluster, PoolMode::Transaction, FEW_SESSIONS).expect("it starts");
    let yard = Yard::at(&pool.url(DATABASE));
    let ended = yard.command().output().await.expect("the binary starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("shared.poll_only = true"), "{said}");
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_tiltyard"));
    doctor.args(["doctor", "--json", "--store", &pool.url(DATABASE)]).env_clear();
    doctor.env("HOME", yard.beside("")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let told = doctor.output().await.expect("the binary starts").stdout;
    let told: Value = serde_json::from_slice(&told).expect("is JSON");
    let check = |name: &str| {
        let checks = told["checks"].as_array().expect("a list");
        checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("{name}: {told}")).clone()
    };
    assert_eq!(check("database pool")["verdict"], "fail", "{told}");
    assert_eq!(check("database pool")["mend"], "tiltyard server --set shared.poll_only=true");
}
