use crate::body::{Body, NOW, each};
use tiltyard_model::id::Id;
use tiltyard_store::Error;
use tiltyard_store::name::{contents_of_scope, delete_scope, put_actor};
use tiltyard_store::pipeline::{
    Head, Publication, Version, Window, count, count_of_scope, delete, get, get_number, graph, head,
    insert_version, page, put, version, version_by_digest,
};

const ALL: Window = Window { after: None, offset: 0, limit: 100 };

fn content(scope: i64, n: u16) -> Version {
    Version {
        key: Id::key_at(NOW, n),
        scope,
        sha256: format!("{n:064x}"),
        source: format!("# ü {n}\nstages: []\n"),
        canonical: r#"{"stages":[]}"#.into(),
        graph: r#"{"nodes":[]}"#.into(),
        stages: 3,
        created_at: NOW,
    }
}

/// Publishes the `n`th content.
fn publish(body: &Body, scope: i64, name: &str, (n, number): (u16, i64)) {
    let kept = content(scope, n);
    body.write(|tx| {
        if version(tx, kept.key)?.is_none() {
            insert_version(tx, &kept)?;
        }
        let by = put_actor(tx, "ann")?;
        put(tx, &Publication { scope, name, version: kept.key, number, at: NOW + number, by })
    });
}

// D20: a name stands for a content, each other one is another number, and what was published stays as it was.
#[test]
fn d20_a_name_has_a_number_for_each_content() {
    each(|body| {
        let scope = body.scope("a");
        publish(body, scope, "notes", (1, 1));
        publish(body, scope, "notes", (2, 2));
        publish(body, scope, "notes", (1, 3));
        let now = get(body.rows(), "a", "notes").unwrap().unwrap();
        assert_eq!((now.number, now.version, now.stages), (3, content(scope, 1).key, 3));
        assert_eq!(
            (&*now.scope, &*now.name, &*now.published_by, now.published_at),
            ("a", "notes", "ann", NOW + 3)
        );
        let second = get_number(body.rows(), "a", "notes", 2).unwrap().unwrap();
        assert_eq!(
            (second.number, &second.sha256, second.published_at),
            (2, &content(scope, 2).sha256, NOW + 2)
        );
        assert_eq!(get_number(body.rows(), "a", "notes", 4).unwrap(), None);
        assert_eq!(version(body.rows(), second.version).unwrap(), Some(content(scope, 2)));
        assert_eq!(graph(body.rows(), second.version).unwrap().as_deref(), Some(r#"{"nodes":[]}"#));
        assert_eq!((version(body.rows(), 7).unwrap(), graph(body.rows(), 7).unwrap()), (None, None));
        let twice = Version { key: 7, ..content(scope, 1) };
        assert!(matches!(body.refused(|tx| insert_version(tx, &twice)), Error::Constraint { .. }));
        let found = version_by_digest(body.rows(), scope, &twice.sha256).unwrap();
        assert_eq!(found, Some(content(scope, 1).key));
        assert_eq!(version_by_digest(body.rows(), scope + 1, &twice.sha256).unwrap(), None);
    });
}

#[test]
fn a_deleted_name_goes_on_counting() {
    each(|body| {
        let scope = body.scope("a");
        assert_eq!(head(body.rows(), scope, "notes").unwrap(), None);
        publish(body, scope, "notes", (1, 1));
        assert_eq!(contents_of_scope(body.rows(), scope).unwrap().pipelines, 1);
        body.write(|tx| delete(tx, scope, "notes", NOW + 9));
        let gone = Head { version: content(scope, 1).key, number: 1, deleted_at: Some(NOW + 9) };
        assert_eq!(head(body.rows(), scope, "notes").unwrap(), Some(gone));
        assert_eq!(get(body.rows(), "a", "notes").unwrap(), None);
        assert_eq!(get_number(body.rows(), "a", "notes", 1).unwrap(), None);
        assert_eq!(count_of_scope(body.rows(), scope).unwrap(), 0);
        assert_eq!(contents_of_scope(body.rows(), scope).unwrap().pipelines, 0);
        publish(body, scope, "notes", (1, 2));
        assert_eq!(get(body.rows(), "a", "notes").unwrap().unwrap().number, 2);
    });
}

// API3: by scope and name, one page after the other.
#[test]
fn api3_pipelines_are_listed_by_scope_and_name() {
    each(|body| {
        let (a, b, gone) = (body.scope("a"), body.scope("b"), body.scope("gone"));
        for (n, (scope, name)) in (1..).zip([(b, "x"), (a, "y"), (a, "x"), (a, "z"), (gone, "x")]) {
            publish(body, scope, name, (n, 1));
        }
        body.write(|tx| delete(tx, a, "z", NOW));
        body.write(|tx| delete_scope(tx, gone, NOW));
        let listed = |scopes: Option<&[String]>, window: Window| {
            let found = page(body.rows(), scopes, &window).unwrap().into_iter();
            found.map(|one| format!("{}/{}", one.scope, one.name)).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, ALL), ["a/x", "a/y", "b/x"]);
        assert_eq!(listed(None, Window { after: Some(("a".into(), "y".into())), ..ALL }), ["b/x"]);
        assert_eq!(listed(None, Window { offset: 1, limit: 1, ..ALL }), ["a/y"]);
        let own = ["a".to_owned()];
        assert_eq!(listed(Some(&own), ALL), ["a/x", "a/y"]);
        let counted = (count(body.rows(), Some(&own), 10).unwrap(), count(body.rows(), None, 2).unwrap());
        assert_eq!(counted, (2, 2));
    });
}
