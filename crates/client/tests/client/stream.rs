//! Following.

use crate::server::{Server, problem};
use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tiltyard_client::stream::Item;
use tiltyard_client::{Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::LogQuery;

fn event(seq: u32) -> String {
    let event = serde_json::json!({
        "specversion": "1.0", "id": format!("1-{seq}"), "source": "s", "type": "tiltyard.task.ready", "subject": "x",
        "time": "2026-11-20T07:14:00.123Z", "datacontenttype": "application/json", "data": {}, "scope": "default",
        "actor": "ada", "sequence": seq.to_string(), "seq": seq, "scope_seq": seq,
    });
    format!("id: 1-{seq}\ndata: {event}\n\n")
}

fn sse(text: String) -> Response {
    ([("content-type", "text/event-stream")], text).into_response()
}

/// Answers one text a connection, then 410; and tells what was asked for.
async fn serve(path: &str, texts: Vec<String>) -> (Server, Arc<Mutex<Vec<HashMap<String, String>>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let answer = move |Query(query): Query<HashMap<String, String>>| {
        let mut seen = seen.lock().expect("is not poisoned");
        seen.push(query);
        let answer = texts.get(seen.len() - 1).map_or_else(
            || {
                (
                    StatusCode::GONE,
                    [("content-type", "application/problem+json")],
                    problem(410, "cursor_compacted"),
                )
                    .into_response()
            },
            |text| sse(text.clone()),
        );
        async move { answer }
    };
    (Server::start(Router::new().route(path, get(answer))).await, asked)
}

// API20: resumes without gap or repeat; 410 says how to resync.
#[tokio::test]
async fn api20_a_broken_stream_resumes_after_the_last_event() {
    let first = format!("id: 1-0\n\n{}{}", event(1), event(2));
    let (server, asked) =
        serve("/api/v1/events/stream", vec![": beat\n\nid: 1-0\n\n".into(), first, event(3)]).await;
    let mut stream = server.client().follow(Request::<call::EventStream>::new());
    let mut seqs = Vec::new();
    let error = loop {
        match stream.next().await {
            Ok(Some(Item::Next(event))) => seqs.push(event.seq),
            Ok(Some(Item::Broken(error))) => assert!(error.is_passing(), "{error}"),
            Ok(None) => panic!("events never end"),
            Err(error) => break error,
        }
    };
    assert_eq!((seqs, error.code()), (vec![1, 2, 3], Some("cursor_compacted")));
    assert_eq!(stream.last_id(), Some("1-3"));
    let after: Vec<_> =
        asked.lock().expect("is not poisoned").iter().map(|query| query.get("after").cloned()).collect();
    let cursor = |text: &str| Some(text.to_owned());
    assert_eq!(after, [None, cursor("1-0"), cursor("1-2"), cursor("1-3")]);
}

#[tokio::test]
async fn a_followed_log_resumes_at_its_offset_and_ends() {
    let first = "id: 4\ndata: one\ndata: \n\n".to_owned();
    let second = "id: 8\ndata: two\ndata: \n\nevent: end\ndata: {}\n\n".to_owned();
    let (server, asked) = serve("/api/v1/tasks/{id}/log", vec![first, second]).await;
    let query = LogQuery { follow: Some(true), ..LogQuery::default() };
    let mut stream = server.client().follow(Request::<call::TaskLog>::new().place("task_1").query(query));
    let mut log = String::new();
    while let Some(item) = stream.next().await.expect("goes on") {
        if let Item::Next(text) = item {
            log.push_str(&text);
        }
    }
    assert_eq!(log, "one\ntwo\n");
    let asked = asked.lock().expect("is not poisoned");
    assert_eq!(
        (asked[0].get("offset"), asked[1]["offset"].as_str(), asked[1]["follow"].as_str()),
        (None, "4", "true")
    );
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_says_so_at_once() {
    let (server, _) = serve("/api/v1/events/stream", Vec::new()).await;
    let mut stream = server.client().follow(Request::<call::EventStream>::new());
    assert!(matches!(stream.next().await, Err(Error::Refused(_))));
}
