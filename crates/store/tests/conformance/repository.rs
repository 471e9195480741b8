use crate::body::{Body, NOW, each};
use tiltyard_model::change::work::RulesFile;
use tiltyard_model::id::Noun;
use tiltyard_model::repository::settings::Settings;
use tiltyard_model::repository::{Registration, Repository, Source, State};
use tiltyard_store::repository::{Window, count, delete, find, get, page, put};

fn repository(body: &Body, scope: &str, name: &str) -> Repository {
    let registration = Registration {
        name: name.to_owned(),
        source: Source::Path(format!("/srv/{name}")),
        branch: "main".to_owned(),
        agent: "builder".to_owned(),
        settings: Settings { concurrency: Some(3), ..Settings::default() },
    };
    Repository {
        scope: scope.to_owned(),
        candidate: Some(Registration { branch: "next".to_owned(), ..registration.clone() }),
        registration,
        state: State::Probing,
        probe: Some(body.id(Noun::Task, 9)),
        head: None,
        rules: Some(RulesFile { sha256: "cc".to_owned(), text: Some("checks = []".to_owned()) }),
        error: Some("not yet".to_owned()),
        created_at: NOW,
        probed_at: None,
    }
}

#[test]
fn c19_a_repository_is_kept_whole_and_kept_anew() {
    each(|body| {
        let scope = body.scope("default");
        let first = repository(body, "default", "app");
        body.write(|tx| put(tx, scope, &first));
        assert_eq!(get(body.rows(), scope, "app").unwrap().as_ref(), Some(&first));
        let mut second = first.clone();
        second.registration.source = Source::Url("ssh://host/app.git".to_owned());
        (second.candidate, second.rules, second.error) = (None, None, None);
        (second.state, second.probed_at) = (State::Ready, Some(NOW + 1));
        body.write(|tx| put(tx, scope, &second));
        assert_eq!(get(body.rows(), scope, "app").unwrap().as_ref(), Some(&second));
        assert_eq!(find(body.rows(), "default", "app").unwrap(), Some(second));
        assert_eq!(find(body.rows(), "other", "app").unwrap(), None);
        assert!(body.write(|tx| delete(tx, scope, "app")));
        assert!(!body.write(|tx| delete(tx, scope, "app")));
        assert_eq!(get(body.rows(), scope, "app").unwrap(), None);
    });
}

#[test]
fn sec4_lists_are_of_the_named_scopes_and_go_on_where_they_ended() {
    each(|body| {
        for (scope, name) in [("one", "b"), ("two", "c"), ("one", "a")] {
            let key = body.scope(scope);
            body.write(|tx| put(tx, key, &repository(body, scope, name)));
        }
        let list = |scopes: Option<&[String]>, after, limit| {
            let window = Window { after, offset: 0, limit };
            let found = page(body.rows(), scopes, &window).unwrap();
            found.into_iter().map(|one| one.registration.name).collect::<Vec<_>>()
        };
        assert_eq!(list(None, ("", ""), 10), ["a", "b", "c"]);
        assert_eq!(list(None, ("one", "a"), 1), ["b"]);
        assert_eq!(list(Some(&["two".to_owned()]), ("", ""), 10), ["c"]);
        assert_eq!(list(Some(&[]), ("", ""), 10), [""; 0]);
        assert_eq!(count(body.rows(), None, 10).unwrap(), 3);
        assert_eq!(count(body.rows(), None, 2).unwrap(), 2);
        assert_eq!(count(body.rows(), Some(&["one".to_owned()]), 10).unwrap(), 2);
    });
}
