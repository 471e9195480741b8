//! The only place that reads the time (architecture, invariant 4).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;
use tiltyard_model::time::{DurationMs, TimeMs};

/// One reading: the wall for people and records, the steady one for leases (E4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970; may jump.
    pub wall: TimeMs,
    /// Milliseconds since some moment; never jumps.
    pub steady: DurationMs,
}

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's.
    System(Instant),
    /// A test's, moved by hand.
    Virtual(Arc<VirtualClock>),
    /// The database's, which every server of a shared store goes by (decision 5).
    Shared(Arc<SharedClock>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::System(Instant::now())
    }

    /// Reads both.
    pub fn now(&self) -> Now {
        match self {
            Self::System(start) => Now { wall: wall(), steady: start.elapsed().as_millis() as DurationMs },
            Self::Virtual(clock) => {
                Now { wall: clock.wall.load(Ordering::SeqCst), steady: clock.steady.load(Ordering::SeqCst) }
            }
            Self::Shared(clock) => {
                let now = clock.read();
                Now { wall: now, steady: now }
            }
        }
    }
}

/// So far back the database's time may lie behind what was expected, because an answer took its time, without time
/// going back here: it stands still instead. What lies further back is the database's clock set anew, and followed.
const MAX_LAG_MS: DurationMs = 1_000;

/// The time of the database, as it was told last, and gone on since by this machine's steady clock.
#[derive(Debug)]
pub struct SharedClock {
    start: Instant,
    /// What the database's time is ahead of our steady clock.
    offset: AtomicI64,
    /// The latest time that was told to anybody.
    latest: AtomicI64,
}

impl SharedClock {
    /// A clock for a database whose time is `database` now.
    pub fn at(database: TimeMs) -> Arc<Self> {
        let (offset, latest) = (AtomicI64::new(database), AtomicI64::new(database));
        Arc::new(Self { start: Instant::now(), offset, latest })
    }

    /// The database's time is `database` now: to be said at the beginning of each transaction, with the lock held.
    /// Gives how far that lies after (or before, when negative) what was expected here. What lies further away than an
    /// answer can take means that the database's clock was set anew, or is another machine's: leases that stand on it
    /// begin anew ([`crate::memory::Memory::leases_anew`]).
    pub fn set(&self, database: TimeMs) -> DurationMs {
        self.set_after(self.elapsed(), database)
    }

    fn set_after(&self, elapsed: DurationMs, database: TimeMs) -> DurationMs {
        let offset = database - elapsed;
        offset - self.offset.swap(offset, Ordering::SeqCst)
    }

    fn read(&self) -> TimeMs {
        self.read_after(self.elapsed())
    }

    fn read_after(&self, elapsed: DurationMs) -> TimeMs {
        let now = elapsed + self.offset.load(Ordering::SeqCst);
        let later = |latest: TimeMs| if (0..=MAX_LAG_MS).contains(&(latest - now)) { latest } else { now };
        let latest =
            self.latest.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |latest| Some(later(latest)));
        latest.map_or(now, later)
    }

    fn elapsed(&self) -> DurationMs {
        self.start.elapsed().as_millis() as DurationMs
    }
}

/// A clock for tests.
#[derive(Debug)]
pub struct VirtualClock {
    wall: AtomicI64,
    steady: AtomicI64,
}

impl VirtualClock {
    /// A clock that stands at `wall`.
    pub fn at(wall: TimeMs) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(wall), steady: AtomicI64::new(0) })
    }

    /// Lets time pass.
    pub fn advance(&self, by_ms: DurationMs) {
        self.wall.fetch_add(by_ms, Ordering::SeqCst);
        self.steady.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Makes the wall clock jump; the steady one does not.
    pub fn jump(&self, by_ms: DurationMs) {
        self.wall.fetch_add(by_ms, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn wall() -> TimeMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as TimeMs)
}

#[cfg(test)]
mod tests {
    use super::*;

    // E4, decision 5: records and leases go by the database, and on by our own steady clock in between.
    #[test]
    fn e4_a_shared_clock_is_the_databases_and_stands_still_rather_than_go_back() {
        let clock = SharedClock::at(1_000_000);
        assert_eq!(clock.read_after(10), 1_000_010);
        // The answer took 7 ms: that much is not gone back.
        assert_eq!(clock.set_after(20, 1_000_013), -7);
        assert_eq!(clock.read_after(20), 1_000_013);
        assert_eq!(clock.set_after(20, 1_000_005), -8);
        assert_eq!(clock.read_after(20), 1_000_013, "stands still");
        assert_eq!(clock.read_after(40), 1_000_025, "and goes on");
    }

    #[test]
    fn e4_a_databases_clock_that_was_set_is_followed_and_told() {
        let clock = SharedClock::at(1_000_000);
        assert_eq!(clock.set_after(10, 4_600_010), 3_600_000);
        assert_eq!(clock.read_after(10), 4_600_010);
        assert_eq!(clock.set_after(20, 1_000_020), -3_600_000);
        assert_eq!(clock.read_after(20), 1_000_020);
    }

    #[test]
    fn both_readings_are_one() {
        let shared = SharedClock::at(5);
        let now = Clock::Shared(Arc::clone(&shared)).now();
        assert_eq!(now.wall, now.steady);
        assert!(now.wall >= 5);
    }
}
