//! JSON Schemas that people write: of a pipeline's input, of what its stages put out, of what a gate's patch may make.
//!
//! Draft 2020-12, judged by the `jsonschema` library, with what makes a schema's cost unforeseeable left out: it refers
//! only into itself and never in a circle, its patterns are regular expressions that run in linear time, and counted
//! with every reference written out it has at most [`MAX_SCHEMA_WEIGHT`] parts. A validation is then bounded by that
//! number times the size of the document. `format` is an annotation, as the draft says.

mod weight;

use crate::refusal::Fault;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Largest schema in bytes of its JSON.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// Most parts of a schema, counted with every reference written out.
pub const MAX_SCHEMA_WEIGHT: u32 = 5_000;
/// Deepest nesting of a schema, references written out.
pub const MAX_SCHEMA_DEPTH: u32 = 64;
/// Most patterns of a schema.
pub const MAX_SCHEMA_PATTERNS: u32 = 100;
/// Largest compiled pattern in bytes.
pub const MAX_PATTERN_BYTES: usize = 256 * 1024;
/// Most failures that one validation tells.
pub const MAX_FAULTS: usize = 50;
/// Longest sentence about one failure, in characters.
const MAX_SENTENCE_CHARS: usize = 300;

/// A schema that was read and may be used.
#[derive(Debug, Clone)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// What is wrong with it, each with its JSON Pointer inside the schema.
    pub fn read(schema: &Value) -> Result<Self, Vec<Fault>> {
        let faults = weight::faults(schema);
        if !faults.is_empty() {
            return Err(faults);
        }
        let patterns =
            PatternOptions::regex().size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES);
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns)
            .should_validate_formats(false)
            .offline();
        match options.build(schema) {
            Ok(validator) => Ok(Self { validator }),
            Err(error) => {
                let field = error.instance_path().as_str().to_owned();
                Err(vec![Fault { field, error: sentence(&error) }])
            }
        }
    }

    /// Every failure of a document, up to [`MAX_FAULTS`], each with its JSON Pointer; empty when it meets the schema.
    pub fn faults(&self, document: &Value) -> Vec<Fault> {
        let errors = self.validator.iter_errors(document).take(MAX_FAULTS);
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            field: error.instance_path().as_str().to_owned(),
            error: sentence(&error),
        };
        errors.map(fault).collect()
    }
}

/// What the library says, without the value it is about: that can be long, and the place is told beside it.
fn sentence(error: &jsonschema::ValidationError<'_>) -> String {
    let said = error.masked_with("the value").to_string();
    if said.chars().count() <= MAX_SENTENCE_CHARS {
        return said;
    }
    said.chars().take(MAX_SENTENCE_CHARS).chain(['…']).collect()
}

/// The input with what the schema gives as `default` for the properties of its top that are not there.
#[must_use]
pub fn filled(schema: &Value, mut input: Value) -> Value {
    if let (Some(properties), Some(members)) =
        (schema.get("properties").and_then(Value::as_object), input.as_object_mut())
    {
        for (name, property) in properties {
            if let Some(default) = property.get("default").filter(|_| !members.contains_key(name)) {
                members.insert(name.clone(), default.clone());
            }
        }
    }
    input
}

#[cfg(test)]
mod tests;
