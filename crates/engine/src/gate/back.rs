//! A reject that sends its run back, with a patch for what the stage there is to make (D23).

use super::decide::Decide;
use super::{amend, of_run};
use crate::act::Act;
use tiltyard_model::gate::End;
use tiltyard_model::gate::back::{Back, Way, may_send};
use tiltyard_model::refusal::Refusal;
use tiltyard_store::gate::Found;

/// Where a decision sends the run; nowhere, for most.
///
/// # Errors
/// 422 at `/to_stage` or `/patch` where there is no such way.
pub(super) fn of(
    act: &mut Act<'_>,
    found: &Found,
    decide: &Decide,
    how: End,
) -> Result<Option<Back>, Refusal> {
    let patch = decide.patch.as_ref();
    if how != End::Reject || (decide.to_stage.is_none() && patch.is_none()) {
        return Ok(None);
    }
    let to_stage = decide.to_stage.as_deref();
    let way = match &found.run {
        Some(place) => of_run::way(act, place, to_stage)?,
        None => Way::Change,
    };
    may_send(way, to_stage, patch.map(|prepared| &prepared.patch))?;
    let made = patch.and_then(|prepared| prepared.made.as_ref());
    if patch.is_some() && made.is_none() {
        return Err(amend::changed(&found.gate.subject_sha256));
    }
    let artifact = made.map(|made| amend::version(act, found, made)).transpose()?;
    Ok(Some(Back { to_stage: decide.to_stage.clone(), artifact: artifact.map(|artifact| artifact.id) }))
}
