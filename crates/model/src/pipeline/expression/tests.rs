use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::time::{Duration, Instant};

fn names() -> Value {
    json!({
        "input": {"tag": "v1", "n": 3, "half": 0.5, "yes": true, "none": null, "list": ["a", "b"], "odd name": 1,
            "deep": {"x": [{"y": 7}]}},
        "stages": {"build-it": {"state": "succeeded", "outputs": {"2nd": "two"}}},
    })
}

fn value(source: &str) -> Result<Value, String> {
    let expression = Expression::read(source).map_err(|wrong| format!("{}: {}", wrong.at, wrong.error))?;
    expression.value(&names()).map_err(|failure| format!("{}: {}", failure.at, failure.error))
}

// D21: what expressions can say.
#[test]
fn d21_values() {
    for (source, expected) in [
        ("input.tag", json!("v1")),
        (" input . deep . x [ 0 ] . y ", json!(7)),
        ("input['odd name']", json!(1)),
        ("stages.build-it.outputs.2nd", json!("two")),
        ("null", json!(null)),
        ("-1.5e2", json!(-150.0)),
        (r#""a\"\\\n\t'""#, json!("a\"\\\n\t'")),
        ("input.tag == 'v1' && input.n > 2", json!(true)),
        ("input.n == 3.0 && input.half < 1", json!(true)),
        ("input.list == input.list && input.list != input.deep", json!(true)),
        ("'a' < 'b' && 2 >= 2 && 2 <= 2 && !(3 > 4)", json!(true)),
        ("false || input.yes", json!(true)),
        ("true || input.absent", json!(true)),
        ("false && input.absent", json!(false)),
        ("!!input.yes", json!(true)),
        ("true || false && false", json!(true)),
        ("default(input.none, 'x')", json!("x")),
        ("default(input.absent.more[3], 'x')", json!("x")),
        ("default(input.tag, input.absent)", json!("v1")),
        ("length('äöü')", json!(3)),
        ("length(input.list)", json!(2)),
        ("length(input.deep)", json!(1)),
        ("contains(input.tag, 'v') && contains(input.list, 'a') && contains(input.deep, 'x')", json!(true)),
        ("join(input.list, ', ')", json!("a, b")),
        ("join(input.deep.x, '')", json!("{\"y\":7}")),
        ("json(input.list)", json!("[\"a\",\"b\"]")),
    ] {
        assert_eq!(value(source).as_ref(), Ok(&expected), "{source}");
    }
}

// D21: what cannot be is told with its place and what would be right.
#[test]
fn d21_failures_have_a_place_and_a_sentence() {
    for (source, expected) in [
        ("", "0: an expression is missing: `${{ input.NAME }}`"),
        ("input.", "6: a name is missing after the dot; others are written [\"…\"]"),
        ("input.tag ==", "12: the expression ends where a value is expected"),
        ("(1", "2: `)` is missing to close this parenthesis"),
        ("1 == 1 == 1", "7: compare two values at a time: `a < b && b < c`"),
        ("input.tag = 'v'", "10: write `==` to compare"),
        ("a & b", "2: write `&&` for and"),
        ("1 + 1", "2: `+` has no meaning in an expression"),
        ("n - 1", "2: there is no arithmetic in an expression"),
        ("1x", "0: `1x` is no number"),
        ("01", "0: `01` is no number"),
        ("'open", "0: a text that begins with ' ends with '"),
        ("'\\q'", "0: a text knows \\\\ \\\" \\' \\n and \\t; other letters stand for themselves"),
        ("list[-1]", "5: a bracket holds a number from 0 on, or a text"),
        ("list[x]", "5: a bracket holds a number from 0 on, or a text"),
        ("a b", "2: the expression should end here; is an operator missing?"),
        ("lenght(x)", "0: there is no function lenght; is length meant?"),
        ("eval(x)", "0: there is no function eval; there are default, length, contains, join, json"),
        ("default(x)", "0: it is called with two arguments: default(value, otherwise)"),
        ("{}", "0: `{` has no meaning in an expression"),
        ("input.absent", "6: there is no input.absent; write default(…, …) where that may be"),
        (
            "input.none.x",
            "11: input.none is null here, so there is no input.none.x; write default(…, …) where that may be",
        ),
        ("input.tag.x", "10: input.tag is a text, so there is no input.tag.x"),
        ("input.list[2]", "10: there is no input.list[2]; write default(…, …) where that may be"),
        ("input.list.a", "11: input.list is a list, so there is no input.list.a"),
        ("default(input.tag.x, 1)", "18: input.tag is a text, so there is no input.tag.x"),
        ("!input.tag", "0: true or false is needed here, not a text"),
        ("true && input.n", "8: true or false is needed here, not a number"),
        ("1 < 'a'", "2: two numbers or two texts have an order, not a number and a text"),
        ("length(1)", "0: a number has no length"),
        ("join('a', 'b')", "0: join takes a list and a text, not a text and a text"),
    ] {
        assert_eq!(value(source), Err(expected.to_owned()), "{source}");
    }
}

// SEC22, "an expression that loops or is 1 MB long": refused before anything of it is looked at.
#[test]
fn large_and_deep_expressions_are_refused_at_once() {
    let begin = Instant::now();
    for hostile in [
        "a".repeat(1024 * 1024),
        "(".repeat(MAX_EXPRESSION_BYTES),
        "!".repeat(MAX_EXPRESSION_BYTES),
        "json(".repeat(800),
        "a[".repeat(2_000),
        format!("{}1{}", "(".repeat(33), ")".repeat(33)),
    ] {
        let wrong = Expression::read(&hostile).unwrap_err();
        assert!(!wrong.error.is_empty() && wrong.error.len() < 200, "{}", wrong.error);
    }
    for long in [
        "1||".repeat(1_300) + "1",
        ".a".repeat(2_000).replacen('.', "", 1),
        "1 == 1 && ".repeat(400) + "true",
    ] {
        let expression = Expression::read(&long).unwrap();
        let _ignored_value = expression.value(&json!({}));
        drop(expression);
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn what_json_and_join_make_is_bounded() {
    let big = json!({"x": "\"".repeat(200_000)});
    let doubled = Expression::read("json(json(json(json(json(x)))))").unwrap();
    assert!(doubled.value(&big).unwrap_err().error.contains("1048576 bytes"));
    let many = Expression::read("join(x, x)").unwrap();
    assert!(many.value(&json!({"x": ["a"]})).is_err());
    let list = json!({"x": vec!["y"; 1000], "z": "z".repeat(10_000)});
    assert!(
        Expression::read("join(x, z)").unwrap().value(&list).unwrap_err().error.contains("1048576 bytes")
    );
}

#[test]
fn paths_are_found_and_written_again() {
    let expression = Expression::read("default(a.b[0]['c d'], x) == 'a.b' || !y.z").unwrap();
    let paths: Vec<String> = expression.paths().into_iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["a.b[0][\"c d\"]", "x", "y.z"]);
    assert!(expression.as_path().is_none() && Expression::read(" a.b ").unwrap().as_path().is_some());
}

struct All;

impl Names for All {
    fn shape(&self, path: &Path) -> Result<Shape, Wrong> {
        let shape = Shape::of_schema(&json!({"type": "object", "properties": {
            "t": {"type": "string"}, "n": {"type": "integer"}, "b": {"type": "boolean"}, "l": {"type": "array",
            "items": {"$ref": "#/$defs/o"}}, "any": {}, "open": {"type": "object", "properties": {"a": {}},
            "additionalProperties": true}, "two": {"type": ["string", "null"]}},
            "$defs": {"o": {"properties": {"name": {"type": "string"}}}}}));
        shape.follow(path, 0)
    }
}

// D21: unknown names, and kinds that cannot fit, are found before a run starts.
#[test]
fn d21_names_and_kinds_are_judged_beforehand() {
    for (source, expected) in [
        ("t == 'x' && n < 3 && b && l[0].name == t && any.x[1].y && open.other == two", vec![]),
        ("tw", vec!["0: has no `tw`; there is any, b, l, n, open, t, two"]),
        ("opem.x", vec!["0: has no `opem`; is `open` meant?"]),
        ("l[0].nam", vec!["5: l[0] has no `nam`; is `name` meant?"]),
        ("t.x || n[0]", vec!["2: t is a text, so there is no t.x", "8: n is a number, so there is no n[0]"]),
        (
            "!t && n",
            vec![
                "0: true or false is needed here, not a text",
                "6: true or false is needed here, not a number",
            ],
        ),
        ("t < n", vec!["2: two numbers or two texts have an order, not a text and a number"]),
        ("l > l", vec!["2: two numbers or two texts have an order, not a list and a list"]),
        ("length(n) == 1", vec!["0: a number has no length"]),
        ("contains(b, t)", vec!["0: true or false contains nothing"]),
        ("join(t, n)", vec!["0: join takes a list, not a text", "0: join takes a text to put between"]),
        ("default(t, 'x') && true", vec!["0: true or false is needed here, not a text"]),
    ] {
        let (_, found) = Expression::read(source).unwrap().judge(&All);
        let found: Vec<String> =
            found.into_iter().map(|wrong| format!("{}: {}", wrong.at, wrong.error.trim())).collect();
        assert_eq!(found, expected, "{source}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    // SEC22: whatever is sent, reading and evaluating end with a value or a sentence.
    #[test]
    fn no_text_breaks_the_reader(source in "[a-c0-9 .\\[\\]()!&|=<>\"'\\\\,ä}-]{0,60}", names in any_value()) {
        match Expression::read(&source) {
            Ok(expression) => {
                let _ignored_value = expression.value(&names);
                prop_assert_eq!(Expression::read(expression.source()).unwrap().paths().len(), expression.paths().len());
            }
            Err(wrong) => prop_assert!(wrong.at <= source.len() && source.is_char_boundary(wrong.at)),
        }
    }

    // D21: `==` is equality of JSON: reflexive, symmetric, and the opposite of `!=`.
    #[test]
    fn equality_is_that_of_json(a in any_value(), b in any_value()) {
        let names = json!({"a": a, "b": b});
        let value = |source: &str| Expression::read(source).unwrap().value(&names).unwrap();
        prop_assert_eq!(value("a == a"), true);
        prop_assert_eq!(value("a == b"), value("b == a"));
        prop_assert_eq!(value("a != b"), value("!(a == b)"));
        prop_assert_eq!(value("a == b"), Value::Bool(a == b));
    }
}

// D21: what is looked at has a budget, of all expressions of a stage's fields together: comparing makes nothing, and takes
// its time all the same.
#[test]
fn d21_looking_is_bounded() {
    use crate::pipeline::template::Template;
    let text = "x".repeat(MAX_MADE_BYTES);
    let names = json!({"a": text, "b": text, "list": [text]});
    let compared = Expression::read("a == b").unwrap();
    assert_eq!(compared.value(&names).unwrap(), true);
    for (source, fits, not) in [
        ("a == b", 60, 70),
        ("a != b", 60, 70),
        ("a < b", 60, 70),
        ("length(a) == 1", 60, 70),
        ("contains(a, 'y')", 60, 70),
        ("contains(list, b)", 60, 70),
        ("list == list", 60, 70),
        ("a == 'short'", 10_000, 10_000_000),
    ] {
        let fields =
            |count| Template::List(vec![Template::Expression(Expression::read(source).unwrap()); count]);
        assert!(fields(fits).render(&names).is_ok(), "{source}");
        if not < 1_000 {
            let failure = fields(not).render(&names).unwrap_err();
            assert!(failure.error.contains("looks at more than 67108864 bytes"), "{failure}");
        }
    }
}
