//! A server on port 0 with a house of cards behind it, and a client that writes bytes by hand.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_server::edge::Settings;
use tiltyard_server::edge::body;
use tiltyard_server::edge::guard::Edge;
use tiltyard_server::edge::house::{Answered, House};
use tiltyard_server::edge::listener::{Drained, Listener};
use tiltyard_server::edge::place::Place;
use tiltyard_server::edge::stop::{Stage, Stopper, stop};
use tiltyard_server::edge::visit::{Asked, Knock, Visit};
use tiltyard_server::problem::Problem;
use tiltyard_wire::endpoint::Endpoint;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

/// A house whose answers a test can foresee. A token is `Bearer <role>`.
#[derive(Debug)]
pub(crate) struct Cards {
    /// How many requests came through the column.
    pub(crate) reached: AtomicUsize,
    /// What was told of, as `status code`.
    pub(crate) told: parking_lot::Mutex<Vec<String>>,
    /// A slow handler has begun.
    begun: Semaphore,
    /// Lets the slow handlers go on.
    pub(crate) release: Notify,
    /// A streamed answer was dropped.
    dropped: Arc<Semaphore>,
}

impl House for Cards {
    async fn authenticate(&self, knock: &Knock<'_>) -> Result<Arc<Caller>, Refusal> {
        let bearer =
            knock.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let role = bearer.and_then(Role::parse);
        let role = role.ok_or_else(|| Refusal::new(Code::Unauthenticated, "a token is needed"))?;
        Ok(Arc::new(Caller { role, owner: role.as_str().to_owned(), reach: Reach::All, ..Caller::system() }))
    }

    fn permit(&self, knock: &Knock<'_>, _: &Caller) -> Result<(), Refusal> {
        let foreign = knock.uri.query() == Some("scope=foreign");
        if foreign { Err(Refusal::new(Code::ScopeForbidden, "not yours")) } else { Ok(()) }
    }

    async fn answer(&self, visit: Arc<Visit>, request: Asked) -> Response {
        self.reached.fetch_add(1, SeqCst);
        match visit.place {
            Place::Api(Endpoint::TaskSubmit | Endpoint::TaskSubmitBatch) => echo(&visit, request).await,
            Place::Api(Endpoint::BoardGet) => {
                self.begun.add_permits(1);
                self.release.notified().await;
                "slow".into_response()
            }
            Place::Api(Endpoint::TaskGraph) => panic!("a handler's own fault"),
            Place::Api(Endpoint::ScopeList) => {
                (http::StatusCode::BAD_REQUEST, "a library's words").into_response()
            }
            Place::Api(Endpoint::ScopeGet) => Problem::from(Refusal::missing("scope", "x")).into_response(),
            Place::Api(Endpoint::ArtifactGet) => endless(Arc::clone(&self.dropped)),
            Place::Api(Endpoint::AgentConnect) => socket(request).await,
            _ => {
                let caller = visit.caller.as_ref().map(|caller| caller.owner.clone());
                json!({"caller": caller, "id": visit.params.get("id")}).to_string().into_response()
            }
        }
    }

    fn answered(&self, answered: &Answered<'_>) {
        let code = answered.code.map_or("", Code::as_str);
        self.told.lock().push(format!("{} {code}", answered.status.as_u16()));
    }
}

async fn echo(visit: &Visit, request: Asked) -> Response {
    let body: Result<Value, Refusal> = body::read(request, &visit.budget).await;
    match body {
        Ok(body) => (http::StatusCode::CREATED, body.to_string()).into_response(),
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// An answer without end, that says when it is dropped.
fn endless(dropped: Arc<Semaphore>) -> Response {
    struct Guard(Arc<Semaphore>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }
    let guard = Guard(dropped);
    let chunks = stream::repeat_with(move || {
        let _held = &guard;
        Ok::<_, std::io::Error>(vec![b'x'; 65_536])
    });
    Body::from_stream(chunks.fuse()).into_response()
}

async fn socket(request: Asked) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        }),
        Err(rejection) => rejection.into_response(),
    }
}

impl Cards {
    /// Waits until a slow handler has begun.
    pub(crate) async fn begun(&self) {
        patient(self.begun.acquire()).await.unwrap().forget();
    }

    /// Waits until a streamed answer was dropped.
    pub(crate) async fn dropped(&self) {
        patient(self.dropped.acquire()).await.unwrap().forget();
    }
}

/// Waits for something that comes soon or never: a test that would wait for ever fails instead.
async fn patient<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), coming).await.expect("waited for 20 s in vain")
}

/// A running server.
pub(crate) struct Server {
    /// Its port.
    pub(crate) port: u16,
    /// What is behind it.
    pub(crate) house: Arc<Cards>,
    /// Ends it.
    pub(crate) stopper: Stopper,
    /// Its end.
    pub(crate) served: JoinHandle<Drained>,
}

impl Server {
    /// Starts one.
    pub(crate) fn start(settings: Settings) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self::serve(listener, settings)
    }

    /// Starts one on a listener.
    pub(crate) fn serve(listener: Listener, settings: Settings) -> Self {
        let (reached, told, begun) = (AtomicUsize::new(0), Default::default(), Semaphore::new(0));
        let (release, dropped) = (Notify::new(), Arc::new(Semaphore::new(0)));
        let house = Arc::new(Cards { reached, told, begun, release, dropped });
        let port = listener.address().port();
        let edge = Arc::new(Edge::new(settings, port, Arc::clone(&house)));
        let (stopper, stop) = stop();
        let served = tokio::spawn(listener.serve(edge, stop));
        Self { port, house, stopper, served }
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> Raw<TcpStream> {
        Raw {
            stream: TcpStream::connect(("127.0.0.1", self.port)).await.unwrap(),
            read: Vec::new(),
            port: self.port,
        }
    }

    /// The answer to one request on a connection of its own.
    pub(crate) async fn ask(&self, line: &str, headers: &[&str]) -> Answer {
        let mut raw = self.connect().await;
        raw.ask(line, headers).await;
        raw.answer().await
    }

    /// Says `stage` and waits for the end.
    pub(crate) async fn stop(self, stage: Stage) -> Drained {
        self.stopper.reach(stage);
        patient(self.served).await.unwrap()
    }
}

/// A client that writes bytes by hand.
pub(crate) struct Raw<S> {
    /// The connection.
    pub(crate) stream: S,
    read: Vec<u8>,
    port: u16,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers, names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The status and the code of a refusal, which is a whole problem document with the id of the header (API2,
    /// API4).
    pub(crate) fn refusal(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["request_id"], self.headers["x-request-id"].as_str(), "{self:?}");
        for member in ["type", "title", "detail", "error", "code"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {self:?}");
        }
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// A client on a stream.
    pub(crate) fn new(stream: S, port: u16) -> Self {
        Self { stream, read: Vec::new(), port }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request line and headers, with the right Host unless they name one.
    pub(crate) async fn ask(&mut self, line: &str, headers: &[&str]) {
        let mut head = format!("{line} HTTP/1.1\r\n");
        if !headers.iter().any(|header| header.to_lowercase().starts_with("host:")) {
            head += &format!("Host: localhost:{}\r\n", self.port);
        }
        for header in headers {
            head += &format!("{header}\r\n");
        }
        self.send(head + "\r\n").await;
    }

    /// The next answer, by its Content-Length.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The next answer to a request of `method`: one to HEAD has no body.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        let (status, headers) = self.head().await;
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let length = if method == "HEAD" { 0 } else { length };
        while self.read.len() < length {
            assert!(self.more().await > 0, "the answer broke off: {status} {headers:?}");
        }
        let body = self.read.drain(..length).collect();
        Answer { status, headers, body }
    }

    /// The next answer's head.
    pub(crate) async fn head(&mut self) -> (u16, HashMap<String, String>) {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more().await > 0, "no answer: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head: Vec<u8> = self.read.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        (status, lines.filter_map(pair).collect())
    }

    async fn more(&mut self) -> usize {
        patient(self.stream.read_buf(&mut self.read)).await.unwrap_or(0)
    }

    /// All bytes until the server ends the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.read)
    }

    /// The next bytes, exactly so many.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await > 0, "only {:?}", self.read);
        }
        self.read.drain(..count).collect()
    }
}
