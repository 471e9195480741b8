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
        }
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
