//! WebSockets: typed frames over one connection, for the agent protocol (C2) and live events (API21).

use crate::connection::CONNECT_TIMEOUT;
use crate::error::{Error, Refused, root_cause};
use crate::http::Client;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::AUTHORIZATION;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use tiltyard_wire::endpoint::Endpoint;
use tiltyard_wire::event::{self, FromReader, ToReader};
use tiltyard_wire::frame::{FromAgent, MAX_FRAME_BYTES, ToAgent};
use tiltyard_wire::problem::Problem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as Broken, Message};

/// Bytes that may wait for a slow connection before a send waits.
const MAX_WRITE_BUFFER_BYTES: usize = 4 * MAX_FRAME_BYTES;
/// The close code of a connection that ended without one.
pub const ABNORMAL_CLOSE: u16 = 1006;

/// A connection that may be secured.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Socket = WebSocketStream<Box<dyn Stream>>;

/// The sending half.
pub struct Sender<Out> {
    sink: SplitSink<Socket, Message>,
    frames: PhantomData<fn(Out)>,
}

/// The receiving half.
pub struct Receiver<In> {
    stream: SplitStream<Socket>,
    frames: PhantomData<fn() -> In>,
}

/// What came in.
#[derive(Debug)]
pub enum Received<In> {
    /// A frame.
    Frame(In),
    /// A frame of a later protocol, or a broken one: to be noted and passed over.
    Unreadable(String),
}

/// Both halves of the agent protocol.
pub type AgentSocket = (Sender<FromAgent>, Receiver<ToAgent>);
/// Both halves of live events.
pub type EventSocket = (Sender<FromReader>, Receiver<ToReader>);

impl Client {
    /// Connects as an agent. The first frame to send is `hello`.
    ///
    /// # Errors
    /// As [`Client::call`]. A token that is refused shows as [`Error::Closed`] with 4401 on the first receive.
    pub async fn connect_agent(&self) -> Result<AgentSocket, Error> {
        self.connect(&Endpoint::AgentConnect.full_path()).await
    }

    /// Connects as a reader of events.
    ///
    /// # Errors
    /// As [`Client::connect_agent`].
    pub async fn connect_events(&self, query: &event::Query) -> Result<EventSocket, Error> {
        let path = Endpoint::EventSocket.full_path();
        let request = self.http.get(format!("{}{path}", self.url())).query(query).build();
        let request = request.map_err(|error| self.unusable(&root_cause(&error)))?;
        let query = request.url().query().map_or(String::new(), |query| format!("?{query}"));
        self.connect(&format!("{path}{query}")).await
    }

    async fn connect<Out, In>(&self, path: &str) -> Result<(Sender<Out>, Receiver<In>), Error> {
        let socket = tokio::time::timeout(CONNECT_TIMEOUT * 2, self.open(path)).await;
        let socket = socket.map_err(|_| self.unreachable("it took too long"))??;
        let (sink, stream) = socket.split();
        Ok((Sender { sink, frames: PhantomData }, Receiver { stream, frames: PhantomData }))
    }

    async fn open(&self, path: &str) -> Result<Socket, Error> {
        let scheme = if self.address.secure { "wss" } else { "ws" };
        let authority = self.url().split_once("://").map_or("", |(_, authority)| authority);
        let mut request = format!("{scheme}://{authority}{path}")
            .into_client_request()
            .map_err(|error| self.unusable(&error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES))
            .read_buffer_size(16 * 1024)
            .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES);
        let stream = self.stream().await?;
        let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
        opened.map(|(socket, _)| socket).map_err(|error| self.no_upgrade(error))
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, Error> {
        let host = self.address.bare_host();
        let connected =
            tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, self.address.port))).await;
        let tcp = connected.map_err(|_| self.unreachable("it took too long"))?;
        let tcp = tcp.map_err(|error| self.unreachable(&error.to_string()))?;
        tcp.set_nodelay(true).map_err(|error| self.unreachable(&error.to_string()))?;
        if !self.address.secure {
            return Ok(Box::new(tcp));
        }
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| self.unusable(&error.to_string()))?;
        let secured = tokio_rustls::TlsConnector::from(self.tls.clone()).connect(name, tcp).await;
        Ok(Box::new(secured.map_err(|error| self.unreachable(&error.to_string()))?))
    }

    /// An upgrade that the server answers with a problem document is a refusal like any other.
    fn no_upgrade(&self, error: Broken) -> Error {
        let Broken::Http(response) = error else { return self.unreachable(&root_cause(&error)) };
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let problem = response.body().as_ref().and_then(|body| serde_json::from_slice::<Problem>(body).ok());
        let url = self.url().to_owned();
        match problem {
            Some(problem) => Error::Refused(Box::new(Refused {
                problem,
                retry_after_ms: retry_after.map(|s| s.saturating_mul(1_000)),
            })),
            None => Error::Unreadable { url, status, reason: "it does not open a WebSocket".to_owned() },
        }
    }

    fn unreachable(&self, reason: &str) -> Error {
        Error::Unreachable { url: self.url().to_owned(), reason: reason.to_owned() }
    }

    fn unusable(&self, reason: &str) -> Error {
        Error::BadAddress { url: self.url().to_owned(), reason: reason.to_owned() }
    }
}

impl<Out: Serialize> Sender<Out> {
    /// Sends a frame, and waits while the connection is full.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection is gone, [`Error::FrameTooLarge`] when only this frame cannot go.
    pub async fn send(&mut self, frame: &Out) -> Result<(), Error> {
        let text = serde_json::to_string(frame).map_err(|error| closed(&error.to_string()))?;
        if text.len() > MAX_FRAME_BYTES {
            return Err(Error::FrameTooLarge { bytes: text.len() });
        }
        self.sink.send(Message::text(text)).await.map_err(|error| closed(&root_cause(&error)))
    }

    /// Closes in order, so that the other side knows that nothing was lost.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection is gone already.
    pub async fn close(&mut self, reason: &str) -> Result<(), Error> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: reason.into() };
        self.sink.send(Message::Close(Some(frame))).await.map_err(|error| closed(&root_cause(&error)))
    }
}

impl<In: DeserializeOwned> Receiver<In> {
    /// The next frame. Pings of the WebSocket itself are answered on the way.
    ///
    /// # Errors
    /// [`Error::Closed`] with the code of the other side (API23), 1006 when there was none.
    pub async fn receive(&mut self) -> Result<Received<In>, Error> {
        loop {
            let message = self.stream.next().await.ok_or_else(|| closed("the connection ended"))?;
            match message.map_err(|error| closed(&root_cause(&error)))? {
                Message::Text(text) => return Ok(read(&text)),
                Message::Binary(bytes) => {
                    return Ok(Received::Unreadable(format!("{} bytes that are no text", bytes.len())));
                }
                Message::Close(Some(frame)) => {
                    return Err(Error::Closed { code: frame.code.into(), reason: frame.reason.to_string() });
                }
                Message::Close(None) => return Err(closed("the connection was closed")),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

fn read<In: DeserializeOwned>(text: &str) -> Received<In> {
    serde_json::from_str(text).map_or_else(|error| Received::Unreadable(error.to_string()), Received::Frame)
}

fn closed(reason: &str) -> Error {
    Error::Closed { code: ABNORMAL_CLOSE, reason: reason.to_owned() }
}
