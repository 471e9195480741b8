//! Events on a WebSocket (API21), and the ways it is closed (API23).

use crate::proxy::{Cut, Proxy};
use crate::support::{cursor, make_scope, mint, polled, server, soon, submit, submit_many, task, text};
use tiltyard_client::socket::{EventSocket, Received, Receiver, Sender};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_wire::audit::Filter;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, FromReader, Query, Subscribe, ToReader, Unsubscribe};
use tiltyard_wire::task::Submit;

/// A reader on a socket.
struct Reader {
    sender: Sender<FromReader>,
    receiver: Receiver<ToReader>,
}

impl Reader {
    async fn connect(client: &Client, query: Query) -> Self {
        let (sender, receiver): EventSocket = client.connect_events(&query).await.unwrap();
        Self { sender, receiver }
    }

    async fn say(&mut self, said: FromReader) {
        self.sender.send(&said).await.unwrap();
    }

    /// What comes next; pings are answered.
    async fn hear(&mut self) -> Result<ToReader, Error> {
        loop {
            match soon(self.receiver.receive()).await? {
                Received::Frame(ToReader::Ping) => self.say(FromReader::Pong).await,
                Received::Frame(said) => return Ok(said),
                Received::Unreadable(why) => panic!("unreadable: {why}"),
            }
        }
    }

    async fn event(&mut self) -> Event {
        match self.hear().await.unwrap() {
            ToReader::Event { event } => *event,
            other => panic!("no event: {other:?}"),
        }
    }

    /// Asks for a filter and waits until it is there; what comes before is passed over.
    async fn subscribe(&mut self, id: &str, filter: Query) {
        self.say(FromReader::Subscribe(Subscribe { id: id.into(), filter })).await;
        while !matches!(self.hear().await.unwrap(), ToReader::Subscribed { id: told } if told == id) {}
    }

    async fn refused(&mut self) -> String {
        loop {
            if let ToReader::Error { code, detail, request_id } = self.hear().await.unwrap() {
                assert!(!detail.is_empty() && !request_id.is_empty());
                return code;
            }
        }
    }

    /// The code with which it is closed, whatever comes before.
    async fn closed(&mut self) -> u16 {
        loop {
            match self.hear().await {
                Ok(_) => {}
                Err(Error::Closed { code, .. }) => return code,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

fn of(types: &str) -> Query {
    Query { types: Some(types.into()), ..Query::default() }
}

fn after(cursor: &str) -> Query {
    Query { after: Some(cursor.into()), ..Query::default() }
}

// API21: the same events as by polling, to the letter.
#[tokio::test]
async fn api21_a_socket_tells_the_same_events() {
    let server = server().await;
    let client = server.client();
    submit_many(&client, 30).await;
    let expected = polled(&client, &Query::default()).await;
    let mut reader = Reader::connect(&client, after("0")).await;
    for event in &expected {
        assert_eq!(text(&reader.event().await), text(event));
    }
    let only = Query { after: Some("0".into()), ..of("task.submitted") };
    let mut filtered = Reader::connect(&client, only).await;
    for event in expected.iter().filter(|event| event.kind == "tiltyard.task.submitted") {
        assert_eq!(filtered.event().await.seq, event.seq);
    }
}

// API21: subscribe and unsubscribe at run time; an event that passes two filters is told once.
#[tokio::test]
async fn api21_filters_come_and_go() {
    let server = server().await;
    let client = server.client();
    let mut reader = Reader::connect(&client, Query::default()).await;
    reader.subscribe("ended", of("task.cancelled")).await;
    let first = submit(&client, task("one")).await;
    client.call(Request::<call::TaskCancel>::new().place(first.id)).await.unwrap();
    assert_eq!(
        reader.event().await.kind,
        "tiltyard.task.cancelled",
        "the bare connection's filter has given way"
    );
    reader.subscribe("all tasks", of("task")).await;
    let second = submit(&client, task("two")).await;
    client.call(Request::<call::TaskCancel>::new().place(second.id)).await.unwrap();
    assert_eq!(reader.event().await.kind, "tiltyard.task.submitted");
    assert_eq!(reader.event().await.kind, "tiltyard.task.cancelled");
    for id in ["ended", "all tasks"] {
        reader.say(FromReader::Unsubscribe(Unsubscribe { id: id.into() })).await;
        assert!(matches!(reader.hear().await.unwrap(), ToReader::Unsubscribed { id: told } if told == id));
    }
    submit(&client, task("nobody hears of it")).await;
    reader.subscribe("second", Query { subject: Some(second.id.to_string()), ..after("0") }).await;
    let told = [reader.event().await, reader.event().await];
    assert!(told.iter().all(|event| event.subject == second.id.to_string()), "{told:?}");
}

// API21: a reader that cannot keep up is told `lagged` with the cursor to go on from; nothing is missed, and what
// waits for it is bounded: what is in the network, 32 messages, and the 256 events that a follower holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api21_a_slow_reader_is_told_that_it_lags() {
    let proxy = Proxy::start(Cut::Never).await;
    let server = proxy.server().await;
    let writer = server.client();
    let mut reader = Reader::connect(&proxy.client(), Query::default()).await;
    submit(&writer, task("first")).await;
    let first = reader.event().await;
    proxy.held.send_replace(true);
    for _ in 0..40 {
        submit_many(&writer, 500).await;
    }
    let all = polled(&writer, &Query::default()).await;
    proxy.held.send_replace(false);
    let mut seqs = vec![first.seq];
    let lagged = loop {
        match reader.hear().await.unwrap() {
            ToReader::Event { event } => seqs.push(event.seq),
            ToReader::Lagged { cursor } => break cursor,
            other => panic!("{other:?}"),
        }
    };
    assert!(seqs.len() < all.len() / 2, "it was let go with {} of {} told", seqs.len(), all.len());
    // It goes on where it was told to, on the same connection or another one.
    let mut again = Reader::connect(&server.client(), after(&lagged)).await;
    let next = again.event().await.seq;
    reader.subscribe("", after(&lagged)).await;
    assert_eq!(reader.event().await.seq, next);
    let position = all.iter().position(|event| event.seq == first.seq).unwrap();
    let expected: Vec<i64> = all[position..].iter().map(|event| event.seq).collect();
    seqs.push(next);
    while seqs.len() < expected.len() {
        seqs.push(reader.event().await.seq);
    }
    assert_eq!(seqs, expected);
}

// SEC4, SEC6: a message that names another scope closes the socket with 4403, and is on record.
#[tokio::test]
async fn sec6_naming_another_scope_closes_the_socket_and_is_audited() {
    let server = server().await;
    let admin = server.client();
    for scope in ["red", "blue"] {
        make_scope(&admin, scope).await;
    }
    let red = server.client_of(&mint(&admin, Role::Viewer, &["red"]).await.token);
    let mut reader = Reader::connect(&red, Query { types: Some("task".into()), ..after("0") }).await;
    submit(&admin, Submit { scope: Some("blue".into()), ..task("theirs") }).await;
    let mine = submit(&admin, Submit { scope: Some("red".into()), ..task("mine") }).await;
    assert_eq!(reader.event().await.subject, mine.id.to_string());
    let filter = Query { scope: Some("blue".into()), ..Query::default() };
    reader.say(FromReader::Subscribe(Subscribe { id: "x".into(), filter: filter.clone() })).await;
    assert_eq!(reader.closed().await, 4403);
    assert_eq!(Reader::connect(&red, filter).await.closed().await, 4403);
    let query = Filter { action: Some("scope_violation".into()), ..Filter::default() };
    let entries = admin.call(Request::<call::AuditList>::new().query(query)).await.unwrap().items;
    assert_eq!((entries.len(), entries[0].target.as_str()), (1, "blue"));
    let told = serde_json::to_value(&entries[0]).unwrap();
    assert_eq!((&told["severity"], &told["result"]), (&"critical".into(), &"refused".into()));
}

// API21, C2's rule for messages: what is not understood is answered, the twentieth closes.
#[tokio::test]
async fn api23_invalid_messages_are_answered() {
    let server = server().await;
    let client = server.client();
    let mut reader = Reader::connect(&client, Query::default()).await;
    reader.say(FromReader::Subscribe(Subscribe { id: "x".repeat(65), filter: Query::default() })).await;
    assert_eq!(reader.refused().await, "invalid");
    reader.say(FromReader::Subscribe(Subscribe { id: "x".into(), filter: of("tusk") })).await;
    assert_eq!(reader.refused().await, "bad_parameter");
    reader.subscribe("tasks", of("task")).await;
    let told = submit(&client, task("still there")).await;
    assert_eq!(reader.event().await.subject, told.id.to_string());
}

// API23: 4401 a bad token, 4410 a cursor of another epoch, 4429 too many messages, 1001 shutting down.
#[tokio::test]
async fn api23_a_reader_is_closed_with_the_codes_of_the_contract() {
    let server = server().await;
    let client = server.client();
    let mut stranger = Reader::connect(&server.client_of("nobody-knows-this-token"), Query::default()).await;
    assert_eq!(stranger.closed().await, 4401);
    assert_eq!(Reader::connect(&client, after("9-1")).await.closed().await, 4410);
    let mut worker = mint(&client, Role::Worker, &["default"]).await;
    let worker = server.client_of(&std::mem::take(&mut worker.token));
    assert_eq!(Reader::connect(&worker, Query::default()).await.closed().await, 4403);
    let mut chatter = Reader::connect(&client, Query::default()).await;
    for _ in 0..601 {
        if chatter.sender.send(&FromReader::Pong).await.is_err() {
            break;
        }
    }
    assert_eq!(chatter.closed().await, 4429);
    let mut last = Reader::connect(&client, after(&cursor(&client).await)).await;
    last.subscribe("", of("gate")).await;
    let (end, code) = tokio::join!(server.stop(), last.closed());
    assert_eq!((end, code), (tiltyard_server::End::Stopped, 1001));
}
