//! Bodies: how large (API9), how slow, how deep (SEC13), and how strictly they are read (API2, API7).

use crate::support::{Answer, Raw, Server};
use std::time::Duration;
use tiltyard_server::edge::Settings;
use tokio::net::TcpStream;

const TOKEN: &str = "Authorization: Bearer operator";
const JSON: &str = "Content-Type: application/json";

async fn post(server: &Server, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut raw = begin(server, path, headers, body.len()).await;
    raw.send(body).await;
    raw.answer().await
}

async fn begin(server: &Server, path: &str, headers: &[&str], length: usize) -> Raw<TcpStream> {
    let mut raw = server.connect().await;
    let length = format!("Content-Length: {length}");
    raw.ask(&format!("POST {path}"), &[&[TOKEN, &length], headers].concat()).await;
    raw
}

fn array_of(bytes: usize) -> Vec<u8> {
    [b"[\"", &*vec![b'x'; bytes - 4], b"\"]"].concat()
}

#[tokio::test]
async fn api9_a_body_has_a_limit_by_endpoint() {
    let server = Server::start(Settings::default());
    let (mib, batch) = (1 << 20, "/api/v1/tasks/batch");
    assert_eq!(post(&server, "/api/v1/tasks", &[JSON], &array_of(mib)).await.status, 201);
    assert_eq!(post(&server, batch, &[JSON], &array_of(16 * mib)).await.status, 201);
    for (path, length) in [("/api/v1/tasks", mib + 1), (batch, 16 * mib + 1)] {
        // Not a byte of the body is sent: the refusal comes from its announcement.
        let answer = begin(&server, path, &[JSON], length).await.answer().await;
        assert_eq!(answer.refusal(), (413, "too_large".into()), "{path}");
    }
}

#[tokio::test]
async fn api9_a_body_that_does_not_say_its_size_is_limited_too() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    raw.ask("POST /api/v1/tasks", &[TOKEN, JSON, "Transfer-Encoding: chunked"]).await;
    let chunk = [b"10000\r\n", &*vec![b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..17 {
        raw.send(&chunk).await;
    }
    assert_eq!(raw.answer().await.refusal(), (413, "too_large".into()));
}

#[tokio::test]
async fn api9_a_client_that_sends_on_still_hears_the_refusal() {
    let server = Server::start(Settings::default());
    let body = vec![b' '; (16 << 20) + 1];
    let mut raw = begin(&server, "/api/v1/tasks/batch", &[JSON], body.len()).await;
    // More than the sockets' buffers hold: a server that closed at once would reset the connection under it.
    raw.send(&body).await;
    assert_eq!(raw.answer().await.refusal(), (413, "too_large".into()));
}

#[tokio::test]
async fn sec13_a_slow_body_is_cut() {
    let server = Server::start(Settings { pace_window: Duration::from_millis(200), ..Settings::default() });
    let mut raw = begin(&server, "/api/v1/tasks", &[JSON], 1_000).await;
    raw.send("[").await;
    assert_eq!(raw.answer().await.refusal(), (408, "too_slow".into()));
    assert_eq!(raw.rest().await, b"", "and the connection ends");
}

#[tokio::test]
async fn sec13_a_slow_client_does_not_hold_up_others() {
    let server = Server::start(Settings::default());
    let mut slow = Vec::new();
    for _ in 0..200 {
        slow.push(begin(&server, "/api/v1/tasks", &[JSON], 1_000).await);
    }
    assert_eq!(post(&server, "/api/v1/tasks", &[JSON], b"[1]").await.status, 201);
    drop(slow);
}

#[tokio::test]
async fn sec13_deep_json_is_refused() {
    let server = Server::start(Settings::default());
    let deep = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes();
    assert_eq!(post(&server, "/api/v1/tasks", &[JSON], &deep(64)).await.status, 201);
    assert_eq!(post(&server, "/api/v1/tasks", &[JSON], &deep(65)).await.refusal(), (422, "too_deep".into()));
    assert_eq!(
        post(&server, "/api/v1/tasks", &[JSON], &deep(500_000)).await.refusal(),
        (422, "too_deep".into())
    );
}

#[tokio::test]
async fn api2_a_body_is_json_and_says_so() {
    let server = Server::start(Settings::default());
    let answer = post(&server, "/api/v1/tasks", &[JSON], b"{\"title\":\n }").await;
    assert_eq!(answer.refusal(), (400, "bad_json".into()));
    assert_eq!((&answer.json()["line"], &answer.json()["column"]), (&2.into(), &2.into()));
    assert_eq!(post(&server, "/api/v1/tasks", &[JSON], b"").await.refusal(), (400, "bad_json".into()));
    for wrong in [&["Content-Type: text/plain"][..], &[], &[JSON, JSON], &[JSON, "Content-Encoding: gzip"]] {
        let answer = post(&server, "/api/v1/tasks", wrong, b"{}").await;
        assert_eq!(answer.refusal(), (415, "unsupported_media_type".into()), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let server = Server::start(Settings::default());
    let mut raw = begin(&server, "/api/v1/tasks", &[JSON, "Expect: 100-continue"], 2).await;
    assert_eq!(raw.head().await.0, 100);
    raw.send("{}").await;
    assert_eq!(raw.answer().await.status, 201);
    let mut raw = begin(&server, "/api/v1/tasks", &[JSON, "Expect: 100-continue"], 1 << 30).await;
    assert_eq!(raw.answer().await.refusal().0, 413, "no 100 for what is refused");
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_no_handlers_end() {
    let server = Server::start(Settings::default());
    let mut raw = begin(&server, "/api/v1/tasks", &[JSON], 100).await;
    raw.send("{}").await;
    drop(raw);
    assert_eq!(post(&server, "/api/v1/tasks", &[JSON], b"{}").await.status, 201);
    let made = server.house.told.lock().iter().filter(|told| told.starts_with("201")).count();
    assert_eq!(made, 1, "the body that broke off made nothing");
}
