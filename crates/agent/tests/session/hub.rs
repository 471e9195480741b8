//! A server of the agent protocol that does what the test says, frame by frame. It keeps logs as a server does: what
//! it has already is dropped, what would leave a gap is refused.

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;
use tiltyard_wire::frame::{FromAgent, Hello, LogChunk};
use tiltyard_wire::task::work::{Lease, Log};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a signal is awaited before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The logs that have arrived, by task and generation.
type Logs = Arc<Mutex<HashMap<(String, i64), String>>>;

/// The server.
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    peers: mpsc::Receiver<Peer>,
    logs: Logs,
    task: JoinHandle<()>,
}

/// One connection, the server's end of it.
pub(crate) struct Peer {
    pub(crate) hello: Hello,
    heard: mpsc::Receiver<FromAgent>,
    say: mpsc::Sender<Word>,
    logs: Logs,
}

enum Word {
    Text(String),
    Close(u16),
    Cut,
}

#[derive(Clone)]
struct Shared {
    peers: mpsc::Sender<Peer>,
    logs: Logs,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, peers) = mpsc::channel(8);
        let logs = Logs::default();
        let routes = Router::new()
            .route("/api/v1/agents/connect", get(connect))
            .route("/api/v1/tasks/{id}/log", post(append))
            .with_state(Shared { peers: sender, logs: Arc::clone(&logs) });
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self { address, peers, logs, task }
    }

    pub(crate) fn client(&self) -> Client {
        client(self.address)
    }

    /// The next connection, with its `hello` read and nothing said.
    pub(crate) async fn peer(&mut self) -> Peer {
        tokio::time::timeout(PATIENCE, self.peers.recv()).await.expect("somebody connects").expect("serves")
    }

    /// The next connection, welcomed.
    pub(crate) async fn welcome(&mut self) -> Peer {
        let peer = self.peer().await;
        peer.welcome().await;
        peer
    }

    pub(crate) fn log(&self, lease: Lease) -> String {
        text_of(&self.logs, lease)
    }

    /// The server has not taken what it was sent of a log.
    pub(crate) fn lose(&self, lease: Lease) {
        self.logs.lock().expect("is whole").remove(&(lease.id.to_string(), lease.generation));
    }
}

pub(crate) fn client(address: SocketAddr) -> Client {
    Client::new(&Destination { url: format!("http://{address}"), ..Destination::default() })
        .expect("is an address")
}

fn text_of(logs: &Logs, lease: Lease) -> String {
    logs.lock().expect("is whole").get(&(lease.id.to_string(), lease.generation)).cloned().unwrap_or_default()
}

async fn connect(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(move |socket| serve(socket, shared))
}

async fn serve(mut socket: WebSocket, shared: Shared) {
    let Some(Ok(Message::Text(text))) = socket.recv().await else { return };
    let Ok(FromAgent::Hello(hello)) = serde_json::from_str(&text) else {
        panic!("the first frame is hello: {text}")
    };
    let (heard_in, heard) = mpsc::channel(10_000);
    let (say, mut words) = mpsc::channel(10_000);
    let peer = Peer { hello, heard, say, logs: Arc::clone(&shared.logs) };
    shared.peers.send(peer).await.ok();
    loop {
        tokio::select! {
            biased;
            word = words.recv() => match word {
                Some(Word::Text(text)) => socket.send(Message::text(text)).await.ok().unwrap_or_default(),
                Some(Word::Close(code)) => {
                    socket.send(Message::Close(Some(CloseFrame { code, reason: "as the test says".into() }))).await.ok();
                    return;
                }
                Some(Word::Cut) | None => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: FromAgent = serde_json::from_str(&text).expect("is a frame");
                    if let FromAgent::Log(chunk) = &frame {
                        keep(&shared.logs, chunk);
                    }
                    heard_in.send(frame).await.ok();
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn keep(logs: &Logs, chunk: &LogChunk) {
    let mut logs = logs.lock().expect("is whole");
    let log = logs.entry((chunk.id.to_string(), chunk.generation)).or_default();
    let offset = usize::try_from(chunk.offset).expect("fits");
    assert!(offset <= log.len(), "a gap: the log has {} bytes, the chunk begins at {offset}", log.len());
    if let Some(new) = chunk.text.get(log.len() - offset..) {
        log.push_str(new);
    }
}

async fn append(State(shared): State<Shared>, Path(id): Path<String>, body: String) -> String {
    let Log { generation, offset, text } = serde_json::from_str(&body).expect("is a log");
    keep(&shared.logs, &LogChunk { id: id.parse().expect("is an id"), generation, offset, text });
    let logs = shared.logs.lock().expect("is whole");
    json!({ "offset": logs[&(id, generation)].len() }).to_string()
}

impl Peer {
    pub(crate) async fn say(&self, frame: Value) {
        self.say.send(Word::Text(frame.to_string())).await.expect("the connection stands");
    }

    pub(crate) async fn say_text(&self, text: &str) {
        self.say.send(Word::Text(text.to_owned())).await.expect("the connection stands");
    }

    pub(crate) async fn welcome(&self) {
        self.welcome_with(json!({})).await;
    }

    /// A welcome with other members than usual.
    pub(crate) async fn welcome_with(&self, others: Value) {
        let mut frame = json!({ "type": "welcome", "protocol": 1, "server": "test", "epoch": 1, "lease_ms": 30_000,
            "renew_every_ms": 10_000, "stop_grace_ms": 300 });
        let members = frame.as_object_mut().expect("is an object");
        members.extend(others.as_object().expect("is an object").clone());
        self.say(frame).await;
    }

    pub(crate) async fn close(&self, code: u16) {
        self.say.send(Word::Close(code)).await.expect("the connection stands");
    }

    /// The connection ends without a word.
    pub(crate) async fn cut(self) {
        self.say.send(Word::Cut).await.ok();
    }

    pub(crate) fn log(&self, lease: Lease) -> String {
        text_of(&self.logs, lease)
    }

    /// The next frame that `wanted` makes something of; others are passed over.
    pub(crate) async fn hear<T>(&mut self, wanted: impl FnMut(FromAgent) -> Option<T>) -> T {
        let heard = tokio::time::timeout(PATIENCE, self.next_of(wanted)).await;
        heard.expect("the frame comes in time").expect("the connection stands")
    }

    /// Everything until the connection ends, or `wanted` makes something of a frame.
    async fn next_of<T>(&mut self, mut wanted: impl FnMut(FromAgent) -> Option<T>) -> Option<T> {
        while let Some(frame) = self.heard.recv().await {
            if let Some(found) = wanted(frame) {
                return Some(found);
            }
        }
        None
    }

    /// Frames until the connection ends.
    pub(crate) async fn rest(mut self) -> Vec<FromAgent> {
        let mut frames = Vec::new();
        while let Some(frame) =
            tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("it ends in time")
        {
            frames.push(frame);
        }
        frames
    }
}
