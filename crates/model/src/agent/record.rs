//! What is remembered of an agent's connections: its last invalid messages, the ends of its connections, and how patient
//! one is with it (C2).

use crate::text::is_storable;
use crate::time::{DurationMs, MINUTE_MS, TimeMs};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Invalid messages of one agent that are shown.
pub const MAX_VIOLATIONS: usize = 50;
/// Invalid messages of one agent that are kept: one more, so that more than those shown can be told within an hour.
const MAX_KEPT_VIOLATIONS: usize = MAX_VIOLATIONS + 1;
/// Ends of connections that are kept of one agent.
pub const MAX_DISCONNECTS: usize = 20;
/// Characters that are kept of what was wrong, or of why a connection ended.
pub const MAX_TOLD_CHARS: usize = 300;

/// So many invalid messages within a minute are only warned of.
const MAX_WARNED: u32 = 10;
/// The message that closes the connection.
const CLOSING: u32 = 20;
/// How late the next invalid message is answered, for each one beyond the warned, in milliseconds.
const SLOW_MS: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 30_000];

/// One invalid message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When.
    pub at: TimeMs,
    /// What was wrong.
    pub error: String,
    /// What was done about it.
    pub verdict: Verdict,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnect {
    /// When.
    pub at: TimeMs,
    /// The process that was connected.
    pub instance: Option<String>,
    /// Why.
    pub reason: String,
}

/// What one agent's connections left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    violations: VecDeque<Violation>,
    disconnects: VecDeque<Disconnect>,
    patience: Patience,
}

impl Record {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Keeps an invalid message, and says what is done about it, which depends on what came before on any connection.
    pub fn violated(&mut self, at: TimeMs, error: &str) -> Verdict {
        let verdict = self.patience.tried(at);
        self.violations.truncate(MAX_KEPT_VIOLATIONS - 1);
        self.violations.push_front(Violation { at, error: told(error), verdict });
        verdict
    }

    /// Keeps the end of a connection.
    pub fn disconnected(&mut self, at: TimeMs, instance: Option<String>, reason: &str) {
        self.disconnects.truncate(MAX_DISCONNECTS - 1);
        self.disconnects.push_front(Disconnect { at, instance, reason: told(reason) });
    }

    /// The last invalid messages, newest first.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().take(MAX_VIOLATIONS)
    }

    /// The last ends of connections, newest first.
    pub fn disconnects(&self) -> impl Iterator<Item = &Disconnect> {
        self.disconnects.iter()
    }

    /// How many invalid messages came since then, as far as they are kept.
    pub fn violations_since(&self, since: TimeMs) -> usize {
        self.violations.iter().take_while(|violation| violation.at >= since).count()
    }
}

/// What an agent or its network said, as far as it is kept: it may be as long as a frame, and hold what no store takes.
fn told(said: &str) -> String {
    let kept = |letter: char| if is_storable(letter.encode_utf8(&mut [0; 4])) { letter } else { ' ' };
    said.chars().take(MAX_TOLD_CHARS).map(kept).collect()
}

/// What is done about an invalid message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The sender is told.
    Warned,
    /// And its next invalid message is answered so much later, in milliseconds; it gets no new work meanwhile.
    Slowed(u64),
    /// And the connection is closed with 4422.
    Closed,
}

impl Verdict {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warned => "warned",
            Self::Slowed(_) => "slowed",
            Self::Closed => "closed",
        }
    }
}

/// Counts the invalid messages of one agent, whatever connection they come on, or of one reader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patience {
    /// Those of the last minute, oldest first; as many as are warned of, at most.
    recent: VecDeque<TimeMs>,
    /// Those since the minute had too many.
    beyond: u32,
    /// When the last one came. So long without one as a minute, and the counting begins anew.
    last: Option<TimeMs>,
}

impl Patience {
    /// What is done about one more, at `now`.
    pub fn tried(&mut self, now: TimeMs) -> Verdict {
        let age = |at: TimeMs| -> DurationMs { now - at };
        if self.last.is_some_and(|last| age(last) >= MINUTE_MS) {
            *self = Self::default();
        }
        self.last = Some(now);
        while self.recent.front().is_some_and(|at| age(*at) >= MINUTE_MS) {
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

    const SECOND: TimeMs = 1_000;

    // C2: ten in a minute warned, then slowed by 1, 2, 5, 10, 30 s, the twentieth closes.
    #[test]
    fn c2_patience_ends_by_steps() {
        let mut patience = Patience::default();
        let verdicts: Vec<_> = (0..20).map(|_| patience.tried(0)).collect();
        assert!(verdicts[..10].iter().all(|verdict| *verdict == Verdict::Warned));
        let slowed =
            [1_000, 2_000, 5_000, 10_000, 30_000, 30_000, 30_000, 30_000, 30_000].map(Verdict::Slowed);
        assert_eq!(verdicts[10..19], slowed);
        assert_eq!(verdicts[19], Verdict::Closed);
    }

    // C2: reset after 60 s quiet.
    #[test]
    fn c2_a_quiet_minute_is_forgiveness() {
        let mut patience = Patience::default();
        for _ in 0..15 {
            patience.tried(0);
        }
        assert_eq!(patience.tried(59 * SECOND), Verdict::Slowed(30_000));
        assert_eq!(patience.tried(119 * SECOND), Verdict::Warned);
    }

    // C2: ten *in a minute*: one now and then is warned of for ever.
    #[test]
    fn c2_few_a_minute_are_only_warned_of() {
        let mut patience = Patience::default();
        for count in 0..100 {
            assert_eq!(patience.tried(count * 7 * SECOND), Verdict::Warned, "{count}");
        }
        // Five seconds apart, the eleventh is one too many for its minute.
        let mut patience = Patience::default();
        let verdicts: Vec<_> = (0..11).map(|count| patience.tried(count * 5 * SECOND)).collect();
        assert_eq!(verdicts[9..], [Verdict::Warned, Verdict::Slowed(1_000)]);
    }

    // C2: the last 50 violations and 20 disconnects can be looked up, newest first, and no word is longer than its limit.
    #[test]
    fn c2_the_record_is_bounded() {
        let mut record = Record::default();
        for at in 0..60 {
            record.violated(at, "x\u{0}y");
            record.disconnected(at, None, &"gone".repeat(1_000));
        }
        let violations: Vec<_> = record.violations().collect();
        assert_eq!((violations.len(), violations[0].at, &*violations[0].error), (50, 59, "x y"));
        let disconnects: Vec<_> = record.disconnects().collect();
        assert_eq!((disconnects.len(), disconnects[19].at, disconnects[0].reason.len()), (20, 40, 300));
        assert_eq!(record.violations_since(55), 5);
        // Over 50 an hour degrade health: one agent alone can do it.
        assert!(record.violations_since(0) > MAX_VIOLATIONS);
    }

    // C2: what is written down and read again goes on where it was.
    #[test]
    fn c2_patience_survives_being_written_down() {
        let mut record = Record::default();
        for at in 0..19 {
            record.violated(at, "x");
        }
        let text = serde_json::to_string(&record).expect("is JSON");
        let mut again: Record = serde_json::from_str(&text).expect("is a record");
        assert_eq!(again.violated(20, "x"), Verdict::Closed);
    }
}
