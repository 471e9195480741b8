//! What a stage hears of the decision that sent its run back to it.

use super::prepare::Sight;
use serde_json::{Value, json};
use tiltyard_model::refusal::Refusal;

/// `{gate, round}` and what the decision said; null where nothing sent the run back.
pub(super) fn of(sight: &Sight<'_>, stage: u32) -> Result<Value, Refusal> {
    let Some(feedback) = sight.found_stage(stage)?.and_then(|found| found.stage.feedback) else {
        return Ok(Value::Null);
    };
    let gate = sight.definition.stages.get(feedback.gate as usize).map(|stage| stage.id.clone());
    Ok(
        json!({"gate": gate, "round": feedback.round, "reason": null, "patch": null, "subject": null, "by": null}),
    )
}
