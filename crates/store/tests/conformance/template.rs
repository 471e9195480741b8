use crate::body::{NOW, each};
use serde_json::json;
use tiltyard_model::template::Template;
use tiltyard_store::name::{contents_of_scope, delete_scope};
use tiltyard_store::template::{Kept, Window, count, count_of_scope, delete, get, page, put};

const ALL: Window = Window { after: None, offset: 0, limit: 100 };

fn kept(scope: &str, name: &str) -> Kept {
    let task = json!({"payload": {"ü": [1, null]}}).as_object().cloned().expect("is an object");
    let template = Template { scope: scope.into(), name: name.into(), description: "d".into(), task };
    Kept { template, updated_at: NOW }
}

#[test]
fn a_template_is_saved_over_and_deleted() {
    each(|body| {
        let scope = body.scope("a");
        let first = kept("a", "docs");
        body.write(|tx| put(tx, scope, &first));
        assert_eq!(get(body.rows(), "a", "docs").unwrap(), Some(first));
        let mut second = kept("a", "docs");
        second.template.description = "other".into();
        second.updated_at += 1;
        body.write(|tx| put(tx, scope, &second));
        assert_eq!(get(body.rows(), "a", "docs").unwrap(), Some(second));
        assert_eq!(contents_of_scope(body.rows(), scope).unwrap().templates, 1);
        assert!(body.write(|tx| delete(tx, scope, "docs")));
        assert!(!body.write(|tx| delete(tx, scope, "docs")));
        assert_eq!(count_of_scope(body.rows(), scope).unwrap(), 0);
    });
}

// API3: by scope and name, one page after the other.
#[test]
fn api3_templates_are_listed_by_scope_and_name() {
    each(|body| {
        let (a, b, gone) = (body.scope("a"), body.scope("b"), body.scope("gone"));
        for (key, scope, name) in [(b, "b", "x"), (a, "a", "y"), (a, "a", "x"), (gone, "gone", "x")] {
            body.write(|tx| put(tx, key, &kept(scope, name)));
        }
        body.write(|tx| delete_scope(tx, gone, NOW));
        let listed = |scopes: Option<&[String]>, window: Window| {
            let found = page(body.rows(), scopes, &window).unwrap();
            let name = |kept: Kept| format!("{}/{}", kept.template.scope, kept.template.name);
            found.into_iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, ALL), ["a/x", "a/y", "b/x"]);
        assert_eq!(listed(None, Window { after: Some(("a".into(), "y".into())), ..ALL }), ["b/x"]);
        assert_eq!(listed(None, Window { offset: 1, limit: 1, ..ALL }), ["a/y"]);
        let own = ["a".to_owned()];
        assert_eq!(listed(Some(&own), ALL), ["a/x", "a/y"]);
        assert_eq!(
            (count(body.rows(), Some(&own), 10).unwrap(), count(body.rows(), None, 2).unwrap()),
            (2, 2)
        );
    });
}
