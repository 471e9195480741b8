//! Events of a run and of its stages: their subject is the run.

use crate::act::Act;
use tiltyard_model::event::Payload;
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Refusal;

/// Writes an event of a run that is under way.
pub(crate) fn of_run<P: Payload>(act: &mut Act<'_>, run: i64, payload: &P) -> Result<(), Refusal> {
    let Some(scope) = act.memory.runs.get(run).map(|live| live.scope) else { return Ok(()) };
    act.event(scope, &act.id(Noun::Run, run).into(), None, payload)
}
