//! What the payload of a command names to be handed to its program: artifacts of the task's own scope, and no others.
//! The server looks again when they are fetched; here whoever asks is told at once.

use crate::act::{Act, refusal_of};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::pipeline::file::Reference;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::Spec;

/// The kind of a task that an agent runs as a program.
const COMMAND_KIND: &str = "command";
/// Most files of a payload that are looked at: with more no agent takes it.
const MAX_FILES_SEEN: usize = 32;
/// What every id of an artifact begins with: without it no payload is read.
const MARK: &str = "art_";

#[derive(Deserialize)]
struct Handed {
    #[serde(default)]
    stdin_artifact: Value,
    #[serde(default)]
    files: BTreeMap<String, Value>,
}

/// Admits what a command is handed.
///
/// # Errors
/// 422 with the field, for an artifact that the scope does not have.
pub(super) fn admit(act: &Act<'_>, spec: &Spec) -> Result<(), Refusal> {
    if spec.kind != COMMAND_KIND || !spec.payload.contains(MARK) {
        return Ok(());
    }
    // What is no such payload the agent refuses.
    let Ok(handed) = serde_json::from_str::<Handed>(&spec.payload) else { return Ok(()) };
    if let Some(id) = stdin(&handed.stdin_artifact) {
        is_here(act, spec, id, || "/payload/stdin_artifact".to_owned())?;
    }
    for (path, value) in handed.files.iter().take(MAX_FILES_SEEN) {
        if let Some((id, _)) = Reference::of(value) {
            let name = || path.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1");
            is_here(act, spec, id, || format!("/payload/files/{}", name()))?;
        }
    }
    Ok(())
}

fn stdin(value: &Value) -> Option<Id> {
    let named = value.as_str().and_then(|text| text.parse::<Id>().ok());
    named.filter(|id| id.noun() == Noun::Artifact).or_else(|| Reference::of(value).map(|(id, _)| id))
}

fn is_here(act: &Act<'_>, spec: &Spec, id: Id, field: impl Fn() -> String) -> Result<(), Refusal> {
    let found = tiltyard_store::artifact::get(act.tx, id).map_err(refusal_of)?;
    match found.filter(|found| found.scope_name == spec.scope) {
        Some(_) => Ok(()),
        None => Err(Refusal::field(field(), format!("there is no artifact {id} in this scope"))),
    }
}
