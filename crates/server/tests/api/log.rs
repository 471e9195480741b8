//! Logs of attempts.

use crate::support::{claim, complete, raw, refusal, server, submit, task};
use serde_json::json;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::LogQuery;
use tiltyard_wire::task::View;
use tiltyard_wire::task::work::{Log, LogAnswer};

async fn append(client: &Client, task: &View, offset: u64, text: &str) -> Result<LogAnswer, Error> {
    let body = Log { generation: task.generation, offset, text: text.into() };
    client.call(Request::<call::TaskLogAppend>::new().place(task.id).body(body)).await
}

async fn log(client: &Client, task: &View, query: LogQuery) -> Result<String, Error> {
    client.text(Request::<call::TaskLog>::new().place(task.id).query(query)).await
}

// D2: where an attempt's log is; what is sent again is not written again, and a gap is refused with the length.
#[tokio::test]
async fn d2_a_log_grows_without_gap_or_repeat() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("talks")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    assert_eq!(append(&client, &held, 0, "").await.unwrap().offset, 0, "nothing, to ask how long it is");
    assert_eq!(append(&client, &held, 0, "one\n").await.unwrap().offset, 4);
    assert_eq!(append(&client, &held, 0, "one\ntwo\n").await.unwrap().offset, 8);
    let gap = append(&client, &held, 99, "lost").await.unwrap_err();
    assert_eq!((gap.status(), &gap.refused().unwrap().extra["offset"]), (Some(416), &json!(8)));
    complete(&client, &held, json!(null)).await;
    assert_eq!(refusal(append(&client, &held, 8, "late").await), (409, "stale_generation".into()));
    assert_eq!(log(&client, &held, LogQuery::default()).await.unwrap(), "one\ntwo\n");
    let from = LogQuery { offset: Some(4), generation: Some(1), ..LogQuery::default() };
    assert_eq!(log(&client, &held, from).await.unwrap(), "two\n");
    let never = LogQuery { generation: Some(2), ..LogQuery::default() };
    assert_eq!(refusal(log(&client, &held, never).await), (404, "not_found".into()));
}

#[tokio::test]
async fn a_log_is_plain_text() {
    let server = server().await;
    let client = server.client();
    let waiting = submit(&client, task("says nothing")).await;
    let answer = raw(&server, &format!("GET /api/v1/tasks/{}/log", waiting.id), &[], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; charset=utf-8"), "{}", answer.head);
}
