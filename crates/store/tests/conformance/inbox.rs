use crate::body::{Body, each};
use crate::dead_letter::{death, letter};
use crate::gate::{gate, of_run};
use tiltyard_model::dead_letter::State;
use tiltyard_model::gate::{Ended, State as GateState, SubjectKind};
use tiltyard_model::id::{Id, Noun};
use tiltyard_store::dead_letter::{Death, again, shift};
use tiltyard_store::gate::{insert, update};
use tiltyard_store::inbox::{After, Entry, Sort, Window, count_gates, count_letters, gates, letters};

fn from(after: After, limit: u32) -> Window {
    Window { after, limit }
}

/// The numbers of what was found, with what waits behind it.
fn numbers(entries: &[Entry]) -> Vec<(i64, i64)> {
    let first = Id::key_at(crate::body::NOW, 0);
    entries.iter().map(|entry| (entry.key - first, entry.weight)).collect()
}

fn weighing(body: &Body, n: u16, scope: &str, weight: i64) {
    let mut found = gate(body, n, scope, None);
    found.weight = weight;
    body.write(|tx| insert(tx, &found));
}

// D27: what most waits behind comes first, then the older; each page goes on where the last one ended.
#[test]
fn d27_gates_come_by_what_waits_behind_them() {
    each(|body| {
        for (n, scope, weight) in
            [(1, "one", 0), (2, "two", 5), (3, "one", 5), (4, "one", 0), (5, "two", 0), (6, "one", 9)]
        {
            weighing(body, n, scope, weight);
        }
        let mut ended = gate(body, 7, "one", None);
        ended.weight = 100;
        body.write(|tx| insert(tx, &ended));
        ended.gate.state = GateState::Approved;
        ended.gate.ended = Some(Ended::by(None, 1));
        body.write(|tx| update(tx, &ended));
        let rows = body.rows();
        let all = [(6, 9), (2, 5), (3, 5), (1, 0), (4, 0), (5, 0)];
        assert_eq!(numbers(&gates(rows, None, None, from(After::TOP, 10)).unwrap()), all);
        for limit in 1..=6 {
            let (mut seen, mut after) = (Vec::new(), After::TOP);
            loop {
                let page = gates(rows, None, None, from(after, limit)).unwrap();
                let Some(last) = page.last() else { break };
                after = After { weight: last.weight, key: last.key };
                seen.extend(numbers(&page));
            }
            assert_eq!(seen, all, "{limit} a page");
        }
        let one = Some(body.scope("one"));
        let rows = body.rows();
        assert_eq!(
            numbers(&gates(rows, one, None, from(After::TOP, 10)).unwrap()),
            [(6, 9), (3, 5), (1, 0), (4, 0)]
        );
        assert_eq!(count_gates(rows, None, None, 10).unwrap(), 6);
        assert_eq!(
            (count_gates(rows, one, None, 10).unwrap(), count_gates(rows, one, None, 3).unwrap()),
            (4, 3)
        );
    });
}

#[test]
fn d27_gates_are_told_apart_by_what_they_ask_about() {
    each(|body| {
        let change = gate(body, 1, "default", None);
        let artifact = of_run(body, 2, (1, 0, 1));
        let mut question = of_run(body, 3, (1, 1, 1));
        question.about.kind = SubjectKind::Question;
        let place = question.run.as_mut().unwrap();
        (place.artifact, place.origin) = (None, None);
        for found in [&change, &artifact, &question] {
            body.write(|tx| insert(tx, found));
        }
        let scope = Some(body.scope("default"));
        for (sort, n) in [(Sort::Change, 1), (Sort::Gate, 2), (Sort::Question, 3)] {
            for scope in [None, scope] {
                let found = gates(body.rows(), scope, Some(sort), from(After::TOP, 10)).unwrap();
                assert_eq!(numbers(&found), [(n, 0)], "{sort:?}");
                assert_eq!(count_gates(body.rows(), scope, Some(sort), 10).unwrap(), 1);
            }
        }
    });
}

// D27: a letter waits as long as nobody has dealt with it; how much its task held up is known anew with each death.
#[test]
fn d27_letters_come_by_what_their_death_called_off() {
    each(|body| {
        let blocks = |blocked| Death { blocked, ..death("f", 0) };
        letter(body, "one", 1, &blocks(0));
        let second = letter(body, "two", 2, &blocks(3));
        let third = letter(body, "one", 3, &blocks(8));
        let all = |body: &Body| numbers(&letters(body.rows(), None, from(After::TOP, 10)).unwrap());
        assert_eq!(all(body), [(3, 8), (2, 3), (1, 0)]);
        let one = Some(body.scope("one"));
        assert_eq!(numbers(&letters(body.rows(), one, from(After::TOP, 10)).unwrap()), [(3, 8), (1, 0)]);
        let after = After { weight: 8, key: third.key() };
        assert_eq!(numbers(&letters(body.rows(), None, from(after, 1)).unwrap()), [(2, 3)]);
        body.write(|tx| shift(tx, third.key(), (State::Pending, State::Dismissed), Some("known"), 1));
        assert_eq!(all(body), [(2, 3), (1, 0)]);
        assert_eq!(
            (count_letters(body.rows(), None, 9).unwrap(), count_letters(body.rows(), one, 9).unwrap()),
            (2, 1)
        );
        body.write(|tx| shift(tx, second.key(), (State::Pending, State::Retrying), None, 1));
        body.write(|tx| again(tx, second.key(), &blocks(0)));
        assert_eq!(all(body), [(1, 0), (2, 0)]);
        assert_eq!(body.id(Noun::DeadLetter, 2), second);
    });
}
