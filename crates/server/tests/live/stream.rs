//! Server-sent events (API20).

use crate::proxy::{Cut, Proxy};
use crate::support::{
    cursor, follow, make_scope, mint, next, polled, refusal, server, soon, submit, submit_many, task, text,
};
use tiltyard_client::sse::Parser;
use tiltyard_client::{Client, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_testkit::server::ADMIN_TOKEN;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, Query};
use tiltyard_wire::task::Submit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A raw request for the stream; gives the connection once the head of the answer was read, with the head.
async fn raw(server: &TestServer, path: &str, headers: &str) -> (TcpStream, String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let host = server.address();
    let request = format!("GET /api/v1/events/stream{path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        assert!(soon(stream.read_buf(&mut read)).await.unwrap() > 0, "the answer ended in its head");
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    (stream, head, read.split_off(end))
}

fn bearer() -> String {
    format!("authorization: Bearer {ADMIN_TOKEN}\r\n")
}

// API20: resumes without gap or repeat. 2,000 events are written while the reader's connection breaks at random
// places, in the middle of messages too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api20_a_reader_that_is_cut_at_random_misses_and_repeats_nothing() {
    for seed in [1, 2] {
        let proxy = Proxy::start(Cut::Random { seed, most_bytes: 120_000 }).await;
        let server = proxy.server().await;
        let writer = server.client();
        let mut stream = follow(&proxy.client(), Query { after: Some("0".into()), ..Query::default() });
        let writing = tokio::spawn(async move {
            for _ in 0..50 {
                submit_many(&writer, 40).await;
                tokio::task::yield_now().await;
            }
        });
        let mut seqs = Vec::new();
        while seqs.len() < 2_000 {
            seqs.push(next(&mut stream).await.seq);
        }
        writing.await.unwrap();
        let all = polled(&server.client(), &Query::default()).await;
        assert!(all.len() >= 2_000);
        while seqs.len() < all.len() {
            seqs.push(next(&mut stream).await.seq);
        }
        assert_eq!(seqs, all.iter().map(|event| event.seq).collect::<Vec<_>>(), "seed {seed}");
        assert!(proxy.cuts() > 3, "seed {seed}: only {} cuts", proxy.cuts());
    }
}

// API20: a break before the first message loses nothing: the stream says first after what it tells.
#[tokio::test]
async fn api20_a_stream_without_a_cursor_begins_now_and_says_where() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("before")).await;
    let before = cursor(&client).await;
    let (mut connection, head, mut read) = raw(&server, "", &bearer()).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    assert!(head.contains("cache-control: no-store") && head.contains("x-request-id: "), "{head}");
    let after = submit(&client, task("after")).await;
    let opening = format!("id: {before}\n\n");
    let told = loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if text.contains(&after.id.to_string()) {
            break text;
        }
        assert!(soon(connection.read_buf(&mut read)).await.unwrap() > 0);
    };
    let (first, rest) = told.split_once(&opening).unwrap();
    assert!(!first.contains("data:") && rest.contains("tiltyard.task.submitted"), "{told}");
    assert_eq!(told.matches("data:").count(), 1, "{told}");
}

// API20: a comment every 5 s says that the stream lives.
#[tokio::test]
async fn api20_a_quiet_stream_has_a_heartbeat() {
    let server = server().await;
    let (mut connection, _, mut read) = raw(&server, "", &bearer()).await;
    let begun = std::time::Instant::now();
    while !String::from_utf8_lossy(&read).contains("\n: beat\n") && !read.starts_with(b": beat\n") {
        assert!(soon(connection.read_buf(&mut read)).await.unwrap() > 0);
    }
    let took = begun.elapsed().as_millis();
    assert!((4_000..9_000).contains(&took), "{took} ms");
    // It is a comment: no message comes of it.
    let body = String::from_utf8(read).unwrap();
    let chunks: String =
        body.lines().filter(|line| !line.ends_with('\r')).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(Parser::default().feed(chunks.as_bytes()).unwrap(), []);
}

// API1: a client that cannot set headers shows its token by `?token=`, from this machine. API20: what an event
// source says when it comes back stands above what its address says.
#[tokio::test]
async fn api1_an_event_source_without_headers_is_let_in() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("one")).await;
    let all = polled(&client, &Query::default()).await;
    let path = format!("?token={ADMIN_TOKEN}&after=0");
    let last = format!("last-event-id: {}\r\n", all[all.len() - 2].id);
    let (mut connection, head, mut read) = raw(&server, &path, &last).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    while !String::from_utf8_lossy(&read).contains("data: ") {
        assert!(soon(connection.read_buf(&mut read)).await.unwrap() > 0);
    }
    let told = String::from_utf8_lossy(&read).into_owned();
    assert!(told.contains(&format!("id: {}\ndata: ", all[all.len() - 1].id)), "{told}");
    assert_eq!(told.matches("data: ").count(), 1, "{told}");
    let (_, head, _) = raw(&server, "?token=wrong", "").await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}

// API20: 410 for a cursor of another time line, as a problem, before any stream begins.
#[tokio::test]
async fn api20_a_lost_cursor_is_told_before_the_stream_begins() {
    let server = server().await;
    let client = server.client();
    for after in ["9-1", "1-999999", "999999"] {
        let mut stream = follow(&client, Query { after: Some(after.into()), ..Query::default() });
        assert_eq!(refusal(soon(stream.next()).await), (410, "epoch_changed".into()), "{after}");
    }
    let mut stream = follow(&client, Query { after: Some("yesterday".into()), ..Query::default() });
    assert_eq!(refusal(soon(stream.next()).await), (400, "bad_parameter".into()));
    let mut stream = follow(&client, Query { types: Some("task.raedy".into()), ..Query::default() });
    assert_eq!(refusal(soon(stream.next()).await), (400, "bad_parameter".into()));
}

/// What a stream tells of what polling gives, to the letter.
async fn same(client: &Client, query: Query) -> Vec<Event> {
    let expected = polled(client, &query).await;
    let mut stream = follow(client, Query { after: Some("0".into()), ..query.clone() });
    for event in &expected {
        assert_eq!(text(&next(&mut stream).await), text(event), "{query:?}");
    }
    expected
}

// API20: polling gives exactly the same events, under every filter.
#[tokio::test]
async fn api20_streams_and_pages_tell_the_same() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    let mine = submit(&client, task("mine")).await;
    submit(&client, Submit { scope: Some("other".into()), ..task("theirs") }).await;
    let all = same(&client, Query::default()).await;
    let made = same(&client, Query { types: Some("task.submitted".into()), ..Query::default() }).await;
    let tasks = same(&client, Query { types: Some("task,scope".into()), ..Query::default() }).await;
    let own = same(&client, Query { subject: Some(mine.id.to_string()), ..Query::default() }).await;
    let other = same(&client, Query { scope: Some("other".into()), ..Query::default() }).await;
    assert_eq!((made.len(), own.len()), (2, 1));
    assert!(other.len() == 2 && other.iter().all(|event| event.scope == "other"));
    assert!(tasks.len() > 2 && tasks.len() < all.len());
    // D50: gap-free in the scope, which is what a client checks.
    let scope_seqs = |scope: &str| {
        all.iter().filter(|event| event.scope == scope).map(|event| event.scope_seq).collect::<Vec<_>>()
    };
    assert_eq!(scope_seqs("other"), [1, 2]);
}

// SEC4: a token sees the events of its scopes, and cannot name another.
#[tokio::test]
async fn sec4_a_stream_stays_within_its_scopes() {
    let server = server().await;
    let admin = server.client();
    for scope in ["red", "blue"] {
        make_scope(&admin, scope).await;
    }
    let red = server.client_of(&mint(&admin, Role::Viewer, &["red"]).await.token);
    let mut stream = follow(&red, Query { after: Some("0".into()), ..Query::default() });
    for scope in ["blue", "red", "blue", "red"] {
        submit(&admin, Submit { scope: Some(scope.into()), ..task(scope) }).await;
    }
    // The scope itself was made, then its tasks.
    for seq in 1..=3 {
        let event = next(&mut stream).await;
        assert_eq!((event.scope.as_str(), event.scope_seq), ("red", seq));
    }
    let mut foreign = follow(&red, Query { scope: Some("blue".into()), ..Query::default() });
    assert_eq!(refusal(soon(foreign.next()).await), (403, "scope_forbidden".into()));
    let worker = server.client_of(&mint(&admin, Role::Worker, &["red"]).await.token);
    let mut stream = follow(&worker, Query::default());
    assert_eq!(
        refusal(soon(stream.next()).await),
        (403, "forbidden".into()),
        "a worker has no right to read"
    );
}

// API21's other half: a reader of a stream that is slow gets everything from the store, as fast as it reads, and the
// newest events in memory are bounded: 4,096 of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api20_a_slow_reader_catches_up_from_the_store() {
    let proxy = Proxy::start(Cut::Never).await;
    let server = proxy.server().await;
    let writer = server.client();
    let mut stream = follow(&proxy.client(), Query { after: Some("0".into()), ..Query::default() });
    let first = next(&mut stream).await;
    proxy.held.send_replace(true);
    for _ in 0..12 {
        submit_many(&writer, 500).await;
    }
    let all = polled(&writer, &Query::default()).await;
    assert!(all.len() > 6_000, "the ring of 4,096 has gone round");
    proxy.held.send_replace(false);
    assert_eq!(first.seq, all[0].seq);
    for expected in &all[1..] {
        assert_eq!(next(&mut stream).await.seq, expected.seq);
    }
}

// O2: streams end when the server does.
#[tokio::test]
async fn o2_a_stop_ends_streams() {
    let server = server().await;
    let client = server.client();
    let mut download = client.download(Request::<call::EventStream>::new()).await.unwrap();
    assert!(soon(download.next()).await.unwrap().is_some(), "the opening");
    let begun = std::time::Instant::now();
    let ended = async { while let Ok(Some(_)) = download.next().await {} };
    let (end, ()) = tokio::join!(server.stop(), soon(ended));
    assert_eq!(end, tiltyard_server::End::Stopped);
    assert!(begun.elapsed().as_secs() < 5, "nothing waits for a stream that has no end");
}
