//! Schedules, with a clock that is moved by hand: what comes due is started once.

use crate::desk::{admin, caller};
use crate::rig::{Rig, START, spec};
use tiltyard_engine::Engine;
use tiltyard_engine::schedule::{Put, When, Window, delete, get, page, put};
use tiltyard_engine::service::{Ran, all};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Role;
use tiltyard_model::schedule::kept::{Became, Schedule, What};
use tiltyard_model::schedule::{MAX_QUEUED_RUNS, Missed, Overlap};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{OnDependencyFailure, Spec, State, Unique};
use tiltyard_model::time::{HOUR_MS, MINUTE_MS, SECOND_MS, parse_rfc3339};

pub(crate) fn cron(expression: &str, timezone: &str) -> When {
    When::Cron { expression: expression.into(), timezone: timezone.into() }
}

pub(crate) fn every(every_ms: i64) -> When {
    When::Every { every_ms, from: None }
}

/// A task at each slot, whatever became of earlier ones.
pub(crate) fn putting(name: &str, when: When) -> Put {
    Put {
        scope: "default".into(),
        name: name.into(),
        when,
        what: What::Task(Box::new(spec(name))),
        missed: Missed::RunOnce,
        overlap: Overlap::Allow,
        paused: false,
    }
}

pub(crate) async fn save(rig: &Rig, asked: Put) -> Schedule {
    rig.act_as(&admin(), move |act| put(act, asked)).await.expect("saves")
}

async fn refused(rig: &Rig, asked: Put) -> Refusal {
    rig.act_as(&admin(), move |act| put(act, asked)).await.expect_err("is refused")
}

pub(crate) async fn look(rig: &Rig, name: &'static str) -> Schedule {
    rig.read(move |rows| get(rows, &admin(), "default", name)).await.expect("is there")
}

/// What the service does when it is its turn.
pub(crate) async fn fire(engine: &Engine) {
    let service = all().into_iter().find(|service| service.name() == "fire").expect("is there");
    while service.run_once(engine).await.expect("fires") == Ran::More {}
}

/// Lets time pass, in steps, and whatever is due start.
async fn pass(rig: &Rig, steps: i64, step_ms: i64) {
    for _ in 0..steps {
        rig.clock.advance(step_ms);
        fire(&rig.engine).await;
    }
}

/// Sets the clock.
async fn at(rig: &Rig, moment: &str) {
    let to = parse_rfc3339(moment).expect("a moment");
    rig.clock.jump(to - rig.engine.clock().now().wall);
}

/// What the events of that type tell.
async fn told(rig: &Rig, kind: &str) -> Vec<serde_json::Value> {
    let events = rig.events().await.into_iter().filter(|event| event.kind.as_str() == kind);
    events.map(|event| serde_json::from_str(&event.data).expect("is JSON")).collect()
}

fn text<'a>(data: &'a serde_json::Value, name: &str) -> &'a str {
    data[name].as_str().expect("is there")
}

/// The slots for which something was started or queued, to the minute.
async fn slots(rig: &Rig) -> Vec<String> {
    let fired = told(rig, "schedule.fired").await;
    fired.iter().map(|data| text(data, "slot")[..16].to_owned()).collect()
}

/// The same, and of each the task.
async fn fired(rig: &Rig) -> Vec<(String, Id)> {
    let fired = told(rig, "schedule.fired").await;
    let one = |data| (text(data, "slot")[..16].to_owned(), text(data, "task").parse().expect("is an id"));
    fired.iter().map(one).collect()
}

/// How many slots were left out, by reason.
async fn skipped(rig: &Rig) -> Vec<(String, u64)> {
    let skipped = told(rig, "schedule.skipped").await;
    let one = |data: &serde_json::Value| {
        (text(data, "reason").to_owned(), data["count"].as_u64().expect("is there"))
    };
    skipped.iter().map(one).collect()
}

// D29: a schedule starts a task in the name of who saved it; D51, SEC21: each act has its event and its entry.
#[tokio::test]
async fn d29_a_schedule_is_saved_fires_and_is_removed() {
    let mut rig = Rig::new().await;
    let asked = putting("hourly", every(HOUR_MS));
    let saved =
        rig.act_as(&caller(Role::Operator, &["default"]), |act| put(act, asked)).await.expect("saves");
    assert_eq!((saved.revision, saved.next_at, &*saved.saved_by), (1, Some(START + HOUR_MS), "ada"));
    rig.restart().await;
    assert_eq!(look(&rig, "hourly").await, saved);
    pass(&rig, 1, HOUR_MS - 1).await;
    assert_eq!(fired(&rig).await, []);
    pass(&rig, 1, 1).await;
    let [(_, task)] = fired(&rig).await[..] else { panic!("one slot") };
    let found = rig.get(task).await.task;
    assert_eq!((found.state, &*found.created_by, &*found.spec.title), (State::Ready, "ada", "hourly"));
    let after = look(&rig, "hourly").await;
    let last = after.last.expect("is told");
    assert_eq!((last.at, last.became, last.thing), (START + HOUR_MS, Became::Started, Some(task)));
    assert_eq!((after.last_at, after.next_at), (START + HOUR_MS, Some(START + 2 * HOUR_MS)));

    rig.act_as(&admin(), |act| delete(act, "default", "hourly")).await.expect("removes");
    pass(&rig, 3, HOUR_MS).await;
    assert_eq!(fired(&rig).await.len(), 1);
    assert_eq!(rig.state(task).await, State::Ready, "what was started stays");
    let again = rig.act_as(&admin(), |act| delete(act, "default", "hourly")).await.expect_err("gone");
    assert_eq!(again.code, Code::NotFound);
    let told = ["schedule.saved@default", "schedule.fired@default", "schedule.deleted@default"];
    assert_eq!(rig.told_of("schedule").await, told);
    assert_eq!(rig.acts_of("default").await, ["schedule.saved", "schedule.deleted"]);
}

// D29: what a zone's clock leaps over or shows twice, as `docs/guide/schedules.md` says, through the engine.
#[tokio::test]
async fn d29_nights_when_clocks_change() {
    let (berlin, york, howe) = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe");
    let cases: [(&str, &str, &str, i64, &[&str]); 8] = [
        (berlin, "30 2 * * *", "2026-03-28T12:00:00Z", 48, &["2026-03-29T01:00", "2026-03-30T00:30"]),
        (berlin, "30 2 * * *", "2026-10-24T12:00:00Z", 48, &["2026-10-25T00:30", "2026-10-26T01:30"]),
        (
            berlin,
            "30 * * * *",
            "2026-10-24T23:45:00Z",
            3,
            &["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"],
        ),
        (york, "15 2 * * *", "2026-03-08T05:00:00Z", 26, &["2026-03-08T07:00", "2026-03-09T06:15"]),
        (york, "15 1 * * *", "2026-11-01T03:00:00Z", 28, &["2026-11-01T05:15", "2026-11-02T06:15"]),
        (howe, "15 2 * * *", "2026-10-03T12:00:00Z", 28, &["2026-10-03T15:30", "2026-10-04T15:15"]),
        (howe, "30 1 * * *", "2026-04-04T12:00:00Z", 28, &["2026-04-04T14:30", "2026-04-05T15:00"]),
        (
            howe,
            "*/15 * * * *",
            "2026-04-04T14:20:00Z",
            1,
            &["2026-04-04T14:30", "2026-04-04T14:45", "2026-04-04T15:00", "2026-04-04T15:15"],
        ),
    ];
    for (zone, expression, from, hours, expected) in cases {
        let rig = Rig::new().await;
        at(&rig, from).await;
        save(&rig, putting("night", cron(expression, zone))).await;
        pass(&rig, hours * 4, 15 * MINUTE_MS).await;
        assert_eq!(slots(&rig).await, expected, "{zone} {expression} from {from}");
        assert_eq!(skipped(&rig).await, [], "{zone} {expression} from {from}");
    }
}

// D29: at most one start a slot, across restarts and whatever the clock does.
#[tokio::test]
async fn d29_a_slot_starts_one_thing_across_restarts_and_clock_jumps() {
    let mut rig = Rig::new().await;
    save(&rig, putting("often", every(10 * MINUTE_MS))).await;
    for minutes in [10, 11, -60, 11, 20, 35, -500, 70, 71, 60, 200, 199, 201] {
        rig.clock.jump(START + minutes * MINUTE_MS - rig.engine.clock().now().wall);
        fire(&rig.engine).await;
        rig.restart().await;
        fire(&rig.engine).await;
    }
    let slots = slots(&rig).await;
    let mut once = slots.clone();
    once.dedup();
    assert!(slots.is_sorted() && once == slots && slots.len() == 5, "{slots:?}");
}

// D29: a clock that was far ahead has dealt with what lies before it; saving the schedule begins anew.
#[tokio::test]
async fn d29_a_clock_that_was_far_ahead() {
    let rig = Rig::new().await;
    save(&rig, putting("often", every(MINUTE_MS))).await;
    rig.clock.jump(24 * HOUR_MS);
    fire(&rig.engine).await;
    assert_eq!(slots(&rig).await.len(), 2, "one for all that was missed, and the last minute");
    assert_eq!(skipped(&rig).await, [("missed".to_owned(), 1_000)]);
    rig.clock.jump(-24 * HOUR_MS);
    pass(&rig, 10, MINUTE_MS).await;
    assert_eq!(slots(&rig).await.len(), 2, "nothing again");
    save(&rig, Put { paused: true, ..putting("often", every(MINUTE_MS)) }).await;
    save(&rig, putting("often", every(MINUTE_MS))).await;
    pass(&rig, 10, MINUTE_MS).await;
    assert_eq!(slots(&rig).await.len(), 12);
}

// D29: two servers that both believe to lead start one thing a slot.
#[tokio::test]
async fn d29_two_servers_start_one_thing_a_slot() {
    let rig = Rig::new().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let other = match tiltyard_testkit::postgres::url_of(rig.folder.path()) {
        Some(url) => {
            let sharing =
                tiltyard_engine::Sharing { name: "other".into(), ..tiltyard_engine::Sharing::of(url) };
            let clock = tiltyard_engine::clock::Clock::Virtual(rig.clock.clone());
            let options = tiltyard_engine::Options {
                clock,
                sharing: Some(sharing),
                ..tiltyard_engine::Options::new(folder.path())
            };
            Engine::open(options).await.expect("opens")
        }
        // Of an embedded store there is one server: its service runs twice at once.
        None => rig.engine.clone(),
    };
    for name in ["a", "b", "c"] {
        save(&rig, putting(name, every(MINUTE_MS))).await;
    }
    for _ in 0..10 {
        rig.clock.advance(MINUTE_MS);
        tokio::join!(fire(&rig.engine), fire(&other));
    }
    let mut all = fired(&rig).await;
    let tasks = all.len();
    all.sort();
    all.dedup();
    assert_eq!((tasks, all.len()), (30, 30));
    if !std::ptr::eq(&raw const *rig.engine, &raw const *other) {
        other.close().await.expect("closes");
    }
}

// D29: `missed`, for what a server was not there for.
#[tokio::test]
async fn d29_missed_slots_start_one_thing_or_nothing() {
    let mut rig = Rig::new().await;
    save(&rig, putting("once", every(HOUR_MS))).await;
    save(&rig, Put { missed: Missed::Skip, ..putting("never", every(HOUR_MS)) }).await;
    rig.clock.advance(5 * HOUR_MS + 10 * MINUTE_MS);
    rig.restart().await;
    fire(&rig.engine).await;
    let (once, never) = (look(&rig, "once").await, look(&rig, "never").await);
    assert_eq!(fired(&rig).await.len(), 1);
    let mut left_out = skipped(&rig).await;
    left_out.sort();
    assert_eq!(left_out, [("missed".to_owned(), 4), ("missed".to_owned(), 5)]);
    assert_eq!(once.last.map(|last| (last.at, last.became)), Some((START + 5 * HOUR_MS, Became::Started)));
    assert_eq!(never.last.map(|last| (last.at, last.became)), Some((START + 5 * HOUR_MS, Became::Missed)));
    assert_eq!((once.next_at, never.next_at), (Some(START + 6 * HOUR_MS), Some(START + 6 * HOUR_MS)));
}

// D29: a hand-over of some seconds loses no slot of a second.
#[tokio::test]
async fn d29_slots_of_the_last_minute_all_come() {
    let rig = Rig::new().await;
    save(&rig, Put { missed: Missed::Skip, ..putting("tick", every(SECOND_MS)) }).await;
    pass(&rig, 1, 8 * SECOND_MS).await;
    assert_eq!((fired(&rig).await.len(), skipped(&rig).await.len()), (8, 0));
}

async fn overlapping(overlap: Overlap) -> Rig {
    let rig = Rig::new().await;
    save(&rig, Put { overlap, ..putting("job", every(MINUTE_MS)) }).await;
    rig
}

async fn end(rig: &Rig, outcome: Outcome) -> Id {
    let claimed = rig.claim("ant").await.expect("something is ready");
    let (id, generation) = (claimed.found.task.id, claimed.found.task.generation);
    rig.settle(id, generation, outcome).await.expect("settles");
    id
}

// D29: `overlap: skip` starts nothing while what an earlier slot started is not over, also while that waits for another try.
#[tokio::test]
async fn d29_overlap_skip() {
    let rig = overlapping(Overlap::Skip).await;
    pass(&rig, 3, MINUTE_MS).await;
    assert_eq!(fired(&rig).await.len(), 1);
    assert_eq!(skipped(&rig).await, [("overlap".to_owned(), 1), ("overlap".to_owned(), 1)]);
    end(&rig, Outcome::Failed).await;
    pass(&rig, 1, MINUTE_MS).await;
    assert_eq!(fired(&rig).await.len(), 1, "it is tried again");
    rig.pass_ms(0).await;
    end(&rig, Outcome::Succeeded).await;
    pass(&rig, 1, MINUTE_MS).await;
    assert_eq!(fired(&rig).await.len(), 2);
    assert_eq!(look(&rig, "job").await.last.map(|last| last.became), Some(Became::Started));
}

// D29: `overlap: queue` lets at most ten wait, in their order, whatever becomes of those before them.
#[tokio::test]
async fn d29_overlap_queue() {
    let rig = overlapping(Overlap::Queue).await;
    pass(&rig, i64::from(MAX_QUEUED_RUNS) + 3, MINUTE_MS).await;
    let tasks: Vec<Id> = fired(&rig).await.into_iter().map(|(_, task)| task).collect();
    assert_eq!(tasks.len(), MAX_QUEUED_RUNS as usize + 1);
    assert_eq!(skipped(&rig).await.len(), 2);
    assert_eq!((rig.state(tasks[0]).await, rig.state(tasks[1]).await), (State::Ready, State::Pending));
    // One that waits and is called off frees nobody behind it.
    let called_off = tasks[1];
    rig.act(move |act| tiltyard_engine::task::cancel::cancel(act, called_off, "no")).await.expect("cancels");
    assert_eq!(rig.state(tasks[2]).await, State::Pending);
    assert_eq!(end(&rig, Outcome::Succeeded).await, tasks[0]);
    assert_eq!((rig.state(tasks[2]).await, rig.state(tasks[3]).await), (State::Ready, State::Pending));
    let dead = tasks[2];
    rig.act(move |act| tiltyard_engine::task::cancel::cancel(act, dead, "no")).await.expect("cancels");
    assert_eq!(rig.state(tasks[3]).await, State::Ready, "however it ended");
}

// D29: `overlap: allow`; what is kept of old slots is bounded.
#[tokio::test]
async fn d29_overlap_allow() {
    let rig = overlapping(Overlap::Allow).await;
    pass(&rig, 120, MINUTE_MS).await;
    assert_eq!((fired(&rig).await.len(), skipped(&rig).await.len()), (120, 0));
    save(&rig, Put { overlap: Overlap::Skip, ..putting("job", every(MINUTE_MS)) }).await;
    pass(&rig, 1, MINUTE_MS).await;
    assert_eq!(skipped(&rig).await, [("overlap".to_owned(), 1)]);
}

// D29: pause and resume make up for nothing; the same again changes nothing.
#[tokio::test]
async fn d29_pause_and_the_same_again() {
    let rig = Rig::new().await;
    let first = save(&rig, putting("job", every(HOUR_MS))).await;
    rig.clock.advance(30 * MINUTE_MS);
    assert_eq!(save(&rig, putting("job", every(HOUR_MS))).await, first, "the interval is not put off");
    let paused = save(&rig, Put { paused: true, ..putting("job", every(HOUR_MS)) }).await;
    assert_eq!((paused.revision, paused.upcoming()), (2, vec![]));
    pass(&rig, 3, HOUR_MS).await;
    let resumed = save(&rig, putting("job", every(HOUR_MS))).await;
    assert_eq!((resumed.revision, fired(&rig).await.len(), skipped(&rig).await.len()), (3, 0, 0));
    assert_eq!(resumed.next_at, Some(START + 4 * HOUR_MS), "of the beginning that it had");
    assert_eq!(resumed.upcoming().len(), 5);
    pass(&rig, 1, 30 * MINUTE_MS).await;
    assert_eq!(fired(&rig).await.len(), 1);
    assert_eq!(rig.told_of("schedule").await.len(), 4, "the same again is no event");
}

// D29: what cannot be is refused when it is saved, with its place; D2.
#[tokio::test]
async fn d29_what_cannot_be_is_refused_with_its_place() {
    let rig = Rig::new().await;
    let of_task = |change: fn(&mut Spec)| {
        let mut spec = spec("t");
        change(&mut spec);
        Put { what: What::Task(Box::new(spec)), ..putting("job", every(MINUTE_MS)) }
    };
    for (asked, field) in [
        (putting("job", cron("*/0 * * * *", "UTC")), "/cron"),
        (putting("job", cron("0 0 30 2 *", "UTC")), "/cron"),
        (putting("job", cron("0 0 * * *", "Europe/Berln")), "/timezone"),
        (putting("job", every(999)), "/every_ms"),
        (putting("No Slug", every(MINUTE_MS)), "/name"),
        (of_task(|spec| spec.title.clear()), "/task/title"),
        (of_task(|spec| spec.kind = "git.check".into()), "/task/kind"),
        (of_task(|spec| spec.run_at = Some(START)), "/task/run_at"),
        (of_task(|spec| spec.kind = "change".into()), "/task/payload"),
    ] {
        let refusal = refused(&rig, asked).await;
        assert_eq!(refusal.faults[0].field, field, "{refusal}");
    }
    let pipeline = What::Pipeline { name: "none".into(), input: serde_json::json!({}) };
    let unknown = refused(&rig, Put { what: pipeline, ..putting("job", every(MINUTE_MS)) }).await;
    assert_eq!(unknown.code, Code::UnknownPipeline);
    let what = What::Task(Box::new(Spec { scope: "nowhere".into(), ..spec("x") }));
    let elsewhere = Put { scope: "nowhere".into(), what, ..putting("job", every(MINUTE_MS)) };
    let nowhere = refused(&rig, elsewhere).await;
    assert_eq!(nowhere.code, Code::UnknownScope);
    assert_eq!(rig.told_of("schedule").await.len(), 0);
}

// D29: after the last slot of the calendar there is none.
#[tokio::test]
async fn d29_the_year_9999() {
    let rig = Rig::new().await;
    // As far as a zone's clock is reckoned.
    at(&rig, "9999-12-30T21:59:30Z").await;
    let saved = save(&rig, putting("last", cron("* * * * *", "UTC"))).await;
    assert_eq!(saved.upcoming().len(), 1);
    rig.clock.advance(MINUTE_MS);
    let after = save(&rig, putting("after", cron("* * * * *", "UTC"))).await;
    assert_eq!((after.next_at, after.upcoming()), (None, vec![]));
    let never = save(&rig, putting("never", cron("0 0 1 1 *", "UTC"))).await;
    assert_eq!(never.next_at, None);
}

// D7, D29: a task whose unique key is held is not started twice, and the schedule says which one holds it.
#[tokio::test]
async fn d29_a_held_unique_key_is_told() {
    let rig = Rig::new().await;
    let unique = Some(Unique { key: "k".into(), for_ms: None });
    let what = What::Task(Box::new(Spec { unique, ..spec("job") }));
    save(&rig, Put { what, ..putting("job", every(MINUTE_MS)) }).await;
    pass(&rig, 2, MINUTE_MS).await;
    let [(_, task)] = fired(&rig).await[..] else { panic!("one slot") };
    let last = look(&rig, "job").await.last.expect("is told");
    assert_eq!((last.became, last.thing), (Became::Duplicate, Some(task)));
    assert_eq!(skipped(&rig).await, [("duplicate".to_owned(), 1)]);
}

// O15, D29: a slot that comes while the disk is full is not lost.
#[tokio::test]
async fn o15_a_slot_waits_for_room_on_the_disk() {
    let rig = Rig::new().await;
    save(&rig, putting("job", every(MINUTE_MS))).await;
    let full = |is_full: bool| {
        rig.act(move |act| {
            act.memory.hints().storage_low = is_full;
            Ok(())
        })
    };
    full(true).await.expect("is said");
    rig.clock.advance(MINUTE_MS);
    let service = all().into_iter().find(|service| service.name() == "fire").expect("is there");
    assert_eq!(service.run_once(&rig.engine).await.expect_err("waits").code, Code::StorageLow);
    assert_eq!(fired(&rig).await, []);
    full(false).await.expect("is said");
    fire(&rig.engine).await;
    assert_eq!(fired(&rig).await.len(), 1);
}

// SEC4, API3: of another scope nothing is listed, read, saved or removed; pages follow each other.
#[tokio::test]
async fn sec4_schedules_of_others_are_not_shown() {
    let rig = Rig::new().await;
    rig.act(|act| tiltyard_engine::scope::put(act, "b", "")).await.expect("makes");
    let in_b = || {
        let what = What::Task(Box::new(Spec { scope: "b".into(), ..spec("x") }));
        Put { scope: "b".into(), what, ..putting("x", every(HOUR_MS)) }
    };
    save(&rig, in_b()).await;
    for name in ["y", "x"] {
        save(&rig, putting(name, every(HOUR_MS))).await;
    }
    let of_b = caller(Role::Operator, &["b"]);
    let all = Window { after: None, offset: 0, limit: 2 };
    let window = all.clone();
    let first = rig.read(move |rows| page(rows, &admin(), None, &window)).await.expect("lists");
    let names = |items: &[Schedule]| items.iter().map(|one| format!("{}/{}", one.scope, one.name)).collect();
    let (listed, total): (Vec<String>, u64) = (names(&first.items), first.total);
    assert_eq!((listed, total), (vec!["b/x".to_owned(), "default/x".to_owned()], 3));
    let window = Window { after: first.next, ..all.clone() };
    let second = rig.read(move |rows| page(rows, &admin(), None, &window)).await.expect("lists");
    assert_eq!((second.items.len(), second.next), (1, None));
    let reader = of_b.clone();
    let own = rig.read(move |rows| page(rows, &reader, None, &all)).await.expect("lists");
    assert_eq!(own.total, 1);
    let reader = of_b.clone();
    let read = rig.read(move |rows| get(rows, &reader, "default", "x")).await.expect_err("foreign");
    let saved = rig.act_as(&of_b, |act| put(act, putting("z", every(HOUR_MS)))).await.expect_err("foreign");
    let removed = rig.act_as(&of_b, |act| delete(act, "default", "x")).await.expect_err("foreign");
    assert_eq!([read.code, saved.code, removed.code], [Code::ScopeForbidden; 3]);
    let kept = rig.act(|act| tiltyard_engine::scope::delete(act, "b")).await.expect_err("is in use");
    assert!(kept.message.contains("1 schedules"), "{kept}");
}

// D7: what waits for an earlier slot's task goes on however that ended, whatever the submission says.
#[tokio::test]
async fn d29_a_queued_task_waits_by_the_rule_of_the_schedule() {
    let rig = Rig::new().await;
    let mut one = spec("job");
    one.extras.on_dependency_failure = OnDependencyFailure::Cancel;
    let what = What::Task(Box::new(one));
    save(&rig, Put { what, overlap: Overlap::Queue, ..putting("job", every(MINUTE_MS)) }).await;
    pass(&rig, 2, MINUTE_MS).await;
    let tasks: Vec<Id> = fired(&rig).await.into_iter().map(|(_, task)| task).collect();
    let waits = rig.get(tasks[1]).await.task.spec;
    assert_eq!(
        (waits.depends_on, waits.extras.on_dependency_failure),
        (vec![tasks[0]], OnDependencyFailure::Run)
    );
}
