//! The JSON Schema of a definition, as it is served: for editors, which complete names and mark what cannot be. What it
//! takes is a little more than [`super::read()`] does, for a schema knows nothing of names, circles and expressions.

use super::form::{Field, Filled, Form, MAX_TEXT_BYTES, MAX_TEXTS, Needed};
use super::timeout::most_ms;
use super::{
    MAX_FILES, MAX_OUTPUTS, MAX_PATH_BYTES, MAX_REMINDERS, MAX_ROUNDS, MAX_STAGES, MAX_STATUSES, MAX_WAIT_MS,
    Uses, member,
};
use crate::gate::quorum::{MAX_ALTERNATIVES, MAX_APPROVALS, MAX_QUORUM_BYTES};
use crate::task::admission::{MAX_ATTEMPTS, MAX_DELAY_MS, MAX_TAG_CHARS, MAX_TAGS, MAX_TITLE_CHARS};
use serde_json::{Map, Value, json};

/// A text that is, or has in it, an expression.
const EXPRESSION: &str = "\\$\\{\\{";
/// A path that stays in its folder, as far as a pattern says it without looking ahead.
const INSIDE: &str = "^[^/\\\\:][^\\\\:]*$";
const SLUG: &str = "^[a-z0-9][a-z0-9_-]{0,63}$";

/// The JSON Schema (draft 2020-12) of a definition.
pub fn schema() -> Value {
    let each: Vec<Value> =
        Uses::WORDS.into_iter().filter(|word| *word != "foreach").map(|word| work(word, false)).collect();
    let stages: Vec<Value> = Uses::WORDS.into_iter().map(|word| work(word, true)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pipeline",
        "description": "What a pipeline is: its input and its stages.",
        "type": "object",
        "required": ["stages"],
        "additionalProperties": false,
        "properties": {
            "input": {"description": "The JSON Schema of the input; none is taken without it.", "type": ["object", "boolean"]},
            "stages": {"type": "array", "minItems": 1, "maxItems": MAX_STAGES, "items": {"oneOf": stages}},
        },
        "$defs": {"each": {"oneOf": each}, "retry": retry(), "outputs": outputs()},
    })
}

/// A stage that uses this, or what a `foreach` does with it.
fn work(word: &str, stage: bool) -> Value {
    let mut properties = Map::new();
    let mut required = vec!["uses"];
    if stage {
        required.push("id");
        properties.insert("id".to_owned(), json!({"type": "string", "pattern": SLUG}));
        let needs = json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true});
        properties.insert("needs".to_owned(), json!({"anyOf": [{"type": "string"}, needs]}));
        properties.insert("if".to_owned(), json!({"type": "string", "pattern": EXPRESSION}));
    }
    properties.insert("uses".to_owned(), json!({"const": word}));
    properties.insert("with".to_owned(), with(word));
    properties.insert("outputs".to_owned(), json!({"$ref": "#/$defs/outputs"}));
    if word != "gate" {
        properties.insert(
            "timeout_ms".to_owned(),
            json!({"type": "integer", "minimum": 1, "maximum": most_ms(word)}),
        );
    }
    if matches!(word, "command" | "agent" | "change" | "http") {
        properties.insert("retry".to_owned(), json!({"$ref": "#/$defs/retry"}));
    }
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

fn with(word: &str) -> Value {
    let fields = member::fields(word);
    let needed = fields.iter().filter(|field| field.needed == Needed::Yes).map(|field| field.name);
    let required: Vec<&str> = needed.collect();
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), value(field))).collect();
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

fn value(field: &Field) -> Value {
    let plain = if field.form == Form::Own { own(field.name) } else { form(field.form) };
    if field.filled == Filled::Fixed || matches!(field.form, Form::Any | Form::Own | Form::Files) {
        return plain;
    }
    json!({"anyOf": [plain, {"type": "string", "pattern": EXPRESSION}]})
}

/// A text, or what is taken as one.
fn text() -> Value {
    json!({"type": ["string", "number", "boolean"], "maxLength": MAX_TEXT_BYTES})
}

fn form(form: Form) -> Value {
    let texts =
        |least: usize| json!({"type": "array", "minItems": least, "maxItems": MAX_TEXTS, "items": text()});
    match form {
        Form::Any | Form::Own => json!(true),
        Form::Text => text(),
        Form::Line => {
            json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_TITLE_CHARS})
        }
        Form::Slug => json!({"type": ["string", "number", "boolean"], "pattern": SLUG}),
        Form::Tag => {
            json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_TAG_CHARS})
        }
        Form::Url => json!({"type": "string", "pattern": "^https?://"}),
        Form::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Form::Truth => json!({"type": "boolean"}),
        Form::Word(words) => json!({"enum": words}),
        Form::Texts(least) => texts(least),
        Form::Tags => json!({"type": "array", "maxItems": MAX_TAGS, "items": text()}),
        Form::TextOrTexts => json!({"anyOf": [text(), texts(1)]}),
        Form::TextMap => {
            let member =
                json!({"type": ["string", "number", "boolean", "null"], "maxLength": MAX_TEXT_BYTES});
            json!({"type": "object", "maxProperties": MAX_TEXTS, "additionalProperties": member})
        }
        Form::Files => json!({
            "type": "object",
            "maxProperties": MAX_FILES,
            "propertyNames": {"pattern": INSIDE, "maxLength": MAX_PATH_BYTES},
        }),
        Form::List => json!({"type": "array"}),
    }
}

/// The members that are read by hand.
fn own(name: &str) -> Value {
    let ms = json!({"type": "integer", "minimum": 1, "maximum": MAX_WAIT_MS});
    let one = json!({"type": "string", "pattern": "^(role|group|identity):"});
    let list = json!({"type": "array", "minItems": 1, "maxItems": MAX_ALTERNATIVES, "items": one});
    let who = json!({"anyOf": [one, list]});
    match name {
        "who" => who,
        "quorum" => json!({"anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_APPROVALS},
            {"type": "string", "maxLength": MAX_QUORUM_BYTES},
        ]}),
        "on_reject" => json!({"anyOf": [{"const": "fail"}, object(&["to_stage"], json!({
            "to_stage": {"type": "string"},
            "max_rounds": {"type": "integer", "minimum": 1, "maximum": MAX_ROUNDS},
        }))]}),
        "remind_after_ms" => {
            json!({"anyOf": [ms, {"type": "array", "maxItems": MAX_REMINDERS, "items": ms}]})
        }
        "escalate" => object(&["after_ms", "who"], json!({"after_ms": ms, "who": who})),
        "event" => object(&["type"], json!({"type": {"type": "string"}, "subject": {"type": "string"}})),
        "expect" => {
            let status = json!({"type": "integer", "minimum": 100, "maximum": 599});
            let statuses = json!({"type": "array", "minItems": 1, "maxItems": MAX_STATUSES, "items": status});
            object(
                &[],
                json!({"status": {"anyOf": [status, statuses]}, "schema": {"type": ["object", "boolean"]}}),
            )
        }
        "as" => json!({"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"}),
        _ => json!({"$ref": "#/$defs/each"}),
    }
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut object = json!({"type": "object", "required": required, "additionalProperties": false});
    object["properties"] = properties;
    object
}

fn retry() -> Value {
    let delay = json!({"type": "integer", "minimum": 0, "maximum": MAX_DELAY_MS});
    let backoff = object(
        &[],
        json!({
            "kind": {"enum": ["exponential", "fixed"]},
            "base_ms": delay,
            "max_ms": delay,
            "jitter": {"enum": ["none", "full"]},
        }),
    );
    let attempts = json!({"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS});
    object(&["max_attempts"], json!({"max_attempts": attempts, "backoff": backoff}))
}

fn outputs() -> Value {
    let path = json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_PATH_BYTES});
    let schema = json!({"type": ["object", "boolean"]});
    let output = json!({"anyOf": [
        object(&["file"], json!({"file": path, "media_type": {"type": "string"}})),
        object(&["json"], json!({"json": path, "schema": schema})),
        object(&["stdout"], json!({"stdout": {"enum": ["json", "text"]}, "schema": schema})),
        object(&["schema"], json!({"schema": schema})),
    ]});
    json!({
        "type": "object",
        "maxProperties": MAX_OUTPUTS,
        "propertyNames": {"pattern": SLUG},
        "additionalProperties": output,
    })
}
