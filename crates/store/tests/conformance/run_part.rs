//! Rows of what runs are made of: stages, attempts, items, outputs, and what is awaited.

use crate::body::{Body, NOW, each};
use crate::run::{ended, pending, put, refuses, stage_in};
use tiltyard_model::event::Type;
use tiltyard_model::id::Noun;
use tiltyard_model::pipeline::OutputKind;
use tiltyard_model::run::stage::{State, Why};
use tiltyard_model::run::window::{Open, Rest, Tally};
use tiltyard_model::run::{Going, Item, Part, State as RunState};
use tiltyard_store::run::attempt::{self, End};
use tiltyard_store::run::item::{self, ITEMS_OF_A_PAGE, List, To};
use tiltyard_store::run::output::{self, Of, Put};
use tiltyard_store::run::stage::{self, Begun, Save};
use tiltyard_store::run::timer::{self, Timer, What};
use tiltyard_store::run::{call, wait};

const PART: Part = Part { stage: 1, attempt: 2, item: None };

const fn of_item(index: u32, attempt: u32) -> Part {
    Part { item: Some(Item { index, attempt }), ..PART }
}

#[test]
fn d20_a_stage_moves_only_from_its_state_and_attempt() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[pending(), pending()], |_| {});
        let one = || stage::get(body.rows(), run, 1).unwrap().unwrap();
        let ready = stage_in(State::Ready, 1);
        let save = |from, from_attempt, to, begun| {
            let tally = None;
            let save = Save { run, index: 1, from, from_attempt, to, tally, begun };
            body.write(|tx| stage::save(tx, &save))
        };
        assert!(save(State::Pending, 0, &ready, None));
        assert_eq!((one().stage, one().thing, one().began_at), (ready.clone(), None, None));
        assert!(body.write(|tx| stage::link(tx, (run, 1, 1), 55, NOW)));
        assert_eq!((one().thing, one().began_at), (Some(55), Some(NOW)));
        assert!(refuses(body, |tx| stage::link(tx, (run, 1, 1), 56, NOW)), "it has begun already");
        let mut waiting = stage_in(State::Waiting, 1);
        waiting.why = Some(Why::Needs { stage: 4, root: 2 });
        assert!(save(State::Ready, 1, &waiting, None));
        assert_eq!((one().stage, one().thing), (waiting.clone(), Some(55)), "the same attempt");
        let again = stage_in(State::Ready, 2);
        let stale = Save {
            run,
            index: 1,
            from: State::Waiting,
            from_attempt: 2,
            to: &again,
            tally: None,
            begun: None,
        };
        assert!(refuses(body, |tx| stage::save(tx, &stale)), "it is in another attempt");
        assert!(save(State::Waiting, 1, &again, None));
        assert_eq!((one().thing, one().began_at), (None, None), "another attempt begins anew");
        let begun = Some(Begun { thing: Some(7), at: NOW + 5 });
        assert!(save(State::Ready, 2, &stage_in(State::Waiting, 2), begun));
        assert_eq!((one().thing, one().began_at), (Some(7), Some(NOW + 5)));
        assert_eq!(stage::all(body.rows(), run).unwrap()[0].stage, pending(), "the other one stays");
    });
}

// D22: a thousand stages in one deed, each moved in the next.
#[test]
fn a_run_of_a_thousand_stages_is_written_and_moved_at_once() {
    each(|body| {
        let stages = vec![pending(); 1_000];
        let run = put(body, 1, RunState::Running, &stages, |_| {});
        let to = stage_in(State::Ready, 1);
        body.write(|tx| {
            (0..1_000).try_for_each(|index| {
                let (from, from_attempt, tally, begun) = (State::Pending, 0, None, None);
                let save = Save { run, index, from, from_attempt, to: &to, tally, begun };
                assert!(stage::save(tx, &save)?);
                attempt::keep(tx, &end(run, index, 1, State::Skipped))
            })
        });
        assert!(stage::all(body.rows(), run).unwrap().iter().all(|found| found.stage == to));
        assert_eq!(attempt::current(body.rows(), run).unwrap().len(), 1_000);
    });
}

fn end(run: i64, stage: u32, attempt: u32, state: State) -> End<'static> {
    End { run, stage, attempt, uses: 6, state, why: None, error: None, context: None, now: NOW + 50 }
}

#[test]
fn d22_past_attempts_are_kept() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[stage_in(State::Ready, 1)], |_| {});
        body.write(|tx| {
            stage::link(tx, (run, 0, 1), 55, NOW)?;
            attempt::keep(
                tx,
                &End {
                    why: Some(Why::TimedOut),
                    error: Some("it took longer than 5 s"),
                    context: Some(r#"{"exit_code":1}"#),
                    ..end(run, 0, 1, State::Failed)
                },
            )?;
            let (from, from_attempt, tally, begun) = (State::Ready, 1, None, None);
            let to = stage_in(State::Ready, 2);
            stage::save(tx, &Save { run, index: 0, from, from_attempt, to: &to, tally, begun })
        });
        let past = attempt::of_stage(body.rows(), run, 0, u32::MAX, 10).unwrap();
        assert_eq!(past.len(), 1);
        assert_eq!((past[0].thing, past[0].began_at, past[0].ended_at), (Some(55), NOW, NOW + 50));
        assert_eq!((past[0].state, past[0].why, past[0].uses), (State::Failed, Some(Why::TimedOut), 6));
        assert_eq!(past[0].error.as_deref(), Some("it took longer than 5 s"));
        assert_eq!(past[0].context.as_deref(), Some(r#"{"exit_code":1}"#));
        assert!(attempt::current(body.rows(), run).unwrap().is_empty(), "the second is under way");
        body.write(|tx| attempt::keep(tx, &end(run, 0, 1, State::Failed)));
        assert_eq!(
            attempt::of_stage(body.rows(), run, 0, 3, 10).unwrap().len(),
            1,
            "it is over: nothing new"
        );
        for state in [State::Cancelled, State::Succeeded] {
            body.write(|tx| attempt::keep(tx, &end(run, 0, 2, state)));
        }
        let now = attempt::current(body.rows(), run).unwrap();
        assert_eq!((now[0].attempt, now[0].state, now[0].began_at), (2, State::Succeeded, NOW + 50));
        let numbers = |below| {
            let past = attempt::of_stage(body.rows(), run, 0, below, 1).unwrap();
            past.iter().map(|past| past.attempt).collect::<Vec<_>>()
        };
        assert_eq!((numbers(u32::MAX), numbers(2)), (vec![2], vec![1]));
    });
}

fn list(body: &Body, run: i64, count: usize) -> List {
    let list = List { run, stage: 1, attempt: 2 };
    let values: Vec<String> = (0..count).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    for (page, values) in values.chunks(ITEMS_OF_A_PAGE).enumerate() {
        let first = (page * ITEMS_OF_A_PAGE) as u32;
        body.write(|tx| item::put(tx, list, first, values));
    }
    list
}

#[test]
fn d20_items_are_written_in_pages_and_read_back_as_a_stream() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[], |_| {});
        let list = list(body, run, 1_200);
        let ready = Open { attempt: 1, going: Going::Ready, rest: Rest::No };
        let result = To::Ended { state: State::Succeeded, result: Some("[1]"), error: None };
        let failed = To::Ended { state: State::Failed, result: None, error: Some("no") };
        body.write(|tx| {
            for (index, to) in [(3, result), (1_199, failed)] {
                assert!(item::save(tx, list, index, None, To::Open(ready))?);
                assert!(item::save(tx, list, index, Some(ready), to)?);
            }
            // Once more, as after a kill: what is there stays.
            item::put(tx, list, 3, &["0".to_owned()])
        });
        let three = item::get(body.rows(), list, 3).unwrap().unwrap();
        assert_eq!((three.value.as_str(), three.state, three.tries), (r#"{"n":3}"#, State::Succeeded, 1));
        let mut told = Vec::new();
        item::results(body.rows(), list, |outcome| {
            told.push(outcome);
            Ok(())
        })
        .unwrap();
        assert_eq!(told.len(), 1_200);
        assert!(told.iter().zip(0..).all(|(outcome, index)| outcome.index == index));
        assert_eq!((told[3].state, told[3].result.as_deref()), (State::Succeeded, Some("[1]")));
        assert_eq!((told[1_199].state, told[1_199].error.as_deref()), (State::Failed, Some("no")));
        assert_eq!(
            item::counts(body.rows(), list).unwrap(),
            [(State::Pending, 1_198), (State::Succeeded, 1), (State::Failed, 1)]
        );
        let page = |states: &[State], after, limit| {
            let found = item::page(body.rows(), list, states, after, limit).unwrap();
            found.iter().map(|item| item.index).collect::<Vec<_>>()
        };
        assert_eq!(page(&[], -1, 2), [0, 1]);
        assert_eq!(page(&[], 1_198, 9), [1_199]);
        assert_eq!(page(&[State::Succeeded, State::Failed], -1, 9), [3, 1_199]);
        assert_eq!(page(&[State::Succeeded, State::Failed], 3, 9), [1_199]);
        let some = item::some(body.rows(), list, &[7, 5, 5_000]).unwrap();
        assert_eq!(some.iter().map(|item| item.index).collect::<Vec<_>>(), [5, 7]);
        assert!(item::some(body.rows(), List { attempt: 1, ..list }, &[7]).unwrap().is_empty());
    });
}

#[test]
fn d20_an_item_moves_only_from_its_state_and_try() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[], |_| {});
        let list = list(body, run, 3);
        let one = |index| item::get(body.rows(), list, index).unwrap().unwrap();
        let open = |attempt, going, rest| Open { attempt, going, rest };
        let ready = open(1, Going::Ready, Rest::No);
        let resting = open(1, Going::Waiting, Rest::Backoff);
        let again = open(2, Going::Ready, Rest::No);
        body.write(|tx| item::save(tx, list, 0, None, To::Open(ready)));
        assert!(refuses(body, |tx| item::save(tx, list, 0, None, To::Open(ready))), "it has begun");
        assert!(body.write(|tx| item::link(tx, list, 0, 1, 9)));
        assert!(refuses(body, |tx| item::link(tx, list, 0, 1, 10)));
        assert!(body.write(|tx| item::save(tx, list, 0, Some(ready), To::Open(resting))));
        assert_eq!((one(0).rest, one(0).thing, one(0).state), (Rest::Backoff, Some(9), State::Waiting));
        assert!(refuses(body, |tx| item::save(tx, list, 0, Some(again), ended(State::Failed))));
        assert!(body.write(|tx| item::save(tx, list, 0, Some(resting), To::Open(again))));
        assert_eq!((one(0).rest, one(0).thing, one(0).tries), (Rest::No, None, 2));
        body.write(|tx| item::save(tx, list, 1, None, To::Open(ready)));
        body.write(|tx| item::save(tx, list, 1, Some(ready), ended(State::Succeeded)));
        body.write(|tx| item::cancel(tx, list));
        assert_eq!([0, 1, 2].map(|n| one(n).state), [State::Cancelled, State::Succeeded, State::Pending]);
    });
}

#[test]
fn d21_outputs_are_kept_by_attempt_and_item() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[pending(), stage_in(State::Succeeded, 2)], |_| {});
        let of = Of { run, stage: 1, attempt: 2, item: None };
        let put = |of, name, kind, value| {
            body.write(|tx| output::put(tx, of, &Put { name, kind, artifact: None, value }));
        };
        put(of, "result", OutputKind::Document, Some(r#"{"ü":1}"#));
        put(of, "log", OutputKind::File, None);
        put(Of { attempt: 1, ..of }, "result", OutputKind::Text, Some(r#""old""#));
        for item in [0, 4, 700] {
            put(Of { item: Some(item), ..of }, "result", OutputKind::Document, Some("1"));
        }
        let again = Put { name: "log", kind: OutputKind::File, artifact: None, value: None };
        let refused = body.refused(|tx| output::put(tx, of, &again));
        assert!(matches!(refused, tiltyard_store::Error::Constraint { .. }));
        let found = output::of(body.rows(), of).unwrap();
        let names: Vec<_> = found.iter().map(|output| (output.name.as_str(), output.kind)).collect();
        assert_eq!(names, [("log", OutputKind::File), ("result", OutputKind::Document)]);
        assert_eq!(found[1].value.as_deref(), Some(r#"{"ü":1}"#));
        let old = output::one(body.rows(), Of { attempt: 1, ..of }, "result").unwrap().unwrap();
        assert_eq!((old.kind, old.value.as_deref()), (OutputKind::Text, Some(r#""old""#)));
        assert_eq!(output::one(body.rows(), of, "none").unwrap(), None);
        let items = |after, limit| {
            let found = output::of_items(body.rows(), (run, 1, 2), "result", after, limit).unwrap();
            found.into_iter().map(|(item, _)| item).collect::<Vec<_>>()
        };
        assert_eq!((items(-1, 2), items(4, 9)), (vec![0, 4], vec![700]));
        let current = output::current(body.rows(), run).unwrap();
        let current: Vec<_> = current.iter().map(|(stage, output)| (*stage, output.name.as_str())).collect();
        assert_eq!(current, [(1, "log"), (1, "result")]);
        body.write(|tx| output::reuse(tx, (run, 1), 2, 3));
        assert_eq!(output::of(body.rows(), Of { attempt: 3, ..of }).unwrap(), found);
        let item = Of { attempt: 3, item: Some(700), ..of };
        assert_eq!(output::of(body.rows(), item).unwrap().len(), 1);
    });
}

// D28: times are rows; what ends forgets its own, but not the stop that is awaited.
#[test]
fn d28_times_come_in_their_order() {
    each(|body| {
        let put = |part, what, due_at| {
            body.write(|tx| timer::put(tx, &Timer { run: 5, part, what, due_at }));
        };
        put(PART, What::TimeOut, NOW + 30);
        put(PART, What::Stop, NOW + 20);
        put(of_item(0, 1), What::Backoff, NOW + 10);
        put(of_item(0, 1), What::TimeOut, NOW + 40);
        put(of_item(1, 1), What::Wait, NOW + 50);
        put(of_item(1, 1), What::Wait, NOW + 15);
        let due = |now, limit| {
            let due = timer::due(body.rows(), now, limit).unwrap();
            due.into_iter().map(|timer| (timer.part, timer.what)).collect::<Vec<_>>()
        };
        assert!(due(NOW + 9, 10).is_empty());
        let first = [(of_item(0, 1), What::Backoff), (of_item(1, 1), What::Wait)];
        assert_eq!((due(NOW + 15, 10), due(NOW + 99, 2)), (first.to_vec(), first.to_vec()));
        assert_eq!(due(NOW + 99, 10).len(), 5);
        assert_eq!(timer::stops(body.rows(), &[5, 6]).unwrap(), [(5, vec![PART])].into());
        body.write(|tx| timer::end(tx, 5, of_item(0, 1), What::Backoff));
        body.write(|tx| timer::forget_part(tx, 5, PART));
        let left = [(PART, What::Stop), (of_item(0, 1), What::TimeOut), (of_item(1, 1), What::Wait)];
        let mut all: Vec<_> = timer::of_run(body.rows(), 5, 10).unwrap();
        all.sort_by_key(|timer| timer.part);
        assert_eq!(all.iter().map(|timer| (timer.part, timer.what)).collect::<Vec<_>>(), left);
        body.write(|tx| timer::forget_stage(tx, 5, 1, 2));
        assert_eq!(due(NOW + 99, 10), [(PART, What::Stop)]);
    });
}

#[test]
fn d28_waits_know_how_far_they_have_looked() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[], |_| {});
        let scope = body.scope("s");
        let put = |part, subject, seen_seq| {
            let new = wait::Put { run, part, scope, kind: Type::TaskDead, subject, seen_seq };
            body.write(|tx| wait::put(tx, &new));
        };
        put(PART, None, 900);
        put(of_item(0, 1), Some("chg_1"), 3);
        let page = |offset, limit| {
            let found = wait::page(body.rows(), offset, limit).unwrap();
            found.into_iter().map(|found| (found.part, found.seen_seq)).collect::<Vec<_>>()
        };
        assert_eq!(page(0, 10), [(of_item(0, 1), 3), (PART, 900)]);
        assert_eq!(page(1, 1), [(PART, 900)]);
        let one = wait::get(body.rows(), run, of_item(0, 1)).unwrap().unwrap();
        assert_eq!((one.wait.scope.as_str(), one.wait.after_seq), ("s", 3));
        assert_eq!((one.wait.kind, one.wait.subject.as_deref()), (Type::TaskDead, Some("chg_1")));
        assert!(body.write(|tx| wait::advance(tx, run, of_item(0, 1), 2_000)));
        assert_eq!(page(0, 10), [(PART, 900), (of_item(0, 1), 2_000)]);
        assert!(refuses(body, |tx| wait::advance(tx, run, of_item(9, 1), 5)));
        assert_eq!((wait::count(body.rows(), 10).unwrap(), wait::count(body.rows(), 1).unwrap()), (2, 1));
        body.write(|tx| wait::end(tx, run, PART));
        assert_eq!(wait::get(body.rows(), run, PART).unwrap(), None);
        assert_eq!(wait::count(body.rows(), 10).unwrap(), 1);
    });
}

// D20: whoever makes a call says so first, so that a restart knows which ones may have arrived.
#[test]
fn a_call_is_taken_by_one() {
    each(|body| {
        let state = |part| call::get(body.rows(), 5, part).unwrap().map(|call| (call.state, call.tries));
        for part in [PART, of_item(0, 1)] {
            body.write(|tx| call::put(tx, 5, part, r#"{"url":"x"}"#));
        }
        assert_eq!(state(PART), Some((call::State::ToCall, 0)));
        assert!(body.write(|tx| call::take(tx, 5, PART, "one", NOW)));
        assert!(!body.write(|tx| call::take(tx, 5, PART, "two", NOW)));
        let taken = call::get(body.rows(), 5, PART).unwrap().unwrap();
        assert_eq!((taken.server.as_deref(), taken.begun_at, taken.tries), (Some("one"), Some(NOW), 1));
        assert_eq!(taken.request, r#"{"url":"x"}"#);
        let open = |state, from| {
            let found = call::open(body.rows(), state, from, 10).unwrap();
            found.into_iter().map(|call| call.part).collect::<Vec<_>>()
        };
        assert_eq!(open(call::State::ToCall, i64::MIN), [of_item(0, 1)]);
        assert_eq!(open(call::State::Calling, 5), [PART]);
        assert!(open(call::State::Calling, 6).is_empty());
        assert!(!body.write(|tx| call::give_back(tx, 5, PART, "two")));
        assert!(body.write(|tx| call::give_back(tx, 5, PART, "one")));
        assert_eq!(state(PART), Some((call::State::ToCall, 1)));
        assert!(body.write(|tx| call::end(tx, 5, PART)));
        assert!(!body.write(|tx| call::end(tx, 5, PART)));
        assert_eq!(state(PART), None);
    });
}

#[test]
fn an_output_tells_where_its_bytes_are() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[stage_in(State::Succeeded, 1)], |_| {});
        let of = Of { run, stage: 0, attempt: 1, item: None };
        let id = body.id(Noun::Artifact, 4);
        let artifact = Some(id.key());
        let new = Put { name: "notes", kind: OutputKind::File, artifact, value: None };
        body.write(|tx| output::put(tx, of, &new));
        let found = output::one(body.rows(), of, "notes").unwrap().unwrap();
        assert_eq!(found.stored, None, "nothing is known of bytes that nobody has stored");
    });
}

#[test]
fn a_list_is_numbers_in_its_stage() {
    each(|body| {
        let run = put(body, 1, RunState::Running, &[stage_in(State::Running, 1)], |_| {});
        let tally = Tally { total: 9, next: 4, open: 2, first_failed: Some(1), ..Tally::default() };
        let to = stage_in(State::Running, 1);
        for tally in [Some(tally), None] {
            let (from, begun) = (State::Running, None);
            body.write(|tx| {
                stage::save(tx, &Save { run, index: 0, from, from_attempt: 1, to: &to, tally, begun })
            });
            assert_eq!(stage::get(body.rows(), run, 0).unwrap().unwrap().tally, tally);
        }
    });
}
