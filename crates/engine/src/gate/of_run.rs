//! What gates ask of runs, and tell them.

use crate::act::Act;
use crate::run::gate;
use tiltyard_model::gate::back::Way;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::schema::Schema;
use tiltyard_store::Rows;
use tiltyard_store::gate::{Found, Place};

/// A gate has ended: the run goes on, back, or stops there. Nothing while it is open, or when its end was told before.
pub(super) fn after(act: &mut Act<'_>, found: &Found, replayed: bool) -> Result<(), Refusal> {
    if replayed { Ok(()) } else { gate::ended(act, found) }
}

/// What a reject may carry at this gate.
///
/// # Errors
/// 422 at `/to_stage` for a stage that the run has not, or that the gate does not run after.
pub(super) fn way(act: &Act<'_>, place: &Place, to_stage: Option<&str>) -> Result<Way, Refusal> {
    gate::way(act, place, to_stage)
}

/// The schema that the subject of a gate must meet, also after a patch; `None` where its definition says none.
///
/// # Errors
/// When the store is broken.
pub(super) fn schema(rows: &Rows, place: &Place) -> Result<Option<Schema>, Refusal> {
    gate::schema(rows, place)
}
