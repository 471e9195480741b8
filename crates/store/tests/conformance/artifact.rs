use crate::body::{Body, each};
use tiltyard_model::id::{Id, Noun};
use tiltyard_store::artifact::{Artifact, by_digest, count_attempt, get, insert, of_attempt};

fn artifact(body: &Body, n: u16, scope: &str, sha256: &str, attempt: Option<(Id, i64)>) -> Artifact {
    Artifact {
        id: body.id(Noun::Artifact, n),
        scope: body.scope(scope),
        scope_name: scope.to_owned(),
        sha256: sha256.to_owned(),
        size: 5,
        media_type: "text/x-diff".to_owned(),
        name: Some("change.diff".to_owned()),
        attempt,
    }
}

#[test]
fn d21_a_row_names_bytes_and_the_attempt_that_stored_them() {
    each(|body| {
        let task = body.id(Noun::Task, 1);
        let new = artifact(body, 1, "default", "aa", Some((task, 3)));
        body.write(|tx| insert(tx, &new));
        assert_eq!(get(body.rows(), new.id).unwrap().as_ref(), Some(&new));
        assert_eq!(of_attempt(body.rows(), task.key(), 3, "aa").unwrap().as_ref(), Some(&new));
        assert_eq!(of_attempt(body.rows(), task.key(), 2, "aa").unwrap(), None);
        assert_eq!(count_attempt(body.rows(), task.key(), 3).unwrap(), 1);
        let foreign = Id::from_parts(Noun::Artifact, new.id.key(), 1);
        assert_eq!(get(body.rows(), foreign).unwrap(), None, "an id that this store did not make");
    });
}

// SEC4: a digest finds only what lies in the caller's scopes.
#[test]
fn sec4_a_digest_is_looked_for_in_the_named_scopes() {
    each(|body| {
        let (one, two) = (artifact(body, 1, "one", "aa", None), artifact(body, 2, "two", "aa", None));
        body.write(|tx| insert(tx, &one).and_then(|()| insert(tx, &two)));
        let find = |scopes: Option<&[String]>| by_digest(body.rows(), "aa", scopes).unwrap();
        assert_eq!(find(None).as_ref(), Some(&two), "the newest of all");
        assert_eq!(find(Some(&["one".to_owned()])).as_ref(), Some(&one));
        assert_eq!(find(Some(&["three".to_owned()])), None);
        assert_eq!(find(Some(&[])), None);
    });
}
