//! One of the two: a server on its store, and how its answers are read.

use crate::maker::Asked;
use crate::plain::Names;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tiltyard_engine::act::Act;
use tiltyard_engine::clock::{Clock, Now, VirtualClock};
use tiltyard_engine::task::{due, rescue};
use tiltyard_engine::{Pass, Sharing, Urgency, agent, gate, sign_in, token};
use tiltyard_model::refusal::Refusal;
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The headers that are compared; of the last three only whether they are there.
const HEADERS: &[&str] = &["content-type", "location", "etag", "retry-after", "content-range"];

/// How often it is looked whether something of a run is still to begin.
const TRIES: usize = 50;

pub(crate) struct Side {
    server: TestServer,
    pub(crate) names: Names,
}

/// An answer, without what must differ.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        format!("{} {:?}\n{:#}", self.status, self.headers, self.body)
    }
}

impl Side {
    pub(crate) async fn start(clock: &Arc<VirtualClock>, url: Option<String>) -> Self {
        let clock = Arc::clone(clock);
        let change = move |options: &mut tiltyard_server::ServeOptions| {
            options.engine.clock = Clock::Virtual(clock);
            options.engine.sharing = url.map(Sharing::of);
        };
        Self { server: TestServer::start_with(change).await.unwrap(), names: Names::default() }
    }

    /// A document as it is.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (_, _, body) = self.exchange("GET", path, None).await;
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) async fn ask(&mut self, asked: &Asked) -> Answer {
        let ids = &self.names.ids;
        let (path, body) = (asked.path(ids), asked.body(ids));
        let (status, head, body) = self.exchange(asked.method, &path, body.as_deref()).await;
        let mut headers = BTreeMap::new();
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(": ") else { continue };
            if HEADERS.contains(&name) {
                let value = if name == "etag" { "there".to_owned() } else { self.names.plain(value) };
                headers.insert(name.to_owned(), value);
            }
        }
        self.begin().await;
        let mut body = match serde_json::from_slice(&body) {
            Ok(value) => value,
            Err(_) => lines(&body),
        };
        if asked.is_measure() {
            body = Value::Null;
        }
        self.names.plain_json(&mut body);
        Answer { status, headers, body }
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let port = self.server.address().port();
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        );
        if let Some(body) = body {
            text +=
                &format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        } else {
            text += "\r\n";
        }
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        let end = read.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") {
            unchunked(&read[end + 4..])
        } else {
            read[end + 4..].to_vec()
        };
        (status, head, body)
    }

    /// Lets begin what of runs is to begin, as the services of the server do a moment later; what has to wait stays.
    async fn begin(&self) {
        let engine = self.server.running().engine();
        for _ in 0..TRIES {
            engine.begin_stages().await.unwrap();
            let is_idle = |act: &mut Act<'_>| Ok(act.memory.runs.is_idle());
            if engine.enter(Pass::system(), Urgency::Urgent, is_idle).await.unwrap() {
                return;
            }
        }
    }

    /// Lets everything happen that time brings, in one deed: the services of the server find nothing left.
    pub(crate) async fn pass(&self, by_ms: i64) {
        let deed = move |act: &mut Act<'_>| {
            act.now = Now { wall: act.now.wall + by_ms, steady: act.now.steady + by_ms };
            everything_due(act)
        };
        let engine = self.server.running().engine();
        engine.enter(Pass::system(), Urgency::Urgent, deed).await.unwrap();
    }
}

fn everything_due(act: &mut Act<'_>) -> Result<(), Refusal> {
    rescue::rescue(act, act.now.steady)?;
    due::end_overdue(act)?;
    due::start_scheduled(act)?;
    due::prune(act)?;
    agent::notice_silence(act)?;
    gate::expire::expire_due(act)?;
    token::expire_due(act)?;
    sign_in::expire_due(act).map(drop)
}

/// Text that is not JSON, line by line.
fn lines(body: &[u8]) -> Value {
    let one = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.to_owned()));
    Value::Array(String::from_utf8_lossy(body).lines().map(one).collect())
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    whole
}
