//! Followed logs (C10, API20's form).

use crate::proxy::{Cut, Proxy};
use crate::support::{make_scope, mint, refusal, server, soon, submit, task};
use serde_json::json;
use tiltyard_client::stream::{Following, Item};
use tiltyard_client::{Client, Request};
use tiltyard_model::role::Role;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::work::{Claim, Complete, Log};
use tiltyard_wire::task::{LogQuery, View};

async fn claim(client: &Client) -> View {
    let body = Claim { agent: "me".into(), ..Claim::default() };
    client.call(Request::<call::TaskClaim>::new().body(body)).await.unwrap().tasks.remove(0)
}

async fn append(client: &Client, task: &View, offset: u64, text: &str) -> u64 {
    let body = Log { generation: task.generation, offset, text: text.into() };
    client.call(Request::<call::TaskLogAppend>::new().place(task.id).body(body)).await.unwrap().offset
}

async fn complete(client: &Client, task: &View) {
    let result = Some(serde_json::value::to_raw_value(&json!(1)).unwrap());
    let body = Complete { generation: task.generation, result };
    client.call(Request::<call::TaskComplete>::new().place(task.id).body(body)).await.unwrap();
}

fn follow(client: &Client, task: &View, query: &LogQuery) -> Following<call::TaskLog> {
    let query = LogQuery { follow: Some(true), ..query.clone() };
    client.follow(Request::<call::TaskLog>::new().place(task.id).query(query))
}

/// The next piece; `None` at the end.
async fn piece(stream: &mut Following<call::TaskLog>) -> Option<String> {
    loop {
        match soon(stream.next()).await.unwrap()? {
            Item::Next(text) => return Some(text),
            Item::Broken(_) => {}
        }
    }
}

/// Everything up to the end.
async fn rest(stream: &mut Following<call::TaskLog>) -> String {
    let mut all = String::new();
    while let Some(text) = piece(stream).await {
        all.push_str(&text);
    }
    all
}

// C10: the log is streamed live; it can be followed before it begins, and says when it is over.
#[tokio::test]
async fn c10_a_log_is_followed_from_before_it_begins_to_its_end() {
    let server = server().await;
    let client = server.client();
    let waiting = submit(&client, task("talks")).await;
    let mut stream = follow(&client, &waiting, &LogQuery::default());
    let first = tokio::spawn(async move {
        let text = piece(&mut stream).await;
        (stream, text)
    });
    let held = claim(&client).await;
    let offset = append(&client, &held, 0, "one\n").await;
    let (mut stream, text) = soon(first).await.unwrap();
    assert_eq!(text.as_deref(), Some("one\n"));
    append(&client, &held, offset, "two\n\nthree").await;
    assert_eq!(piece(&mut stream).await.as_deref(), Some("two\n\nthree"), "long before the timer");
    assert_eq!(stream.last_id(), Some("14"), "the offset behind it");
    complete(&client, &held).await;
    assert_eq!(piece(&mut stream).await, None);
    // What is over is told whole, and ends at once.
    let again = LogQuery { offset: Some(4), ..LogQuery::default() };
    assert_eq!(rest(&mut follow(&client, &held, &again)).await, "two\n\nthree");
}

// D4: a cancelled attempt adds nothing any more: its log is over.
#[tokio::test]
async fn d4_a_cancelled_attempt_ends_its_log() {
    let server = server().await;
    let client = server.client();
    for started in [true, false] {
        let task = submit(&client, task("is called off")).await;
        if started {
            append(&client, &claim(&client).await, 0, "begun").await;
        }
        let mut stream = follow(&client, &task, &LogQuery::default());
        let told = tokio::spawn(async move { rest(&mut stream).await });
        client.call(Request::<call::TaskCancel>::new().place(task.id)).await.unwrap();
        assert_eq!(soon(told).await.unwrap(), if started { "begun" } else { "" });
    }
}

// C10, API20's promise for logs: resumed by the offset, without gap or repeat, wherever the connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c10_a_follower_that_is_cut_at_random_misses_and_repeats_nothing() {
    let proxy = Proxy::start(Cut::Random { seed: 7, most_bytes: 40_000 }).await;
    let server = proxy.server().await;
    let writer = server.client();
    submit(&writer, task("talks much")).await;
    let held = claim(&writer).await;
    let mut stream = follow(&proxy.client(), &held, &LogQuery::default());
    let writing = tokio::spawn(async move {
        let (mut all, mut offset) = (String::new(), 0);
        for number in 0..60 {
            let text = format!("{number}: {}€\n", "ä".repeat(number * 40));
            offset = append(&writer, &held, offset, &text).await;
            all.push_str(&text);
        }
        complete(&writer, &held).await;
        all
    });
    let told = rest(&mut stream).await;
    assert_eq!(told, soon(writing).await.unwrap());
    assert!(proxy.cuts() > 1, "only {} cuts", proxy.cuts());
}

// SEC4: a log of another scope is not there.
#[tokio::test]
async fn sec4_a_log_of_another_scope_cannot_be_followed() {
    let server = server().await;
    let admin = server.client();
    make_scope(&admin, "red").await;
    let theirs = submit(&admin, task("theirs")).await;
    let red = server.client_of(&mint(&admin, Role::Viewer, &["red"]).await.token);
    let mut stream = follow(&red, &theirs, &LogQuery::default());
    assert_eq!(refusal(soon(stream.next()).await), (404, "not_found".into()));
    let never = LogQuery { generation: Some(3), ..LogQuery::default() };
    let mut stream = follow(&admin, &theirs, &never);
    assert_eq!(refusal(soon(stream.next()).await), (404, "not_found".into()));
}
