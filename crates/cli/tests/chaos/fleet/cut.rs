//! A server that is cut off from the database, and not from those who work.

use super::site::{DATABASE, Site, cluster, until};
use crate::seen::read;
use crate::server::Yard;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::{Cluster, Sync};
use tiltyard_testkit::{Island, Proxy};

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
    /// What is sent is lost, both ways, and nobody is told; also what asks whether the other side is still there.
    Lost,
}

/// The way from the first server to the database.
enum Way {
    Proxy(Proxy, SocketAddr),
    Cable(Island),
}

impl Way {
    fn cut(&self, how: Break) {
        match (self, how) {
            (Self::Proxy(proxy, _), Break::Loud) => proxy.cut(),
            (Self::Proxy(proxy, _), Break::Silent | Break::Lost) => proxy.deafen(),
            (Self::Cable(island), _) => island.cut().expect("it is unplugged"),
        }
    }

    fn mend(&self) {
        match self {
            Self::Proxy(proxy, database) => proxy.open(*database),
            Self::Cable(island) => island.mend().expect("it is plugged in"),
        }
    }
}

/// Two servers, and the way of the first to the database.
async fn set(how: Break) -> (Cluster, Way, Site) {
    if how == Break::Lost {
        match Island::rise().expect("a network") {
            Some(island) => return set_on(island).await,
            None => println!("this user may not make networks: a proxy swallows the answers instead"),
        }
    }
    let (cluster, proxy) = (cluster(Sync::Off, &[]), Proxy::start().await.expect("a proxy"));
    let database = ([127, 0, 0, 1], cluster.port()).into();
    proxy.open(database);
    let away = format!("postgres://tiltyard@{}/{DATABASE}", proxy.address());
    let site = Site::open(&[away, cluster.tcp_url(DATABASE)]).await;
    (cluster, Way::Proxy(proxy, database), site)
}

/// The same where the first server has a network of its own. It listens on the loopback of that network, and is reached whatever
/// happens to the cable.
async fn set_on(island: Island) -> (Cluster, Way, Site) {
    let cluster = cluster(Sync::Off, &["listen_addresses=*"]);
    cluster.let_in("198.18.0.0/15").expect("it lets them in");
    let away = format!("postgres://tiltyard@{}:{}/{DATABASE}", island.host(), cluster.port());
    let (far, near) = (Yard::at(&away), Yard::at(&cluster.tcp_url(DATABASE)));
    let ferry = island.ferry().expect("a ferry");
    let mut command = far.command_inside(&island.inside());
    // It is called by the ferry's name (SEC11).
    command.arg("--set").arg(format!("hosts=127.0.0.1,{ferry}"));
    let land = |own| {
        island.lands_at(own);
        ferry
    };
    let first = far.start_behind(command, land).await;
    let second = near.start().await;
    (cluster, Way::Cable(island), Site::of([(far, first), (near, second)]))
}

async fn claimed(site: &Site, place: usize, agent: &str) -> Value {
    let claim = json!({"agent": agent, "lease_ms": LEASE_MS});
    let answer = site.line(place).post("/tasks/claim", &claim).await.expect("it answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["tasks"][0].clone()
}

async fn cut_off(how: Break) {
    let (_cluster, way, mut site) = set(how).await;
    let task = json!({"kind": "chaos", "title": "for somebody"});
    for _ in 0..2 {
        assert_eq!(site.line(0).post("/tasks", &task).await.expect("it answers").status, 201);
    }
    let held = claimed(&site, 0, "first").await;
    let path = format!("/tasks/{}", held["id"].as_str().expect("an id"));
    let began = Instant::now();
    way.cut(how);
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
    way.mend();
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

// E4, E9, O16, O23: the same where packets get lost without a word, in name spaces where this user may make them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_o16_o23_a_server_whose_packets_get_lost() {
    cut_off(Break::Lost).await;
}
