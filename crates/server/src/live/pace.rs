//! How many messages a person's socket may send (SEC6).

use crate::live::session::Close;
use std::time::{Duration, Instant};

/// Most messages of one socket in a minute.
const MAX_MESSAGES_PER_MINUTE: u32 = 600;
const MINUTE: Duration = Duration::from_secs(60);

/// Counts the messages of one socket.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    begun: Option<Instant>,
    count: u32,
}

impl Pace {
    /// One more, at `now`.
    ///
    /// # Errors
    /// 4429 for the 601st within a minute.
    pub(crate) fn step(&mut self, now: Instant) -> Result<(), Close> {
        if self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= MINUTE) {
            (self.begun, self.count) = (Some(now), 0);
        }
        self.count += 1;
        if self.count > MAX_MESSAGES_PER_MINUTE {
            return Err(Close::new(Close::TOO_MANY, "more than 600 messages within a minute"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API23: 4429 for too many messages; another minute is another count.
    #[test]
    fn api23_too_many_messages_close_a_socket() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!((0..600).all(|_| pace.step(now + Duration::from_secs(59)).is_ok()));
        assert_eq!(pace.step(now + Duration::from_secs(118)).unwrap_err().code, 4429);
        assert!(pace.step(now + Duration::from_secs(119)).is_ok());
    }
}
