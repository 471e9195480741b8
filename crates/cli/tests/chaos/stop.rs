//! Start and end: an empty folder answers at once, SIGTERM loses nothing, a folder has one server.

use crate::check::assert_whole;
use crate::fault::until;
use crate::load::Load;
use crate::measure::Times;
use crate::seen::{Log, look_closely};
use crate::server::Yard;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// A start answers within this on a machine that does nothing else.
const MAX_START: Duration = Duration::from_secs(1);
/// SIGTERM ends the server within this (O2).
const MAX_DRAIN: Duration = Duration::from_secs(10);
/// A second one ends it "at once": far below what draining takes when something hangs.
const MAX_AT_ONCE: Duration = Duration::from_secs(3);
/// Answers of success before the signal.
const HEARD: u64 = 200;
/// Starts that are measured.
const STARTS: usize = 5;

// O2, O40: the ready file is there and the first request answered within a second on an empty folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o2_a_server_on_an_empty_folder_answers_within_a_second() {
    let mut times = Times::default();
    for _ in 0..STARTS {
        let yard = Yard::new();
        let server = yard.start().await;
        times.add(server.answered_after);
        server.kill().await;
    }
    println!("answers on an empty folder: {times}");
    assert!(times.shortest() <= MAX_START, "{times}");
}

// O2, E1: SIGTERM under load ends with 0 within ten seconds and loses nothing that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o2_e1_sigterm_under_load_ends_in_order() {
    let (yard, load) = (Yard::new(), Load::new());
    let mut server = yard.start().await;
    load.go(&server);
    load.heard(HEARD).await;
    let began = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.ended().await;
    let took = began.elapsed();
    println!("SIGTERM under load: {} ms", took.as_millis());
    assert_eq!(ended.code(), Some(0));
    assert!(took < MAX_DRAIN, "{took:?}");
    let server = yard.start().await;
    assert_whole(&load.ledger, &look_closely(&server, &mut Log::default()).await);
    load.go(&server);
    load.heard(HEARD).await;
    let ledger = load.stop().await;
    assert_whole(&ledger, &look_closely(&server, &mut Log::default()).await);
}

// O2: a second SIGTERM ends at once, whatever the first one still waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o2_a_second_sigterm_ends_at_once() {
    let yard = Yard::new();
    let mut server = yard.start().await;
    // A request whose body never comes to its end.
    let mut hanging = std::net::TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v1/tasks HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100";
    let token = crate::server::ADMIN_TOKEN;
    let address = server.address;
    write!(
        hanging,
        "{head}\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    // The server has begun with it once it asks for the body.
    let mut begun = [0; 12];
    hanging.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100");
    server.signal(Signal::TERM);
    until("the server drains", || yard.log().contains("draining")).await;
    assert!(server.runs(), "it waits for the request");
    let began = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.ended().await;
    println!("second SIGTERM: {} ms", began.elapsed().as_millis());
    assert!(began.elapsed() < MAX_AT_ONCE);
    assert_eq!(ended.code(), Some(1));
}

// E10: one data folder, one server: the second ends at once with a clear message, the first does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e10_a_folder_has_one_server() {
    let yard = Yard::new();
    let server = yard.start().await;
    let mut second = yard.command();
    second.stderr(std::process::Stdio::piped());
    let began = Instant::now();
    let second = second.output().await.unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    println!(
        "the second server ended after {} ms with {:?}: {said}",
        began.elapsed().as_millis(),
        second.status.code()
    );
    assert!(!second.status.success() && said.contains("another tiltyard server is using"), "{said}");
    assert!(server.line().get("/tasks").await.unwrap().is_done());
    // A lock left by a killed one blocks nobody.
    server.kill().await;
    let server = yard.start().await;
    assert!(server.line().get("/tasks").await.unwrap().is_done());
}
