use crate::body::{Body, NOW, each};
use tiltyard_model::change::record::{Change, Heads, Proposal, Record, Round};
use tiltyard_model::change::work::{Files, Stored};
use tiltyard_model::change::{State, Tier};
use tiltyard_model::id::Noun;
use tiltyard_store::change::{
    Filter, Found, checks, count, get, insert, keep_check, keep_proposal, page, proposals, unfinished, update,
};
use tiltyard_store::task::list::Window;

const TOP: Window = Window { below: i64::MAX, offset: 0, limit: 10 };

fn change(body: &Body, n: u16, scope: &str, repository: &str, state: State) -> Found {
    let id = body.id(Noun::Change, n);
    let change = Change {
        id,
        scope: scope.to_owned(),
        task: body.id(Noun::Task, n),
        repository: repository.to_owned(),
        state,
        gate: None,
        subject_sha256: None,
        tier: None,
        record: Record { title: "fix it".to_owned(), ..Record::default() },
        updated_at: NOW,
    };
    Found { change, key: id.key(), scope: body.scope(scope) }
}

#[test]
fn c18_a_change_is_kept_whole_and_moves_only_from_where_it_is() {
    each(|body| {
        let mut found = change(body, 1, "default", "app", State::Open);
        body.write(|tx| insert(tx, &found));
        assert_eq!(get(body.rows(), found.change.id).unwrap().as_ref(), Some(&found));
        found.change.state = State::Review;
        found.change.gate = Some(body.id(Noun::Gate, 5));
        found.change.subject_sha256 = Some("dd".to_owned());
        found.change.tier = Some(Tier::Sensitive);
        found.change.record.conflicts = vec!["a.rs".to_owned()];
        found.change.updated_at = NOW + 5;
        assert!(body.write(|tx| update(tx, State::Open, &found)));
        assert_eq!(get(body.rows(), found.change.id).unwrap().as_ref(), Some(&found));
        assert!(!body.write(|tx| update(tx, State::Open, &found)), "it is not open any more");
    });
}

#[test]
fn c33_proposals_and_runs_of_the_checks_are_kept_newest_first() {
    each(|body| {
        let found = change(body, 1, "default", "app", State::Open);
        body.write(|tx| insert(tx, &found));
        let bytes = |sha256: &str| Stored { id: None, sha256: sha256.to_owned(), bytes: 1 };
        let proposal = |generation| Proposal {
            heads: Heads {
                generation,
                agent: "a".to_owned(),
                base: "b".to_owned(),
                head: "h".to_owned(),
                tree: "t".to_owned(),
                diff: bytes("dd"),
                bundle: bytes("ee"),
            },
            merge_base: "b".to_owned(),
            at_ms: NOW,
            files: Files::default(),
            commits: Vec::new(),
            secrets: Vec::new(),
        };
        let round = |n: u16| Round {
            task: body.id(Noun::Task, n),
            generation: 1,
            tree: "t".to_owned(),
            at_ms: NOW,
            runs: Vec::new(),
        };
        for n in [1, 2, 2] {
            body.write(|tx| keep_proposal(tx, found.key, &proposal(i64::from(n))));
            body.write(|tx| keep_check(tx, found.key, &round(n)));
        }
        assert_eq!(proposals(body.rows(), found.key, 10).unwrap(), [proposal(2), proposal(1)]);
        assert_eq!(checks(body.rows(), found.key, 1).unwrap(), [round(2)]);
    });
}

#[test]
fn lists_are_filtered_and_go_on_where_they_ended() {
    each(|body| {
        let rows =
            [("one", "app", State::Review), ("one", "lib", State::Merged), ("two", "app", State::Review)];
        for (n, (scope, repository, state)) in (1..).zip(rows) {
            let found = change(body, n, scope, repository, state);
            body.write(|tx| insert(tx, &found));
        }
        let list = |filter: &Filter, window: Window| {
            let found = page(body.rows(), filter, window).unwrap();
            assert!(count(body.rows(), filter, 10).unwrap() as usize >= found.len());
            found.into_iter().map(|one| one.key - body.id(Noun::Change, 0).key()).collect::<Vec<_>>()
        };
        let all = Filter::default();
        assert_eq!(list(&all, TOP), [3, 2, 1]);
        assert_eq!(list(&all, Window { limit: 1, offset: 1, ..TOP }), [2]);
        assert_eq!(list(&all, Window { below: body.id(Noun::Change, 2).key(), ..TOP }), [1]);
        let review = Filter { state: Some(State::Review), ..all.clone() };
        assert_eq!(list(&review, TOP), [3, 1]);
        assert_eq!(list(&Filter { scopes: Some(vec!["one".to_owned()]), ..review.clone() }, TOP), [1]);
        assert_eq!(list(&Filter { repository: Some("lib".to_owned()), ..all.clone() }, TOP), [2]);
        assert_eq!(list(&Filter { task: Some(body.id(Noun::Task, 3).key()), ..all.clone() }, TOP), [3]);
        assert_eq!(count(body.rows(), &review, 1).unwrap(), 1);
        let one = body.scope("one");
        assert_eq!(unfinished(body.rows(), one, "app").unwrap(), Some(body.id(Noun::Change, 1)));
        assert_eq!(unfinished(body.rows(), one, "lib").unwrap(), None);
    });
}
