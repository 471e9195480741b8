//! Stored bytes that were found to be others than their digest says (O13): who reads them hears so, and so does whoever asks how
//! things are.

use crate::Engine;
use parking_lot::Mutex;
use std::collections::BTreeSet;

/// Most digests that are remembered.
const MAX_KNOWN: usize = 1_000;
/// Digests that are named in a sentence.
const SHOWN: usize = 3;

/// What was found since the start.
#[derive(Debug, Default)]
pub(crate) struct Damage(Mutex<BTreeSet<String>>);

impl Engine {
    /// Says that the bytes of an artifact are others than its digest says.
    pub fn found_damaged(&self, sha256: &str) {
        let mut known = self.damage().0.lock();
        if known.len() < MAX_KNOWN && known.insert(sha256.to_owned()) {
            tracing::error!(target: "store", sha256, "the bytes of an artifact are damaged: they are not handed out as a whole");
        }
    }

    /// Says that its bytes were stored again, and are what they should be.
    pub fn found_whole(&self, sha256: &str) {
        self.damage().0.lock().remove(sha256);
    }

    /// Which artifacts are damaged, as far as somebody has read them since the start.
    pub fn damaged_bytes(&self) -> Option<String> {
        let known = self.damage().0.lock();
        if known.is_empty() {
            return None;
        }
        let shown: Vec<&str> = known.iter().take(SHOWN).map(String::as_str).collect();
        let said =
            "artifacts are damaged on disk: store the same bytes again, or bring them back from a backup";
        Some(format!("{} {said} ({})", known.len(), shown.join(", ")))
    }
}
