//! Two servers behind a balancer: the examples of the guide as they stand in it, but for their addresses and TLS.

use super::site::{DATABASE, cluster, until};
use crate::agent::Scene;
use crate::line::Line;
use crate::seen::read;
use crate::server::Yard;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tiltyard_testkit::Proxy;
use tiltyard_testkit::daemon::Daemon;
use tiltyard_testkit::postgres::Sync;

/// A server that is not ready, or gone, is passed by within this: it says so after 10 s at most.
const MAX_PASSED_BY: Duration = Duration::from_secs(20);
/// Bounds the failure of something that never happens; an agent pauses before it comes back.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// So many answers in a row are no luck: the other server would have had every second one.
const IN_A_ROW: usize = 8;

/// The example that begins with this word.
fn example(first: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/scale-out.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let blocks = page.split("```\n").filter(|block| block.starts_with(first));
    blocks.last().expect("the page has the example").to_owned()
}

/// The example with other words in some places, each of which it has.
fn with(mut example: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(example.contains(from), "the example has no longer {from:?}:\n{example}");
        example = example.replace(from, to);
    }
    example
}

fn haproxy(servers: [SocketAddr; 2]) -> Daemon {
    let [one, two] = servers.map(|server| server.to_string());
    let daemon = Daemon::start("haproxy", |folder, port| {
        let listen = format!("bind 127.0.0.1:{port}");
        let changes = [
            ("bind :443 ssl crt /etc/haproxy/tilt.pem", &*listen),
            ("10.0.0.11:8470", &*one),
            ("10.0.0.12:8470", &*two),
        ];
        let settings = folder.join("haproxy.cfg");
        fs::write(&settings, with(example("frontend tilt"), &changes))?;
        Ok(["-db", "-f"].map(str::to_owned).into_iter().chain([settings.display().to_string()]).collect())
    });
    daemon.expect("HAProxy starts")
}

fn nginx(servers: [SocketAddr; 2]) -> Daemon {
    let [one, two] = servers.map(|server| server.to_string());
    let daemon = Daemon::start("nginx", |folder, port| {
        let listen = format!("listen 127.0.0.1:{port};");
        let changes = [
            ("listen 443 ssl;", &*listen),
            ("$scheme", "https"),
            ("10.0.0.11:8470", &*one),
            ("10.0.0.12:8470", &*two),
        ];
        let own = folder.display();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places: String = kinds.map(|kind| format!("{kind}_temp_path {own}/{kind};\n")).concat();
        let text = format!(
            "daemon off;\npid {own}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{}}}\n",
            with(example("upstream tilt"), &changes)
        );
        let settings = folder.join("nginx.conf");
        fs::write(&settings, text)?;
        Ok(["-e", "stderr", "-c"]
            .map(str::to_owned)
            .into_iter()
            .chain([settings.display().to_string()])
            .collect())
    });
    daemon.expect("nginx starts")
}

/// Hands in a task that a real agent does, and waits until it is done.
async fn work_is_done(front: SocketAddr, at: &Scene, what: &str) {
    let task = json!({"kind": "command", "title": what, "payload": {"argv": ["true"]}});
    let mut answer = None;
    until("it is taken", MAX_PASSED_BY, async || {
        answer = Line::to(front).post("/tasks", &task).await.ok().filter(|answer| answer.status == 201);
        answer.is_some()
    })
    .await;
    let answer = answer.expect("it was waited for");
    let path = format!("/tasks/{}", answer.body["id"].as_str().expect("an id"));
    let done = async || read(&mut at.server().line(), &path).await["state"] == "succeeded";
    until(what, MAX_WAIT, done).await;
}

/// Waits until everybody is served, one after the other: who reads, and where the balancer looks at servers itself, who writes.
async fn everybody_is_served(front: SocketAddr, looks: Looks, what: &str) {
    let task = json!({"kind": "chaos", "title": "for nobody"});
    let mut row = 0;
    let served = async || {
        let mut line = Line::to(front);
        let written = line.post("/tasks", &task).await;
        let read = line.get("/tasks?limit=1").await;
        let is_served = read.is_ok_and(|answer| answer.status == 200)
            && (looks == Looks::Never || written.is_ok_and(|answer| answer.status == 201));
        row = if is_served { row + 1 } else { 0 };
        row == IN_A_ROW
    };
    let took = until(what, MAX_PASSED_BY, served).await;
    println!("{what}: {took:?}");
}

/// Whether a balancer looks at `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Often,
    /// It goes by how servers answer.
    Never,
}

async fn behind(balancer: fn([SocketAddr; 2]) -> Daemon, looks: Looks) {
    let (cluster, way) = (cluster(Sync::Off, &[]), Proxy::start().await.expect("a proxy"));
    way.open(([127, 0, 0, 1], cluster.port()).into());
    let away = format!("postgres://tiltyard@{}/{DATABASE}", way.address());
    // The name by which everybody calls; what stands behind it is known later.
    let name = Proxy::start().await.expect("a proxy");
    let hosts = format!("hosts=tilt.example,127.0.0.1,{}", name.address());
    let settings = [&*hosts, "behind_proxy=true", "proxies=127.0.0.1"];
    let lease = Duration::from_secs(5);
    let one = Scene::set_with(Yard::at(&away), lease, &settings).await;
    let mut two = Scene::set_with(Yard::at(&cluster.tcp_url(DATABASE)), lease, &settings).await;
    let daemon = balancer([one.server().address, two.server().address]);
    name.open(daemon.address());
    let front = name.address();
    everybody_is_served(front, looks, "both are ready").await;
    let _agents = [one.agent_at("first", &name.url()).await, one.agent_at("second", &name.url()).await];
    work_is_done(front, &two, "both serve").await;
    // The one that cannot reach its store says so, and is passed by.
    way.cut();
    everybody_is_served(front, looks, "one is not ready").await;
    if looks == Looks::Often {
        let agents = async || {
            let all = read(&mut two.server().line(), "/agents").await;
            let is_here = |agent: &Value| agent["connected"] == true;
            all["items"].as_array().is_some_and(|all| all.iter().filter(|agent| is_here(agent)).count() == 2)
        };
        until("both agents are at the other", MAX_WAIT, agents).await;
    }
    way.open(([127, 0, 0, 1], cluster.port()).into());
    let ready = async || one.server().line().probe("/readyz").await.is_ok_and(|answer| answer.status == 200);
    until("it is ready again", MAX_WAIT, ready).await;
    // One is killed: its agents come back by the other.
    two.kill_server().await;
    everybody_is_served(front, looks, "one is dead").await;
    work_is_done(front, &one, "the other one serves").await;
    drop(daemon);
}

// O16: HAProxy as the guide has it: agents' sockets pass, who is not ready or dead is passed by, and agents go where work is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_servers_behind_haproxy() {
    behind(haproxy, Looks::Often).await;
}

// O16: nginx as the guide has it: who reads is served all the time, who writes asks again; agents stay where they are until their
// connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_servers_behind_nginx() {
    behind(nginx, Looks::Never).await;
}
