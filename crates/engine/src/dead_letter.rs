//! Dead letters (D10-D12). The hooks below are called by the deeds of tasks.

use crate::act::Act;
use crate::task::retry::Edit;
use tiltyard_model::refusal::Refusal;
use tiltyard_store::task::Found;

/// A task has died.
pub(crate) fn added(_: &mut Act<'_>, _: &Found, _: Option<&str>) -> Result<(), Refusal> {
    Ok(())
}

/// A task was cancelled; a letter of it is set aside.
pub(crate) fn cancelled(_: &mut Act<'_>, _: &Found) -> Result<(), Refusal> {
    Ok(())
}

/// A dead or cancelled task is about to run again, perhaps edited.
pub(crate) fn revived(_: &mut Act<'_>, _: &Found, _: &Edit) -> Result<(), Refusal> {
    Ok(())
}
