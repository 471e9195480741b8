use crate::body::{Body, NOW, each};
use tiltyard_model::event::{Subject, Type};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::task::State;
use tiltyard_store::event::{
    Append, Event, Filter, advance_scope, after, append, between, bounds, epoch_of, forget_parts,
};
use tiltyard_store::name::{counts, fold_counts, last_seq_of_scope, put_actor, scopes, tally};
use tiltyard_store::{Error, Tx};

/// What a test tells of an event; the rest follows.
struct Told {
    scope: i64,
    kind: Type,
    subject: Subject,
    task: Option<Id>,
    run: Option<Id>,
}

fn write(body: &Body, first: i64, told: &[Told]) {
    let actor = body.write(|tx| put_actor(tx, "ada"));
    for (seq, one) in (first..).zip(told) {
        let event = Append {
            seq,
            epoch: if seq < 3 { 1 } else { 2 },
            scope: one.scope,
            scope_seq: seq * 10,
            kind: one.kind,
            time: NOW + seq,
            actor,
            request: Some("r1"),
            subject: &one.subject,
            task: one.task.map(Id::key),
            run: one.run.map(Id::key),
            data: r#"{"ü":1}"#,
        };
        body.write(|tx| append(tx, &event));
    }
}

fn log(body: &Body) -> (Id, Id) {
    let (a, b) = (body.scope("a"), body.scope("b"));
    let (task, letter) = (body.id(Noun::Task, 1), body.id(Noun::DeadLetter, 1));
    let told = [
        Told { scope: a, kind: Type::TaskSubmitted, subject: task.into(), task: None, run: None },
        Told { scope: b, kind: Type::QueueUpdated, subject: "q".into(), task: None, run: None },
        Told { scope: a, kind: Type::TaskDead, subject: task.into(), task: None, run: None },
        Told { scope: a, kind: Type::DeadLetterAdded, subject: letter.into(), task: Some(task), run: None },
        Told {
            scope: b,
            kind: Type::TaskSubmitted,
            subject: body.id(Noun::Task, 2).into(),
            task: None,
            run: None,
        },
    ];
    write(body, 1, &told);
    (task, letter)
}

fn seqs(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.seq).collect()
}

// D50: an event reads back whole, with the names of what it refers to.
#[test]
fn d50_an_event_reads_back_whole() {
    each(|body| {
        let (task, letter) = log(body);
        let found = after(body.rows(), 3, &Filter::default(), 1).unwrap().remove(0);
        let expected = Event {
            seq: 4,
            epoch: 2,
            scope: "a".into(),
            scope_seq: 40,
            kind: Type::DeadLetterAdded,
            time: NOW + 4,
            actor: "ada".into(),
            request: Some("r1".into()),
            subject: Subject::Id(letter),
            task: Some(task),
            run: None,
            data: r#"{"ü":1}"#.into(),
        };
        assert_eq!(found, expected);
        let named = after(body.rows(), 1, &Filter::default(), 1).unwrap().remove(0);
        assert_eq!((named.subject, named.task), (Subject::Name("q".into()), None));
    });
}

// E5: in the order of the log, after a seq, up to another.
#[test]
fn e5_events_are_read_in_order() {
    each(|body| {
        assert_eq!((bounds(body.rows()).unwrap(), epoch_of(body.rows(), 1).unwrap()), ((0, 0), None));
        log(body);
        let all = Filter::default();
        assert_eq!(seqs(&after(body.rows(), 0, &all, 100).unwrap()), [1, 2, 3, 4, 5]);
        assert_eq!(seqs(&after(body.rows(), 2, &all, 2).unwrap()), [3, 4]);
        assert_eq!(seqs(&between(body.rows(), (1, 3), &all, 100).unwrap()), [2, 3]);
        assert_eq!(bounds(body.rows()).unwrap(), (1, 5));
        assert_eq!([2, 3, 6].map(|seq| epoch_of(body.rows(), seq).unwrap()), [Some(1), Some(2), None]);
    });
}

// API20, SEC4: the filters.
#[test]
fn api20_events_are_found_by_scope_type_and_subject() {
    each(|body| {
        let (task, letter) = log(body);
        let found = |filter: Filter| seqs(&after(body.rows(), 0, &filter, 100).unwrap());
        let scopes = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(found(Filter { scopes: scopes(&["a"]), ..Filter::default() }), [1, 3, 4]);
        assert_eq!(found(Filter { scopes: scopes(&[]), ..Filter::default() }), [0; 0]);
        let types = Some(vec![Type::TaskSubmitted, Type::QueueUpdated]);
        assert_eq!(found(Filter { types: types.clone(), ..Filter::default() }), [1, 2, 5]);
        assert_eq!(found(Filter { types, scopes: scopes(&["b", "c"]), ..Filter::default() }), [2, 5]);
        let about = |subject: Subject| found(Filter { subject: Some(subject), ..Filter::default() });
        assert_eq!(
            (about(task.into()), about(letter.into()), about("q".into())),
            (vec![1, 3, 4], vec![4], vec![2])
        );
    });
}

// API20, D25: what belongs to a run, whatever it is about.
#[test]
fn d25_events_are_found_by_their_run() {
    each(|body| {
        let scope = body.scope("a");
        let (run, other) = (body.id(Noun::Run, 1), body.id(Noun::Run, 2));
        let task = body.id(Noun::Task, 1);
        let told = |subject: Subject, run| Told { scope, kind: Type::TaskReady, subject, task: None, run };
        let all = [
            told(run.into(), Some(run)),
            told(task.into(), Some(run)),
            told(other.into(), Some(other)),
            told("q".into(), None),
            told("q".into(), Some(run)),
        ];
        write(body, 1, &all);
        let of = |run| Filter { run: Some(run), ..Filter::default() };
        let found = after(body.rows(), 0, &of(run), 100).unwrap();
        assert_eq!(seqs(&found), [1, 2, 5]);
        assert!(found.iter().all(|event| event.run == Some(run)));
        assert_eq!(seqs(&between(body.rows(), (1, 4), &of(run), 100).unwrap()), [2]);
        assert_eq!(seqs(&after(body.rows(), 0, &of(other), 100).unwrap()), [3]);
        let any = Filter { runs_only: true, ..Filter::default() };
        assert_eq!(seqs(&after(body.rows(), 1, &any, 100).unwrap()), [2, 3, 5]);
        let elsewhere = Filter { scopes: Some(vec!["b".into()]), ..of(run) };
        assert_eq!(seqs(&after(body.rows(), 0, &elsewhere, 100).unwrap()), [0; 0]);
        let foreign = Id::from_parts(Noun::Run, run.key(), 5);
        assert_eq!(seqs(&after(body.rows(), 0, &of(foreign), 100).unwrap()), [0; 0]);
        assert_eq!(after(body.rows(), 3, &Filter::default(), 1).unwrap()[0].run, None);
    });
}

// D50: where a scope's own sequence stands is kept, and comes back with the scope.
#[test]
fn d50_the_sequence_of_a_scope_is_kept() {
    each(|body| {
        let key = body.scope("a");
        body.write(|tx| advance_scope(tx, key, 17));
        body.write(|tx| tiltyard_store::name::delete_scope(tx, key, NOW));
        assert!(scopes(body.rows()).unwrap().iter().all(|row| row.key != key));
        assert_eq!(last_seq_of_scope(body.rows(), key).unwrap(), 17);
        assert_eq!(body.scope("a"), key);
        let back = scopes(body.rows()).unwrap().into_iter().find(|row| row.key == key).unwrap();
        assert_eq!(back.last_seq, 17);
    });
}

// E37: what every transaction raises goes on in another row now and then, and the newest one counts.
#[test]
fn e37_the_sequence_of_a_scope_moves_on_to_other_rows() {
    each(|body| {
        let key = body.scope("a");
        for last_seq in [17, 32_767, 32_768, 32_769, 1_000_000] {
            body.write(|tx| advance_scope(tx, key, last_seq));
            assert_eq!(last_seq_of_scope(body.rows(), key).unwrap(), last_seq);
        }
        let other = body.scope("b");
        body.write(|tx| advance_scope(tx, other, 5));
        let forgotten = [1, 9, 9].map(|limit| body.write(|tx| forget_parts(tx, limit)));
        assert_eq!(forgotten, [1, 1, 0], "of three parts the newest is kept");
        let last = [key, other].map(|key| last_seq_of_scope(body.rows(), key).unwrap());
        assert_eq!(last, [1_000_000, 5]);
    });
}

// E37: what is counted in parts is put together, but for the part that is still written.
#[test]
fn e37_parts_of_counts_are_put_together() {
    each(|body| {
        let count = |queue, state, by, last_seq| body.write(|tx| tally(tx, queue, state, by, last_seq));
        let counts = || {
            let mut found = counts(body.rows()).unwrap();
            found.sort_unstable();
            found
        };
        for (at, last_seq) in (1..).zip([1, 40_000, 70_000, 100_000]) {
            count(1, State::Succeeded, at, last_seq);
            count(1, State::Dead, 10 * at, last_seq);
            count(2, State::Succeeded, 100 * at, last_seq);
        }
        let before = counts();
        let folded = [(); 3].map(|()| body.write(|tx| fold_counts(tx, 100_001)));
        assert_eq!(folded, [true, true, false], "the first one holds them, the last one is still written");
        assert_eq!(counts(), before);
        count(2, State::Succeeded, -100, 100_002);
        assert!(body.write(|tx| fold_counts(tx, 200_000)));
        assert_eq!(counts().last(), Some(&(2, State::Succeeded.code(), 900)));
    });
}

// E37: a thousand at once, the way that many rows take, reads back as one by one; among them, one that is there already takes all
// of them back.
#[test]
fn e37_many_at_once_are_the_same() {
    each(|body| {
        let scope = body.scope("a");
        let actor = body.write(|tx| put_actor(tx, "ada"));
        let subject = Subject::Name("ein Wort mit ü".into());
        let event = |seq: i64| Append {
            seq,
            epoch: 1,
            scope,
            scope_seq: seq,
            kind: Type::QueueUpdated,
            time: NOW + seq,
            actor,
            request: (seq % 2 == 0).then_some("r"),
            subject: &subject,
            task: (seq % 3 == 0).then_some(seq),
            run: (seq % 5 == 0).then_some(seq),
            data: r#"{"ü":"\\ \t"}"#,
        };
        let all = |tx: &Tx, range: std::ops::Range<i64>| {
            range.into_iter().try_for_each(|seq| append(tx, &event(seq)))
        };
        body.write(|tx| all(tx, 1..1_001));
        let found = after(body.rows(), 0, &Filter::default(), 2_000).unwrap();
        assert_eq!(seqs(&found), (1..1_001).collect::<Vec<_>>());
        for one in &found {
            assert_eq!(one.subject, subject);
            assert_eq!((one.time, &*one.data), (NOW + one.seq, r#"{"ü":"\\ \t"}"#));
            assert_eq!(one.request.is_some(), one.seq % 2 == 0);
        }
        let refusal =
            body.refused(|tx| all(tx, 1_001..2_000).and_then(|()| all(tx, 7..8)).and_then(|()| tx.flush()));
        assert!(matches!(refusal, Error::Constraint { .. }), "{refusal}");
        assert_eq!(after(body.rows(), 0, &Filter::default(), 2_000).unwrap().len(), 1_000);
    });
}
