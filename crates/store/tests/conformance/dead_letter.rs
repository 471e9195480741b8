use crate::body::{Body, NOW, each};
use tiltyard_model::dead_letter::{Letter, State};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::{Assignment, Settings};
use tiltyard_model::task::{Extras, Spec, State as TaskState};
use tiltyard_store::dead_letter::{
    Death, Filter, Place, Window, again, boot_counts, boot_retrying, count, delete, evictable, get, groups,
    insert, keys, of_task, over, page, revive, shift, stats,
};
use tiltyard_store::name::{contents_of_scope, put_actor, put_lane, put_queue};
use tiltyard_store::task::{Insert, by_key, forget_payload};

const ALL: Window = Window { below: i64::MAX, offset: 0, limit: 100 };

fn spec(scope: &str, n: u16) -> Spec {
    Spec {
        scope: scope.into(),
        queue: "q".into(),
        kind: "work".into(),
        title: format!("task {n}"),
        payload: r#"{"n":1}"#.into(),
        priority: 7,
        extras: Extras { labels: vec!["x".into()], ..Extras::default() },
        depends_on: Vec::new(),
        run_at: Some(NOW),
        deadline: None,
        timeout_ms: 1_000,
        max_attempts: 1,
        unique: None,
    }
}

/// The `n`th task of a scope; gives its key and its scope's.
fn task(body: &Body, scope: &str, n: u16) -> (i64, i64) {
    let (key, scope_key, spec) = (body.id(Noun::Task, n).key(), body.scope(scope), spec(scope, n));
    body.write(|tx| {
        let queue = put_queue(tx, scope_key, "q", &Settings::default())?;
        let new = Insert {
            key,
            scope: scope_key,
            queue,
            lane: put_lane(tx, queue, &Lane::of(&spec, Assignment::Fair))?,
            state: TaskState::Dead,
            spec: &spec,
            created_by: put_actor(tx, "ada")?,
            ready_at: None,
            waits_for: 0,
            run: None,
        };
        tiltyard_store::task::insert(tx, &new)
    });
    (key, scope_key)
}

pub(crate) fn death(fingerprint: &'static str, at: i64) -> Death<'static> {
    Death {
        fingerprint,
        kind: "work",
        category: Some("docs"),
        error: "it broke",
        agent: None,
        at: NOW + at,
        attempts: 3,
        blocked: 0,
    }
}

/// The letter of a fresh `n`th task.
pub(crate) fn letter(body: &Body, scope: &str, n: u16, death: &Death<'_>) -> Id {
    let (task, scope) = task(body, scope, n);
    let id = body.id(Noun::DeadLetter, n);
    body.write(|tx| insert(tx, id.key(), scope, task, death));
    id
}

fn look(body: &Body, id: Id) -> Letter {
    get(body.rows(), id.key()).expect("reads").expect("is there")
}

fn move_to(body: &Body, id: Id, from: State, to: State, at: i64) {
    assert!(body.write(|tx| shift(tx, id.key(), (from, to), Some("known"), NOW + at)));
}

// D10: a letter reads back with what people need to know of its task.
#[test]
fn d10_a_letter_reads_back_with_its_task() {
    each(|body| {
        let id = letter(body, "a", 1, &death("f1", 0));
        let expected = Letter {
            id,
            scope: "a".into(),
            task: body.id(Noun::Task, 1),
            state: State::Pending,
            fingerprint: "f1".into(),
            category: Some("docs".into()),
            error: "it broke".into(),
            agent: None,
            failed_at: NOW,
            attempts: 3,
            retries: 0,
            reason: None,
            payload: r#"{"n":1}"#.into(),
            original_payload: None,
            title: "task 1".into(),
            queue: "q".into(),
            kind: "work".into(),
            priority: 7,
            labels: vec!["x".into()],
            created_by: "ada".into(),
        };
        assert_eq!(look(body, id), expected);
        let task = body.id(Noun::Task, 1).key();
        let place = Place { key: id.key(), task, state: State::Pending };
        assert_eq!(
            (of_task(body.rows(), task).unwrap(), of_task(body.rows(), 1).unwrap()),
            (Some(place), None)
        );
    });
}

// D10: every move asks where the letter stands, so that none is made twice.
#[test]
fn d10_moves_are_conditional() {
    each(|body| {
        let id = letter(body, "a", 1, &death("f1", 0));
        let key = id.key();
        assert!(!body.write(|tx| again(tx, key, &death("f2", 1))), "it is pending");
        assert!(body.write(|tx| revive(tx, key, Some("first"), NOW + 1)));
        assert!(!body.write(|tx| revive(tx, key, Some("second"), NOW + 1)), "it is retrying");
        assert_eq!(boot_retrying(body.rows()).unwrap(), [(body.id(Noun::Task, 1).key(), key)]);
        assert!(body.write(|tx| again(tx, key, &death("f2", 2))));
        assert!(body.write(|tx| revive(tx, key, Some("second"), NOW + 3)));
        let found = look(body, id);
        assert_eq!((found.retries, found.fingerprint.as_str(), found.failed_at), (2, "f2", NOW + 2));
        assert_eq!(found.original_payload.as_deref(), Some("first"), "D12: the first one stays");
        assert!(!body.write(|tx| shift(tx, key, (State::Pending, State::Dismissed), None, NOW)));
        move_to(body, id, State::Retrying, State::Resolved, 4);
        assert_eq!(
            (look(body, id).state, look(body, id).reason.as_deref()),
            (State::Resolved, Some("known"))
        );
        body.write(|tx| delete(tx, key));
        assert_eq!(get(body.rows(), key).unwrap(), None);
    });
}

// D11: the oldest by when they turned so go first, then by id; others never.
#[test]
fn d11_the_oldest_that_are_dealt_with_go_first() {
    each(|body| {
        let ids: Vec<Id> = (1..=5).map(|n| letter(body, "a", n, &death("f1", 0))).collect();
        for (index, at) in [(2, 10), (0, 20), (1, 20)] {
            move_to(body, ids[index], State::Pending, State::Dismissed, at);
        }
        let scope = body.scope("a");
        let found = |limit| {
            let places = evictable(body.rows(), scope, limit).unwrap();
            places.into_iter().map(|place| place.key).collect::<Vec<_>>()
        };
        assert_eq!(found(10), [ids[2], ids[0], ids[1]].map(Id::key));
        assert_eq!(found(1), [ids[2].key()]);
        letter(body, "b", 6, &death("f1", 0));
        assert_eq!(over(body.rows(), 1).unwrap(), [("a".to_owned(), 2)]);
        assert_eq!(over(body.rows(), 2).unwrap(), []);
        let mut counts = boot_counts(body.rows()).unwrap();
        counts.sort_by_key(|(scope, state, _)| (*scope, *state as usize));
        assert_eq!(counts[..2], [(scope, State::Pending, 2), (scope, State::Dismissed, 3)]);
        assert_eq!(contents_of_scope(body.rows(), scope).unwrap().dead_letters, 5);
    });
}

// D12: groups, the one with the most pending letters first.
#[test]
fn d12_letters_are_grouped_by_fingerprint() {
    each(|body| {
        letter(body, "a", 1, &death("f1", 5));
        letter(body, "a", 2, &death("f2", 1));
        let last = letter(body, "a", 3, &death("f2", 9));
        letter(body, "b", 4, &death("f2", 2));
        move_to(body, last, State::Pending, State::Dismissed, 10);
        letter(body, "a", 5, &death("f2", 3));
        let found = |scopes: Option<&[String]>| {
            let all = groups(body.rows(), scopes, 10).unwrap();
            let short = |group: tiltyard_model::dead_letter::Group| {
                (format!("{}/{}", group.scope, group.fingerprint), group.pending, group.total)
            };
            all.into_iter().map(short).collect::<Vec<_>>()
        };
        let all = [("a/f2".to_owned(), 2, 3), ("a/f1".to_owned(), 1, 1), ("b/f2".to_owned(), 1, 1)];
        assert_eq!(found(None), all);
        assert_eq!(found(Some(&["b".to_owned()])), [("b/f2".to_owned(), 1, 1)]);
        let first = groups(body.rows(), None, 1).unwrap().remove(0);
        assert_eq!((first.first_at, first.last_at, first.error.as_str()), (NOW + 1, NOW + 9, "it broke"));
    });
}

// API3, SEC4: lists, counts and keys by the same filters.
#[test]
fn sec4_letters_are_found_by_scope_state_category_and_group() {
    each(|body| {
        let plain = Death { category: None, ..death("f2", 0) };
        let ids = [
            letter(body, "a", 1, &death("f1", 0)),
            letter(body, "b", 2, &death("f1", 0)),
            letter(body, "a", 3, &plain),
        ];
        move_to(body, ids[2], State::Pending, State::Dismissed, 1);
        let found = |filter: Filter| {
            let listed = page(body.rows(), &filter, ALL).unwrap();
            let mut listed: Vec<i64> = listed.iter().map(|letter| letter.id.key()).collect();
            assert_eq!(count(body.rows(), &filter, 10).unwrap(), listed.len() as u64);
            listed.reverse();
            assert_eq!(keys(body.rows(), &filter, 10).unwrap(), listed);
            listed
        };
        let all = Filter::default();
        assert_eq!(found(all.clone()), ids.map(Id::key));
        let of_a = Filter { scopes: Some(vec!["a".into()]), ..all.clone() };
        assert_eq!(found(of_a.clone()), [ids[0].key(), ids[2].key()]);
        assert_eq!(found(Filter { state: Some(State::Pending), ..of_a.clone() }), [ids[0].key()]);
        assert_eq!(
            found(Filter { fingerprint: Some("f1".into()), ..all.clone() }),
            [ids[0].key(), ids[1].key()]
        );
        assert_eq!(found(Filter { category: Some("docs".into()), ..of_a }), [ids[0].key()]);
        assert_eq!(found(Filter { scopes: Some(Vec::new()), ..all.clone() }), [0; 0]);
        let below = Window { below: ids[2].key(), limit: 1, ..ALL };
        assert_eq!(page(body.rows(), &all, below).unwrap()[0].id, ids[1]);
        let counted = stats(body.rows(), Some(&["a".to_owned()])).unwrap();
        assert_eq!(counted, [(State::Pending, 1), (State::Dismissed, 1)]);
    });
}

// D10: the payload of a task that stays can be emptied.
#[test]
fn d10_a_payload_can_be_forgotten() {
    each(|body| {
        let (key, _) = task(body, "a", 1);
        body.write(|tx| forget_payload(tx, key));
        assert_eq!(by_key(body.rows(), key).unwrap().unwrap().task.spec.payload, "{}");
    });
}
