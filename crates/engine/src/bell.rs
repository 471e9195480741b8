//! The bell: a wake-up without data. A lost ring costs latency, never work: every listener also has a timer.

use tokio::sync::watch;

/// Rings whenever something was committed; carries the last seq of the log.
#[derive(Debug, Clone)]
pub struct Bell {
    seq: watch::Sender<i64>,
}

impl Bell {
    /// A bell of a log that ends with `seq`.
    pub fn new(seq: i64) -> Self {
        Self { seq: watch::Sender::new(seq) }
    }

    /// Says that the log ends with `seq` now.
    pub fn ring(&self, seq: i64) {
        self.seq.send_if_modified(|before| {
            let rang = seq > *before;
            *before = seq.max(*before);
            rang
        });
    }

    /// Hears every ring from now on; rings between two looks are one.
    pub fn listen(&self) -> watch::Receiver<i64> {
        self.seq.subscribe()
    }

    /// The last seq that was rung for.
    pub fn last_seq(&self) -> i64 {
        *self.seq.borrow()
    }
}
