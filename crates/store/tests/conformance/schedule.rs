use crate::body::{NOW, each};
use serde_json::json;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::schedule::kept::{Became, Last, Schedule, What};
use tiltyard_model::schedule::{Missed, Overlap, Timing};
use tiltyard_store::name::{contents_of_scope, put_actor};
use tiltyard_store::schedule::{
    Dealt, Forget, Stage, Start, count, count_of_scope, dealt, delete, due, get, last_revision, open, page,
    prune, put, start,
};
use tiltyard_store::template::Window;

const ALL: Window = Window { after: None, offset: 0, limit: 100 };

fn schedule(scope: &str, name: &str) -> Schedule {
    Schedule {
        scope: scope.into(),
        name: name.into(),
        revision: 1,
        timing: Timing::Cron { expression: "0 0 * * *".into(), timezone: "UTC".into() },
        what: What::Pipeline { name: "p".into(), input: json!({"ü": [1, null]}) },
        missed: Missed::Skip,
        overlap: Overlap::Queue,
        paused: false,
        last_at: NOW,
        next_at: Some(NOW + 10),
        last: None,
        saved_by: "ada".into(),
        updated_at: NOW,
    }
}

#[test]
fn d29_a_schedule_is_saved_over_and_removed() {
    each(|body| {
        let scope = body.scope("a");
        let by = body.write(|tx| put_actor(tx, "ada"));
        let first = schedule("a", "s");
        body.write(|tx| put(tx, scope, &first, by));
        assert_eq!(get(body.rows(), "a", "s").unwrap(), Some(first));
        let task = body.id(Noun::Task, 7);
        let last = Last { at: NOW, became: Became::Started, thing: Some(task), error: Some("ü".into()) };
        let timing = Timing::Every { every_ms: 1_000, from_ms: NOW };
        let second = Schedule {
            revision: 2,
            timing,
            paused: true,
            next_at: None,
            last: Some(last),
            ..schedule("a", "s")
        };
        body.write(|tx| put(tx, scope, &second, by));
        assert_eq!(get(body.rows(), "a", "s").unwrap(), Some(second));
        assert_eq!(contents_of_scope(body.rows(), scope).unwrap().schedules, 1);
        assert_eq!(last_revision(body.rows(), scope, "s").unwrap(), 0);
        assert!(body.write(|tx| delete(tx, scope, "s")));
        assert!(!body.write(|tx| delete(tx, scope, "s")));
        assert_eq!(
            (count_of_scope(body.rows(), scope).unwrap(), get(body.rows(), "a", "s").unwrap()),
            (0, None)
        );
    });
}

// API3: by scope and name, one page after the other.
#[test]
fn api3_schedules_are_listed_by_scope_and_name() {
    each(|body| {
        let (a, b) = (body.scope("a"), body.scope("b"));
        let by = body.write(|tx| put_actor(tx, "ada"));
        for (key, scope, name) in [(b, "b", "x"), (a, "a", "y"), (a, "a", "x")] {
            body.write(|tx| put(tx, key, &schedule(scope, name), by));
        }
        let listed = |scopes: Option<&[String]>, window: Window| {
            let found = page(body.rows(), scopes, &window).unwrap();
            found.into_iter().map(|one| format!("{}/{}", one.scope, one.name)).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, ALL), ["a/x", "a/y", "b/x"]);
        assert_eq!(listed(None, Window { after: Some(("a".into(), "x".into())), ..ALL }), ["a/y", "b/x"]);
        assert_eq!(listed(None, Window { offset: 1, limit: 1, ..ALL }), ["a/y"]);
        let own = ["a".to_owned()];
        assert_eq!(listed(Some(&own), ALL), ["a/x", "a/y"]);
        let counts = (count(body.rows(), Some(&own), 10).unwrap(), count(body.rows(), None, 2).unwrap());
        assert_eq!(counts, (2, 2));
    });
}

// D29: a slot is dealt with once: whoever comes second, or with an older revision, changes nothing.
#[test]
fn d29_a_slot_is_dealt_with_once() {
    each(|body| {
        let scope = body.scope("a");
        let by = body.write(|tx| put_actor(tx, "ada"));
        body.write(|tx| put(tx, scope, &schedule("a", "s"), by));
        body.write(|tx| put(tx, scope, &Schedule { next_at: Some(NOW + 5), ..schedule("a", "earlier") }, by));
        body.write(|tx| put(tx, scope, &Schedule { paused: true, ..schedule("a", "paused") }, by));
        body.write(|tx| put(tx, scope, &Schedule { next_at: None, ..schedule("a", "never") }, by));
        let names = |until| {
            let found = due(body.rows(), until, 100).unwrap();
            found.into_iter().map(|due| due.name).collect::<Vec<_>>()
        };
        assert_eq!((names(NOW + 4), names(NOW + 10)), (vec![], vec!["earlier".to_owned(), "s".to_owned()]));
        let last = Last { at: NOW + 10, became: Became::Missed, thing: None, error: None };
        let slot = Dealt {
            scope,
            name: "s",
            revision: 1,
            from: NOW,
            to: NOW + 10,
            next_at: Some(NOW + 20),
            last: &last,
        };
        assert!(!body.write(|tx| dealt(tx, &Dealt { revision: 2, ..slot })));
        assert!(!body.write(|tx| dealt(tx, &Dealt { name: "paused", ..slot })));
        assert!(body.write(|tx| dealt(tx, &slot)));
        assert!(!body.write(|tx| dealt(tx, &slot)), "somebody was faster");
        let found = get(body.rows(), "a", "s").unwrap().unwrap();
        assert_eq!((found.last_at, found.next_at, found.last), (NOW + 10, Some(NOW + 20), Some(last)));
        assert_eq!(names(NOW + 10), ["earlier"]);
    });
}

// D29: what is kept of slots is bounded, and what goes on is not forgotten unless that is asked for.
#[test]
fn d29_what_became_of_slots_is_kept_for_a_while() {
    each(|body| {
        let scope = body.scope("a");
        let at = |at: i64, thing: Option<Id>, stage| {
            body.write(|tx| {
                let reason = thing.is_none().then_some("overlap");
                start(tx, &Start { scope, name: "s", revision: 1, at, thing, stage, reason })
            });
        };
        at(1, Some(body.id(Noun::Task, 1)), Stage::UnderWay);
        for slot in 2..6 {
            at(slot, None, Stage::Skipped);
        }
        // A task that is not there any more has ended.
        assert_eq!(body.write(|tx| open(tx, scope, "s", 10)), []);
        at(6, Some(body.id(Noun::Run, 2)), Stage::Queued);
        body.write(|tx| prune(tx, scope, "s", 3, Forget::Ended));
        body.write(|tx| prune(tx, scope, "other", 1, Forget::All));
        let again =
            Start { scope, name: "s", revision: 1, at: 6, thing: None, stage: Stage::Over, reason: None };
        body.refused(|tx| start(tx, &again));
        at(3, None, Stage::Skipped);
        body.write(|tx| prune(tx, scope, "s", 1, Forget::All));
        at(5, None, Stage::Skipped);
    });
}
