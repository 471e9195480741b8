//! Every failure of a body at once (API2), by the schema of its type. Only bodies that were refused are looked at: what
//! is right costs nothing here.

use super::generator;
use crate::endpoint::{Endpoint, Form};
use crate::time::Time;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tiltyard_model::id::Id;
use tiltyard_model::nearest::nearest;
use tiltyard_model::refusal::Fault;
use tiltyard_model::text::{NOT_STORABLE, is_storable};

/// Most failures that are listed; whoever sends more has mistaken the call.
pub const MAX_FAULTS: usize = 100;

/// A schema and what it refers to.
struct Shape {
    root: Value,
    definitions: Map<String, Value>,
}

/// Every failure of `body` as what an endpoint takes, each with its place, at most [`MAX_FAULTS`]; empty where the
/// schema has no objection, or the endpoint takes no JSON.
pub fn faults_of_body(endpoint: Endpoint, body: &Value) -> Vec<Fault> {
    static SHAPES: Mutex<Option<HashMap<Endpoint, Option<&'static Shape>>>> = Mutex::new(None);
    let mut shapes = SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
    let shape = *shapes.get_or_insert_default().entry(endpoint).or_insert_with(|| body_shape(endpoint));
    drop(shapes);
    shape.map(|shape| faults(shape, body)).unwrap_or_default()
}

/// One for each row of the table at most: kept as long as the program runs.
fn body_shape(endpoint: Endpoint) -> Option<&'static Shape> {
    if endpoint.row().body != Form::Json {
        return None;
    }
    let mut generator = generator();
    let root = endpoint.shapes(&mut generator).body?.to_value();
    let shape = Shape { root, definitions: generator.take_definitions(true) };
    Some(Box::leak(Box::new(shape)))
}

/// Every failure of `body` as a `T` that stands at `place` of a larger one.
pub fn faults_of<T: JsonSchema>(place: &str, body: &Value) -> Vec<Fault> {
    let mut generator = generator();
    let root = generator.subschema_for::<T>().to_value();
    let shape = Shape { root, definitions: generator.take_definitions(true) };
    let mut found = faults(&shape, body);
    found.iter_mut().for_each(|fault| fault.field.insert_str(0, place));
    found
}

/// Every failure of some fields as a part of what `endpoint` takes: what is missing is no failure.
pub fn faults_of_part(endpoint: Endpoint, fields: &Map<String, Value>) -> Vec<Fault> {
    let body = Value::Object(fields.clone());
    faults_of_body(endpoint, &body).into_iter().filter(|fault| fault.error != NEEDED).collect()
}

const NEEDED: &str = "is needed";

fn faults(shape: &Shape, body: &Value) -> Vec<Fault> {
    let mut look = Look { definitions: &shape.definitions, found: Vec::new() };
    look.at(&shape.root, body, "");
    look.found
}

struct Look<'a> {
    definitions: &'a Map<String, Value>,
    found: Vec<Fault>,
}

impl Look<'_> {
    fn fault(&mut self, place: &str, error: impl Into<String>) {
        if self.found.len() < MAX_FAULTS {
            self.found.push(Fault { field: place.to_owned(), error: error.into() });
        }
    }

    fn at(&mut self, schema: &Value, value: &Value, place: &str) {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            return self.named(name, value, place);
        }
        if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            return self.one_of(choices, value, place);
        }
        if !is_of_type(&schema["type"], value) {
            return self.fault(place, format!("must be {}", said_of(&schema["type"])));
        }
        if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            return self.fault(place, format!("must be one of {}", words.join(", ")));
        }
        if schema.get("const").is_some_and(|only| only != value) {
            return self.fault(place, format!("must be {}", schema["const"]));
        }
        match value {
            Value::Object(members) => self.object(schema, members, place),
            Value::Array(items) => self.array(&schema["items"], items, place),
            Value::Number(_) => self.number(schema, value, place),
            Value::String(text) => self.text(schema, text, place),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn named(&mut self, name: &str, value: &Value, place: &str) {
        let read = match name {
            "Id" => Id::deserialize(value).map(drop),
            "Time" => Time::deserialize(value).map(drop),
            _ => {
                let definitions = self.definitions;
                return definitions.get(name).map_or((), |schema| self.at(schema, value, place));
            }
        };
        if let Err(error) = read {
            self.fault(place, error.to_string());
        }
    }

    /// The failures of the choice that comes nearest: one of the same type, else the one with the fewest; null is meant
    /// by nobody who sends something else.
    fn one_of(&mut self, choices: &[Value], value: &Value, place: &str) {
        let failures = |schema: &Value| {
            let mut look = Look { definitions: self.definitions, found: Vec::new() };
            look.at(schema, value, place);
            look.found
        };
        let far = |found: &Vec<Fault>| (found.iter().any(|fault| fault.field == place), found.len());
        let words: Vec<&str> = choices.iter().filter_map(|choice| choice["const"].as_str()).collect();
        let meant = choices.iter().filter(|choice| value.is_null() || choice["type"] != "null");
        let Some(least) = meant.map(failures).min_by_key(far).filter(|found| !found.is_empty()) else {
            return;
        };
        if !words.is_empty() && words.len() == choices.len() {
            return self.fault(place, format!("must be one of {}", words.join(", ")));
        }
        for fault in least {
            self.fault(&fault.field, fault.error);
        }
    }

    fn object(&mut self, schema: &Value, members: &Map<String, Value>, place: &str) {
        let properties = schema["properties"].as_object();
        for (name, value) in members {
            let place = format!("{place}/{}", token(name));
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => self.at(schema, value, &place),
                None => match &schema["additionalProperties"] {
                    Value::Bool(false) => self.fault(&place, unknown(name, properties)),
                    others @ Value::Object(_) => self.at(others, value, &place),
                    _ => {}
                },
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.fault(&format!("{place}/{}", token(name)), NEEDED);
            }
        }
    }

    fn array(&mut self, schema: &Value, items: &[Value], place: &str) {
        for (index, item) in items.iter().enumerate() {
            if self.found.len() == MAX_FAULTS {
                return;
            }
            self.at(schema, item, &format!("{place}/{index}"));
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, place: &str) {
        let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
        let number = value.as_f64().unwrap_or_default();
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let said = match (least, most) {
                (Some(least), Some(most)) => format!("must be {least} to {most}"),
                (Some(least), None) => format!("must be at least {least}"),
                _ => format!("must be at most {}", most.unwrap_or_default()),
            };
            self.fault(place, said);
        }
    }

    fn text(&mut self, schema: &Value, text: &str, place: &str) {
        if !is_storable(text) {
            self.fault(place, NOT_STORABLE);
        }
        let count = text.chars().count() as u64;
        let (least, most) = (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64());
        if count < least || most.is_some_and(|most| count > most) {
            let most = most.map(|most| format!(" to {most}")).unwrap_or_default();
            self.fault(place, format!("must have {least}{most} characters"));
        }
    }
}

fn unknown(name: &str, properties: Option<&Map<String, Value>>) -> String {
    let known = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
    match nearest(name, known()) {
        Some(near) => format!("unknown field; is `{near}` meant?"),
        None => format!("unknown field; there are {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// A type may be one word, several, or not said: then everything fits.
fn is_of_type(types: &Value, value: &Value) -> bool {
    let is = |word: &str| match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    match types {
        Value::String(word) => is(word),
        Value::Array(words) => words.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn said_of(types: &Value) -> String {
    let said = |word: &str| match word {
        "null" => "null",
        "boolean" => "true or false",
        "string" => "text",
        "object" => "an object",
        "array" => "a list",
        "integer" => "a whole number",
        _ => "a number",
    };
    match types {
        Value::Array(words) => {
            words.iter().filter_map(Value::as_str).map(said).collect::<Vec<_>>().join(" or ")
        }
        word => said(word.as_str().unwrap_or_default()).to_owned(),
    }
}

/// A key as a part of a JSON Pointer (RFC 6901), cut where it is no name any more.
fn token(name: &str) -> String {
    name.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(endpoint: Endpoint, body: &Value) -> Vec<String> {
        let mut found: Vec<_> = faults_of_body(endpoint, body).into_iter().map(|fault| fault.field).collect();
        found.sort();
        found
    }

    // API2: unknown fields, wrong types and values out of bounds, all at once and each with its place.
    #[test]
    fn api2_every_failure_has_its_place() {
        let body = json!({"priority": 11, "title": "x".repeat(201), "bogus": 1, "a/b": 2, "timeout_ms": "x",
            "run_at": "tomorrow", "deadline": null, "labels": ["a", 5], "depends_on": ["task_x"],
            "backoff": {"kind": "never"}, "on_dependency_failure": "maybe", "payload": [{"any": "thing"}]});
        let expected = [
            "/a~1b",
            "/backoff/kind",
            "/bogus",
            "/depends_on/0",
            "/labels/1",
            "/on_dependency_failure",
            "/priority",
            "/run_at",
            "/timeout_ms",
            "/title",
        ];
        assert_eq!(fields(Endpoint::TaskSubmit, &body), expected);
        assert_eq!(fields(Endpoint::TaskClaim, &json!({"max": -1})), ["/agent", "/max"]);
        assert_eq!(fields(Endpoint::TaskSubmitBatch, &json!({"tasks": [{}, {"x": 1}]})), ["/tasks/1/x"]);
        assert_eq!(fields(Endpoint::TaskSubmit, &json!([])), [""]);
        assert_eq!(fields(Endpoint::TaskGet, &json!({"x": 1})), Vec::<String>::new());
    }

    #[test]
    fn failures_are_bounded_and_say_what_is_meant() {
        let many: Map<String, Value> = (0..200).map(|n| (format!("f{n}"), json!(1))).collect();
        assert_eq!(fields(Endpoint::TaskPatch, &Value::Object(many)).len(), MAX_FAULTS);
        let said = faults_of_body(Endpoint::TaskPatch, &json!({"prioritty": 1})).remove(0).error;
        assert_eq!(said, "unknown field; is `priority` meant?");
        let part = json!({"priority": 70}).as_object().cloned().expect("is an object");
        assert_eq!(faults_of_part(Endpoint::TaskSubmit, &part).len(), 1);
        assert_eq!(faults_of_part(Endpoint::TaskClaim, &Map::new()), []);
    }
}
