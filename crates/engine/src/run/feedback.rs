//! What a stage hears of the decision that sent its run back to it (D23).

use super::names::{Got, value_of};
use super::prepare::Sight;
use super::thing::thing;
use crate::act::refusal_of;
use serde_json::{Value, json};
use tiltyard_model::gate::back::feedback;
use tiltyard_model::id::Noun;
use tiltyard_model::pipeline::{OutputKind, SUBJECT};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::Part;
use tiltyard_store::run::output::{Output, Stored};
use tiltyard_store::{artifact, gate};

/// `{gate, reason, patch, subject, by, round}`; null where nothing sent the run back.
pub(super) fn of(sight: &Sight<'_>, stage: u32) -> Result<Value, Refusal> {
    let Some(heard) = sight.found_stage(stage)?.and_then(|found| found.stage.feedback) else {
        return Ok(Value::Null);
    };
    let part = Part { stage: heard.gate, attempt: heard.attempt, item: None };
    let key = thing(sight.rows, sight.found.key, part).map_err(refusal_of)?;
    let id = key.map(|key| sight.rows.id(Noun::Gate, key));
    let found = id.map(|id| gate::get(sight.rows, id)).transpose().map_err(refusal_of)?.flatten();
    let Some(found) = found else { return Ok(Value::Null) };
    let said = feedback(&found.gate);
    let shown = said.artifact.or(found.run.and_then(|place| place.artifact));
    let subject = match shown {
        Some(id) => document(sight, heard.gate, id)?,
        None => found.about.text.clone().map_or(Value::Null, Value::String),
    };
    let name = sight.definition.stages.get(heard.gate as usize).map(|stage| stage.id.as_str());
    Ok(json!({
        "gate": name,
        "reason": said.reason,
        "patch": said.patch,
        "subject": subject,
        "by": said.by,
        "round": heard.round,
    }))
}

/// What the gate asked about, or what the patch of the reject made of it.
fn document(sight: &Sight<'_>, gate: u32, id: tiltyard_model::id::Id) -> Result<Value, Refusal> {
    let Some(found) = artifact::get(sight.rows, id).map_err(refusal_of)? else { return Ok(Value::Null) };
    let kind = sight.definition.output_kind(gate as usize, SUBJECT).unwrap_or(OutputKind::File);
    let stored = Stored {
        id: found.id,
        sha256: found.sha256,
        size: found.size,
        media_type: found.media_type,
        name: found.name,
    };
    let output = Output { name: SUBJECT.to_owned(), kind, stored: Some(stored), value: None };
    Ok(match value_of(sight, &output)? {
        Got::Value(value) => value,
        Got::TooLarge(_) => Value::Null,
    })
}
