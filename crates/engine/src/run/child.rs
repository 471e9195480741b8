//! A stage that runs another pipeline: the run that it starts, and what that came to.

use super::names::{Got, result_of_run};
use super::prepare::{Ready, Sight};
use super::start::{Begin, Cause, Source, Start, artifacts_in, judged};
use crate::act::refusal_of;
use crate::pipeline::known;
use serde_json::{Map, Value};
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::{Part, child_depth};
use tiltyard_store::pipeline;

/// The run that a stage is to start. Its definition is the one that its name stood for when the root began.
pub(super) fn ready(
    sight: &Sight<'_>,
    (name, part): (&str, Part),
    mut fields: Map<String, Value>,
) -> Result<Ready, Refusal> {
    let made = &sight.found.made;
    let Some(version) = made.pins.get(name).copied() else {
        return Ok(Ready::Fail(format!("name: there was no pipeline `{name}` when the run began")));
    };
    if let Err(refusal) = child_depth(made.depth) {
        return Ok(Ready::Fail(refusal.message));
    }
    let definition = sight.tools.definitions.get(sight.rows, version)?;
    let input = match judged(&definition, fields.remove("input").filter(|input| !input.is_null())) {
        Ok(input) => input,
        Err(refusal) => return Ok(Ready::Fail(sentence(&refusal))),
    };
    let found = pipeline::version(sight.rows, version).map_err(refusal_of)?;
    let found = found.ok_or_else(|| Refusal::new(Code::Internal, "the definition of a run is gone"))?;
    let artifacts = artifacts_in(&input);
    Ok(Ready::Child(Box::new(Start {
        scope: sight.found.scope_name.clone(),
        source: Source::Kept(version),
        graph: Arc::new(known::graph(sight.rows, version)?),
        sha256: found.sha256,
        pipeline: Some((name.to_owned(), 0)),
        title: None,
        input: input.to_string(),
        artifacts,
        pins: made.pins.clone(),
        cause: Cause::Stage { parent: sight.found.key, part },
        begin: Begin::Now,
    })))
}

/// What a refusal says, with the first place that it is about.
pub(super) fn sentence(refusal: &Refusal) -> String {
    match refusal.faults.first().filter(|fault| !refusal.message.contains(&fault.error)) {
        Some(fault) => format!("{}: {}: {}", refusal.message, fault.field, fault.error),
        None => refusal.message.clone(),
    }
}

/// What a run came to, for the stage that started it: of each of its stages its result.
pub(super) fn result(sight: &Sight<'_>, child: Option<i64>) -> Result<Got, Refusal> {
    child.map_or(Ok(Got::Value(Value::Null)), |child| result_of_run(sight, child))
}
