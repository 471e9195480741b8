//! Connections: how many, how long, and several requests on one (SEC13).

use crate::support::Server;
use std::time::Duration;
use tiltyard_server::edge::Settings;

const HEALTH: &str = "GET /api/v1/health";
const TOKEN: &str = "Authorization: Bearer operator";

#[tokio::test]
async fn sec13_connections_beyond_the_limit_are_told_so() {
    let server = Server::start(Settings { max_connections: 3, ..Settings::default() });
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut raw = server.connect().await;
        raw.ask(HEALTH, &[]).await;
        assert_eq!(raw.answer().await.status, 200);
        held.push(raw);
    }
    let mut fourth = server.connect().await;
    fourth.ask(HEALTH, &[]).await;
    let answer = fourth.answer().await;
    assert_eq!(answer.refusal(), (503, "too_many_connections".into()));
    assert_eq!(answer.headers["retry-after"], "1");
    held[0].ask(HEALTH, &[]).await;
    assert_eq!(held[0].answer().await.status, 200, "those inside are not disturbed");
}

#[tokio::test]
async fn sec13_a_closed_connection_makes_room() {
    let server = Server::start(Settings { max_connections: 1, ..Settings::default() });
    let ask = async || {
        let mut raw = server.connect().await;
        raw.ask(HEALTH, &["Connection: close"]).await;
        let status = raw.answer().await.status;
        assert_eq!(raw.rest().await, b"");
        status
    };
    for turn in 0..20 {
        // The server frees a slot when it has seen the client's end, a moment after the client saw the server's.
        let mut tries = 0;
        while ask().await != 200 {
            tries += 1;
            assert!(tries < 1_000, "no room in turn {turn}");
        }
    }
}

#[tokio::test]
async fn sec13_many_connections_at_once_are_served() {
    let server = Server::start(Settings::default());
    let mut all = Vec::new();
    for _ in 0..400 {
        all.push(server.connect().await);
    }
    for raw in &mut all {
        raw.ask(HEALTH, &[]).await;
    }
    for raw in &mut all {
        assert_eq!(raw.answer().await.status, 200);
    }
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    for id in ["a", "b"] {
        raw.ask(&format!("GET /api/v1/tasks/{id}"), &[TOKEN]).await;
        assert_eq!(raw.answer().await.json()["id"], id);
    }
    // Pipelined: all sent before the first answer is read, one with a body.
    let host = format!("Host: localhost:{}\r\n{TOKEN}\r\n", server.port);
    let body = "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]";
    raw.send(format!(
        "GET /api/v1/tasks/c HTTP/1.1\r\n{host}\r\nPOST /api/v1/tasks HTTP/1.1\r\n{host}{body}\
         HEAD /api/v1/tasks/d HTTP/1.1\r\n{host}\r\nGET /api/v1/tasks/e HTTP/1.1\r\n{host}\r\n"
    ))
    .await;
    assert_eq!(raw.answer().await.json()["id"], "c");
    assert_eq!((raw.answer().await.status, raw.answer_to("HEAD").await.status), (201, 200));
    assert_eq!(raw.answer().await.json()["id"], "e");
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    raw.ask("HEAD /api/v1/tasks/a", &[TOKEN, "Connection: close"]).await;
    let (status, headers) = raw.head().await;
    assert_eq!((status, raw.rest().await), (200, Vec::new()));
    assert!(headers["content-length"] != "0");
    let mut raw = server.connect().await;
    raw.ask("HEAD /api/v1/tasks/a", &["Connection: close"]).await;
    assert_eq!((raw.head().await.0, raw.rest().await), (401, Vec::new()), "a refusal too");
}

#[tokio::test]
async fn sec13_an_idle_connection_is_closed_and_not_before() {
    let idle = Duration::from_millis(300);
    let server = Server::start(Settings { idle, ..Settings::default() });
    let mut raw = server.connect().await;
    raw.ask(HEALTH, &[]).await;
    assert_eq!(raw.answer().await.status, 200);
    let begin = std::time::Instant::now();
    assert_eq!(raw.rest().await, b"");
    let (soon, late) = (idle - Duration::from_millis(5), Duration::from_secs(4));
    assert!((soon..late).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn sec13_a_slow_handler_is_not_an_idle_connection() {
    let idle = Duration::from_millis(100);
    let server = Server::start(Settings { idle, ..Settings::default() });
    let mut raw = server.connect().await;
    raw.ask("GET /api/v1/board", &[TOKEN]).await;
    server.house.begun().await;
    // Longer than a connection may do nothing.
    tokio::time::sleep(idle * 3).await;
    server.house.release.notify_one();
    assert_eq!(raw.answer().await.body, b"slow");
}

#[tokio::test]
async fn sec13_a_client_that_does_not_take_its_answer_is_cut() {
    let server = Server::start(Settings { idle: Duration::from_millis(200), ..Settings::default() });
    let mut raw = server.connect().await;
    raw.ask("GET /api/v1/artifacts/a", &[TOKEN]).await;
    assert_eq!(raw.head().await.0, 200);
    // Nothing is read: the buffers fill, and the answer without end is dropped.
    server.house.dropped().await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_handler() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    raw.ask("GET /api/v1/artifacts/a", &[TOKEN]).await;
    assert_eq!(raw.head().await.0, 200);
    drop(raw);
    server.house.dropped().await;
}
