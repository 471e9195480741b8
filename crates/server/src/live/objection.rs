//! Answers to invalid messages. Those that come one upon the other are answered later and later (C2); whatever is valid
//! goes through meanwhile, so that a lease is not lost for a slip beside it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tiltyard_model::agent::record::Verdict;
use tokio::time::sleep_until;

/// Answers that wait to be given; the invalid frame that closes the connection comes before there are more.
#[derive(Debug)]
pub(super) struct Objections<T> {
    waiting: VecDeque<(Instant, T)>,
    free_from: Option<Instant>,
}

impl<T> Default for Objections<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), free_from: None }
    }
}

impl<T> Objections<T> {
    /// One more, to be said when those before it have been paid for. Says until when the agent is slowed.
    pub(super) fn put(&mut self, error: T, verdict: Verdict, now: Instant) -> Option<Instant> {
        let at = self.free_from.map_or(now, |free| free.max(now));
        self.waiting.push_back((at, error));
        match verdict {
            Verdict::Slowed(pause_ms) => self.free_from = Some(at + Duration::from_millis(pause_ms)),
            Verdict::Warned | Verdict::Closed => {}
        }
        self.free_from.filter(|free| *free > now)
    }

    /// The next answer, when its time has come. May be dropped and called again.
    pub(super) async fn next(&mut self) -> T {
        let Some((at, _)) = self.waiting.front() else { return std::future::pending().await };
        if *at > Instant::now() {
            sleep_until((*at).into()).await;
        }
        match self.waiting.pop_front() {
            Some((_, error)) => error,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_wire::frame::Error;

    // C2: slowed by 1, 2, 5 … s, each beginning where the one before ended.
    #[test]
    fn c2_answers_come_later_and_later() {
        let (mut objections, now) = (Objections::default(), Instant::now());
        let error = || Error {
            code: "invalid".into(),
            detail: String::new(),
            request_id: String::new(),
            retry_after_ms: None,
        };
        let verdicts =
            [Verdict::Warned, Verdict::Slowed(1_000), Verdict::Slowed(2_000), Verdict::Slowed(5_000)];
        let until = verdicts.map(|verdict| objections.put(error(), verdict, now));
        let after = |ms| now + Duration::from_millis(ms);
        assert_eq!(until, [None, Some(after(1_000)), Some(after(3_000)), Some(after(8_000))]);
        let said: Vec<_> = objections.waiting.iter().map(|(at, _)| *at).collect();
        assert_eq!(said, [now, now, after(1_000), after(3_000)]);
    }
}
