//! What keeps the door from the store, for whoever asks how it is.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiltyard_store::Error;

/// A transaction that takes longer than this is one that the database does not answer.
const TOO_LONG: Duration = Duration::from_secs(5);

/// What is wrong: cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Since when the database was not reached, and what was heard last.
    unreached: Option<(Instant, String)>,
    /// When the transaction under way began.
    entered: Option<Instant>,
    /// The store can no longer be trusted.
    broken: bool,
}

impl Trouble {
    /// Since how long the store cannot be used, and why; `None` when it can.
    pub fn is_there(&self) -> Option<(Duration, String)> {
        let inner = self.inner.lock();
        if let Some((since, reason)) = &inner.unreached {
            return Some((since.elapsed(), reason.clone()));
        }
        let took = inner.entered?.elapsed();
        (took > TOO_LONG).then(|| (took, "it has not answered".to_owned()))
    }

    /// The store can no longer be trusted: nothing of it is touched any more (E2).
    pub(crate) fn break_off(&self) {
        self.inner.lock().broken = true;
    }

    /// Whether the store can no longer be trusted, and the server is about to end.
    pub fn is_broken(&self) -> bool {
        self.inner.lock().broken
    }

    pub(super) fn note(&self, error: &Error) {
        let mut inner = self.inner.lock();
        let since = match inner.unreached.take() {
            Some((since, _)) => since,
            None => {
                tracing::warn!(target: "store", "the database cannot be used: {error}");
                Instant::now()
            }
        };
        inner.unreached = Some((since, error.to_string()));
    }

    pub(super) fn clear(&self) {
        let mut inner = self.inner.lock();
        if let Some((since, _)) = inner.unreached.take() {
            let after_ms = since.elapsed().as_millis() as u64;
            tracing::info!(target: "store", after_ms, "the database answers again");
        }
    }

    pub(super) fn enter(&self) {
        self.inner.lock().entered = Some(Instant::now());
    }

    pub(super) fn leave(&self) {
        self.inner.lock().entered = None;
    }
}
