//! Artifacts that nothing refers to: bytes that somebody stored for work that never came (D21).

use crate::act::{Act, refusal_of};
use tiltyard_model::event::ArtifactDeleted;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::time::{DAY_MS, DurationMs};
use tiltyard_store::artifact::{self, Loose, Named};

/// So long after it was stored an artifact may be without anything that refers to it.
pub const LOOSE_FOR_MS: DurationMs = DAY_MS;
/// Most rows that one deed looks at.
pub const MAX_CLEARED: usize = 200;

/// What became of some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleared {
    /// How many were looked at.
    pub looked_at: usize,
    /// The key of the last one; the next look begins behind it.
    pub last: i64,
    /// The digests of those that are gone.
    pub gone: Vec<String>,
}

/// Removes, of the rows behind `after`, those that nothing refers to since [`LOOSE_FOR_MS`]. Their bytes are removed after the
/// commit, by whoever asks.
///
/// # Errors
/// When the store cannot write it.
pub fn clear_loose(act: &mut Act<'_>, after: i64) -> Result<Cleared, Refusal> {
    let before = Id::key_at(act.now.wall.saturating_sub(LOOSE_FOR_MS), 0);
    let rows = artifact::loose(act.tx, after, before, MAX_CLEARED as i64).map_err(refusal_of)?;
    let mut cleared =
        Cleared { looked_at: rows.len(), last: rows.last().map_or(after, |row| row.key), gone: Vec::new() };
    for row in rows {
        if row.named == Named::ByNobody
            && act.one_of_many("a loose artifact", row.key, |act| clear(act, &row))?
        {
            cleared.gone.push(row.sha256);
        }
    }
    Ok(cleared)
}

fn clear(act: &mut Act<'_>, row: &Loose) -> Result<(), Refusal> {
    artifact::delete(act.tx, row.key).map_err(refusal_of)?;
    let id = act.id(Noun::Artifact, row.key);
    act.event(row.scope, &id.into(), None, &ArtifactDeleted { sha256: row.sha256.clone() })
}
