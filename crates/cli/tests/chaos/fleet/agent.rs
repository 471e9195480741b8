//! Real agents on two servers of one store; the one's server is cut off from the database, and not from its agent.

use super::site::{DATABASE, cluster};
use crate::agent::{Job, Scene, is_over, until};
use crate::server::Yard;
use std::time::Duration;
use tiltyard_testkit::Proxy;
use tiltyard_testkit::postgres::Sync;

/// A lease that is meant to run out.
const LEASE: Duration = Duration::from_secs(2);

// O16, E4, C3, D3: the work of an agent whose server cannot reach the database goes to the agent of another server; when the way is
// whole again the first agent hears that it is to stop, and what it had done is not taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e4_work_goes_to_another_servers_agent_and_the_first_is_stopped() {
    let (cluster, way) = (cluster(Sync::Off, &[]), Proxy::start().await.expect("a proxy"));
    let database = ([127, 0, 0, 1], cluster.port()).into();
    way.open(database);
    let store = format!("postgres://tiltyard@{}/{DATABASE}", way.address());
    let near = Scene::set_in(Yard::at(&store), LEASE).await;
    let mut far = Scene::set_in(Yard::at(&cluster.tcp_url(DATABASE)), LEASE).await;
    let job = Job::new(&near.yard);
    let first = near.agent("near").await;
    let task = near.submit(&job.script()).await;
    job.has_begun(1).await;
    let second = far.agent("far").await;
    way.cut();
    job.has_begun(2).await;
    assert!(!is_over(&job.begun()[0]), "its agent could not hear of it yet");
    way.open(database);
    until("the first run is over", || is_over(&job.begun()[0])).await;
    job.go().await;
    far.succeeds(&task).await;
    assert_eq!(job.effects(), job.begun()[1..], "only the second run had its effect");
    let story =
        ["submitted ready", "leased 1 near", "lease_lost 1 near expired", "leased 2 far", "succeeded 2"];
    assert_eq!(far.story(&task).await, story);
    let attempts = far.attempts(&task).await;
    let ends: Vec<(i64, &str)> =
        attempts.iter().map(|(number, agent, _)| (*number, agent.as_str())).collect();
    assert_eq!(ends, [(1, "near"), (2, "far")]);
    until("the outboxes are empty", || first.outcomes() + second.outcomes() == 0).await;
}
