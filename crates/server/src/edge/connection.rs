//! One connection from its first byte to its last (SEC13): its requests go through the column one by one, and a
//! client that dawdles is cut without holding up anybody else.

use crate::edge::guard::Edge;
use crate::edge::house::House;
use crate::edge::link::{Link, Tracked, Wire};
use crate::edge::request_id::RequestId;
use crate::edge::stop::{Stage, Stop};
use crate::edge::{MAX_HEAD_BYTES, Settings};
use crate::problem;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// How long a client may take to hear an answer that ends its connection, in milliseconds.
const PART_MS: u64 = 2_000;

/// What a client may still send before it listens to that answer, in bytes: many programs send a whole batch
/// before they look.
const MAX_PART_BYTES: usize = 32 << 20;

/// How much of that is read at once, in bytes.
const PART_READ_BYTES: usize = 64 << 10;

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Both sides are done, or the line broke.
    Done,
    /// A head that did not arrive in time.
    SlowHead,
    /// Nothing happened for too long.
    Quiet,
    /// The server ends.
    Stopped,
}

/// Serves one connection to its end.
pub(crate) async fn run<H: House>(wire: Wire, edge: Arc<Edge<H>>, stop: Stop) {
    let link = Arc::clone(&wire.link);
    let settings = &edge.settings;
    let service = service_fn(|request: Request<Incoming>| {
        let (edge, link) = (Arc::clone(&edge), Arc::clone(&link));
        async move {
            link.begin();
            let tracked = |body| Tracked { body, link: Arc::clone(&link) };
            Ok::<_, Infallible>(edge.handle(link.peer, request).await.map(tracked))
        }
    });
    // Our own clock below has finer rules than hyper's one time-out for heads and idling alike.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(wire), service)
        .with_upgrades();
    let mut pulse = Pulse::new(&link, settings);
    let mut end = std::pin::pin!(stop.clone().reached(Stage::Ended));
    let mut drain = Some(Box::pin(stop.reached(Stage::Draining)));
    let over = poll_fn(|context| {
        loop {
            if Pin::new(&mut connection).poll(context).is_ready() {
                return Poll::Ready(End::Done);
            }
            if end.as_mut().poll(context).is_ready() {
                return Poll::Ready(End::Stopped);
            }
            if drain.as_mut().is_none_or(|drain| drain.as_mut().poll(context).is_pending()) {
                return pulse.poll_over(context);
            }
            drain = None;
            Pin::new(&mut connection).graceful_shutdown();
        }
    });
    let over = over.await;
    // An upgraded connection lives on elsewhere.
    if let Some(parts) = connection.into_parts() {
        part(parts.io.into_inner(), over).await;
    }
}

/// The clock of a connection. It is looked at after every poll and set only where nothing moved, so a busy
/// connection pays nothing for it.
struct Pulse<'a> {
    link: &'a Link,
    settings: &'a Settings,
    moved_at: Instant,
    head_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl<'a> Pulse<'a> {
    fn new(link: &'a Link, settings: &'a Settings) -> Self {
        let now = Instant::now();
        let alarm = Box::pin(sleep_until(now + settings.head_read));
        Self { link, settings, moved_at: now, head_since: Some(now), alarm }
    }

    /// When the connection is over if nothing more happens, and why; `None` while the server is at work.
    fn deadline(&mut self) -> Option<(Instant, End)> {
        let now = Instant::now();
        if self.link.moved.swap(false, Relaxed) {
            self.moved_at = now;
        }
        if self.link.busy.load(Relaxed) {
            self.head_since = None;
            return self.link.blocked.load(Relaxed).then(|| (self.moved_at + self.settings.idle, End::Quiet));
        }
        if self.link.in_head.load(Relaxed) {
            let since = *self.head_since.get_or_insert(now);
            return Some((since + self.settings.head_read, End::SlowHead));
        }
        self.head_since = None;
        Some((self.moved_at + self.settings.idle, End::Quiet))
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let deadline = self.deadline();
        if let Some((at, _)) = deadline
            && at < self.alarm.deadline()
        {
            self.alarm.as_mut().reset(at);
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            match deadline {
                Some((at, end)) if at <= now => return Poll::Ready(end),
                Some((at, _)) => self.alarm.as_mut().reset(at),
                None => self.alarm.as_mut().reset(now + self.settings.idle),
            }
        }
        Poll::Pending
    }
}

/// Ends a connection so that the client hears the last answer: what it is still sending is read and thrown away
/// for a moment, because closing with bytes unread would take the answer back out of its hands.
async fn part(mut wire: Wire, over: End) {
    if over == End::Stopped || wire.link.ended.load(Relaxed) {
        return;
    }
    let goodbye = async {
        if over == End::SlowHead && wire.link.heard.load(Relaxed) {
            wire.write_all(&slow_head()).await?;
        }
        wire.shutdown().await?;
        let mut thrown_away = vec![0; PART_READ_BYTES];
        let mut left_bytes = MAX_PART_BYTES;
        while left_bytes > 0 {
            match wire.read(&mut thrown_away).await? {
                0 => break,
                bytes => left_bytes = left_bytes.saturating_sub(bytes),
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // The client is gone or does not listen: there is nobody to tell, and nothing to keep.
    drop(timeout(Duration::from_millis(PART_MS), goodbye).await);
}

fn slow_head() -> Vec<u8> {
    let said = "the request's head took too long to arrive; send it at once";
    problem::raw(&Refusal::new(Code::TooSlow, said), RequestId::new().as_str())
}
