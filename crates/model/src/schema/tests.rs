use super::*;
use serde_json::json;

fn places(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.field.as_str()).collect()
}

fn refused(schema: &Value) -> Vec<Fault> {
    Schema::read(schema).map(|_| ()).unwrap_err()
}

// D20: what breaks the schema is told whole, each failure with its place.
#[test]
fn every_failure_has_its_place() {
    let schema = json!({"type": "object", "required": ["tag"], "additionalProperties": false,
        "properties": {"tag": {"type": "string", "pattern": "^v[0-9]+$"}, "n": {"type": "integer", "minimum": 1}}});
    let schema = Schema::read(&schema).unwrap();
    assert_eq!(schema.faults(&json!({"tag": "v1", "n": 3})), []);
    let mut found = schema.faults(&json!({"tag": "x", "n": 0, "more": 1}));
    found.sort_by(|a, b| a.field.cmp(&b.field));
    assert_eq!(places(&found), ["", "/n", "/tag"]);
    assert!(found[1].error.contains("minimum") && !found[2].error.contains("\"x\""), "{found:?}");
    assert_eq!(places(&schema.faults(&json!({}))), [""]);
}

#[test]
fn a_schema_that_is_none_is_told_with_its_place() {
    assert_eq!(places(&refused(&json!({"properties": {"a": {"type": "text"}}}))), ["/properties/a/type"]);
    assert_eq!(places(&refused(&json!({"properties": {"a": 5}}))), ["/properties/a"]);
    assert_eq!(places(&refused(&json!([]))), [""]);
    let backtracking = refused(&json!({"pattern": "(a)\\1"}));
    assert_eq!(places(&backtracking), ["/pattern"]);
}

#[test]
fn what_has_no_foreseeable_cost_is_refused() {
    for (schema, place) in [
        (json!({"$ref": "#"}), "/$ref"),
        (json!({"$ref": "https://example.org/s"}), "/$ref"),
        (json!({"$ref": "#/$defs/none"}), "/$ref"),
        (json!({"$id": "x"}), "/$id"),
        (json!({"unevaluatedProperties": false}), "/unevaluatedProperties"),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#"}), "/$schema"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}}),
            "/$defs/b/$ref",
        ),
    ] {
        assert_eq!(places(&refused(&schema)), [place], "{schema}");
    }
}

// Forty definitions, each of which names the next twice: a trillion parts when they are written out.
#[test]
fn a_bomb_of_references_is_weighed_not_unfolded() {
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        definitions.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    definitions.insert("l40".into(), json!(true));
    let found = refused(&json!({"$ref": "#/$defs/l0", "$defs": definitions}));
    assert!(found[0].error.contains("5000 parts") || found[0].error.contains("nested"), "{found:?}");
}

#[test]
fn large_ones_are_refused() {
    assert!(refused(&json!({"enum": ["x".repeat(MAX_SCHEMA_BYTES)]}))[0].error.contains("65536"));
    let patterns = vec![json!({"pattern": "x"}); 101];
    assert!(refused(&json!({"anyOf": patterns}))[0].error.contains("100 patterns"));
    assert!(refused(&json!({"pattern": "((a{100}){100}){100}"})).len() == 1);
}

#[test]
fn defaults_fill_what_is_not_there() {
    let schema = json!({"properties": {"a": {"default": 1}, "b": {"default": 2}, "c": {}}});
    assert_eq!(filled(&schema, json!({"b": null})), json!({"a": 1, "b": null}));
    assert_eq!(filled(&schema, json!([])), json!([]));
    assert_eq!(filled(&json!(true), json!({})), json!({}));
}
