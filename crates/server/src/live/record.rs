//! What is remembered of an agent's connections: its last invalid messages and the ends of its connections (C2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tiltyard_model::time::TimeMs;
use tiltyard_wire::agent::{Disconnect, Violation};
use tiltyard_wire::time::Time;

/// Invalid messages of one agent that are shown.
pub(crate) const MAX_VIOLATIONS: usize = 50;
/// Invalid messages of one agent that are kept: one more, so that more than those shown can be told within an hour.
const MAX_KEPT_VIOLATIONS: usize = MAX_VIOLATIONS + 1;
/// Ends of connections that are kept of one agent.
pub(crate) const MAX_DISCONNECTS: usize = 20;
/// Agents that are remembered; beyond them those that are not connected are forgotten.
pub(crate) const MAX_RECORDS: usize = 10_000;

/// So many invalid messages within a minute are only warned of.
const MAX_WARNED: u32 = 10;
/// The message that closes the connection.
const CLOSING: u32 = 20;
/// How late the next invalid message is answered, for each one beyond the warned, in milliseconds.
const SLOW_MS: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 30_000];
/// What counts as a minute; and so long without an invalid message, and the counting begins anew.
const MINUTE: Duration = Duration::from_secs(60);

/// What one agent's connections left behind.
#[derive(Debug, Default)]
pub(crate) struct Record {
    violations: VecDeque<Violation>,
    disconnects: VecDeque<Disconnect>,
}

impl Record {
    /// Keeps an invalid message.
    pub(crate) fn violated(&mut self, at: TimeMs, error: &str, verdict: Verdict) {
        if self.violations.len() == MAX_KEPT_VIOLATIONS {
            self.violations.pop_back();
        }
        let action = verdict.as_str().to_owned();
        self.violations.push_front(Violation { at: Time(at), error: error.to_owned(), action });
    }

    /// Keeps the end of a connection.
    pub(crate) fn disconnected(&mut self, at: TimeMs, instance: Option<String>, reason: &str) {
        if self.disconnects.len() == MAX_DISCONNECTS {
            self.disconnects.pop_back();
        }
        self.disconnects.push_front(Disconnect { at: Time(at), instance, reason: reason.to_owned() });
    }

    /// The last invalid messages, newest first.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.iter().take(MAX_VIOLATIONS).cloned().collect()
    }

    /// The last ends of connections, newest first.
    pub(crate) fn disconnects(&self) -> Vec<Disconnect> {
        self.disconnects.iter().cloned().collect()
    }

    /// How many invalid messages came since then.
    pub(crate) fn violations_since(&self, since: TimeMs) -> usize {
        self.violations.iter().take_while(|violation| violation.at.0 >= since).count()
    }
}

/// What is done about an invalid message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The sender is told.
    Warned,
    /// And its next invalid message is answered so much later, in milliseconds; it gets no new work meanwhile.
    Slowed(u64),
    /// And the connection is closed with 4422.
    Closed,
}

impl Verdict {
    /// The word on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Warned => "warned",
            Self::Slowed(_) => "slowed",
            Self::Closed => "closed",
        }
    }
}

/// Counts the invalid messages of one agent, whatever connection they come on.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Those of the last minute, oldest first; as many as are warned of, at most.
    recent: VecDeque<Instant>,
    /// Those since the minute had too many.
    beyond: u32,
    last: Option<Instant>,
}

impl Patience {
    /// What is done about one more, at `now`.
    pub(crate) fn tried(&mut self, now: Instant) -> Verdict {
        let age = |at: &Instant| now.saturating_duration_since(*at);
        if self.last.as_ref().is_some_and(|last| age(last) >= MINUTE) {
            *self = Self::default();
        }
        self.last = Some(now);
        while self.recent.front().is_some_and(|at| age(at) >= MINUTE) {
            self.recent.pop_front();
        }
        if self.beyond == 0 && self.recent.len() < MAX_WARNED as usize {
            self.recent.push_back(now);
            return Verdict::Warned;
        }
        self.beyond = self.beyond.saturating_add(1);
        if self.beyond >= CLOSING - MAX_WARNED {
            return Verdict::Closed;
        }
        Verdict::Slowed(SLOW_MS[(self.beyond as usize - 1).min(SLOW_MS.len() - 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C2: ten in a minute warned, then slowed by 1, 2, 5, 10, 30 s, the twentieth closes.
    #[test]
    fn c2_patience_ends_by_steps() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        let verdicts: Vec<_> = (0..20).map(|_| patience.tried(now)).collect();
        assert!(verdicts[..10].iter().all(|verdict| *verdict == Verdict::Warned));
        let slowed =
            [1_000, 2_000, 5_000, 10_000, 30_000, 30_000, 30_000, 30_000, 30_000].map(Verdict::Slowed);
        assert_eq!(verdicts[10..19], slowed);
        assert_eq!(verdicts[19], Verdict::Closed);
    }

    // C2: reset after 60 s quiet.
    #[test]
    fn c2_a_quiet_minute_is_forgiveness() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        for _ in 0..15 {
            patience.tried(now);
        }
        assert_eq!(patience.tried(now + Duration::from_secs(59)), Verdict::Slowed(30_000));
        assert_eq!(patience.tried(now + Duration::from_secs(119)), Verdict::Warned);
    }

    // C2: ten *in a minute*: one now and then is warned of for ever.
    #[test]
    fn c2_few_a_minute_are_only_warned_of() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        for count in 0..100 {
            assert_eq!(patience.tried(now + Duration::from_secs(count * 7)), Verdict::Warned, "{count}");
        }
        // Five seconds apart, the eleventh is one too many for its minute.
        let mut patience = Patience::default();
        let verdicts: Vec<_> =
            (0..11).map(|count| patience.tried(now + Duration::from_secs(count * 5))).collect();
        assert_eq!(verdicts[9..], [Verdict::Warned, Verdict::Slowed(1_000)]);
    }

    // C2: the last 50 violations and 20 disconnects can be looked up, newest first.
    #[test]
    fn c2_the_record_is_bounded() {
        let mut record = Record::default();
        for at in 0..60 {
            record.violated(at, "x", Verdict::Warned);
            record.disconnected(at, None, "gone");
        }
        let (violations, disconnects) = (record.violations(), record.disconnects());
        assert_eq!((violations.len(), violations[0].at.0), (50, 59));
        assert_eq!((disconnects.len(), disconnects[19].at.0), (20, 40));
        assert_eq!(record.violations_since(55), 5);
        // Over 50 an hour degrade health: one agent alone can do it.
        assert!(record.violations_since(0) > MAX_VIOLATIONS);
    }
}
