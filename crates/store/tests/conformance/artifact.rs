use crate::body::{Body, each};
use tiltyard_model::id::{Id, Noun};
use tiltyard_store::artifact::{
    Artifact, by_digest, count_attempt, delete_of_task, digests_of_task, get, insert, is_named, of_attempt,
};

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

// D10: a task that is gone names nothing any more; what another one names stays named.
#[test]
fn d10_the_artifacts_of_a_task_go_with_it() {
    each(|body| {
        let (gone, stays) = (body.id(Noun::Task, 1), body.id(Noun::Task, 2));
        let rows = [
            artifact(body, 1, "default", "aa", Some((gone, 1))),
            artifact(body, 2, "default", "aa", Some((gone, 2))),
            artifact(body, 3, "default", "bb", Some((gone, 1))),
            artifact(body, 4, "default", "bb", Some((stays, 1))),
        ];
        body.write(|tx| rows.iter().try_for_each(|row| insert(tx, row)));
        let mut digests = digests_of_task(body.rows(), gone.key(), 10).unwrap();
        digests.sort();
        assert_eq!(digests, ["aa", "bb"]);
        assert_eq!(digests_of_task(body.rows(), gone.key(), 1).unwrap().len(), 1);
        body.write(|tx| delete_of_task(tx, gone.key()));
        assert!(!is_named(body.rows(), "aa").unwrap() && is_named(body.rows(), "bb").unwrap());
        assert_eq!(get(body.rows(), rows[0].id).unwrap(), None);
        assert!(get(body.rows(), rows[3].id).unwrap().is_some());
    });
}
