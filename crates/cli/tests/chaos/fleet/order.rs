//! The order of events: many writers over several servers, and on each server somebody who listens from the beginning.

use super::site::{DATABASE, Site, cluster, short_or_long};
use crate::line::Line;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::Sync;
use tokio::task::JoinSet;

/// Servers.
const SERVERS: usize = 3;
/// Who writes.
const WRITERS: u64 = 32;
/// Bounds the failure of events that never come.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// A transaction's size by chance, one for each round: events of one request.
const SIZES: [usize; 6] = [1, 400, 3, 60, 1, 150];

/// One of the writers: requests of many sizes, so that transactions are of many lengths.
async fn write(mut line: Line, number: u64, events: usize) {
    let (mut written, mut round) = (0, number as usize);
    while written < events {
        let size = SIZES[round % SIZES.len()].min(events - written);
        round += 1;
        let task =
            |place| json!({"kind": "chaos", "title": format!("{number}.{round}.{place}"), "queue": "order"});
        let tasks: Vec<Value> = (0..size).map(task).collect();
        let answer = line.post("/tasks/batch", &json!({ "tasks": tasks })).await;
        match answer {
            Ok(answer) if answer.is_done() => written += size,
            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
            Err(silence) => panic!("{silence:?}"),
        }
    }
}

/// What somebody heard.
#[derive(Default)]
struct Heard {
    ids: Vec<String>,
    after: Duration,
}

/// Listens until so many events were heard.
async fn listen(server: Line, count: usize) -> Heard {
    let began = Instant::now();
    let mut heard = Heard::default();
    let (mut stream, mut rest) = (server.listen("/events/stream?after=0").await, Vec::new());
    while heard.ids.len() < count {
        let piece = tokio::time::timeout(MAX_WAIT, stream.next()).await.expect("events come");
        rest.extend_from_slice(&piece.expect("the stream stays open"));
        while let Some(end) = rest.windows(2).position(|word| word == b"\n\n") {
            let message: Vec<u8> = rest.drain(..end + 2).collect();
            let text = String::from_utf8(message).expect("is text");
            let data = text.lines().any(|line| line.starts_with("data:"));
            let id = text.lines().find_map(|line| line.strip_prefix("id: "));
            heard.ids.extend(id.filter(|_| data).map(str::to_owned));
        }
    }
    heard.after = began.elapsed();
    heard
}

// E5, O16, D50, API20: 32 writers of many lengths over three servers; who listens on each of them hears the same, without gaps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e5_o16_every_server_tells_the_same_events_without_gaps() {
    let cluster = cluster(Sync::Off, &[]);
    let site = Site::open(&vec![cluster.tcp_url(DATABASE); SERVERS]).await;
    let events = short_or_long(50_000, 1_000_000);
    let each = events / WRITERS as usize;
    let mut listeners: JoinSet<Heard> = JoinSet::new();
    for place in 0..SERVERS {
        listeners.spawn(listen(site.line(place), each * WRITERS as usize));
    }
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        writers.spawn(write(site.line(number as usize % SERVERS), number, each));
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("no writer panics");
    }
    let written = began.elapsed();
    let mut all = Vec::new();
    while let Some(heard) = listeners.join_next().await {
        all.push(heard.expect("no listener panics"));
    }
    for heard in &all {
        let in_order = heard.ids.iter().zip(1..).all(|(id, seq)| id.ends_with(&format!("-{seq}")));
        assert!(in_order, "there is a gap: {:?}", &heard.ids[..heard.ids.len().min(10)]);
        assert!(heard.ids == all[0].ids, "two servers tell different things");
    }
    let slowest = all.iter().map(|heard| heard.after).max().unwrap_or_default();
    println!(
        "{} events written in {written:?}, heard on {SERVERS} servers after {slowest:?}",
        all[0].ids.len()
    );
}
