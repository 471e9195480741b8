//! The bytes of one connection, and what they tell about it: whether it is quiet, in the middle of a head, or
//! waiting for a client that does not read.

use crate::edge::guard::head_too_large;
use crate::edge::request_id::RequestId;
use crate::edge::slots::Slot;
use crate::problem;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tiltyard_model::refusal::{Code, Refusal};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What a connection is doing; shared by its bytes, its requests and its answers, all within one task.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: IpAddr,
    /// A request has been read whose answer is not yet made to the end.
    pub(crate) busy: AtomicBool,
    /// A head has begun to arrive, or none ever has.
    pub(crate) in_head: AtomicBool,
    /// Bytes went either way since somebody last looked.
    pub(crate) moved: AtomicBool,
    /// The client has sent something, ever.
    pub(crate) heard: AtomicBool,
    /// The client takes nothing at the moment.
    pub(crate) blocked: AtomicBool,
    /// The client has ended its side.
    pub(crate) ended: AtomicBool,
}

impl Link {
    pub(crate) fn new(peer: IpAddr) -> Self {
        let [busy, moved, heard, blocked, ended] = [(); 5].map(|()| AtomicBool::new(false));
        Self { peer, busy, in_head: AtomicBool::new(true), moved, heard, blocked, ended }
    }

    /// A request's head is whole.
    pub(crate) fn begin(&self) {
        self.busy.store(true, Relaxed);
        self.in_head.store(false, Relaxed);
    }

    fn finish(&self) {
        self.busy.store(false, Relaxed);
        self.moved.store(true, Relaxed);
    }

    fn has_read(&self, bytes: usize) {
        if bytes == 0 {
            return self.ended.store(true, Relaxed);
        }
        self.moved.store(true, Relaxed);
        self.heard.store(true, Relaxed);
        if !self.busy.load(Relaxed) {
            self.in_head.store(true, Relaxed);
        }
    }

    fn has_written(&self, written: &Poll<io::Result<usize>>) {
        self.blocked.store(written.is_pending(), Relaxed);
        if written.is_ready() {
            self.moved.store(true, Relaxed);
        }
    }
}

/// Plain or by TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The bytes of a connection. It holds the connection's slot, also after an upgrade.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    pub(crate) link: Arc<Link>,
    instead: Option<Instead>,
    _slot: Slot,
}

/// A problem document on its way out in place of an empty answer, and how much of it has gone.
#[derive(Debug)]
struct Instead {
    bytes: Vec<u8>,
    sent_bytes: usize,
}

impl Wire {
    pub(crate) fn new(stream: Stream, link: Arc<Link>, slot: Slot) -> Self {
        Self { stream, link, instead: None, _slot: slot }
    }

    fn poll_instead(&mut self, context: &mut Context<'_>, replaced_bytes: usize) -> Poll<io::Result<usize>> {
        while let Some(instead) = &mut self.instead {
            let rest = &instead.bytes[instead.sent_bytes..];
            if rest.is_empty() {
                self.instead = None;
                break;
            }
            instead.sent_bytes += ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
        }
        Poll::Ready(Ok(replaced_bytes))
    }

    /// Whether these bytes go out as something else: see [`in_place_of`].
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.instead.is_none() {
            self.instead = in_place_of(bytes).map(|bytes| Instead { bytes, sent_bytes: 0 });
        }
        self.instead.is_some()
    }
}

/// The problem document for a head that hyper could not read. It answers those itself, with a status and nothing
/// else, and offers no other way to answer; its answers are the only ones without a request's id.
fn in_place_of(answer: &[u8]) -> Option<Vec<u8>> {
    const MAX_BARE_BYTES: usize = 256;
    if answer.get(9) != Some(&b'4') || answer.len() > MAX_BARE_BYTES || !answer.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(answer).ok().filter(|head| !head.contains("x-request-id"))?;
    let refusal = match head.get(9..12)? {
        "400" => Refusal::new(Code::Malformed, "the request could not be read as HTTP/1.1"),
        "414" | "431" => head_too_large(),
        _ => return None,
    };
    Some(problem::raw(&refusal, RequestId::new().as_str()))
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.link.has_read(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = if this.replaces(bytes) {
            this.poll_instead(context, bytes.len())
        } else {
            Pin::new(&mut this.stream).poll_write(context, bytes)
        };
        this.link.has_written(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = parts.first().map_or(&[][..], |part| part);
        let written = if this.replaces(first) {
            this.poll_instead(context, first.len())
        } else {
            Pin::new(&mut this.stream).poll_write_vectored(context, parts)
        };
        this.link.has_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(context))
    }
}

/// The body of an answer; its connection is busy until it is gone.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) body: Body,
    pub(crate) link: Arc<Link>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.link.finish();
    }
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api2_only_hypers_own_empty_answers_are_replaced() {
        let bare =
            |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let answer = String::from_utf8(in_place_of(bare("400 Bad Request").as_bytes()).unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"malformed\""), "{answer}");
        let answer = in_place_of(bare("431 Request Header Fields Too Large").as_bytes()).unwrap();
        assert!(String::from_utf8(answer).unwrap().contains("\"head_too_large\""));
        for other in
            [bare("404 Not Found"), bare("400 Bad Request\r\nx-request-id: 1"), bare("200 OK"), String::new()]
        {
            assert_eq!(in_place_of(other.as_bytes()), None, "{other}");
        }
    }
}
