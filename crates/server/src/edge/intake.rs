//! A request body on its way in (SEC13): never more than its endpoint takes, never slower than is fair.
//!
//! The edge wraps every body in this before a handler sees it, so a handler that reads the body some other way
//! than by `edge::body` is bound by it all the same.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tokio::time::{Instant, Sleep, sleep_until};

/// The slowest pace at which a body may come, in bytes a second.
pub const MIN_PACE_BYTES_PER_S: u64 = 1_024;

/// How long a body may be slower than that where the settings do not say otherwise, in milliseconds.
pub const PACE_WINDOW_MS: u64 = 30_000;

/// What a body may be.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// How much of it is let through.
    pub max_bytes: u64,
    /// How long it may be slower than [`MIN_PACE_BYTES_PER_S`].
    pub pace_window: Duration,
}

/// A body with a limit and a pace.
#[derive(Debug)]
pub struct Intake<B> {
    inner: B,
    max_bytes: u64,
    seen_bytes: u64,
    pace: Pace,
}

impl<B> Intake<B> {
    /// `inner`, held to `measure`.
    pub fn new(inner: B, measure: Measure) -> Self {
        Self { inner, max_bytes: measure.max_bytes, seen_bytes: 0, pace: Pace::new(measure.pace_window) }
    }
}

/// What is said of a body beyond its limit, announced or found out.
pub(crate) fn too_large(max_bytes: u64) -> Refusal {
    let said = format!("the body is larger than the {max_bytes} bytes that are read here; send less at once");
    Refusal::new(Code::TooLarge, said).with("limit_bytes", max_bytes)
}

impl<B> Body for Intake<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) else {
            return Poll::Ready(Some(Err(ready!(this.pace.poll_too_slow(context)))));
        };
        let bytes = |frame: &Frame<Bytes>| frame.data_ref().map_or(0, |data| data.len() as u64);
        match frame {
            None => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(broken_off(&error)))),
            Some(Ok(frame)) => {
                this.pace.arrived(bytes(&frame));
                this.seen_bytes = this.seen_bytes.saturating_add(bytes(&frame));
                let within = this.seen_bytes <= this.max_bytes;
                Poll::Ready(Some(if within { Ok(frame) } else { Err(too_large(this.max_bytes)) }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn broken_off(error: &dyn Display) -> Refusal {
    Refusal::new(
        Code::Malformed,
        format!("the body broke off before its end ({error}); send it again, whole"),
    )
}

/// Counts what came while we waited for it. Time that the server itself takes between two reads is not held
/// against the client.
#[derive(Debug)]
struct Pace {
    window: Duration,
    window_bytes: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    const fn new(window: Duration) -> Self {
        Self { window, window_bytes: 0, waited: Duration::ZERO, waiting_since: None, alarm: None }
    }

    /// What a whole window must bring, in bytes.
    fn wanted_bytes(&self) -> u128 {
        u128::from(MIN_PACE_BYTES_PER_S) * self.window.as_millis() / 1_000
    }

    fn arrived(&mut self, bytes: u64) {
        self.window_bytes = self.window_bytes.saturating_add(bytes);
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Ready with the refusal once a whole window of waiting has brought too little.
    fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<Refusal> {
        loop {
            let since = *self.waiting_since.get_or_insert_with(Instant::now);
            ready!(self.poll_alarm(since + self.window.saturating_sub(self.waited), context));
            if u128::from(self.window_bytes) < self.wanted_bytes() {
                return Poll::Ready(too_slow(self.window));
            }
            (self.window_bytes, self.waited, self.waiting_since) = (0, Duration::ZERO, None);
        }
    }

    fn poll_alarm(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(context)
    }
}

fn too_slow(window: Duration) -> Refusal {
    let seconds = window.as_secs_f32();
    let said = format!(
        "the body came slower than {MIN_PACE_BYTES_PER_S} bytes a second for {seconds} s and was cut; send it \
         again over a better line, or in smaller parts"
    );
    Refusal::new(Code::TooSlow, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::unfold;
    use http_body_util::{BodyExt, Full, StreamBody};
    use std::convert::Infallible;

    /// A client that sends `bytes` every `every_ms`, `times` times.
    fn client(
        bytes: usize,
        every_ms: u64,
        times: usize,
    ) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let stream = unfold(0, move |sent| async move {
            tokio::time::sleep(Duration::from_millis(every_ms)).await;
            (sent < times).then(|| (Ok(Frame::data(Bytes::from(vec![b' '; bytes]))), sent + 1))
        });
        StreamBody::new(Box::pin(stream))
    }

    fn measure(max_bytes: u64) -> Measure {
        Measure { max_bytes, pace_window: Duration::from_millis(PACE_WINDOW_MS) }
    }

    async fn read(
        body: impl Body<Data = Bytes, Error = Infallible> + Unpin,
        max: u64,
    ) -> Result<usize, Code> {
        let whole = Intake::new(body, measure(max)).collect().await;
        whole.map(|body| body.to_bytes().len()).map_err(|refusal| refusal.code)
    }

    #[tokio::test(start_paused = true)]
    async fn sec13_a_body_slower_than_the_pace_is_cut_after_the_window() {
        let begin = Instant::now();
        assert_eq!(read(client(1_000, 1_000, 1_000), u64::MAX).await, Err(Code::TooSlow));
        assert_eq!(begin.elapsed().as_secs(), 30);
        assert_eq!(read(client(1, 3_600_000, 1), u64::MAX).await, Err(Code::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn sec13_a_body_that_starts_well_and_then_dries_up_is_cut() {
        let stalled = client(40 * 1_024, 25_000, 2);
        assert_eq!(read(stalled, u64::MAX).await, Ok(80 * 1_024), "25 s a part is within the pace");
        let begin = Instant::now();
        assert_eq!(read(client(31 * 1_024, 29_000 + 31_000, 2), u64::MAX).await, Err(Code::TooSlow));
        assert_eq!(begin.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn sec13_a_body_at_the_pace_is_read_however_long_it_takes() {
        let begin = Instant::now();
        assert_eq!(read(client(1_100, 1_000, 300), u64::MAX).await, Ok(330_000));
        assert!(begin.elapsed().as_secs() >= 300);
    }

    #[tokio::test(start_paused = true)]
    async fn sec13_time_that_the_server_takes_is_not_the_clients() {
        let mut body = Intake::new(client(10, 1_000, 3), measure(u64::MAX));
        for _ in 0..3 {
            body.frame().await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn api9_no_more_than_the_limit_comes_through() {
        assert_eq!(read(Full::from(vec![0; 10]), 10).await, Ok(10));
        assert_eq!(read(Full::from(vec![0; 11]), 10).await, Err(Code::TooLarge));
    }
}
