//! When a read has to be over: set before it begins, and looked at by the work itself, so that it holds whoever waits for it.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many steps of the embedded store's machine between two looks: a fraction of a millisecond.
pub(crate) const STEPS_BETWEEN_LOOKS: i32 = 10_000;
/// What a read says that took too long.
pub(crate) const TOO_LONG: &str = "the read took too long: ask for less";

/// The time that the read under way may take, if there is one with a limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Deadline {
    /// Begins: from now on the work has `limit`.
    pub(crate) fn set(&self, limit: Duration) {
        *self.0.lock() = Instant::now().checked_add(limit);
    }

    /// Whatever comes next has no limit.
    pub(crate) fn lift(&self) {
        *self.0.lock() = None;
    }

    /// Whether the time is over.
    pub(crate) fn has_passed(&self) -> bool {
        self.0.lock().is_some_and(|until| Instant::now() >= until)
    }

    /// Between two statements.
    pub(crate) fn check(&self) -> Result<()> {
        if self.has_passed() { Err(Error::Busy(TOO_LONG.to_owned())) } else { Ok(()) }
    }
}
