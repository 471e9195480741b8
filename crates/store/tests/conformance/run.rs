//! Rows of runs: heads, lists, what the memory is made from. Their parts are in `run_part.rs`.

use crate::body::{Body, NOW, each};
use tiltyard_model::id::Noun;
use tiltyard_model::run::stage::{Feedback, Past, Stage, State as StageState, Why};
use tiltyard_model::run::window::{Open, Rest, Tally};
use tiltyard_model::run::{Going, Item, Part, Progress, State, Stops};
use tiltyard_store::name::put_actor;
use tiltyard_store::run::item::{List, To};
use tiltyard_store::run::list::{Filter, count, page};
use tiltyard_store::run::timer::{Timer, What};
use tiltyard_store::run::{
    Found, Insert, Made, Slot, Standing, boot, by_key, children, get, input, insert, item, refer, stage,
    timer, update,
};
use tiltyard_store::task::list::Window;
use tiltyard_store::{Error, Rows};

const TOP: Window = Window { below: i64::MAX, offset: 0, limit: 10 };

/// A stage that has not begun.
pub(crate) fn pending() -> Stage {
    Stage {
        state: StageState::Pending,
        attempt: 0,
        failures: 0,
        unmet: 0,
        why: None,
        feedback: None,
        sent_back: 0,
        past: Past::Counts,
    }
}

/// The same in another state and attempt.
pub(crate) fn stage_in(state: StageState, attempt: u32) -> Stage {
    Stage { state, attempt, ..pending() }
}

pub(crate) fn standing(state: State) -> Standing {
    Standing {
        state,
        reruns: 0,
        stops: Stops::default(),
        begun_at: None,
        ended_at: None,
        error: None,
        progress: None,
    }
}

/// What a plain run is made as.
pub(crate) fn made(body: &Body, scope: &str, root: i64) -> Made {
    Made {
        scope: body.scope(scope),
        version: 7,
        pipeline: None,
        number: None,
        title: None,
        slot: None,
        parent: None,
        root,
        depth: 1,
        began_seq: 3,
        started_by: body.write(|tx| put_actor(tx, "ada")),
        submitter: None,
        pins: Default::default(),
        created_at: NOW,
    }
}

/// Writes the `n`th run; gives its key.
pub(crate) fn put(
    body: &Body,
    n: u16,
    state: State,
    stages: &[Stage],
    change: impl FnOnce(&mut Made),
) -> i64 {
    let key = body.id(Noun::Run, n).key();
    let mut made = made(body, "s", key);
    change(&mut made);
    let new = Insert { key, made: &made, standing: &standing(state), input: "{}", stages };
    body.write(|tx| insert(tx, &new));
    key
}

#[test]
fn d20_a_run_is_kept_whole_and_moves_only_from_where_it_is() {
    each(|body| {
        let id = body.id(Noun::Run, 5);
        let part = Part { stage: 2, attempt: 3, item: Some(Item { index: 4, attempt: 1 }) };
        let made = Made {
            pipeline: Some("nightly".into()),
            number: Some(4),
            title: Some("über".into()),
            slot: Some(Slot { schedule: "each-night".into(), revision: 2, at: NOW - 5 }),
            parent: Some((77, part)),
            root: 70,
            depth: 3,
            submitter: Some("ada@example.org".into()),
            pins: [("inner".to_owned(), 12)].into(),
            ..made(body, "s", 0)
        };
        let mut now = standing(State::Queued);
        let new = Insert {
            key: id.key(),
            made: &made,
            standing: &now,
            input: r#"{"ü":[null]}"#,
            stages: &[pending(), pending()],
        };
        body.write(|tx| insert(tx, &new));
        let expected = |standing: &Standing| Found {
            id,
            key: id.key(),
            scope_name: "s".into(),
            started_by: "ada".into(),
            made: made.clone(),
            standing: standing.clone(),
        };
        assert_eq!(get(body.rows(), id).unwrap(), Some(expected(&now)));
        assert_eq!(get(body.rows(), body.id(Noun::Task, 5)).unwrap(), None);
        assert_eq!(input(body.rows(), id.key()).unwrap().as_deref(), Some(r#"{"ü":[null]}"#));
        assert_eq!(stage::all(body.rows(), id.key()).unwrap().len(), 2);

        now = Standing {
            state: State::Failed,
            reruns: 2,
            stops: Stops { asked: 3, stopped: 1, unconfirmed: 1 },
            begun_at: Some(NOW + 1),
            ended_at: Some(NOW + 2),
            error: Some("build: exit code 1".into()),
            progress: Some(Progress { stages: 2, ended: 2, items: 30, items_ended: 20, items_failed: 1 }),
        };
        assert!(body.write(|tx| update(tx, id.key(), State::Queued, &now)));
        assert_eq!(by_key(body.rows(), id.key()).unwrap(), Some(expected(&now)));
        assert!(refuses(body, |tx| update(tx, id.key(), State::Running, &now)), "it is not running");
    });
}

/// Whether a conditional statement finds nothing to change: an embedded store says so, a shared one takes the deed back.
pub(crate) fn refuses(
    body: &Body,
    write: impl FnOnce(&tiltyard_store::Tx) -> tiltyard_store::Result<bool>,
) -> bool {
    body.writer().begin().expect("goes on");
    let told = write(body.writer().tx()).and_then(|done| body.writer().tx().flush().map(|()| done));
    body.writer().rollback().expect("goes on");
    matches!(told, Ok(false) | Err(Error::Unreadable { .. }))
}

// D29: a slot has at most one run, by the database.
#[test]
fn d29_a_slot_has_one_run() {
    each(|body| {
        let slot = |at| Some(Slot { schedule: "x".into(), revision: 1, at });
        put(body, 1, State::Running, &[], |made| made.slot = slot(5));
        put(body, 2, State::Running, &[], |made| made.slot = slot(6));
        let again = Made { slot: slot(5), ..made(body, "s", 1) };
        let standing = standing(State::Running);
        let new = Insert { key: 9, made: &again, standing: &standing, input: "{}", stages: &[] };
        assert!(matches!(body.refused(|tx| insert(tx, &new)), Error::Constraint { .. }));
    });
}

#[test]
fn lists_are_filtered_and_go_on_where_they_ended() {
    each(|body| {
        let first = put(body, 1, State::Succeeded, &[], |made| made.pipeline = Some("a_b".into()));
        put(body, 2, State::Running, &[], |made| made.pipeline = Some("axb".into()));
        put(body, 3, State::Waiting, &[], |made| {
            made.pipeline = Some("a_b".into());
            made.slot = Some(Slot { schedule: "night".into(), revision: 1, at: 1 });
        });
        let other = body.scope("other");
        put(body, 4, State::Running, &[], |made| {
            made.scope = other;
            made.title = Some("A title".into());
            made.parent = Some((first, Part { stage: 0, attempt: 1, item: None }));
        });
        let zero = body.id(Noun::Run, 0).key();
        let list = |filter: &Filter, window: Window| {
            let found = page(body.rows(), filter, window).unwrap();
            if window == TOP {
                assert_eq!(count(body.rows(), filter, 10).unwrap() as usize, found.len());
            }
            found.into_iter().map(|one| one.key - zero).collect::<Vec<_>>()
        };
        let all = Filter::default();
        assert_eq!(list(&all, TOP), [4, 3, 2, 1]);
        assert_eq!(list(&all, Window { limit: 2, offset: 1, ..TOP }), [3, 2]);
        assert_eq!(list(&all, Window { below: zero + 3, ..TOP }), [2, 1]);
        assert_eq!(count(body.rows(), &all, 3).unwrap(), 3);
        let states = |states: &[State]| Filter { states: states.to_vec(), ..all.clone() };
        assert_eq!(list(&states(&[State::Running]), TOP), [4, 2]);
        assert_eq!(list(&states(&[State::Running, State::Waiting]), TOP), [4, 3, 2]);
        assert_eq!(list(&states(&[State::Running, State::Succeeded]), TOP), [4, 2, 1]);
        let scope = |name: &str| Filter { scopes: Some(vec![name.into()]), ..all.clone() };
        assert_eq!(list(&scope("s"), TOP), [3, 2, 1]);
        assert_eq!(list(&Filter { scopes: Some(Vec::new()), ..all.clone() }, TOP), [0; 0]);
        for scopes in [Some(vec!["s".into()]), Some(vec!["s".into(), "other".into()]), None] {
            let mut filter = Filter { scopes, pipeline: Some("a_b".into()), ..all.clone() };
            assert_eq!(list(&filter, TOP), [3, 1]);
            filter.schedule = Some("night".into());
            assert_eq!(list(&filter, TOP), [3]);
            filter.pipeline = None;
            assert_eq!(list(&filter, TOP), [3]);
            filter.states = vec![State::Succeeded];
            assert_eq!(list(&filter, TOP), [0; 0]);
        }
        assert_eq!(list(&Filter { pipeline: Some("a_b".into()), ..scope("nobody") }, TOP), [0; 0]);
        let words = |words: &str| Filter { words: Some(words.into()), ..all.clone() };
        assert_eq!(list(&words("A_"), TOP), [3, 1], "no letter has a meaning of its own");
        assert_eq!(list(&words("TITLE"), TOP), [4]);
        let of = |above| children(body.rows(), first, above, 5).unwrap();
        assert_eq!(of(0).into_iter().map(|one| one.key - zero).collect::<Vec<_>>(), [4]);
        assert!(of(zero + 4).is_empty());
        body.write(|tx| refer(tx, first, 8));
        body.write(|tx| refer(tx, first, 8));
    });
}

fn live(rows: &Rows) -> Vec<boot::Live> {
    let mut found = Vec::new();
    boot::boot(rows, &mut || Ok(()), |live| found.push(live)).expect("reads");
    found
}

const fn open(going: Going, rest: Rest) -> Open {
    Open { attempt: 1, going, rest }
}

/// A list of five in the run's first stage: one has ended, three are under way, and one of an attempt that is over is left.
fn write_list(body: &Body, run: i64, tally: Tally) {
    let list = List { run, stage: 0, attempt: 1 };
    let ready = open(Going::Ready, Rest::No);
    body.write(|tx| {
        let values: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        item::put(tx, list, 0, &values)?;
        for index in 0..4 {
            item::save(tx, list, index, None, To::Open(ready))?;
        }
        item::link(tx, list, 0, 1, 100)?;
        item::link(tx, list, 1, 1, 101)?;
        item::save(tx, list, 0, Some(ready), ended(StageState::Succeeded))?;
        item::save(tx, list, 1, Some(ready), To::Open(open(Going::Waiting, Rest::No)))?;
        item::save(tx, list, 2, Some(ready), To::Open(open(Going::Waiting, Rest::Backoff)))?;
        let old = List { attempt: 0, ..list };
        item::put(tx, old, 0, &["0".to_owned()])?;
        item::save(tx, old, 0, None, To::Open(ready))?;
        let to = stage_in(StageState::Running, 1);
        let begun = Some(stage::Begun { thing: None, at: NOW + 9 });
        let (from, from_attempt, tally) = (StageState::Ready, 1, Some(tally));
        stage::save(tx, &stage::Save { run, index: 0, from, from_attempt, to: &to, tally, begun })
    });
}

/// A run that was cancelled, of which `stop` has not answered.
fn put_stopping(body: &Body, stop: Part) -> i64 {
    let run = put(body, 3, State::Cancelled, &[pending()], |_| {});
    body.write(|tx| {
        let to = Standing { stops: Stops { asked: 1, ..Stops::default() }, ..standing(State::Cancelled) };
        update(tx, run, State::Cancelled, &to)?;
        for what in [What::Wait, What::Stop] {
            timer::put(tx, &Timer { run, part: stop, what, due_at: NOW })?;
        }
        Ok(())
    });
    run
}

// E3, D20: memory is made from rows: what moves and what is still stopping, with lists as windows.
#[test]
fn the_boot_reads_what_moves_and_what_is_stopping() {
    each(|body| {
        put(body, 1, State::Succeeded, &[pending()], |_| {});
        let mut second = stage_in(StageState::Waiting, 2);
        second.why = Some(Why::Backoff);
        second.failures = 1;
        second.feedback = Some(Feedback { gate: 3, attempt: 2, round: 1 });
        second.past = Past::AskAnew;
        let part = Part { stage: 1, attempt: 1, item: None };
        let running = put(
            body,
            2,
            State::Running,
            &[stage_in(StageState::Ready, 1), second.clone(), pending()],
            |made| made.parent = Some((5, part)),
        );
        let tally = Tally { total: 5, next: 4, open: 3, waiting: 2, succeeded: 1, ..Tally::default() };
        write_list(body, running, tally);
        let stop = Part { stage: 0, attempt: 1, item: None };
        let stopping = put_stopping(body, stop);
        let found = live(body.rows());
        assert_eq!(found.iter().map(|live| live.key).collect::<Vec<_>>(), [running, stopping]);
        let (first, last) = (&found[0], &found[1]);
        assert_eq!((first.parent, first.version, first.began_seq), (Some((5, part)), 7, 3));
        assert_eq!(first.stages.len(), 3);
        assert_eq!(
            (first.stages[0].stage.state, first.stages[0].began_at),
            (StageState::Running, Some(NOW + 9))
        );
        assert_eq!(first.stages[1].stage, second);
        let window = &first.windows[&0];
        assert_eq!(window.tally, tally);
        let opened: Vec<_> = window.open.iter().map(|(index, open)| (*index, *open)).collect();
        let (ready, waiting) = (open(Going::Ready, Rest::No), open(Going::Waiting, Rest::No));
        let rests = open(Going::Waiting, Rest::Backoff);
        assert_eq!(opened, [(1, waiting), (2, rests), (3, ready)]);
        let part = List { run: running, stage: 0, attempt: 1 }.part(1, 1);
        assert_eq!(first.things, [(part, 101)]);
        assert_eq!((last.state, last.stops.left()), (State::Cancelled, 1));
        assert_eq!(last.stopping, [stop]);
        assert_eq!(boot::one(body.rows(), running).unwrap().as_ref(), Some(first));
        assert_eq!(boot::one(body.rows(), 1).unwrap(), None);
    });
}

/// The end of an item without anything to say.
pub(crate) fn ended(state: StageState) -> To<'static> {
    To::Ended { state, result: None, error: None }
}

#[test]
fn the_boot_reads_in_pages() {
    each(|body| {
        let runs = boot::RUNS_OF_A_PAGE as u16 + 3;
        let made = made(body, "s", 1);
        let standing = standing(State::Waiting);
        body.write(|tx| {
            (0..runs).try_for_each(|n| {
                let key = i64::from(n) + 1;
                let stages = [pending()];
                insert(tx, &Insert { key, made: &made, standing: &standing, input: "{}", stages: &stages })
            })
        });
        let (mut found, mut pauses) = (0, 0);
        let mut between = || {
            pauses += 1;
            Ok(())
        };
        boot::boot(body.rows(), &mut between, |live| found += live.stages.len()).unwrap();
        assert_eq!((found, pauses), (usize::from(runs), 1));
    });
}
