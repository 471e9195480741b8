use crate::{Yard, claim, download, put, soon, submit};
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Request};
use tiltyard_testkit::agent::{hello, lease_of};
use tiltyard_testkit::{ADMIN_TOKEN, FakeAgent, TestServer};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::frame::{FromAgent, LogChunk, ToAgent};
use tiltyard_wire::task::work::{Complete, Log};
use tiltyard_wire::task::{LogQuery, View};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A part of an artifact: status and bytes.
async fn part(server: &TestServer, id: &str, range: &str) -> (u16, Vec<u8>) {
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let ask = format!(
        "GET /api/v1/artifacts/{id} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\
         Authorization: Bearer {ADMIN_TOKEN}\r\nRange: {range}\r\n\r\n",
        server.address().port()
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(head + 4))
}

async fn log(client: &Client, task: &View) -> String {
    client.text(Request::<call::TaskLog>::new().place(task.id).query(LogQuery::default())).await.unwrap()
}

async fn append(client: &Client, task: &View, offset: u64, text: &str) -> u64 {
    let body = Log { generation: task.generation, offset, text: text.into() };
    client.call(Request::<call::TaskLogAppend>::new().place(task.id).body(body)).await.unwrap().offset
}

// O16, D21, API2: what is stored at one server is downloaded from another, as a whole and in parts.
#[tokio::test(flavor = "multi_thread")]
async fn o16_bytes_stored_at_one_server_are_read_at_another() {
    let yard = Yard::new();
    let (a, b) = (yard.server("a").await, yard.server("b").await);
    submit(&a.client()).await;
    let held = claim(&a.client()).await;
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|number| (number % 251) as u8).collect();
    let stored = put(&a.client(), &held, &bytes).await;
    assert!(download(&b.client(), &stored).await == bytes);
    let id = stored.id.to_string();
    assert_eq!(part(&b, &id, "bytes=8388600-8388615").await, (206, bytes[8_388_600..=8_388_615].to_vec()));
    assert_eq!(part(&b, &id, "bytes=-3").await, (206, bytes[bytes.len() - 3..].to_vec()));
    assert_eq!(part(&b, &id, "bytes=10000000-").await.0, 416);
}

// O16, C10: a log that grows at one server is read and followed at another; an agent that moves goes on there, and what it sends
// again stands there once.
#[tokio::test(flavor = "multi_thread")]
async fn o16_a_log_that_grows_at_one_server_is_followed_at_another() {
    let yard = Yard::new();
    let (a, b) = (yard.server("a").await, yard.server("b").await);
    let task = submit(&a.client()).await;
    let query = LogQuery { follow: Some(true), ..LogQuery::default() };
    let mut stream = b.client().follow(Request::<call::TaskLog>::new().place(task.id).query(query));
    let held = claim(&a.client()).await;
    assert_eq!(append(&a.client(), &held, 0, "one ").await, 4);
    let mut heard = String::new();
    while heard != "one " {
        if let Item::Next(text) = soon(stream.next()).await.unwrap().expect("goes on") {
            heard.push_str(&text);
        }
    }
    assert_eq!(log(&b.client(), &held).await, "one ");
    assert_eq!(append(&b.client(), &held, 2, "e two ").await, 8, "sent again from the middle");
    assert_eq!(append(&a.client(), &held, 0, "one two three").await, 13);
    let body = Complete { generation: held.generation, result: None };
    a.client().call(Request::<call::TaskComplete>::new().place(held.id).body(body)).await.unwrap();
    while let Some(item) = soon(stream.next()).await.unwrap() {
        if let Item::Next(text) = item {
            heard.push_str(&text);
        }
    }
    assert_eq!(heard, "one two three");
}

// C3, C10: what an agent has said on its connection is in the bucket when its outcome is confirmed, because it forgets it then.
#[tokio::test(flavor = "multi_thread")]
async fn c10_a_log_is_safe_before_its_outcome_is_confirmed() {
    let yard = Yard::new();
    let (a, b) = (yard.server("a").await, yard.server("b").await);
    let task = submit(&a.client()).await;
    let (mut agent, _) = FakeAgent::welcome(&a.client(), hello("x", 1)).await.unwrap();
    let lease = lease_of(&agent.assigned().await.unwrap());
    let mut offset = 0;
    for line in ["one\n", "two\n", "three\n"] {
        let chunk = LogChunk { id: lease.id, generation: lease.generation, offset, text: line.into() };
        agent.say(FromAgent::Log(chunk)).await.unwrap();
        offset += line.len() as u64;
    }
    agent.settle(lease).await.unwrap();
    assert!(matches!(agent.hear().await.unwrap(), ToAgent::Settled(_)));
    a.running().end();
    assert_eq!(log(&b.client(), &task).await, "one\ntwo\nthree\n");
}
