//! The end (O2): requests in flight are finished, the rest is told, and a second signal waits for nobody.

use crate::support::Server;
use std::time::{Duration, Instant};
use tiltyard_server::edge::Settings;
use tiltyard_server::edge::listener::Drained;
use tiltyard_server::edge::stop::Stage;
use tokio::net::TcpStream;

const TOKEN: &str = "Authorization: Bearer operator";

#[tokio::test]
async fn o2_a_request_in_flight_is_finished() {
    let server = Server::start(Settings::default());
    let (mut busy, mut idle, silent) =
        (server.connect().await, server.connect().await, server.connect().await);
    idle.ask("GET /api/v1/health", &[]).await;
    assert_eq!(idle.answer().await.status, 200);
    busy.ask("GET /api/v1/board", &[TOKEN]).await;
    server.house.begun().await;

    let (house, port) = (server.house.clone(), server.port);
    let end = tokio::spawn(server.stop(Stage::Draining));
    assert_eq!(idle.rest().await, b"", "an idle connection is closed");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "nothing new is taken");
    assert!(!end.is_finished(), "the busy one is waited for");
    house.release.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.body.as_slice(), &*answer.headers["connection"]), (&b"slow"[..], "close"));
    drop((busy, silent));
    assert_eq!(end.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn o2_the_second_signal_ends_at_once() {
    let server = Server::start(Settings::default());
    let mut busy = server.connect().await;
    busy.ask("GET /api/v1/board", &[TOKEN]).await;
    server.house.begun().await;
    let (stopper, begin) = (server.stopper.clone(), Instant::now());
    let end = tokio::spawn(server.stop(Stage::Draining));
    tokio::task::yield_now().await;
    assert!(!end.is_finished());
    stopper.reach(Stage::Ended);
    assert_eq!(end.await.unwrap(), Drained { cut: 1 });
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(busy.rest().await, b"", "the connection is gone");
}

#[tokio::test]
async fn o2_what_does_not_finish_in_time_is_cut() {
    let server = Server::start(Settings { drain: Duration::from_millis(100), ..Settings::default() });
    let mut busy = server.connect().await;
    busy.ask("GET /api/v1/board", &[TOKEN]).await;
    server.house.begun().await;
    assert_eq!(server.stop(Stage::Draining).await, Drained { cut: 1 });
}

#[test]
fn o2_the_default_is_within_ten_seconds() {
    assert!(Settings::default().drain < Duration::from_secs(10));
}
