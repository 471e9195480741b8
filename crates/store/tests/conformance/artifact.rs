use crate::body::{Body, each};
use tiltyard_model::id::{Id, Noun};
use tiltyard_store::artifact::{
    Artifact, Loose, Named, Stored, by_digest, count_attempt, delete, delete_of_task, digests_of_task, get,
    insert, is_named, loose, of_attempt, of_run, outputs_of_attempt, refer,
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
        run: None,
        output: None,
    }
}

#[test]
fn d21_a_row_names_bytes_and_the_attempt_that_stored_them() {
    each(|body| {
        let task = body.id(Noun::Task, 1);
        let new = artifact(body, 1, "default", "aa", Some((task, 3)));
        body.write(|tx| insert(tx, &new));
        assert_eq!(get(body.rows(), new.id).unwrap().as_ref(), Some(&new));
        let stored = Stored { task: task.key(), generation: 3, sha256: "aa", output: None };
        assert_eq!(of_attempt(body.rows(), stored).unwrap().as_ref(), Some(&new));
        assert_eq!(of_attempt(body.rows(), Stored { generation: 2, ..stored }).unwrap(), None);
        assert_eq!(of_attempt(body.rows(), Stored { output: Some("a"), ..stored }).unwrap(), None);
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

// D21: the same bytes may be two outputs of an attempt; one that is handed in again has its newest row last.
#[test]
fn d21_outputs_are_found_by_their_attempt() {
    each(|body| {
        let task = body.id(Noun::Task, 1);
        let row = |n, sha256: &str, generation, output: Option<&str>| Artifact {
            output: output.map(str::to_owned),
            ..artifact(body, n, "default", sha256, Some((task, generation)))
        };
        let rows = [
            row(1, "aa", 3, Some("a")),
            row(2, "aa", 3, Some("b")),
            row(3, "cc", 3, Some("a")),
            row(4, "aa", 3, None),
            row(5, "aa", 2, Some("a")),
        ];
        body.write(|tx| rows.iter().try_for_each(|row| insert(tx, row)));
        let found = outputs_of_attempt(body.rows(), task.key(), 3, 10).unwrap();
        assert_eq!(found, rows[..3]);
        assert_eq!(outputs_of_attempt(body.rows(), task.key(), 3, 2).unwrap().len(), 2);
        let stored = Stored { task: task.key(), generation: 3, sha256: "aa", output: Some("b") };
        assert_eq!(of_attempt(body.rows(), stored).unwrap().as_ref(), Some(&rows[1]));
        let plain = Stored { output: None, ..stored };
        assert_eq!(of_attempt(body.rows(), plain).unwrap().as_ref(), Some(&rows[3]));
    });
}

// D22: what a run has, it keeps when the task that made it goes; it is listed in pages.
#[test]
fn d22_a_run_keeps_its_artifacts() {
    each(|body| {
        let (run, task) = (body.id(Noun::Run, 1), body.id(Noun::Task, 2));
        let row = |n, sha256: &str| Artifact {
            run: Some(run),
            output: Some("draft".to_owned()),
            ..artifact(body, n, "default", sha256, Some((task, 1)))
        };
        let rows = [row(3, "aa"), row(4, "bb"), row(5, "cc")];
        body.write(|tx| rows.iter().try_for_each(|row| insert(tx, row)));
        assert_eq!(digests_of_task(body.rows(), task.key(), 10).unwrap(), [""; 0]);
        body.write(|tx| delete_of_task(tx, task.key()));
        assert_eq!(of_run(body.rows(), run.key(), 0, 2).unwrap(), rows[..2]);
        assert_eq!(of_run(body.rows(), run.key(), rows[1].id.key(), 2).unwrap(), rows[2..]);
        assert_eq!(of_run(body.rows(), run.key() + 1, 0, 2).unwrap(), []);
    });
}

// D21: what was stored for nobody is loose; what a run names is told apart.
#[test]
fn d21_loose_rows_are_told_apart() {
    each(|body| {
        let (run, task) = (body.id(Noun::Run, 9), body.id(Noun::Task, 8));
        let rows: Vec<Artifact> = (1..=3).map(|n| artifact(body, n, "default", "aa", None)).collect();
        let others = [
            artifact(body, 4, "default", "bb", Some((task, 1))),
            Artifact { run: Some(run), ..artifact(body, 5, "default", "cc", None) },
        ];
        body.write(|tx| rows.iter().chain(&others).try_for_each(|row| insert(tx, row)));
        let key = |n: usize| rows[n].id.key();
        body.write(|tx| refer(tx, key(1), run.key()).and_then(|()| refer(tx, key(1), run.key())));
        let told =
            |n: usize, named| Loose { key: key(n), scope: rows[n].scope, sha256: "aa".to_owned(), named };
        let all = [told(0, Named::ByNobody), told(1, Named::ByRun), told(2, Named::ByNobody)];
        assert_eq!(loose(body.rows(), 0, i64::MAX, 10).unwrap(), all);
        assert_eq!(loose(body.rows(), 0, i64::MAX, 2).unwrap(), all[..2]);
        assert_eq!(loose(body.rows(), key(0), key(2), 10).unwrap(), all[1..2]);
        body.write(|tx| delete(tx, key(0)));
        assert_eq!(get(body.rows(), rows[0].id).unwrap(), None);
        assert_eq!(loose(body.rows(), 0, i64::MAX, 10).unwrap(), all[1..]);
    });
}
