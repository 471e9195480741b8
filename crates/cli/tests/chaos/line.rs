//! One connection to a server, below every library of ours: what was answered, refused, or never heard of again.

use crate::server::ADMIN_TOKEN;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Why nothing was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It was never sent: nobody was there.
    Unsent,
    /// It was sent, and no whole answer came: it may have been done or not.
    Unknown,
}

/// What was heard.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body; null when there is none.
    pub(crate) body: Value,
    /// From sending to the whole answer.
    pub(crate) took: Duration,
}

impl Answer {
    /// Whether it says that it is done: from here on nothing may take it back.
    pub(crate) fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether it says when to come again.
    pub(crate) fn says_when(&self) -> bool {
        self.headers.contains_key(RETRY_AFTER)
    }
}

/// An answer that goes on.
pub(crate) struct Stream {
    body: Incoming,
    /// Its end would be the connection's.
    _open: SendRequest<Full<Bytes>>,
}

impl Stream {
    /// What comes next; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data);
            }
        }
    }
}

/// A connection, made when it is first needed and again after it broke.
pub(crate) struct Line {
    address: SocketAddr,
    token: String,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    /// A line with the admin's token.
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, token: ADMIN_TOKEN.to_owned(), open: None }
    }

    /// A line with another token.
    pub(crate) fn with_token(address: SocketAddr, token: &str) -> Self {
        Self { token: token.to_owned(), ..Self::to(address) }
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Silence> {
        self.ask(Method::GET, path, None, &Value::Null).await
    }

    /// Asks what is not below the API.
    pub(crate) async fn probe(&mut self, path: &str) -> Result<Answer, Silence> {
        self.say(Method::GET, path.to_owned(), None, &Value::Null).await
    }

    /// Asks for something to be done.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Silence> {
        self.ask(Method::POST, path, None, body).await
    }

    /// The same with an `Idempotency-Key` (API5).
    pub(crate) async fn post_once(&mut self, path: &str, key: &str, body: &Value) -> Result<Answer, Silence> {
        self.ask(Method::POST, path, Some(key), body).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Result<Answer, Silence> {
        self.say(method, format!("/api/v1{path}"), key, body).await
    }

    async fn say(
        &mut self,
        method: Method,
        path: String,
        key: Option<&str>,
        body: &Value,
    ) -> Result<Answer, Silence> {
        let mut open = match self.open.take() {
            Some(open) if !open.is_closed() => open,
            _ => self.connect().await.ok_or(Silence::Unsent)?,
        };
        let request = self.request(method, path, key, body);
        let began = Instant::now();
        open.ready().await.map_err(|_| Silence::Unsent)?;
        let answer = open.send_request(request).await.map_err(|_| Silence::Unknown)?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Silence::Unknown)?.to_bytes();
        self.open = Some(open);
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            took: began.elapsed(),
        })
    }

    /// Opens a stream that goes on.
    pub(crate) async fn listen(mut self, path: &str) -> Stream {
        let path = format!("/api/v1{path}");
        let mut open = self.open.take();
        if open.is_none() {
            open = self.connect().await;
        }
        let mut open = open.expect("somebody is there");
        let request = self.request(Method::GET, path, None, &Value::Null);
        let answer = open.send_request(request).await.expect("it answers");
        assert_eq!(answer.status().as_u16(), 200);
        Stream { body: answer.into_body(), _open: open }
    }

    async fn connect(&self) -> Option<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (open, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(open)
    }

    fn request(&self, method: Method, path: String, key: Option<&str>, body: &Value) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(body)).expect("its parts are well-formed")
    }
}
