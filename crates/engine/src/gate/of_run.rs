//! What gates ask of runs, and tell them.

use crate::act::Act;
use tiltyard_model::gate::back::Way;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::schema::Schema;
use tiltyard_store::Rows;
use tiltyard_store::gate::{Found, Place};

/// A gate has ended: the run goes on, back, or stops there. Nothing while it is open, or when its end was told before.
pub(super) fn after(_act: &mut Act<'_>, _found: &Found, _replayed: bool) -> Result<(), Refusal> {
    Ok(())
}

/// What a reject may carry at this gate.
///
/// # Errors
/// 422 at `/to_stage` for a stage that the run has not, or that the gate does not run after.
pub(super) fn way(_act: &Act<'_>, place: &Place, _to_stage: Option<&str>) -> Result<Way, Refusal> {
    Ok(if place.part.item.is_some() { Way::Item } else { Way::Named })
}

/// The schema that the subject of a gate must meet, also after a patch; `None` where its definition says none.
///
/// # Errors
/// When the store is broken.
pub(super) fn schema(_rows: &Rows, _place: &Place) -> Result<Option<Schema>, Refusal> {
    Ok(None)
}
