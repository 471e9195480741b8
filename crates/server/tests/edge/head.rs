//! Heads: who the request is for and from (SEC11), how large and how slow it may be (SEC13), and its id (API4).

use crate::support::Server;
use std::time::Duration;
use tiltyard_server::edge::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "Authorization: Bearer operator";
const HEALTH: &str = "GET /api/v1/health";

fn hasty() -> Settings {
    let (head_read, idle) = (Duration::from_millis(500), Duration::from_secs(5));
    Settings { head_read, idle, ..Settings::default() }
}

#[tokio::test]
async fn sec11_a_request_names_this_server_once() {
    let server = Server::start(Settings::default());
    let port = server.port;
    for name in ["localhost", "127.0.0.1", "[::1]", "LocalHost"] {
        let answer = server.ask(HEALTH, &[&format!("Host: {name}:{port}")]).await;
        assert_eq!(answer.status, 200, "{name}");
    }
    for foreign in ["evil.example", "localhost", "localhost:1", "localhost.evil.example"] {
        let answer = server.ask(HEALTH, &[&format!("Host: {foreign}")]).await;
        assert_eq!(answer.refusal(), (421, "misdirected".into()), "{foreign}");
    }
    let twice = format!("Host: localhost:{port}");
    assert_eq!(server.ask(HEALTH, &[&twice, &twice]).await.refusal(), (400, "bad_host".into()));
    assert_eq!(server.ask(HEALTH, &["Host:"]).await.refusal(), (400, "bad_host".into()));
    for version in ["1.0", "1.1"] {
        let mut raw = server.connect().await;
        raw.send(format!("{HEALTH} HTTP/{version}\r\n\r\n")).await;
        assert_eq!(raw.answer().await.refusal(), (400, "bad_host".into()), "{version}");
    }
}

#[tokio::test]
async fn sec11_an_absolute_form_agrees_with_the_host() {
    let server = Server::start(Settings::default());
    let (port, host) = (server.port, format!("Host: localhost:{}", server.port));
    let agreeing = server.ask(&format!("GET http://localhost:{port}/api/v1/health"), &[&host]).await;
    assert_eq!(agreeing.status, 200);
    for other in [
        format!("127.0.0.1:{port}"),
        "evil.example".into(),
        "localhost".into(),
        format!("x@localhost:{port}"),
    ] {
        let answer = server.ask(&format!("GET http://{other}/api/v1/health"), &[&host]).await;
        assert_eq!(answer.refusal(), (400, "bad_host".into()), "{other}");
    }
}

#[tokio::test]
async fn sec11_only_the_consoles_own_pages_may_call() {
    let server = Server::start(Settings::default());
    let own = format!("Origin: http://localhost:{}", server.port);
    let post = async |origin: &str| {
        let mut raw = server.connect().await;
        raw.ask(
            "POST /api/v1/tasks",
            &[TOKEN, origin, "Content-Type: application/json", "Content-Length: 2"],
        )
        .await;
        raw.send("{}").await;
        raw.answer().await
    };
    assert_eq!(post(&own).await.status, 201);
    assert_eq!(post("X-No-Origin: 1").await.status, 201);
    for foreign in ["Origin: http://evil.example", "Origin: null", "Origin:", "Sec-Fetch-Site: cross-site"] {
        let answer = post(foreign).await;
        assert_eq!(answer.refusal(), (403, "origin_forbidden".into()), "{foreign}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let preflight = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"];
    assert_eq!(server.ask("OPTIONS /api/v1/tasks", &preflight).await.refusal().0, 403);
}

#[tokio::test]
async fn sec11_a_listed_origin_may_call_and_no_other() {
    let origins = vec!["https://board.example".to_owned()];
    let server = Server::start(Settings { origins, ..Settings::default() });
    let listed = ["Origin: https://board.example", "Access-Control-Request-Method: POST"];
    let answer = server.ask("OPTIONS /api/v1/tasks", &listed).await;
    assert_eq!(
        (answer.status, &*answer.headers["access-control-allow-origin"]),
        (204, "https://board.example")
    );
    let answer = server.ask("GET /api/v1/board", &listed[..1]).await;
    assert_eq!(answer.refusal().0, 401, "a listed origin needs a token too");
    assert_eq!(answer.headers["access-control-allow-origin"], "https://board.example");
    assert_eq!(server.ask(HEALTH, &["Origin: https://other.example"]).await.refusal().0, 403);
}

#[tokio::test]
async fn sec13_a_slow_head_is_cut_and_told_so() {
    let server = Server::start(hasty());
    let mut raw = server.connect().await;
    raw.send(format!("{HEALTH} HTTP/1.1\r\nHost: local")).await;
    assert_eq!(raw.answer().await.refusal(), (408, "too_slow".into()));
    assert_eq!(raw.rest().await, b"");
}

#[tokio::test]
async fn sec13_a_slow_head_is_cut_on_a_used_connection_too() {
    let server = Server::start(Settings { head_read: Duration::from_millis(500), ..Settings::default() });
    let mut raw = server.connect().await;
    raw.ask(HEALTH, &[]).await;
    assert_eq!(raw.answer().await.status, 200);
    raw.send("G").await;
    assert_eq!(raw.answer().await.refusal(), (408, "too_slow".into()));
}

#[tokio::test]
async fn sec13_a_head_that_trickles_has_no_more_time() {
    let server = Server::start(hasty());
    let mut raw = server.connect().await;
    raw.send(format!("{HEALTH} HTTP/1.1\r\n")).await;
    let (mut reader, mut writer) = raw.stream.into_split();
    // A header line every 20 ms: never still, never done. It ends when the server closes the connection.
    let trickle = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while writer.write_all(b"X-A: b\r\n").await.is_ok() {
            ticks.tick().await;
        }
    });
    let mut heard = Vec::new();
    // The last lines may cross the close, which then is a reset.
    drop(reader.read_to_end(&mut heard).await);
    assert!(heard.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&heard));
    trickle.await.unwrap();
}

#[tokio::test]
async fn sec13_a_silent_connection_is_closed_without_a_word() {
    let server = Server::start(hasty());
    assert_eq!(server.connect().await.rest().await, b"");
}

#[tokio::test]
async fn sec13_a_giant_head_is_refused() {
    let server = Server::start(Settings::default());
    let giant = format!("X-Giant: {}", "x".repeat(20_000));
    assert_eq!(server.ask(HEALTH, &[&giant]).await.refusal(), (413, "head_too_large".into()));
    let many = vec!["X-Many: 1"; 200];
    assert_eq!(server.ask(HEALTH, &many).await.refusal(), (413, "head_too_large".into()));
    let uri = format!("GET /{}", "x".repeat(17_000));
    assert_eq!(server.ask(&uri, &[]).await.refusal(), (413, "head_too_large".into()));
    let mut endless = server.connect().await;
    endless.send(format!("{HEALTH} HTTP/1.1\r\nX-Giant: ")).await;
    // The server may answer and close before all of it is sent.
    drop(endless.stream.write_all(&[b'x'; 20_000]).await);
    assert_eq!(endless.answer().await.refusal(), (413, "head_too_large".into()));
    // Right behind a large body the server reads more at once, and has the giant head whole before it could stop.
    let mut raw = server.connect().await;
    let body = format!("[\"{}\"]", "x".repeat(300_000));
    let host = format!("Host: localhost:{}", server.port);
    let post =
        format!("POST /api/v1/tasks HTTP/1.1\r\n{host}\r\n{TOKEN}\r\nContent-Type: application/json\r\n");
    let length = body.len();
    raw.send(format!(
        "{post}Content-Length: {length}\r\n\r\n{body}{HEALTH} HTTP/1.1\r\n{host}\r\n{giant}\r\n\r\n"
    ))
    .await;
    assert_eq!(raw.answer().await.status, 201);
    assert_eq!(raw.answer().await.refusal(), (413, "head_too_large".into()));
    let fits = format!("X-Fits: {}", "x".repeat(15_000));
    assert_eq!(server.ask(HEALTH, &[&fits]).await.status, 200);
}

#[tokio::test]
async fn api2_what_is_no_http_gets_a_problem_too() {
    let server = Server::start(Settings::default());
    for nonsense in ["NOT HTTP AT ALL\r\n\r\n", "GET / HTTP/1.1\r\nBad Header: 1\r\n\r\n", "\0\0\0\0\r\n\r\n"]
    {
        let mut raw = server.connect().await;
        raw.send(nonsense).await;
        assert_eq!(raw.answer().await.refusal(), (400, "malformed".into()), "{nonsense:?}");
        assert_eq!(raw.rest().await, b"", "and the connection ends");
    }
}

#[tokio::test]
async fn api4_every_answer_bears_the_requests_id() {
    let server = Server::start(Settings::default());
    let id = "X-Request-Id: My_id.1-a";
    let asked = [
        ("GET /api/v1/health", vec![id], 200),
        ("GET /api/v1/board", vec![id], 401),
        ("GET /api/v1/nothing", vec![id, TOKEN], 404),
        ("GET /api/v1/health", vec![id, "Host: evil.example"], 421),
        ("GET /api/v1/health", vec![id, "Origin: null"], 403),
        ("DELETE /api/v1/health", vec![id, TOKEN], 405),
        ("GET /api/v1/tasks/graph", vec![id, TOKEN], 500),
    ];
    for (line, headers, status) in asked {
        let answer = server.ask(line, &headers).await;
        assert_eq!((answer.status, &*answer.headers["x-request-id"]), (status, "My_id.1-a"), "{line}");
    }
    let made = server.ask(HEALTH, &["X-Request-Id: not one!"]).await.headers["x-request-id"].clone();
    let again = server.ask(HEALTH, &[]).await.headers["x-request-id"].clone();
    assert!(made != "not one!" && !made.is_empty() && made != again, "{made} {again}");
}
