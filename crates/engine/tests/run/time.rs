//! What time and events bring to runs: waits, time-outs, back-offs, stops that nobody answers, and schedules of pipelines.

use crate::rig::Rig;
use serde_json::json;
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::schedule::{Put, When, get, put};
use tiltyard_engine::service::{Ran, all};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State::{Failed, Skipped, Succeeded, Waiting};
use tiltyard_model::schedule::kept::{Became, Last, What};
use tiltyard_model::schedule::{MAX_QUEUED_RUNS, Missed, Overlap};
use tiltyard_model::time::MINUTE_MS;
use tiltyard_store::run::timer;

const PAUSE: &str = "\
stages:
  - {id: pause, uses: wait, with: {for_ms: 60000}}
  - {id: after, uses: command, needs: pause, with: {argv: [after]}}
";

const EVENT: &str = "\
stages:
  - {id: first, uses: command, with: {argv: [first]}}
  - id: heard
    uses: wait
    needs: first
    with:
      event: {type: template.saved, subject: docs}
  - {id: after, uses: command, needs: heard, with: {argv: [\"${{ stages.heard.outputs.result.subject }}\"]}}
";

/// Does what a service does when it is its turn.
async fn serve(rig: &Rig, name: &str) {
    let service = all().into_iter().find(|service| service.name() == name).expect("is there");
    while service.run_once(&rig.engine).await.expect("works") == Ran::More {}
}

/// Lets time pass and happen what it brings.
async fn pass(rig: &Rig, by_ms: i64) {
    rig.clock.advance(by_ms);
    serve(rig, "expire").await;
    rig.begin().await;
}

async fn save_template(rig: &Rig, name: &'static str) {
    let saved = rig.act(move |act| {
        let task = json!({"kind": "note"}).as_object().cloned().expect("an object");
        let (scope, name, description) = ("default".into(), name.into(), String::new());
        let template = tiltyard_model::template::Template { scope, name, description, task };
        tiltyard_engine::template::put(act, template)
    });
    saved.await.expect("saves");
}

async fn timers(rig: &Rig, run: Id) -> usize {
    rig.read(move |rows| timer::of_run(rows, run.key(), 100).map_err(refusal_of)).await.len()
}

// D20: a wait ends when its time has come, also where the server was not there then; a clock that is set back ends it later.
#[tokio::test]
async fn d20_a_wait_ends_when_its_time_has_come() {
    let mut rig = Rig::new().await;
    let run = rig.start(PAUSE, json!({})).await;
    rig.begin().await;
    assert_eq!((rig.stages(run).await[0], rig.state(run).await), (Waiting, State::Waiting));
    pass(&rig, MINUTE_MS - 1).await;
    rig.clock.jump(-MINUTE_MS);
    pass(&rig, 1).await;
    assert_eq!(rig.stages(run).await[0], Waiting);
    rig.clock.advance(5 * MINUTE_MS);
    rig.restart().await;
    pass(&rig, 0).await;
    assert_eq!((rig.stages(run).await[0], timers(&rig, run).await), (Succeeded, 0));
    assert_eq!(rig.succeeds(json!(null)).await, "pipeline · after");
    assert_eq!(rig.state(run).await, State::Succeeded);
}

// D28: an event that came after the run began and before the wait ends it; one before the run does not, nor one about something else.
#[tokio::test]
async fn d28_an_event_since_the_run_began_ends_a_wait() {
    let mut rig = Rig::new().await;
    save_template(&rig, "docs").await;
    let early = rig.start(EVENT, json!({})).await;
    rig.begin().await;
    rig.succeeds(json!(null)).await;
    rig.begin().await;
    save_template(&rig, "other").await;
    serve(&rig, "listen").await;
    assert_eq!(
        rig.stages(early).await[1],
        Waiting,
        "what came before it, or is about another thing, does not count"
    );

    let late = rig.start(EVENT, json!({})).await;
    rig.begin().await;
    save_template(&rig, "docs").await;
    rig.restart().await;
    serve(&rig, "listen").await;
    assert_eq!(rig.stages(early).await[1], Succeeded);
    rig.begin().await;
    rig.succeeds(json!(null)).await;
    rig.succeeds(json!(null)).await;
    rig.begin().await;
    assert_eq!(rig.stages(late).await[1], Waiting, "nobody has looked yet");
    serve(&rig, "listen").await;
    rig.begin().await;
    assert_eq!(rig.stages(late).await[1], Succeeded, "it came before the wait, and after the run began");
    let claimed = rig.claim().await.expect("is ready");
    assert!(claimed.found.task.spec.payload.contains("docs"), "{}", claimed.found.task.spec.payload);
}

// D28: a wait that has to look back a long way gets there, in steps.
#[tokio::test]
async fn d28_a_long_look_back() {
    let rig = Rig::new().await;
    let run = rig.start(EVENT, json!({})).await;
    save_template(&rig, "docs").await;
    for _ in 0..1_200 {
        save_template(&rig, "other").await;
    }
    rig.begin().await;
    rig.succeeds(json!(null)).await;
    rig.begin().await;
    serve(&rig, "listen").await;
    assert_eq!(rig.stages(run).await[1], Succeeded);
}

// D20: a wait with a time-out fails when that is over, and is waited for no longer.
#[tokio::test]
async fn d20_a_wait_takes_no_longer_than_it_may() {
    let rig = Rig::new().await;
    let text = EVENT.replace("    uses: wait\n", "    uses: wait\n    timeout_ms: 60000\n");
    let run = rig.start(&text, json!({})).await;
    rig.begin().await;
    rig.succeeds(json!(null)).await;
    rig.begin().await;
    pass(&rig, MINUTE_MS).await;
    assert_eq!(rig.stages(run).await, [Succeeded, Failed, Skipped]);
    assert!(rig.error(run).await.is_some_and(|error| error.contains("timeout_ms")));
    save_template(&rig, "docs").await;
    serve(&rig, "listen").await;
    assert_eq!((rig.state(run).await, timers(&rig, run).await), (State::Failed, 0));
}

// D4: a run that waits is cancelled at once, with its times.
#[tokio::test]
async fn d4_a_wait_that_is_cancelled_leaves_no_time_behind() {
    let rig = Rig::new().await;
    let run = rig.start(PAUSE, json!({})).await;
    rig.begin().await;
    rig.cancel(run).await.expect("cancels");
    assert_eq!(
        (rig.state(run).await, rig.stops(run).await, timers(&rig, run).await),
        (State::Cancelled, (1, 1, 0), 0)
    );
    pass(&rig, 2 * MINUTE_MS).await;
    assert_eq!(rig.state(run).await, State::Cancelled);
}

async fn schedule(rig: &Rig, overlap: Overlap, input: serde_json::Value) -> Result<(), Refusal> {
    let asked = Put {
        scope: "default".into(),
        name: "job".into(),
        when: When::Every { every_ms: MINUTE_MS, from: None },
        what: What::Pipeline { name: "p".into(), input },
        missed: Missed::RunOnce,
        overlap,
        paused: false,
    };
    let ada = Caller { owner: "ada".into(), ..Caller::system() };
    rig.engine.may_schedule(&ada, &asked).await?;
    let pass = tiltyard_engine::Pass { caller: ada, request_id: None, client: None };
    rig.engine.enter(pass, tiltyard_engine::Urgency::Normal, move |act| put(act, asked)).await.map(drop)
}

/// A minute passes; gives what became of the slot.
async fn slot(rig: &Rig) -> Last {
    rig.clock.advance(MINUTE_MS);
    serve(rig, "fire").await;
    rig.begin().await;
    let found = rig.read(|rows| get(rows, &Caller::system(), "default", "job")).await;
    found.last.expect("a slot has come")
}

const NAMED: &str = "\
input:
  type: object
  properties: {n: {type: integer, default: 1}}
stages:
  - {id: one, uses: command, with: {argv: [\"${{ input.n }}\"]}}
";

// D29: a slot starts a run of the newest version, in the name of who saved the schedule, once.
#[tokio::test]
async fn d29_a_schedule_starts_a_pipeline() {
    let mut rig = Rig::new().await;
    let unknown = schedule(&rig, Overlap::Skip, json!({})).await.expect_err("is not there");
    assert_eq!(unknown.code, Code::UnknownPipeline);
    rig.publish("p", NAMED).await;
    let wrong = schedule(&rig, Overlap::Skip, json!({"n": "x"})).await.expect_err("is judged");
    assert_eq!(wrong.faults[0].field, "/input/n");
    schedule(&rig, Overlap::Skip, json!({"n": 7})).await.expect("saves");
    let first = slot(&rig).await;
    let run = first.thing.filter(|id| id.noun() == Noun::Run).expect("a run");
    assert_eq!((first.became, rig.state(run).await), (Became::Started, State::Running));
    let made = rig.whole(run).await.found.made;
    let by = made.slot.expect("of a slot");
    assert_eq!((&*by.schedule, by.at, made.submitter.as_deref()), ("job", first.at, Some("ada")));
    rig.restart().await;
    serve(&rig, "fire").await;
    assert_eq!(slot(&rig).await.became, Became::Overlapped);
    rig.succeeds(json!(null)).await;
    assert_eq!(rig.state(run).await, State::Succeeded);
    rig.publish("p", &NAMED.replace("id: one", "id: two")).await;
    let third = slot(&rig).await;
    assert_eq!((third.became, rig.succeeds(json!(null)).await), (Became::Started, "p · two".to_owned()));
    // What no longer takes the input is told, and the slot is dealt with.
    rig.publish("p", &NAMED.replace("type: integer, default: 1", "type: string")).await;
    let fourth = slot(&rig).await;
    assert_eq!(fourth.became, Became::Refused);
    assert!(fourth.error.is_some_and(|error| error.contains("/input/n")));
    let deleted = rig.act(|act| tiltyard_engine::pipeline::delete(act, "default", "p")).await;
    assert_eq!(deleted.expect_err("is named").code, Code::InUse);
}

// D29: `overlap: queue` lets runs wait, at most ten; the end of one lets the next begin, in the same deed.
#[tokio::test]
async fn d29_runs_of_a_schedule_wait_for_each_other() {
    let mut rig = Rig::new().await;
    rig.publish("p", NAMED).await;
    schedule(&rig, Overlap::Queue, json!({})).await.expect("saves");
    let mut runs = Vec::new();
    for _ in 0..=MAX_QUEUED_RUNS {
        runs.push(slot(&rig).await.thing.expect("a run"));
    }
    assert_eq!(slot(&rig).await.became, Became::Overlapped);
    assert_eq!((rig.state(runs[0]).await, rig.state(runs[1]).await), (State::Running, State::Queued));
    rig.cancel(runs[1]).await.expect("cancels");
    assert_eq!(rig.state(runs[2]).await, State::Queued, "one that waited frees nobody");
    rig.restart().await;
    rig.succeeds(json!(null)).await;
    assert_eq!((rig.state(runs[2]).await, rig.state(runs[3]).await), (State::Running, State::Queued));
    rig.begin().await;
    rig.fails("no").await;
    rig.begin().await;
    rig.is_as_rows_say().await;
}
