//! The column (SEC18): every place goes through all of it, in order, before its body is read.

use crate::support::Server;
use std::sync::atomic::Ordering::SeqCst;
use tiltyard_model::role::{Right, Role};
use tiltyard_server::edge::Settings;
use tiltyard_server::edge::place::{Outside, Place};

/// A request line for a place.
fn line(place: Place) -> String {
    match place {
        Place::Api(endpoint) => {
            let path = endpoint.full_path().replace(['{', '}'], "");
            format!("{} {path}", endpoint.row().method.as_str())
        }
        Place::Outside(page) => format!("GET {}", page.paths()[0]),
    }
}

#[tokio::test]
async fn sec18_no_place_opts_out() {
    let server = Server::start(Settings::default());
    for place in Place::all() {
        let line = line(place);
        let refusal = async |headers: &[&str]| server.ask(&line, headers).await.refusal().0;
        assert_eq!(refusal(&["Host: evil.example"]).await, 421, "{line}");
        assert_eq!(refusal(&["Origin: http://evil.example"]).await, 403, "{line}");
        if place.right() != Right::Open {
            let status = refusal(&[]).await;
            assert!(status == 401 || status == 429, "{line}: {status}");
        }
    }
    assert_eq!(server.house.reached.load(SeqCst), 0, "nobody came through");
}

#[tokio::test]
async fn sec18_every_place_asks_for_its_right() {
    let server = Server::start(Settings::default());
    for place in Place::all().filter(|place| !place.is_socket()) {
        let line = line(place);
        for role in Role::ALL.into_iter().filter(|role| !role.may(place.right())) {
            let token = format!("Authorization: Bearer {}", role.as_str());
            assert_eq!(
                server.ask(&line, &[&token]).await.refusal(),
                (403, "forbidden".into()),
                "{line} {role:?}"
            );
        }
        let foreign = format!("{line}?scope=foreign");
        if place.right() != Right::Open {
            let answer = server.ask(&foreign, &["Authorization: Bearer admin"]).await;
            assert_eq!(answer.refusal(), (403, "scope_forbidden".into()), "{line}");
        }
    }
    assert_eq!(server.house.reached.load(SeqCst), 0, "nobody came through");
}

#[tokio::test]
async fn sec18_the_steps_come_in_order() {
    let server = Server::start(Settings::default());
    let mut wrong = vec![
        "Host: evil.example",
        "Origin: null",
        "Content-Length: 99999999",
        "Authorization: Bearer viewer",
    ];
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(server.ask("POST /api/v1/tasks", &wrong).await.refusal().1);
        wrong.remove(0);
        if seen.len() == 2 {
            // Next the token is missing, then it is a viewer's, and only then is the body looked at.
            let missing = server.ask("POST /api/v1/tasks", &wrong[..1]).await.refusal().1;
            seen.push(missing);
            seen.push(server.ask("POST /api/v1/tasks", &wrong).await.refusal().1);
            let operator = ["Authorization: Bearer operator", wrong[0]];
            seen.push(server.ask("POST /api/v1/tasks", &operator).await.refusal().1);
            break;
        }
    }
    assert_eq!(seen, ["misdirected", "origin_forbidden", "unauthenticated", "forbidden", "too_large"]);
}

#[tokio::test]
async fn sec18_a_refusal_waits_for_no_body() {
    let server = Server::start(Settings::default());
    // The body is announced and never sent.
    let answer = server.ask("POST /api/v1/tasks", &["Content-Length: 10"]).await;
    assert_eq!(answer.refusal(), (401, "unauthenticated".into()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"tiltyard\"");
}

#[tokio::test]
async fn sec18_failures_are_charged_and_a_valid_token_never_locked_out() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    for _ in 0..20 {
        raw.ask("GET /api/v1/queues", &["Authorization: Bearer guess"]).await;
        assert_eq!(raw.answer().await.refusal(), (401, "unauthenticated".into()));
    }
    raw.ask("GET /api/v1/queues", &["Authorization: Bearer guess"]).await;
    let answer = raw.answer().await;
    assert_eq!(answer.refusal(), (429, "too_many_failures".into()));
    let after_s: u64 = answer.headers["retry-after"].parse().unwrap();
    assert!((1..=3).contains(&after_s));
    raw.ask("GET /api/v1/queues", &["Authorization: Bearer viewer"]).await;
    assert_eq!(raw.answer().await.status, 200, "the same address, the same connection, a valid token");
    raw.ask("GET /api/v1/health", &[]).await;
    assert_eq!(raw.answer().await.status, 200, "what is open stays open");
}

#[tokio::test]
async fn api1_an_unknown_caller_learns_no_paths() {
    let server = Server::start(Settings::default());
    let token = "Authorization: Bearer viewer";
    assert_eq!(server.ask("GET /api/v1/nothing", &[]).await.refusal().0, 401);
    let missing = server.ask("GET /api/v1/nothing?x=1", &[token]).await;
    assert_eq!(missing.refusal(), (404, "no_such_path".into()));
    assert_eq!(missing.json()["path"], "/api/v1/nothing");
    let wrong = server.ask("PUT /api/v1/tasks", &[token]).await;
    assert_eq!(wrong.refusal(), (405, "method_not_allowed".into()));
    assert_eq!(wrong.headers["allow"], "POST, GET, HEAD");
}

#[tokio::test]
async fn api1_a_token_tells_more_where_none_is_needed() {
    let server = Server::start(Settings::default());
    let caller =
        async |headers: &[&str]| server.ask("GET /api/v1/health", headers).await.json()["caller"].clone();
    assert_eq!(caller(&[]).await, serde_json::Value::Null);
    assert_eq!(caller(&["Authorization: Bearer viewer"]).await, "viewer");
    assert_eq!(caller(&["Authorization: Bearer guess"]).await, serde_json::Value::Null);
    assert_eq!(server.ask(&format!("GET {}", Outside::Alive.paths()[0]), &[]).await.status, 200);
}

#[tokio::test]
async fn api2_a_panic_is_a_problem() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    raw.ask("GET /api/v1/tasks/graph", &["Authorization: Bearer admin"]).await;
    assert_eq!(raw.answer().await.refusal(), (500, "internal".into()));
    raw.ask("GET /api/v1/health", &[]).await;
    assert_eq!(raw.answer().await.status, 200, "the connection lives on");
    assert_eq!(*server.house.told.lock(), ["500 internal", "200 "]);
}

#[tokio::test]
async fn api2_a_librarys_error_becomes_a_problem_and_a_handlers_stays_its_own() {
    let server = Server::start(Settings::default());
    let token = "Authorization: Bearer admin";
    assert_eq!(server.ask("GET /api/v1/scopes", &[token]).await.refusal(), (400, "malformed".into()));
    let missing = server.ask("GET /api/v1/scopes/x", &[token]).await;
    assert_eq!(missing.refusal(), (404, "not_found".into()));
    assert_eq!(missing.json()["path"], "/api/v1/scopes/x");
}

/// Completes an upgrade and returns the code of the close frame that follows.
async fn close_code(server: &Server, token: &[&str]) -> u16 {
    let mut raw = server.connect().await;
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    raw.ask("GET /api/v1/agents/connect", &[&upgrade, token].concat()).await;
    assert_eq!(raw.head().await.0, 101);
    let frame = raw.bytes(4).await;
    assert_eq!(frame[0], 0x88, "a close frame");
    u16::from_be_bytes([frame[2], frame[3]])
}

#[tokio::test]
async fn api23_a_socket_is_refused_by_close_code() {
    let server = Server::start(Settings::default());
    assert_eq!(close_code(&server, &[]).await, 4401);
    assert_eq!(close_code(&server, &["Authorization: Bearer guess"]).await, 4401);
    assert_eq!(close_code(&server, &["Authorization: Bearer viewer"]).await, 4403);
    assert_eq!(server.house.reached.load(SeqCst), 0);
}

#[tokio::test]
async fn sec11_a_socket_from_another_origin_is_refused_by_http() {
    let server = Server::start(Settings::default());
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Authorization: Bearer agent"];
    for (fault, status) in
        [("Origin: http://evil.example", 403), ("Origin: null", 403), ("Host: evil.example", 421)]
    {
        let answer = server.ask("GET /api/v1/agents/connect", &[&upgrade[..], &[fault]].concat()).await;
        assert_eq!(answer.refusal().0, status, "{fault}");
    }
}

#[tokio::test]
async fn a_socket_that_is_let_in_talks() {
    let server = Server::start(Settings::default());
    let mut raw = server.connect().await;
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Authorization: Bearer agent",
    ];
    raw.ask("GET /api/v1/agents/connect", &upgrade).await;
    let (status, headers) = raw.head().await;
    assert_eq!((status, &*headers["sec-websocket-accept"]), (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    // "hi", masked with zeros.
    raw.send([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await;
    assert_eq!(raw.bytes(4).await, [0x81, 2, b'h', b'i']);
}
