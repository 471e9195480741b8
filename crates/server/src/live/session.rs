//! A socket with a mouth of its own: what is said waits in a bounded line, so that listening never waits for a
//! listener who does not read.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Messages that may wait for one socket; a reader that falls further behind is let go.
pub(crate) const MAX_WAITING_MESSAGES: usize = 512;
/// How long one message may take to be taken, in milliseconds.
const SEND_MS: u64 = 10_000;
/// How long the other side may take to agree to a close, in milliseconds.
const CLOSE_MS: u64 = 1_000;

/// Why a socket is closed, and what its other side is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    /// The code (API23).
    pub(crate) code: u16,
    /// One sentence of at most 123 bytes.
    pub(crate) reason: String,
}

impl Close {
    /// Bad, used or missing token.
    pub(crate) const TOKEN: u16 = 4401;
    /// Wrong scope or right.
    pub(crate) const RIGHT: u16 = 4403;
    /// Another connection took its place.
    pub(crate) const SUPERSEDED: u16 = 4409;
    #[allow(dead_code, reason = "events are next")]
    /// The cursor is of another epoch, or compacted.
    pub(crate) const CURSOR: u16 = 4410;
    /// Invalid messages.
    pub(crate) const INVALID: u16 = 4422;
    /// The server ends.
    pub(crate) const GOING_AWAY: u16 = 1001;
    /// Try again later.
    pub(crate) const LATER: u16 = 1013;

    /// With a reason that fits its frame.
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        const MAX_REASON_BYTES: usize = 123;
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { code, reason }
    }

    /// The server ends.
    pub(crate) fn going_away() -> Self {
        Self::new(Self::GOING_AWAY, "the server is shutting down; connect again in a moment")
    }

    /// The token ended (SEC19).
    pub(crate) fn token_ended() -> Self {
        Self::new(Self::TOKEN, "the token has ended")
    }
}

/// The mouth of a socket.
pub(crate) struct Mouth {
    line: mpsc::Sender<Message>,
    emptied: Arc<Notify>,
    speaking: JoinHandle<()>,
}

/// The ear of a socket.
pub(crate) type Ear = SplitStream<WebSocket>;

/// Takes a socket apart.
pub(crate) fn open(socket: WebSocket) -> (Mouth, Ear) {
    let (sink, ear) = socket.split();
    let (line, waiting) = mpsc::channel(MAX_WAITING_MESSAGES);
    let emptied = Arc::new(Notify::new());
    let speaking = tokio::spawn(speak(sink, waiting, Arc::clone(&emptied)));
    (Mouth { line, emptied, speaking }, ear)
}

/// Says what waits, one after the other; ends when the line does, or when nobody takes anything any more.
async fn speak(
    mut sink: SplitSink<WebSocket, Message>,
    mut waiting: mpsc::Receiver<Message>,
    emptied: Arc<Notify>,
) {
    while let Some(message) = waiting.recv().await {
        let sent = timeout(Duration::from_millis(SEND_MS), sink.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
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
        let said = self.line.try_send(Message::Text(text.into()));
        said.map_err(|_| Close::new(Close::LATER, "too much waits to be read; connect again and read faster"))
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.line.capacity() == self.line.max_capacity()
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
        let Self { line, speaking, .. } = self;
        let goodbye = async {
            let frame = CloseFrame { code: close.code, reason: close.reason.into() };
            if line.send(Message::Close(Some(frame))).await.is_ok() {
                drop(line);
                while let Some(Ok(message)) = ear.next().await {
                    if matches!(message, Message::Close(_)) {
                        break;
                    }
                }
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

    #[test]
    fn a_reason_fits_its_frame() {
        assert_eq!(Close::new(1013, "ü".repeat(100)).reason.len(), 122);
        assert!(Close::going_away().reason.len() <= 123);
    }
}
