use crate::body::{Body, NOW, each};
use serde_json::{Map, Value};
use tiltyard_model::audit::{Act, ActResult, Action, Entry, Head};
use tiltyard_store::audit::{Filter, Window, append, chain, count, heads, page, stats};

const ALL: Window = Window { before: None, offset: 0, limit: 100 };

fn act(scope: &str, action: Action, at: i64) -> Act {
    Act {
        time: NOW + at,
        scope: scope.into(),
        actor: "ada".into(),
        action,
        target: "q".into(),
        result: ActResult::Ok,
        client: None,
        request_id: Some("r1".into()),
        phase: None,
        detail: Map::from_iter([("ü".to_owned(), Value::from(1.5))]),
    }
}

fn write(body: &Body, acts: Vec<Act>) -> Vec<Entry> {
    let mut known = heads(body.rows()).expect("reads");
    let mut written = Vec::new();
    for act in acts {
        let head: &mut Head = known.entry(act.scope.clone()).or_default();
        let entry = Entry::link(act, head);
        *head = entry.head();
        body.write(|tx| append(tx, &entry));
        written.push(entry);
    }
    written
}

// D52: what is read is what was written, to the last byte of its hash; the ends are known again after a restart.
#[test]
fn d52_entries_read_back_as_they_were() {
    each(|body| {
        assert!(heads(body.rows()).unwrap().is_empty());
        let acts = vec![
            act("system", Action::ScopePut, 0),
            act("a", Action::QueueChanged, 0),
            act("system", Action::TokenCreated, 1),
            act("b", Action::QueueChanged, 1),
            act("system", Action::TokenRevoked, 2),
        ];
        let written = write(body, acts);
        let own = chain(body.rows(), "system", 0, 10).unwrap();
        assert_eq!(own, [&written[0], &written[2], &written[4]].map(Clone::clone));
        assert!(own.iter().all(|entry| entry.hash == entry.digest()));
        assert_eq!(chain(body.rows(), "system", 1, 1).unwrap(), [written[2].clone()]);
        let ends = heads(body.rows()).expect("reads");
        assert_eq!((ends.len(), &ends["system"], &ends["a"]), (3, &written[4].head(), &written[1].head()));
    });
}

// D52: an entry is written once; nothing takes its place.
#[test]
fn d52_a_place_in_a_chain_is_taken_once() {
    each(|body| {
        let first = write(body, vec![act("a", Action::QueueChanged, 0)]).remove(0);
        let forged = Entry { actor: "eve".into(), ..first.clone() };
        let refused = body.refused(|tx| append(tx, &forged));
        assert!(matches!(refused, tiltyard_store::Error::Constraint { .. }), "{refused}");
        assert_eq!(chain(body.rows(), "a", 0, 10).unwrap(), [first]);
    });
}

// API3: newest first, one page after the other, also where many have the same time.
#[test]
fn api3_entries_are_listed_newest_first() {
    each(|body| {
        let acts = vec![
            act("a", Action::QueueChanged, 0),
            act("b", Action::QueueChanged, 0),
            act("a", Action::DeadLetterRetried, 0),
            act("b", Action::QueueChanged, 5),
        ];
        write(body, acts);
        let listed = |filter: &Filter, window: &Window| {
            let found = page(body.rows(), filter, window).unwrap();
            found.into_iter().map(|entry| format!("{}{}", entry.scope, entry.seq)).collect::<Vec<_>>()
        };
        let all = Filter::default();
        assert_eq!(listed(&all, &ALL), ["b2", "b1", "a2", "a1"]);
        let second = Window { before: Some((NOW, "b".into(), 1)), limit: 1, ..ALL };
        assert_eq!(listed(&all, &second), ["a2"]);
        assert_eq!(listed(&all, &Window { offset: 3, ..ALL }), ["a1"]);
        let own = Filter { chains: Some(vec!["a".into()]), ..Filter::default() };
        let one = Filter { action: Some("queue.changed".into()), until: Some(NOW + 5), ..own.clone() };
        assert_eq!(
            (listed(&own, &ALL), listed(&one, &ALL)),
            (vec!["a2".into(), "a1".into()], vec!["a1".to_owned()])
        );
        let since = Filter { since: Some(NOW + 5), actor: Some("ada".into()), ..Filter::default() };
        assert_eq!(listed(&since, &ALL), ["b2"]);
        assert_eq!(listed(&Filter { target: Some("x".into()), ..Filter::default() }, &ALL), [""; 0]);
        assert_eq!((count(body.rows(), &all, 3).unwrap(), count(body.rows(), &own, 10).unwrap()), (3, 2));
    });
}

#[test]
fn entries_are_counted_by_action() {
    each(|body| {
        let acts = vec![
            act("a", Action::QueueChanged, 3),
            act("b", Action::QueueChanged, 1),
            act("a", Action::ScopePut, 9),
        ];
        write(body, acts);
        let counted = |chains: Option<&[String]>| {
            let mut found = stats(body.rows(), chains).unwrap();
            found.sort();
            found
        };
        let all = [
            ("queue.changed".to_owned(), 2, NOW + 1, NOW + 3),
            ("scope.put".to_owned(), 1, NOW + 9, NOW + 9),
        ];
        assert_eq!(counted(None), all);
        assert_eq!(counted(Some(&["b".to_owned()])), [("queue.changed".to_owned(), 1, NOW + 1, NOW + 1)]);
    });
}
