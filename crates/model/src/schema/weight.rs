//! What a schema can cost, found out before it is used.

use super::{MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, MAX_SCHEMA_PATTERNS, MAX_SCHEMA_WEIGHT};
use crate::refusal::Fault;
use serde_json::Value;
use std::collections::HashMap;

/// The draft that a schema may name.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords whose value is a schema.
const ONE: [&str; 11] = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "additionalItems",
    "unevaluatedItems",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value has a schema for each of its names.
const MAPS: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "dependencies"];
/// Keywords that are not taken, and what to do instead.
const REFUSED: [(&str, &str); 9] = [
    ("$id", "leave it out: a schema here stands alone"),
    ("$anchor", "refer by a path: `#/$defs/NAME`"),
    ("$dynamicAnchor", "refer by a path: `#/$defs/NAME`"),
    ("$dynamicRef", "refer by a path: `#/$defs/NAME`"),
    ("$recursiveRef", "refer by a path: `#/$defs/NAME`"),
    ("$recursiveAnchor", "refer by a path: `#/$defs/NAME`"),
    ("$vocabulary", "leave it out"),
    ("unevaluatedProperties", "use additionalProperties"),
    ("unevaluatedItems", "use items"),
];

/// Why a schema's cost cannot be foreseen; empty when it can.
pub(super) fn faults(schema: &Value) -> Vec<Fault> {
    let bytes = schema.to_string().len();
    if bytes > MAX_SCHEMA_BYTES {
        let error = format!("a schema has at most {MAX_SCHEMA_BYTES} bytes, this one has {bytes}");
        return vec![Fault { field: String::new(), error }];
    }
    let mut scale = Scale { root: schema, known: HashMap::new(), patterns: 0, faults: Vec::new() };
    let weight = scale.weigh(schema, "", 0);
    scale.definitions(schema);
    if scale.faults.is_empty() && weight > MAX_SCHEMA_WEIGHT {
        let error = format!(
            "it has more than {MAX_SCHEMA_WEIGHT} parts when every $ref is written out; refer to less, or nest less"
        );
        scale.faults.push(Fault { field: String::new(), error });
    }
    if scale.patterns > MAX_SCHEMA_PATTERNS {
        let error = format!("a schema has at most {MAX_SCHEMA_PATTERNS} patterns");
        scale.faults.push(Fault { field: String::new(), error });
    }
    scale.faults
}

struct Scale<'a> {
    root: &'a Value,
    /// What targets of references weigh; `None` while one is being weighed.
    known: HashMap<String, Option<u32>>,
    patterns: u32,
    faults: Vec<Fault>,
}

impl<'a> Scale<'a> {
    fn fault(&mut self, field: String, error: impl Into<String>) {
        self.faults.push(Fault { field, error: error.into() });
    }

    fn weigh(&mut self, schema: &'a Value, at: &str, depth: u32) -> u32 {
        let Some(members) = schema.as_object() else {
            if !schema.is_boolean() {
                self.fault(at.to_owned(), "a schema is an object, `true` or `false`");
            }
            return 1;
        };
        if depth > MAX_SCHEMA_DEPTH {
            self.fault(at.to_owned(), format!("a schema is nested at most {MAX_SCHEMA_DEPTH} deep"));
            return 1;
        }
        self.refuse(members, at);
        let mut weight = 1_u32;
        for (keyword, value) in members {
            let place = format!("{at}/{}", escaped(keyword));
            let more = match keyword.as_str() {
                "$ref" => self.reference(value, &place, depth),
                "pattern" => {
                    self.patterns += 1;
                    1
                }
                word if ONE.contains(&word) && !value.is_array() => self.weigh(value, &place, depth + 1),
                word if LISTS.contains(&word) => self.list(value, &place, depth),
                word if MAPS.contains(&word) => self.map(keyword, value, &place, depth),
                _ => 0,
            };
            weight = weight.saturating_add(more);
        }
        weight
    }

    fn refuse(&mut self, members: &serde_json::Map<String, Value>, at: &str) {
        for (keyword, instead) in REFUSED {
            if members.contains_key(keyword) {
                self.fault(
                    format!("{at}/{}", escaped(keyword)),
                    format!("{keyword} is not taken: {instead}"),
                );
            }
        }
        if members.get("$schema").is_some_and(|draft| draft != DRAFT) {
            self.fault(
                format!("{at}/$schema"),
                format!("only draft 2020-12 is taken: leave it out or say {DRAFT}"),
            );
        }
    }

    fn list(&mut self, value: &'a Value, at: &str, depth: u32) -> u32 {
        let items = value.as_array().into_iter().flatten().enumerate();
        items.fold(0, |sum: u32, (index, item)| {
            sum.saturating_add(self.weigh(item, &format!("{at}/{index}"), depth + 1))
        })
    }

    fn map(&mut self, keyword: &str, value: &'a Value, at: &str, depth: u32) -> u32 {
        let mut sum = 0_u32;
        for (name, item) in value.as_object().into_iter().flatten() {
            self.patterns += u32::from(keyword == "patternProperties");
            if !item.is_array() {
                sum = sum.saturating_add(self.weigh(item, &format!("{at}/{}", escaped(name)), depth + 1));
            }
        }
        sum
    }

    fn reference(&mut self, value: &'a Value, at: &str, depth: u32) -> u32 {
        let Some(pointer) = value.as_str().and_then(|text| text.strip_prefix('#')) else {
            self.fault(at.to_owned(), "a $ref leads into the schema itself: `#/$defs/NAME`");
            return 1;
        };
        match self.known.get(pointer) {
            Some(Some(weight)) => return *weight,
            Some(None) => {
                self.fault(at.to_owned(), "a schema may not refer to itself, not by way of others either");
                return 1;
            }
            None => {}
        }
        let Some(target) = self.root.pointer(pointer).filter(|_| !pointer.contains('%')) else {
            self.fault(at.to_owned(), format!("there is nothing at #{pointer}"));
            return 1;
        };
        if pointer.is_empty() {
            self.fault(at.to_owned(), "a schema may not refer to itself");
            return 1;
        }
        self.known.insert(pointer.to_owned(), None);
        let weight = self.weigh(target, pointer, depth + 1);
        self.known.insert(pointer.to_owned(), Some(weight));
        weight
    }

    /// Definitions that nobody refers to are read too, so that what is wrong in them shows; they weigh nothing.
    fn definitions(&mut self, schema: &'a Value) {
        for keyword in ["$defs", "definitions"] {
            for (name, item) in schema.get(keyword).and_then(Value::as_object).into_iter().flatten() {
                let at = format!("/{keyword}/{}", escaped(name));
                if !self.known.contains_key(&at) {
                    self.known.insert(at.clone(), None);
                    let weight = self.weigh(item, &at, 1);
                    self.known.insert(at, Some(weight));
                }
            }
        }
    }
}

/// A name as a part of a JSON Pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
