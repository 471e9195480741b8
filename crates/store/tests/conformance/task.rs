use crate::body::{Body, NOW, each};
use std::sync::Arc;
use tiltyard_model::agent::Agent;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{OnDependencyFailure, Spec, State, Unique};
use tiltyard_store::task::list::{Filter, Window, count, due, overdue, page};
use tiltyard_store::task::{
    Claim, Found, Insert, Move, Names, Settle, attempts, boot, by_key, by_keys, claim, claim_many, delete,
    dependency, forget_payload, insert, progress, renew, settle, shift,
};
use tiltyard_store::unique::{self, Hold};
use tiltyard_store::{agent, event, meta, name};

const ALL: Window = Window { below: i64::MAX, offset: 0, limit: 100 };

/// A scope, a queue, an agent and an actor.
#[derive(Clone, Copy)]
struct World {
    scope: i64,
    queue: i64,
    agent: i64,
    actor: i64,
}

fn world(body: &Body) -> World {
    let scope = body.scope("s");
    let agent = Agent {
        name: "worker".into(),
        instance: None,
        profile: Default::default(),
        draining: false,
        created_at: NOW,
        last_seen: None,
        record: Default::default(),
    };
    body.write(|tx| {
        let queue = name::put_queue(tx, scope, "q", &Default::default())?;
        Ok(World { scope, queue, agent: agent::put(tx, &agent)?, actor: name::put_actor(tx, "ada")? })
    })
}

fn spec() -> Spec {
    Spec {
        scope: "s".into(),
        queue: "q".into(),
        kind: "command".into(),
        title: "a title".into(),
        payload: r#"{"ü":[1,null,"\u0000"]}"#.into(),
        priority: 5,
        extras: Default::default(),
        depends_on: Vec::new(),
        run_at: None,
        deadline: None,
        timeout_ms: 1_000,
        max_attempts: 3,
        unique: None,
    }
}

fn put(body: &Body, world: World, n: u16, state: State, spec: &Spec) -> i64 {
    let key = body.id(Noun::Task, n).key();
    body.write(|tx| insert(tx, &new(key, world, state, spec)));
    key
}

fn new(key: i64, world: World, state: State, spec: &Spec) -> Insert<'_> {
    Insert {
        key,
        scope: world.scope,
        queue: world.queue,
        lane: 1,
        state,
        spec,
        created_by: world.actor,
        ready_at: (state == State::Ready).then_some(NOW),
        waits_for: u32::from(state == State::Pending),
        run: None,
    }
}

fn taking(key: i64, world: World) -> Claim<'static> {
    Claim { key, agent: world.agent, instance: Some("one"), claim: Some(-7), lease_ms: 30_000, now: NOW + 1 }
}

const NAMES: Names<'static> = Names { scope: "s", queue: "q", agent: "worker" };

fn ending(key: i64, generation: i64, outcome: Outcome, state: State) -> Settle<'static> {
    Settle {
        key,
        generation,
        outcome,
        result: Some(r#"{"ok":true}"#),
        error: None,
        state,
        used: 1,
        run_at: None,
        now: NOW + 2,
        stop: None,
        reason: None,
    }
}

// D1: a task is kept whole.
#[test]
fn d1_a_task_reads_back_whole() {
    each(|body| {
        let world = world(body);
        let first = put(body, world, 1, State::Ready, &spec());
        let mut own = spec();
        own.extras.labels = vec!["ä".into(), "b".into()];
        own.extras.category = Some("docs".into());
        own.depends_on = vec![body.rows().id(Noun::Task, first)];
        own.unique = Some(Unique { key: "k".into(), for_ms: Some(9) });
        (own.deadline, own.run_at, own.priority) = (Some(NOW + 9), Some(NOW + 5), 10);
        let key = put(body, world, 2, State::Pending, &own);
        let found = by_key(body.rows(), key).unwrap().expect("is there");
        assert_eq!((&found.task.spec, found.task.state, found.task.waits_for), (&own, State::Pending, 1));
        assert_eq!((found.task.created_by.as_str(), found.agent, found.lane), ("ada", None, 1));
        let mut both: Vec<i64> =
            by_keys(body.rows(), &[key, first, 1]).unwrap().iter().map(|found| found.key).collect();
        both.sort_unstable();
        assert_eq!(both, [first, key]);
        assert_eq!(dependency::dependents(body.rows(), first).unwrap(), [key]);
        let unfinished = |rule| dependency::unfinished(body.rows(), key, rule).unwrap();
        assert_eq!(
            (unfinished(OnDependencyFailure::Run), dependency::failed(body.rows(), key).unwrap()),
            (1, None)
        );
        assert_eq!(boot::last_key(body.rows()).unwrap(), key);
        body.write(|tx| delete(tx, key));
        assert_eq!(by_key(body.rows(), key).unwrap(), None);
    });
}

// E3: only a ready task is given away, and each time with a generation of its own.
#[test]
fn e3_a_task_is_claimed_once() {
    each(|body| {
        let world = world(body);
        let keys: Vec<i64> = (1..=4).map(|n| put(body, world, n, State::Ready, &spec())).collect();
        let one = body.write(|tx| claim(tx, &taking(keys[0], world), NAMES)).expect("was ready");
        assert_eq!(
            (one.task.state, one.task.generation, one.task.lease_ms),
            (State::Running, 1, Some(30_000))
        );
        assert_eq!(body.write(|tx| claim(tx, &taking(keys[0], world), NAMES)), None);
        let claims: Vec<Claim<'_>> = keys.iter().rev().map(|key| taking(*key, world)).collect();
        let many = body.write(|tx| claim_many(tx, &claims, &[NAMES; 4]));
        let given: Vec<Option<i64>> = many.iter().map(|found| found.as_ref().map(|own| own.key)).collect();
        assert_eq!(given, [Some(keys[3]), Some(keys[2]), Some(keys[1]), None]);
        let read = by_key(body.rows(), keys[1]).unwrap().expect("is there");
        let told = many[2].as_ref().expect("was ready");
        assert_eq!((&read.task.attempt, read.agent), (&told.task.attempt, told.agent));
        let mut running = 0;
        boot::held(body.rows(), &mut || Ok(()), |_| running += 1).unwrap();
        assert_eq!(running, 4);
        assert_eq!(body.write(|tx| claim_many(tx, &[], &[])), []);
    });
}

// D1, D3: attempts end, are kept apart, and the task goes on.
#[test]
fn d3_attempts_are_kept_in_order() {
    each(|body| {
        let world = world(body);
        let key = put(body, world, 1, State::Ready, &spec());
        let mut other = spec();
        other.payload = "{}".into();
        for generation in 1..=3 {
            body.write(|tx| claim(tx, &taking(key, world), NAMES)).expect("was ready");
            assert!(body.write(|tx| progress(tx, key, generation, Some(0.5), None)));
            let end = Settle { error: Some("no"), ..ending(key, generation, Outcome::Failed, State::Ready) };
            assert!(body.write(|tx| settle(tx, &end)));
        }
        let found = by_key(body.rows(), key).unwrap().expect("is there");
        assert_eq!(
            (found.task.progress, found.task.used, found.task.ready_at),
            (Some(0.5), 1, Some(NOW + 2))
        );
        let all = attempts(body.rows(), key).unwrap();
        let told: Vec<_> =
            all.iter().map(|own| (own.generation, own.outcome, own.error.as_deref())).collect();
        assert_eq!(told, [1, 2, 3].map(|n| (n, Some(Outcome::Failed), Some("no"))));
        body.write(|tx| renew(tx, key, &other, 2).and_then(|()| forget_payload(tx, key)));
        assert_eq!(attempts(body.rows(), key).unwrap().len(), 3);
        let found = by_key(body.rows(), key).unwrap().expect("is there");
        assert_eq!((found.lane, found.task.used, found.task.progress), (2, 0, None));
    });
}

// API20: lists by every filter, newest first.
#[test]
fn api20_tasks_are_found_by_every_filter() {
    each(|body| {
        let world = world(body);
        let states = [State::Ready, State::Succeeded, State::Dead, State::Ready, State::Succeeded];
        for (n, state) in (1..).zip(states) {
            let mut own = spec();
            own.title = ["Äpfel 100%", "b_c", "B-C", "x", "y"][usize::from(n) - 1].into();
            own.kind = if n % 2 == 0 { "even".into() } else { "odd".into() };
            own.extras.category = (n == 2).then(|| "docs".into());
            own.extras.labels = if n == 3 { vec!["red".into(), "blue".into()] } else { Vec::new() };
            put(body, world, n, state, &own);
        }
        let first = body.id(Noun::Task, 1).key();
        body.write(|tx| claim(tx, &taking(first, world), NAMES)).expect("was ready");
        let found = |filter: Filter| {
            let listed = page(body.rows(), &filter, ALL).unwrap();
            assert_eq!(count(body.rows(), &filter, 100).unwrap(), listed.len() as u64, "{filter:?}");
            let place = |found: Found| (1..=5).find(|n| body.id(Noun::Task, *n).key() == found.key).unwrap();
            listed.into_iter().map(place).collect::<Vec<u16>>()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found(Filter::default()), [5, 4, 3, 2, 1]);
        for (states, expected) in [
            (vec![State::Succeeded], vec![5, 2]),
            (vec![State::Ready], vec![4]),
            (vec![State::Ready, State::Dead], vec![4, 3]),
            (vec![State::Running, State::Succeeded], vec![5, 2, 1]),
        ] {
            assert_eq!(found(Filter { states, ..Filter::default() }), expected);
        }
        assert_eq!(found(Filter { kind: text("even"), ..Filter::default() }), [4, 2]);
        assert_eq!(found(Filter { category: text("docs"), ..Filter::default() }), [2]);
        assert_eq!(found(Filter { label: text("blue"), ..Filter::default() }), [3]);
        assert_eq!(found(Filter { agent: text("worker"), ..Filter::default() }), [1]);
        assert_eq!(found(Filter { queue: text("q"), ..Filter::default() }), [5, 4, 3, 2, 1]);
        assert_eq!(found(Filter { queues: Some(vec!["r".into()]), ..Filter::default() }), [0; 0]);
        assert_eq!(
            found(Filter { scopes: Some(vec!["s".into(), "t".into()]), ..Filter::default() }).len(),
            5
        );
        assert_eq!(found(Filter { scopes: Some(vec![]), ..Filter::default() }), [0; 0]);
        // Any case of the letters a to z, and signs as they are.
        for (words, expected) in [
            ("b_c", vec![2]),
            ("B-c", vec![3]),
            ("100%", vec![1]),
            ("ÄPFEL", vec![1]),
            ("äpfel", vec![]),
            ("\\", vec![]),
        ] {
            assert_eq!(found(Filter { words: text(words), ..Filter::default() }), expected, "{words}");
        }
        let second = Window { below: body.id(Noun::Task, 4).key(), offset: 1, limit: 1 };
        assert_eq!(
            page(body.rows(), &Filter::default(), second).unwrap()[0].key,
            body.id(Noun::Task, 2).key()
        );
    });
}

// API20: those of a run, beside every other filter, and told with what a claim gives.
#[test]
fn api20_tasks_of_a_run_are_found_by_it() {
    each(|body| {
        let world = world(body);
        let run = body.id(Noun::Run, 3);
        let own = spec();
        for (n, run) in [(1, Some(run)), (2, None), (3, Some(body.id(Noun::Run, 4))), (4, Some(run))] {
            let (key, state) = (body.id(Noun::Task, n).key(), State::Ready);
            let new = Insert { run: run.map(Id::key), ..new(key, world, state, &own) };
            body.write(|tx| insert(tx, &new));
        }
        let key = |n| body.id(Noun::Task, n).key();
        let taken = body.write(|tx| claim(tx, &taking(key(1), world), NAMES)).expect("was ready");
        assert_eq!(taken.run, Some(run.key()));
        assert_eq!(by_key(body.rows(), key(1)).unwrap().and_then(|found| found.run), Some(run.key()));
        assert_eq!(by_key(body.rows(), key(2)).unwrap().and_then(|found| found.run), None);
        let found = |filter: &Filter| {
            let listed = page(body.rows(), filter, ALL).unwrap();
            assert_eq!(count(body.rows(), filter, 100).unwrap(), listed.len() as u64, "{filter:?}");
            listed.into_iter().map(|found| found.key - key(0)).collect::<Vec<_>>()
        };
        let mine = Filter { run: Some(run), ..Filter::default() };
        assert_eq!(found(&mine), [4, 1]);
        assert_eq!(found(&Filter { states: vec![State::Running], ..mine.clone() }), [1]);
        assert_eq!(found(&Filter { states: vec![State::Succeeded], ..mine.clone() }), [0; 0]);
        assert_eq!(found(&Filter { scopes: Some(Vec::new()), ..mine.clone() }), [0; 0]);
        assert_eq!(found(&Filter { run: Some(body.id(Noun::Run, 9)), ..mine.clone() }), [0; 0]);
        let next = Window { below: key(4), ..ALL };
        assert_eq!(page(body.rows(), &mine, next).unwrap()[0].key, key(1));
    });
}

// API20, E23: running tasks that are read by key, since somebody knows who runs, are those that are found without: with every other
// filter, beside other states, and wherever the page lies. Who is named and does not run is not among them.
#[test]
fn api20_running_tasks_are_found_by_key_as_without() {
    each(|body| {
        let world = world(body);
        for n in 1..=12 {
            let state = if n % 4 == 3 { State::Dead } else { State::Ready };
            let own = Spec { kind: if n % 2 == 0 { "even".into() } else { "odd".into() }, ..spec() };
            put(body, world, n, state, &own);
        }
        let key = |n: u16| body.id(Noun::Task, n).key();
        let taken = [1, 2, 5, 6, 8];
        for n in taken {
            body.write(|tx| claim(tx, &taking(key(n), world), NAMES)).expect("was ready");
        }
        body.write(|tx| settle(tx, &ending(key(8), 1, Outcome::Succeeded, State::Succeeded)));
        let keys: Arc<[i64]> = taken.into_iter().chain([3, 4, 99]).map(key).collect();
        let some = |text: &str| Some(text.to_owned());
        let others = [
            Filter::default(),
            Filter { kind: some("even"), agent: some("worker"), ..Filter::default() },
            Filter {
                scopes: Some(vec!["s".into()]),
                queue: some("q"),
                words: some("title"),
                ..Filter::default()
            },
            Filter { queues: Some(vec!["r".into()]), ..Filter::default() },
        ];
        let windows = [
            ALL,
            Window { below: key(6), offset: 0, limit: 2 },
            Window { below: i64::MAX, offset: 2, limit: 3 },
            Window { below: key(9), offset: 1, limit: 100 },
            Window { below: i64::MAX, offset: 9_000, limit: 100 },
        ];
        let states: [&[State]; 5] = [
            &[State::Running],
            &[State::Running, State::Dead],
            &[State::Running, State::Dead, State::Succeeded],
            &[State::Running, State::Ready],
            &[State::Dead],
        ];
        let found = |filter: &Filter, window: Window| {
            let found = page(body.rows(), filter, window).unwrap();
            found.into_iter().map(|found| found.key).collect::<Vec<_>>()
        };
        for (other, states) in others.iter().flat_map(|other| states.map(|states| (other, states))) {
            let without = Filter { states: states.to_vec(), ..other.clone() };
            let by_key = Filter { running: Some(Arc::clone(&keys)), ..without.clone() };
            for window in windows {
                assert_eq!(found(&by_key, window), found(&without, window), "{without:?} {window:?}");
            }
            for limit in [100, 3, 1] {
                let counted = [&by_key, &without].map(|filter| count(body.rows(), filter, limit).unwrap());
                assert_eq!(counted[0], counted[1], "{without:?} {limit}");
            }
        }
        let none = Filter {
            states: vec![State::Running, State::Dead],
            running: Some([].into()),
            ..Filter::default()
        };
        assert_eq!(found(&none, ALL), [11, 7, 3].map(key), "nobody else is looked for");
        let none = Filter { states: vec![State::Running], ..none };
        assert_eq!((found(&none, ALL).len(), count(body.rows(), &none, 9).unwrap()), (0, 0));
    });
}

// D4, D9: what is due, the earliest first.
#[test]
fn d4_what_is_due_comes_in_order() {
    each(|body| {
        let world = world(body);
        for (n, at) in [(1, 30), (2, 10), (3, 20)] {
            let own = Spec { run_at: Some(at), deadline: Some(100 - at), ..spec() };
            put(body, world, n, State::Scheduled, &own);
        }
        let places = |keys: Vec<i64>| -> Vec<u16> {
            let place = |key: i64| (1..=3).find(|n| body.id(Noun::Task, *n).key() == key).unwrap();
            keys.into_iter().map(place).collect()
        };
        assert_eq!(places(due(body.rows(), 20, 10).unwrap()), [2, 3]);
        assert_eq!(places(overdue(body.rows(), 80, 10).unwrap()), [1, 3]);
        assert_eq!(places(overdue(body.rows(), 100, 1).unwrap()), [1]);
    });
}

// A deed, and a part of one, takes back its own and nothing else, whatever was read in between.
#[test]
fn a_deed_takes_back_its_own_and_nothing_else() {
    each(|body| {
        let writer = body.writer();
        let tx = writer.tx();
        let there = |key: &str| meta::get(tx, key).unwrap().is_some();
        writer.begin().unwrap();
        for reads in [false, true] {
            let at = |key: &str| format!("{key} {reads}");
            let look = |key: &str| assert!(!reads || there(&at(key)), "{key}");
            writer.save().unwrap();
            meta::put(tx, &at("first"), "x").unwrap();
            look("first");
            writer.keep().unwrap();
            writer.save().unwrap();
            meta::put(tx, &at("gone"), "x").unwrap();
            look("gone");
            tx.save_part().unwrap();
            meta::put(tx, &at("gone with it"), "x").unwrap();
            look("gone with it");
            tx.keep_part().unwrap();
            writer.undo().unwrap();
            writer.save().unwrap();
            meta::put(tx, &at("kept"), "x").unwrap();
            tx.save_part().unwrap();
            look("kept");
            meta::put(tx, &at("part"), "x").unwrap();
            look("part");
            tx.undo_part().unwrap();
            meta::put(tx, &at("after"), "x").unwrap();
            writer.keep().unwrap();
        }
        writer.commit().unwrap();
        for reads in [false, true] {
            let found = ["first", "gone", "gone with it", "kept", "part", "after"];
            let found = found.map(|key| there(&format!("{key} {reads}")));
            assert_eq!(found, [true, false, false, true, false, true], "with reads: {reads}");
        }
    });
}

// What is alike may travel together, and still happens in its order.
#[test]
fn writes_of_many_sorts_keep_their_order() {
    each(|body| {
        let world = world(body);
        let keys: Vec<i64> = (1..=3).map(|n| body.id(Noun::Task, n).key()).collect();
        body.write(|tx| {
            for key in &keys {
                let new = Insert {
                    key: *key,
                    scope: world.scope,
                    queue: world.queue,
                    lane: 1,
                    state: State::Ready,
                    spec: &spec(),
                    created_by: world.actor,
                    ready_at: Some(NOW),
                    waits_for: 0,
                    run: None,
                };
                insert(tx, &new)?;
                unique::put(tx, Hold { task: *key, hash: 1, until: None })?;
                unique::put(tx, Hold { task: *key, hash: 2, until: Some(5) })?;
                event::advance_scope(tx, world.scope, *key)?;
            }
            for (from, to) in [(State::Ready, State::Scheduled), (State::Scheduled, State::Cancelled)] {
                for key in &keys {
                    let run_at = Some(NOW);
                    let step = Move {
                        key: *key,
                        from,
                        generation: 0,
                        to,
                        run_at,
                        waits_for: 0,
                        now: NOW,
                        reason: None,
                    };
                    assert!(shift(tx, &step)?);
                }
            }
            unique::end(tx, keys[0])
        });
        let mut held = Vec::new();
        unique::all(body.rows(), &mut || Ok(()), |own| held.push((own.task, own.hash))).unwrap();
        assert_eq!(held, [(keys[1], 2), (keys[2], 2)]);
        assert_eq!(name::last_seq_of_scope(body.rows(), world.scope).unwrap(), keys[2]);
        let states: Vec<State> =
            keys.iter().map(|key| by_key(body.rows(), *key).unwrap().unwrap().task.state).collect();
        assert_eq!(states, [State::Cancelled; 3]);
    });
}
