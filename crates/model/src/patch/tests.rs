use super::*;
use serde_json::json;

fn faults(document: &Value, patch: &Value) -> Vec<(String, String)> {
    let refusal = applied(document, patch, None).unwrap_err();
    assert_eq!(refusal.code, Code::Invalid);
    refusal.faults.into_iter().map(|fault| (fault.field, fault.error)).collect()
}

// D23: an approval may carry a JSON Patch; these are the operations of RFC 6902.
#[test]
fn d23_every_operation_does_what_the_standard_says() {
    let document = json!({"title": "a", "list": [1, 2], "a/b": {"~": 0}});
    let patch = json!([
        {"op": "test", "path": "/title", "value": "a"},
        {"op": "replace", "path": "/title", "value": "b"},
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "add", "path": "/list/0", "value": 0},
        {"op": "copy", "from": "/list", "path": "/twice"},
        {"op": "move", "from": "/a~1b/~0", "path": "/plain"},
        {"op": "remove", "path": "/a~1b"},
    ]);
    let result = applied(&document, &patch, None).unwrap();
    assert_eq!(result, json!({"title": "b", "list": [0, 1, 2, 3], "twice": [0, 1, 2, 3], "plain": 0}));
    assert_eq!(applied(&document, &json!([]), None).unwrap(), document);
    assert_eq!(applied(&document, &json!([{"op": "replace", "path": "", "value": 1}]), None).unwrap(), 1);
}

// D23: paths exist or can be added, checked first.
#[test]
fn d23_a_patch_that_cannot_be_done_names_its_operation_and_path() {
    let document = json!({"title": "a", "list": [1], "deep": {"x": 1}});
    for (operation, place, words) in [
        (json!({"op": "replace", "path": "/none", "value": 1}), "/patch/1/path", "/none does not exist"),
        (json!({"op": "remove", "path": "/list/7"}), "/patch/1/path", "/list/7 does not exist"),
        (json!({"op": "add", "path": "/none/more", "value": 1}), "/patch/1/path", "cannot be added"),
        (json!({"op": "add", "path": "/list/9", "value": 1}), "/patch/1/path", "cannot be added"),
        (json!({"op": "test", "path": "/title", "value": "b"}), "/patch/1/value", "the test fails: /title"),
        (json!({"op": "test", "path": "/none", "value": "b"}), "/patch/1/path", "/none does not exist"),
        (json!({"op": "copy", "from": "/none", "path": "/x"}), "/patch/1/from", "nothing at that path"),
        (
            json!({"op": "move", "from": "/deep", "path": "/deep/x"}),
            "/patch/1/path",
            "inside of what is moved",
        ),
    ] {
        let found = faults(&document, &json!([{"op": "test", "path": "/title", "value": "a"}, operation]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, place, "{operation}: {}", found[0].1);
        assert!(found[0].1.contains(words), "{operation}: {}", found[0].1);
    }
}

#[test]
fn what_is_no_operation_is_told_all_at_once() {
    let patch = json!([1, {"op": "put", "path": "/a"}, {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/a"}, {"op": "copy", "path": "/a"}, {"op": "remove"}, {"op": "remove", "path": "/~2"}]);
    let places: Vec<String> = faults(&json!({}), &patch).into_iter().map(|fault| fault.0).collect();
    let expected = [
        "/patch/0",
        "/patch/1/op",
        "/patch/2/path",
        "/patch/3/value",
        "/patch/4/from",
        "/patch/5/path",
        "/patch/6/path",
    ];
    assert_eq!(places, expected);
    assert_eq!(faults(&json!({}), &json!({}))[0].0, "/patch");
    let many = vec![json!({"op": "test", "path": "", "value": {}}); MAX_OPERATIONS + 1];
    assert!(faults(&json!({}), &Value::Array(many))[0].1.contains("200 operations"));
}

// D23: the result meets the schema.
#[test]
fn d23_a_result_that_breaks_the_schema_is_refused_whole() {
    let schema =
        json!({"type": "object", "required": ["title", "body"], "properties": {"title": {"type": "string"}}});
    let schema = Schema::read(&schema).unwrap();
    let document = json!({"title": "a", "body": "b"});
    let patch = json!([{"op": "replace", "path": "/title", "value": 5}, {"op": "remove", "path": "/body"}]);
    let refusal = applied(&document, &patch, Some(&schema)).unwrap_err();
    assert_eq!(refusal.faults.len(), 2, "{refusal:?}");
    assert!(refusal.faults.iter().any(|fault| fault.error.starts_with("/title of the result")));
    let patch = json!([{"op": "replace", "path": "/title", "value": "c"}]);
    assert_eq!(applied(&document, &patch, Some(&schema)).unwrap()["title"], "c");
}

#[test]
fn copies_of_copies_end_at_the_limits() {
    let double = json!({"op": "copy", "from": "", "path": "/x"});
    let deep = faults(&json!({}), &Value::Array(vec![double; 100]));
    assert!(deep[0].1.contains("64 deep"), "{deep:?}");
    let wide: Vec<Value> =
        (0..100).map(|_| json!({"op": "copy", "from": "/list", "path": "/list/-"})).collect();
    let document = json!({"list": ["x".repeat(1000)], "a": 1});
    assert!(!faults(&document, &Value::Array(wide)).is_empty());
    let mut grow = vec![json!({"op": "add", "path": "/l", "value": []})];
    for _ in 0..60 {
        grow.push(json!({"op": "copy", "from": "/big", "path": "/l/-"}));
    }
    let wide = faults(&json!({"big": "x".repeat(30_000)}), &Value::Array(grow));
    assert!(wide[0].1.contains("1048576 bytes"), "{wide:?}");
}
