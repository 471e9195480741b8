//! Server-sent events on their way out, as the HTML standard writes them.

use crate::live::leash::Leash;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a comment says that the stream lives, in milliseconds (API20).
pub(crate) const BEAT_MS: u64 = 5_000;
/// A piece takes no more messages once it has so many bytes.
pub(crate) const MAX_PIECE_BYTES: usize = 64 * 1024;
/// How long a reader is to wait before it opens a broken stream again, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// Something that is told piece by piece.
pub(crate) trait Tell: Send + 'static {
    /// The next piece; `None` when nothing follows. It may be dropped while it waits, and asked for again.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// A stream of server-sent events: what `teller` tells after `first`, and a heartbeat.
pub(crate) fn response(first: Vec<u8>, teller: impl Tell, leash: Leash) -> Response {
    let mut beat = interval(Duration::from_millis(BEAT_MS));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let stream = unfold(Stream { first: Some(first.into()), teller, leash, beat }, |mut stream| async {
        stream.next().await.map(|piece| (Ok::<_, Infallible>(piece), stream))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Some proxies hold answers back until they are whole.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

struct Stream<T> {
    first: Option<Bytes>,
    teller: T,
    leash: Leash,
    beat: Interval,
}

impl<T: Tell> Stream<T> {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            biased;
            _ = self.leash.pulled() => None,
            _ = self.beat.tick() => Some(Bytes::from_static(b": beat\n\n")),
            piece = self.teller.next() => piece,
        }
    }
}

/// The first message of a stream: how soon to come back after a break, and after what, though nothing has been told.
pub(crate) fn opening(id: &str) -> Vec<u8> {
    format!("retry: {RETRY_MS}\nid: {id}\n\n").into_bytes()
}

/// Begins a message.
pub(crate) fn begin(out: &mut Vec<u8>, id: &str) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(id.as_bytes());
    out.push(b'\n');
}

/// Adds text to a message; a line feed in it comes out as one.
pub(crate) fn data(out: &mut Vec<u8>, text: &str) {
    for line in text.split('\n') {
        // A lone carriage return would end the line too; what it does on a terminal, nobody sees in a stream.
        for part in line.strip_suffix('\r').unwrap_or(line).split('\r') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(part.as_bytes());
            out.push(b'\n');
        }
    }
}

/// Ends a message.
pub(crate) fn end(out: &mut Vec<u8>) {
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_client::sse::{Message, Parser};

    fn read(out: &[u8]) -> Vec<Message> {
        Parser::default().feed(out).unwrap()
    }

    // API20: what is written is what a parser of the standard reads.
    #[test]
    fn api20_text_of_many_lines_is_one_message() {
        for (text, read_as) in [
            ("", ""),
            ("a\nb", "a\nb"),
            ("a\n", "a\n"),
            ("\n", "\n"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("10 %\r20 %", "10 %\n20 %"),
            (" : x", " : x"),
        ] {
            let mut out = opening("1-7");
            begin(&mut out, "9");
            data(&mut out, text);
            end(&mut out);
            let messages = read(&out);
            assert_eq!(messages.len(), 1, "{text:?}: the opening is no message");
            assert_eq!(
                (messages[0].id.as_deref(), messages[0].data.as_str()),
                (Some("9"), read_as),
                "{text:?}"
            );
        }
    }
}
