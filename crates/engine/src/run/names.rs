//! What a stage looks up before it begins: states of other stages, what they put out, its feedback. Read from rows and
//! stored bytes, outside of the door.

use super::prepare::Sight;
use super::thing::thing;
use crate::act::refusal_of;
use serde_json::{Map, Value, json};
use tiltyard_model::id::Noun;
use tiltyard_model::pipeline::lookup::{Needed, Values};
use tiltyard_model::pipeline::{MAX_DOCUMENT_BYTES, OutputKind, RESULT};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::Part;
use tiltyard_model::run::graph::Sort;
use tiltyard_model::run::stage::State;
use tiltyard_store::run::item::{self, List};
use tiltyard_store::run::output::{self, Of, Output, Stored};

/// Items whose outputs are read at once.
const ITEMS_OF_A_PAGE: u32 = 500;

/// What an output is to expressions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Got {
    /// This.
    Value(Value),
    /// More than can be looked up, in bytes.
    TooLarge(u64),
}

/// All that a stage looks up.
#[derive(Debug)]
pub(super) struct Names {
    run: Value,
    feedback: Value,
    states: Vec<(String, State)>,
    outputs: Vec<(String, String, Got)>,
    handed: Vec<(String, String, Got)>,
}

impl Names {
    /// Reads what is needed.
    ///
    /// # Errors
    /// When the store or what lies beside it cannot be read.
    pub(super) fn read(sight: &Sight<'_>, part: Part, needed: &Needed<'_>) -> Result<Self, Refusal> {
        let run = json!({"id": sight.found.id.to_string(), "scope": sight.found.scope_name});
        let mut names =
            Self { run, feedback: Value::Null, states: Vec::new(), outputs: Vec::new(), handed: Vec::new() };
        if needed.roots.contains(&"feedback") {
            names.feedback = super::feedback::of(sight, part.stage)?;
        }
        for id in &needed.states {
            let found = sight.stage(id)?;
            names.states.push(((*id).to_owned(), found.map_or(State::Pending, |found| found.stage.state)));
        }
        for (id, name) in &needed.outputs {
            let got = output_of(sight, id, name)?;
            names.outputs.push(((*id).to_owned(), (*name).to_owned(), got));
        }
        for (id, name) in &needed.files {
            let got = file_of(sight, id, name)?;
            names.handed.push(((*id).to_owned(), (*name).to_owned(), got));
        }
        Ok(names)
    }

    /// An output that is handed on as it is.
    pub(super) fn handed(&self, stage: &str, output: &str) -> Option<&Got> {
        let found = self.handed.iter().find(|(id, name, _)| (id.as_str(), name.as_str()) == (stage, output));
        found.map(|(_, _, got)| got)
    }

    /// The names with their values, for expressions.
    pub(super) fn values<'a>(&'a self, input: &'a Value) -> Values<'a> {
        let mut values = Values::default();
        values.root("input", input);
        values.root("run", &self.run);
        values.root("feedback", &self.feedback);
        self.states.iter().for_each(|(stage, state)| values.state(stage, *state));
        for (stage, name, got) in &self.outputs {
            match got {
                Got::Value(value) => values.output(stage, name, value),
                Got::TooLarge(bytes) => values.too_large(stage, name, *bytes),
            }
        }
        values
    }
}

/// An output of a stage; null where it put out nothing.
pub(super) fn output_of(sight: &Sight<'_>, id: &str, name: &str) -> Result<Got, Refusal> {
    let Some(found) = sight.stage(id)? else { return Ok(Got::Value(Value::Null)) };
    let (run, index, attempt) = (sight.found.key, found.index, found.stage.attempt);
    if attempt == 0 || found.stage.state == State::Skipped {
        return Ok(Got::Value(Value::Null));
    }
    let part = Part { stage: index, attempt, item: None };
    match (sight.sort(index), name) {
        (Sort::Foreach, name) => list(sight, part, name),
        (Sort::Command | Sort::Agent | Sort::Change, RESULT) => result_of_task(sight, part),
        (Sort::Pipeline, RESULT) => {
            super::child::result(sight, thing(sight.rows, run, part).map_err(refusal_of)?)
        }
        _ => {
            let of = Of { run, stage: index, attempt, item: None };
            let found = output::one(sight.rows, of, name).map_err(refusal_of)?;
            let Some(found) = found else { return Ok(Got::Value(Value::Null)) };
            // What a gate hands on is what it asked about.
            let kind = sight.definition.output_kind(index as usize, name).unwrap_or(found.kind);
            value_of(sight, &Output { kind, ..found })
        }
    }
}

/// An output as what is handed on: where its bytes lie, where it has any.
fn file_of(sight: &Sight<'_>, id: &str, name: &str) -> Result<Got, Refusal> {
    if let Some(found) = sight.stage(id)?.filter(|found| found.stage.state != State::Skipped) {
        let of = Of { run: sight.found.key, stage: found.index, attempt: found.stage.attempt, item: None };
        let stored = output::one(sight.rows, of, name).map_err(refusal_of)?.and_then(|found| found.stored);
        if let Some(stored) = stored {
            return Ok(Got::Value(reference(&stored)));
        }
    }
    output_of(sight, id, name)
}

/// What a run came to: of each of its stages its result.
pub(super) fn result_of_run(sight: &Sight<'_>, run: i64) -> Result<Got, Refusal> {
    let Some(below) = Sight::of(sight.rows, sight.tools, run)? else { return Ok(Got::Value(Value::Null)) };
    let (mut results, mut bytes) = (Map::new(), 0);
    for stage in &below.definition.stages {
        let value = match output_of(&below, &stage.id, RESULT)? {
            Got::Value(value) => value,
            Got::TooLarge(size) => return Ok(Got::TooLarge(size)),
        };
        bytes += value.to_string().len();
        if bytes > MAX_DOCUMENT_BYTES {
            return Ok(Got::TooLarge(bytes as u64));
        }
        results.insert(stage.id.clone(), value);
    }
    Ok(Got::Value(Value::Object(results)))
}

/// What a task reported; null where it reported nothing.
pub(super) fn result_of_task(sight: &Sight<'_>, part: Part) -> Result<Got, Refusal> {
    let key = thing(sight.rows, sight.found.key, part).map_err(refusal_of)?;
    let found =
        key.map(|key| tiltyard_store::task::by_key(sight.rows, key)).transpose().map_err(refusal_of)?;
    let attempt = found.flatten().and_then(|found| found.task.attempt);
    let text = attempt.and_then(|attempt| attempt.result).unwrap_or_else(|| "null".to_owned());
    parsed(&text).map(Got::Value)
}

/// One output of every item of a list, in its order.
fn list(sight: &Sight<'_>, part: Part, name: &str) -> Result<Got, Refusal> {
    let run = sight.found.key;
    let of = List { run, stage: part.stage, attempt: part.attempt };
    let mut values = Vec::new();
    let mut bytes = 0;
    item::results(sight.rows, of, |outcome| {
        let text = outcome.result.filter(|_| name == RESULT).unwrap_or_else(|| "null".to_owned());
        bytes += text.len();
        values.push(if bytes <= MAX_DOCUMENT_BYTES { text } else { String::new() });
        Ok(())
    })
    .map_err(refusal_of)?;
    let mut list = Vec::new();
    if name == RESULT {
        if bytes > MAX_DOCUMENT_BYTES {
            return Ok(Got::TooLarge(bytes as u64));
        }
        list = values.iter().map(|text| parsed(text)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Got::Value(Value::Array(list)));
    }
    list.resize(values.len(), Value::Null);
    items_of(sight, part, name, &mut list)
}

fn items_of(sight: &Sight<'_>, part: Part, name: &str, list: &mut [Value]) -> Result<Got, Refusal> {
    let (mut after, mut bytes) = (-1, 0);
    loop {
        let of = (sight.found.key, part.stage, part.attempt);
        let page = output::of_items(sight.rows, of, name, after, ITEMS_OF_A_PAGE).map_err(refusal_of)?;
        let Some((last, _)) = page.last() else { break };
        after = i64::from(*last);
        for (index, found) in &page {
            let value = match value_of(sight, found)? {
                Got::Value(value) => value,
                Got::TooLarge(size) => return Ok(Got::TooLarge(size)),
            };
            bytes += value.to_string().len();
            if bytes > MAX_DOCUMENT_BYTES {
                return Ok(Got::TooLarge(bytes as u64));
            }
            if let Some(place) = list.get_mut(*index as usize) {
                *place = value;
            }
        }
    }
    Ok(Got::Value(Value::Array(list.to_vec())))
}

/// What an output is to expressions: documents and texts are looked up, files are handed around as where they are kept.
pub(super) fn value_of(sight: &Sight<'_>, found: &Output) -> Result<Got, Refusal> {
    if let Some(text) = &found.value {
        return parsed(text).map(Got::Value);
    }
    let Some(stored) = &found.stored else { return Ok(Got::Value(Value::Null)) };
    if found.kind == OutputKind::File {
        return Ok(Got::Value(reference(stored)));
    }
    if stored.size > MAX_DOCUMENT_BYTES as u64 {
        return Ok(Got::TooLarge(stored.size));
    }
    let bytes = bytes_of(sight, stored)?;
    let text = String::from_utf8(bytes).map_err(|error| broken(&error.to_string()))?;
    if found.kind == OutputKind::Text {
        Ok(Got::Value(Value::String(text)))
    } else {
        parsed(&text).map(Got::Value)
    }
}

/// The bytes of an artifact of at most [`MAX_DOCUMENT_BYTES`].
pub(super) fn bytes_of(sight: &Sight<'_>, stored: &Stored) -> Result<Vec<u8>, Refusal> {
    let found = sight.tools.blobs.open_read(&stored.sha256).map_err(refusal_of)?;
    let (reader, size) = found.ok_or_else(|| broken(&format!("the bytes of {} are gone", stored.id)))?;
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(MAX_DOCUMENT_BYTES);
    reader.read_at(0, size).map_err(|error| broken(&error.to_string()))
}

/// A file, as expressions see it.
fn reference(stored: &Stored) -> Value {
    let mut file = Map::new();
    file.insert("artifact".to_owned(), json!(stored.id.to_string()));
    file.insert("sha256".to_owned(), json!(stored.sha256));
    file.insert("size".to_owned(), json!(stored.size));
    file.insert("media_type".to_owned(), json!(stored.media_type));
    // One without a name is called by its digest, as where it is downloaded.
    file.insert("name".to_owned(), json!(stored.name.as_ref().unwrap_or(&stored.sha256)));
    debug_assert_eq!(stored.id.noun(), Noun::Artifact);
    Value::Object(file)
}

fn parsed(text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| broken(&error.to_string()))
}

fn broken(why: &str) -> Refusal {
    Refusal::new(Code::Internal, format!("what a stage put out cannot be read: {why}"))
}
