//! Two servers of one store: nobody can tell which of them answers (E11, O16).

use crate::support::{PATIENCE, refusal, soon, submit_many};
use serde_json::Value;
use std::time::Duration;
use tiltyard_client::{Client, Request};
use tiltyard_engine::Sharing;
use tiltyard_model::agent::Resources;
use tiltyard_testkit::agent::hello;
use tiltyard_testkit::postgres::Database;
use tiltyard_testkit::{FakeAgent, TestServer};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::frame::{FromAgent, ToAgent};
use tiltyard_wire::task::{Bulk, BulkAction, Filter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Between two looks at what must come.
const PAUSE: Duration = Duration::from_millis(20);

/// A database for servers, and those that run.
struct Pair {
    database: Database,
    servers: Vec<TestServer>,
}

impl Pair {
    async fn start() -> Self {
        let database = tiltyard_testkit::postgres::Cluster::shared().database().unwrap();
        let mut pair = Self { database, servers: Vec::new() };
        pair.join("a").await;
        pair.join("b").await;
        pair
    }

    /// One more server.
    async fn join(&mut self, name: &str) {
        let sharing = Sharing { name: name.to_owned(), ..Sharing::of(self.database.url.clone()) };
        let server = TestServer::start_with(|options| options.engine.sharing = Some(sharing)).await;
        self.servers.push(server.unwrap());
    }

    fn client(&self, server: usize) -> Client {
        self.servers[server].client()
    }

    /// What every server says of an agent, with its tag, as soon as they agree and it is as it is wanted.
    async fn agrees(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> (Value, String) {
        let mut said = Vec::new();
        let begun = std::time::Instant::now();
        while begun.elapsed() < PATIENCE {
            said.clear();
            for server in &self.servers {
                said.push(raw(server, "GET", path, None).await);
            }
            let (_, tag, body) = said[0].clone();
            if said.iter().all(|other| *other == said[0]) && is_wanted(&body) {
                return (body, tag);
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the servers do not agree, or not on what is wanted: {said:#?}");
    }
}

/// Status, entity tag and body.
async fn raw(server: &TestServer, method: &str, path: &str, if_match: Option<&str>) -> (u16, String, Value) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let demand = if_match.map(|tag| format!("If-Match: {tag}\r\n")).unwrap_or_default();
    let (host, token) = (format!("localhost:{}", server.address().port()), tiltyard_testkit::ADMIN_TOKEN);
    let text = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{demand}\r\n"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut read = String::new();
    soon(stream.read_to_string(&mut read)).await.unwrap();
    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, tag.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

fn is_connected(agent: &Value) -> bool {
    agent["connected"] == true
}

async fn err(fake: &mut FakeAgent, times: usize) {
    for _ in 0..times {
        fake.say(FromAgent::Hello(hello("again", 1))).await.unwrap();
    }
}

// E11, API8: what is said of an agent is the same whichever server is asked, and one that has just come is no exception; the tag
// of one server is good for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_an_agent_is_the_same_on_every_server() {
    let mut pair = Pair::start().await;
    let (mut fake, _) = FakeAgent::welcome(&pair.client(0), hello("x", 2)).await.unwrap();
    let resources = Resources { load: 0.5, slots_used: 1, ..Resources::default() };
    fake.say(FromAgent::Resources(resources)).await.unwrap();
    let (_, tag) = pair.agrees("/agents/x", |x| is_connected(x) && x["resources"]["slots_used"] == 1).await;
    drop(fake);
    pair.agrees("/agents/x", |x| !is_connected(x) && x["state"] == "idle").await;
    let (ends, _) = pair.agrees("/agents/x/disconnects", |ends| !ends["items"][0].is_null()).await;
    assert_eq!(ends["items"][0]["instance"], "one");
    // It comes back to the other server, and a third one begins.
    let (mut fake, _) = FakeAgent::welcome(&pair.client(1), hello("x", 2)).await.unwrap();
    err(&mut fake, 1).await;
    assert!(matches!(fake.hear().await.unwrap(), ToAgent::Error(_)));
    pair.join("c").await;
    pair.agrees("/agents/x", is_connected).await;
    let (told, _) = pair.agrees("/agents/x/violations", |told| !told["items"][0].is_null()).await;
    assert_eq!(told["items"][0]["action"], "warned");
    assert_eq!(raw(&pair.servers[2], "DELETE", "/agents/x", Some(&tag)).await.0, 412, "it has changed");
    let (_, tag) = pair.agrees("/agents/x", is_connected).await;
    assert_eq!(raw(&pair.servers[2], "DELETE", "/agents/x", Some(&tag)).await.0, 204);
}

// C2, E11: who is sent away by one server for what it says gets no new beginning at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_patience_is_that_of_all_servers() {
    let pair = Pair::start().await;
    let (mut fake, _) = FakeAgent::welcome(&pair.client(0), hello("clumsy", 1)).await.unwrap();
    err(&mut fake, 12).await;
    pair.agrees("/agents/clumsy/violations", |told| told["items"].as_array().unwrap().len() == 12).await;
    drop(fake);
    let (mut again, _) = FakeAgent::welcome(&pair.client(1), hello("clumsy", 1)).await.unwrap();
    err(&mut again, 8).await;
    assert_eq!(again.closed().await.unwrap(), 4422);
}

// API5, E11: a bulk act that is sent to two servers at once under one key is done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api5_two_servers_do_a_bulk_act_once() {
    let pair = Pair::start().await;
    for round in 0..5 {
        submit_many(&pair.client(0), 200).await;
        let bulk = |server: usize| {
            let filter = Some(Filter::default());
            let body =
                Bulk { action: BulkAction::Cancel, ids: Vec::new(), filter, all: true, priority: None };
            let request = Request::<call::TaskBulk>::new().body(body).idempotent(format!("bulk-{round}"));
            let client = pair.client(server);
            async move { soon(client.call(request)).await }
        };
        let (one, two) = tokio::join!(bulk(0), bulk(1));
        let done: Vec<u64> = [&one, &two].into_iter().flatten().map(|answer| answer.changed).collect();
        match done[..] {
            [200] => {
                let late = one.err().or(two.err()).unwrap();
                assert_eq!(refusal(Err::<(), _>(late)), (409, "idempotency_running".to_owned()));
            }
            // The second came when the first was done.
            [200, 200] => {}
            _ => panic!("{one:?} {two:?}"),
        }
    }
}
