//! WebSockets.

use crate::server::{Server, problem};
use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use tiltyard_client::Error;
use tiltyard_client::socket::Received;
use tiltyard_wire::event::{self, ToReader};
use tiltyard_wire::frame::{FromAgent, Hello, LogChunk, MAX_FRAME_BYTES, Ping, ToAgent};

async fn agent(mut socket: WebSocket) {
    let Some(Ok(Message::Text(text))) = socket.recv().await else { return };
    let hello: FromAgent = serde_json::from_str(&text).expect("is a frame");
    assert!(matches!(hello, FromAgent::Hello(hello) if hello.name == "builder"));
    for text in [r#"{"type":"ping","nonce":7,"later":true}"#, r#"{"type":"from_the_future"}"#] {
        socket.send(Message::text(text)).await.expect("sends");
    }
    let Some(Ok(Message::Text(text))) = socket.recv().await else { return };
    assert_eq!(&*text, r#"{"type":"pong","nonce":7}"#);
    let frame = CloseFrame { code: 4409, reason: "another process has this name".into() };
    drop(socket.send(Message::Close(Some(frame))).await);
}

// C2: typed frames; unknown fields are ignored, unreadable frames are passed over. API23: close codes.
#[tokio::test]
async fn c2_frames_go_both_ways_and_the_close_code_is_told() {
    let upgrade = |headers: HeaderMap, upgrade: WebSocketUpgrade| async move {
        assert_eq!(headers["authorization"], "Bearer jst_hush");
        upgrade.on_upgrade(agent)
    };
    let server = Server::start(Router::new().route("/api/v1/agents/connect", get(upgrade))).await;
    let (mut sender, mut receiver) = server.client().connect_agent().await.expect("connects");
    let hello = Hello { name: "builder".into(), slots: 1, ..Hello::default() };
    sender.send(&FromAgent::Hello(hello)).await.expect("sends");
    let Received::Frame(ToAgent::Ping(Ping { nonce })) = receiver.receive().await.expect("receives") else {
        panic!("expected a ping");
    };
    assert!(
        matches!(receiver.receive().await, Ok(Received::Unreadable(reason)) if reason.contains("from_the_future"))
    );
    sender.send(&FromAgent::Pong(Ping { nonce })).await.expect("sends");
    let error = receiver.receive().await.expect_err("is closed");
    assert!(
        matches!(&error, Error::Closed { code: 4409, reason } if reason.contains("another process")),
        "{error}"
    );
    assert!(!error.is_passing());
}

#[tokio::test]
async fn c2_a_frame_beyond_the_limit_is_not_sent_and_the_connection_stands() {
    let upgrade = |upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(|mut socket| async move {
            let Some(Ok(Message::Text(text))) = socket.recv().await else { return };
            drop(socket.send(Message::text(text)).await);
        })
    };
    let server = Server::start(Router::new().route("/api/v1/agents/connect", get(upgrade))).await;
    let (mut sender, mut receiver) = server.client().connect_agent().await.expect("connects");
    let id = "task_01h2xcejqtf2nbrexx3vqjhp41".parse().expect("is an id");
    let log = LogChunk { id, generation: 1, offset: 0, text: "x".repeat(MAX_FRAME_BYTES) };
    let error = sender.send(&FromAgent::Log(log)).await.expect_err("is too large");
    assert!(matches!(error, Error::FrameTooLarge { bytes } if bytes > MAX_FRAME_BYTES));
    sender.send(&FromAgent::Pong(Ping { nonce: 1 })).await.expect("the connection stands");
    assert!(matches!(receiver.receive().await, Ok(Received::Unreadable(_))));
    assert!(matches!(receiver.receive().await, Err(Error::Closed { code: 1006, .. })));
}

#[tokio::test]
async fn api2_an_upgrade_that_is_refused_is_a_typed_refusal() {
    let refuse = || async {
        (
            StatusCode::MISDIRECTED_REQUEST,
            [("content-type", "application/problem+json")],
            problem(421, "misdirected"),
        )
    };
    let server = Server::start(Router::new().fallback(any(refuse))).await;
    let error = server.client().connect_agent().await.err().expect("is refused");
    assert_eq!((error.code(), error.status()), (Some("misdirected"), Some(421)));
    let server =
        Server::start(Router::new().fallback(any(|| async { StatusCode::OK.into_response() }))).await;
    assert!(matches!(server.client().connect_agent().await.err(), Some(Error::Unreadable { .. })));
}

// API21: a slow reader is told where to resume.
#[tokio::test]
async fn api21_live_events_are_typed_too() {
    let upgrade = |uri: axum::http::Uri, upgrade: WebSocketUpgrade| async move {
        assert_eq!(uri.query(), Some("types=task%2Cgate"));
        upgrade.on_upgrade(|mut socket| async move {
            drop(socket.send(Message::text(r#"{"type":"lagged","cursor":"1-7"}"#)).await);
        })
    };
    let server = Server::start(Router::new().route("/api/v1/events/ws", get(upgrade))).await;
    let query = event::Query { types: Some("task,gate".into()), ..event::Query::default() };
    let (_sender, mut receiver) = server.client().connect_events(&query).await.expect("connects");
    assert!(
        matches!(receiver.receive().await, Ok(Received::Frame(ToReader::Lagged { cursor })) if cursor == "1-7")
    );
}
