use super::*;
use serde_json::json;

fn expression(source: &str) -> Expression {
    Expression::read(source).unwrap()
}

fn text(parts: &[&str]) -> Template {
    let part = |part: &&str| match part.strip_prefix('$') {
        Some(source) => Part::Expression(expression(source)),
        None => Part::Text((*part).to_owned()),
    };
    Template::Text(parts.iter().map(part).collect())
}

// D21: alone an expression keeps its kind, in a longer text it becomes text.
#[test]
fn d21_kinds_are_kept_alone_and_become_text_in_texts() {
    let names = json!({"n": 3, "t": "x", "l": [1, "b"], "z": null});
    for (template, expected) in [
        (Template::Expression(expression("n")), json!(3)),
        (Template::Expression(expression("l")), json!([1, "b"])),
        (Template::Expression(expression("z")), json!(null)),
        (text(&["a ", "$n", " ", "$t", "$l"]), json!("a 3 x[1,\"b\"]")),
        (Template::Value(json!({"k": 1})), json!({"k": 1})),
    ] {
        assert_eq!(template.render(&names).unwrap(), expected);
    }
    let template = Template::Object(vec![("a".into(), Template::List(vec![text(&["-", "$t"])]))]);
    assert_eq!(template.render(&names).unwrap(), json!({"a": ["-x"]}));
    assert_eq!(template.source(), json!({"a": ["-${{ t }}"]}));
    assert_eq!(template.expressions().len(), 1);
}

// D21: what has no value is told by its field, its expression and a sentence.
#[test]
fn d21_what_has_no_value_is_a_failure_with_its_place() {
    let names = json!({"z": null});
    let inside = |template| Template::Object(vec![("a/b".into(), Template::List(vec![template]))]);
    let failure = inside(Template::Expression(expression("z.x"))).render(&names).unwrap_err();
    assert_eq!((failure.field.as_str(), failure.expression.as_str()), ("/a~1b/0", "z.x"));
    assert!(failure.to_string().starts_with("/a~1b/0: z is null here"), "{failure}");
    let failure = inside(text(&["is ", "$z"])).render(&names).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "/a~1b/0: z is null, which is nothing to put into a text; write default(…, \"\")"
    );
}

#[test]
fn what_grows_too_large_is_refused() {
    let names = json!({"x": "y".repeat(MAX_RENDERED_BYTES / 2)});
    let template = Template::List(vec![Template::Expression(expression("x")); 3]);
    let failure = template.render(&names).unwrap_err();
    assert_eq!(failure.field, "/1");
    assert!(failure.error.contains("1048576 bytes"));
    assert!(text(&["$x", "$x", "$x"]).render(&names).is_err());
}
