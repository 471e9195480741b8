//! Whether the stored record is whole: its ends at start, a whole chain on demand. What a chain alone cannot show is a tail
//! that was cut off.

use crate::act::refusal_of;
use tiltyard_model::audit::Entry;
use tiltyard_model::audit::verify::{Chain, Verification};
use tiltyard_model::refusal::Refusal;
use tiltyard_store::{Error, Rows, audit};

/// Entries that are read at once.
const ENTRIES_AT_ONCE: u32 = 1_000;

/// A chain that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub chain: String,
    /// The number of its first bad entry.
    pub seq: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// The chains whose last two entries are not what was written, or do not hang together: two rows a chain, so that a
/// start costs nothing.
///
/// # Errors
/// When the store is broken.
pub fn heads(rows: &Rows) -> Result<Vec<Broken>, Refusal> {
    let mut names: Vec<(String, u64)> =
        audit::heads(rows).map_err(refusal_of)?.into_iter().map(|(name, head)| (name, head.seq)).collect();
    names.sort_unstable();
    let mut broken = Vec::new();
    for (chain, seq) in names {
        let found = match audit::chain(rows, &chain, seq as i64 - 2, 2) {
            Ok(entries) => end_fault(&entries),
            Err(error) => Some((seq, unreadable(error)?)),
        };
        broken.extend(found.map(|(seq, reason)| Broken { chain, seq, reason }));
    }
    Ok(broken)
}

fn end_fault(entries: &[Entry]) -> Option<(u64, String)> {
    let forged = entries.iter().find(|entry| entry.hash != entry.digest());
    if let Some(entry) = forged {
        return Some((entry.seq, "hash does not fit the entry's content".to_owned()));
    }
    let [before, last] = entries else { return None };
    let linked = last.prev_hash == before.hash && last.seq == before.seq + 1;
    (!linked).then(|| (last.seq, "prev_hash is not the hash of the entry before".to_owned()))
}

/// A row that no entry can be made of is a finding; a store that does not answer is not.
fn unreadable(error: Error) -> Result<String, Refusal> {
    match error {
        Error::Unreadable { reason, .. } => Ok(format!("cannot be read: {reason}")),
        other => Err(refusal_of(other)),
    }
}

/// Reads a whole chain back; of a chain that is not there, nothing is wrong.
///
/// # Errors
/// When the store is broken.
pub fn chain(rows: &Rows, name: &str) -> Result<Verification, Refusal> {
    let mut chain = Chain::default();
    let mut at_once = ENTRIES_AT_ONCE;
    loop {
        let seq = chain.head().seq;
        let entries = match audit::chain(rows, name, seq as i64, at_once) {
            Ok(entries) => entries,
            // One by one, to find out which.
            Err(Error::Unreadable { .. }) if at_once > 1 => {
                at_once = 1;
                continue;
            }
            Err(error) => return unreadable(error).map(|reason| bad(seq + 1, reason)),
        };
        if entries.is_empty() {
            return Ok(Verification { ok: true, line: None, seq: None, reason: None });
        }
        for entry in entries {
            if let Err(found) = chain.read(&entry.line()) {
                return Ok(found);
            }
        }
    }
}

fn bad(seq: u64, reason: String) -> Verification {
    Verification { ok: false, line: Some(seq), seq: Some(seq), reason: Some(reason) }
}
