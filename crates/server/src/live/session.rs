//! A socket with a mouth of its own: what is said waits in a bounded line, so that listening never waits for a
//! listener who does not read.

use crate::edge::close_code;
use crate::live::leash::Pull;
use crate::taken::Receipt;
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::request::Parts;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the other side may take to agree to a close, in milliseconds. What is said and read before it counts
/// too, so a socket is gone within a second of its token (SEC19).
const CLOSE_MS: u64 = 500;

/// How much may wait for a socket, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Messages that may wait.
    pub(crate) max_messages: usize,
    /// How long one message may take to be taken by the other side.
    pub(crate) send: Duration,
}

/// Why a socket is closed, and what its other side is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    /// The code (API23).
    pub(crate) code: u16,
    /// One sentence of at most 123 bytes.
    pub(crate) reason: String,
}

impl Close {
    /// Done, in order.
    pub(crate) const NORMAL: u16 = 1000;
    /// The server ends.
    pub(crate) const GOING_AWAY: u16 = 1001;
    /// What came in was no WebSocket.
    pub(crate) const PROTOCOL: u16 = 1002;
    /// What came in as text was none.
    pub(crate) const NO_TEXT: u16 = 1007;
    /// A message was too large.
    pub(crate) const TOO_BIG: u16 = 1009;
    /// Try again later.
    pub(crate) const LATER: u16 = 1013;
    /// Bad, used or missing token.
    pub(crate) const TOKEN: u16 = 4401;
    /// Wrong scope or right.
    pub(crate) const RIGHT: u16 = 4403;
    /// Another connection took its place.
    pub(crate) const SUPERSEDED: u16 = 4409;
    /// Invalid messages.
    pub(crate) const INVALID: u16 = 4422;
    /// Too many messages.
    pub(crate) const TOO_MANY: u16 = 4429;

    /// With a reason that fits its frame.
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        const MAX_REASON_BYTES: usize = 123;
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { code, reason }
    }

    /// Another connection of the agent came later.
    pub(crate) fn superseded() -> Self {
        Self::new(Self::SUPERSEDED, "another connection of this agent took its place")
    }

    /// What a refusal means for the whole connection.
    pub(crate) fn of(refusal: &Refusal) -> Self {
        let code = match refusal.code {
            Code::ShuttingDown => Self::GOING_AWAY,
            _ => close_code::of(refusal.kind()).unwrap_or(Self::LATER),
        };
        Self::new(code, format!("{}: {}", refusal.code.as_str(), refusal.message))
    }

    /// What came in was no message, or nothing comes in any more.
    pub(crate) fn broken(error: &axum::Error) -> Self {
        let said = error.to_string();
        if is_of_the_line(error) || said.contains("without closing handshake") {
            return Self::new(Self::LATER, format!("the connection broke: {said}"));
        }
        Self::new(code_of_fault(&said), said)
    }
}

/// What RFC 6455 (7.4.1) calls a fault of the protocol itself. The library's own error types are not public here.
fn code_of_fault(said: &str) -> u16 {
    let said = said.to_ascii_lowercase();
    if said.contains("space limit") {
        Close::TOO_BIG
    } else if said.contains("utf-8") || said.contains("utf8") {
        Close::NO_TEXT
    } else {
        Close::PROTOCOL
    }
}

/// Whether the system says so, and not the protocol.
fn is_of_the_line(error: &axum::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl From<Pull> for Close {
    fn from(pull: Pull) -> Self {
        match pull {
            Pull::Token => Self::new(Self::TOKEN, "the token has ended"),
            Pull::Server => {
                Self::new(Self::GOING_AWAY, "the server is shutting down; connect again in a moment")
            }
        }
    }
}

/// The upgrade that a request asks for.
///
/// # Errors
/// 400 for a request that asks for none.
pub(crate) async fn upgrade(parts: &mut Parts, max_bytes: usize) -> Result<WebSocketUpgrade, Refusal> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
    let upgrade =
        upgrade.map_err(|_| Refusal::new(Code::Malformed, "this path takes WebSocket upgrades only"))?;
    Ok(upgrade.max_message_size(max_bytes).max_frame_size(max_bytes))
}

/// What waits to be said.
struct Said {
    message: Message,
    /// Signed when it leaves the line: whether what was taken from there arrives, nobody can say. What never left goes
    /// back.
    receipt: Option<Receipt>,
}

impl Said {
    fn leave(self) -> Message {
        if let Some(receipt) = self.receipt {
            receipt.sign();
        }
        self.message
    }
}

/// The mouth of a socket.
pub(crate) struct Mouth {
    line: mpsc::Sender<Said>,
    emptied: Arc<Notify>,
    speaking: JoinHandle<()>,
}

/// The ear of a socket.
pub(crate) type Ear = SplitStream<WebSocket>;

/// Takes a socket apart.
pub(crate) fn open(socket: WebSocket, line: Line) -> (Mouth, Ear) {
    let (sink, ear) = socket.split();
    let (sender, waiting) = mpsc::channel(line.max_messages);
    let emptied = Arc::new(Notify::new());
    let speaking = tokio::spawn(speak(sink, waiting, line.send, Arc::clone(&emptied)));
    (Mouth { line: sender, emptied, speaking }, ear)
}

/// Says what waits, one after the other; ends when the line does, or when nobody takes anything any more.
async fn speak(
    mut sink: SplitSink<WebSocket, Message>,
    mut waiting: mpsc::Receiver<Said>,
    limit: Duration,
    emptied: Arc<Notify>,
) {
    while let Some(said) = waiting.recv().await {
        let sent = async {
            sink.feed(said.leave()).await?;
            // What waits goes along, in one write where it can.
            while let Ok(said) = waiting.try_recv() {
                sink.feed(said.leave()).await?;
            }
            sink.flush().await
        };
        if !matches!(timeout(limit, sent).await, Ok(Ok(()))) {
            return;
        }
        if waiting.is_empty() {
            emptied.notify_one();
        }
    }
}

impl Mouth {
    /// Says something, as soon as what was said before is taken.
    ///
    /// # Errors
    /// When too much waits already: the socket is to be closed so.
    pub(crate) fn say(&self, text: impl Into<Utf8Bytes>) -> Result<(), Close> {
        self.put(Message::Text(text.into()), None)
    }

    /// Says what hands over a task.
    ///
    /// # Errors
    /// As [`Mouth::say`]; the task then goes back.
    pub(crate) fn hand_over(&self, text: impl Into<Utf8Bytes>, receipt: Receipt) -> Result<(), Close> {
        self.put(Message::Text(text.into()), Some(receipt))
    }

    /// Asks for a sign of life, which every WebSocket gives by itself.
    ///
    /// # Errors
    /// As [`Mouth::say`].
    pub(crate) fn knock(&self) -> Result<(), Close> {
        self.put(Message::Ping(bytes::Bytes::new()), None)
    }

    fn put(&self, message: Message, receipt: Option<Receipt>) -> Result<(), Close> {
        let put = self.line.try_send(Said { message, receipt });
        put.map_err(|_| Close::new(Close::LATER, "too much waits to be read; connect again and read faster"))
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.line.capacity() == self.line.max_capacity()
    }

    /// Returns when one more message may wait.
    pub(crate) async fn room(&self) {
        if self.line.reserve().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when what waited has been taken.
    pub(crate) async fn emptied(&self) {
        self.emptied.notified().await;
    }

    /// Returns when nobody listens any more.
    pub(crate) async fn broken(&self) {
        self.line.closed().await;
    }

    /// Says goodbye, and waits a moment for the other side to agree.
    pub(crate) async fn close(self, mut ear: Ear, close: Close) {
        let Self { line, mut speaking, .. } = self;
        let goodbye = async {
            let frame = CloseFrame { code: close.code, reason: close.reason.into() };
            if line.send(Said { message: Message::Close(Some(frame)), receipt: None }).await.is_ok() {
                drop(line);
                while let Some(Ok(message)) = ear.next().await {
                    if matches!(message, Message::Close(_)) {
                        break;
                    }
                }
                // The other side may have said its last already, and not heard ours yet.
                let _ = (&mut speaking).await;
            }
        };
        if timeout(Duration::from_millis(CLOSE_MS), goodbye).await.is_err() {
            tracing::debug!(target: "api", code = close.code, "a socket did not agree to its close");
        }
        speaking.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::refusal::Kind;

    #[test]
    fn a_reason_fits_its_frame() {
        assert_eq!(Close::new(1013, "ü".repeat(100)).reason.len(), 122);
        assert!(Close::from(Pull::Server).reason.len() <= 123);
    }

    // API23: each sort of refusal has its close code.
    #[test]
    fn api23_refusals_close_with_the_codes_of_the_contract() {
        for code in Code::ALL {
            let expected = match code.kind() {
                Kind::Unauthenticated => 4401,
                Kind::Denied => 4403,
                Kind::Missing => 4404,
                Kind::Gone => 4410,
                Kind::Invalid => 4422,
                _ if *code == Code::ShuttingDown => 1001,
                _ => 1013,
            };
            assert_eq!(Close::of(&Refusal::new(*code, "x")).code, expected, "{code:?}");
        }
        assert_eq!((Close::from(Pull::Token).code, Close::from(Pull::Server).code), (4401, 1001));
    }
}
