//! What a task takes along into a new life, and what it does not.

use crate::rig::{Rig, START, spec};
use tiltyard_engine::task::cancel::cancel;
use tiltyard_engine::task::edit::{Patch, edit};
use tiltyard_engine::task::retry::{Edit, retry};
use tiltyard_engine::task::submit::submit;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::retry::{Backoff, Jitter};
use tiltyard_model::task::{Extras, Spec, State, Unique};

async fn again(rig: &Rig, id: Id) -> Result<(), (Code, Option<String>)> {
    let told = rig.act(move |act| retry(act, id, &Edit::default()).map(drop)).await;
    told.map_err(|refusal| {
        let holder = refusal.extra.get("holder").and_then(|holder| holder.as_str()).map(str::to_owned);
        (refusal.code, holder)
    })
}

async fn dies(rig: &Rig, spec: Spec) -> Id {
    let id = rig.submit(Spec { max_attempts: 1, ..spec }).await;
    assert_eq!(rig.claim("a").await.expect("is ready").found.task.id, id);
    rig.settle(id, 1, Outcome::Failed).await.expect("is taken");
    id
}

// D10: a deadline that has passed was that of the last life; one that lies ahead stays.
#[tokio::test]
async fn d10_a_task_past_its_deadline_runs_again() {
    let mut rig = Rig::new().await;
    let soon = Some(crate::rig::START + 60_000);
    let (over, dead) = (rig.submit(Spec { deadline: soon, ..spec("over") }).await, spec("dead"));
    rig.pass_ms(60_000).await;
    assert_eq!(rig.get(over).await.task.reason.as_deref(), Some("deadline"));
    let later = Some(crate::rig::START + 120_000);
    let dead = dies(&rig, Spec { deadline: later, ..dead }).await;
    again(&rig, over).await.expect("runs again");
    again(&rig, dead).await.expect("runs again");
    rig.restart().await;
    rig.pass_ms(1_000).await;
    assert_eq!((rig.state(over).await, rig.state(dead).await), (State::Ready, State::Ready));
    assert_eq!(
        (rig.get(over).await.task.spec.deadline, rig.get(dead).await.task.spec.deadline),
        (None, later)
    );
    rig.pass_ms(60_000).await;
    assert_eq!((rig.state(over).await, rig.state(dead).await), (State::Ready, State::Cancelled));
}

// A back-off that ends after the deadline keeps nobody from editing something else.
#[tokio::test]
async fn a_task_whose_back_off_passes_its_deadline_is_edited() {
    let rig = Rig::new().await;
    let slow = Backoff { base_ms: 300_000, jitter: Jitter::None, ..Backoff::default() };
    let extras = Extras { backoff: slow, ..Extras::default() };
    let deadline = Some(crate::rig::START + 1);
    let id = rig.submit(Spec { extras, deadline, ..spec("x") }).await;
    rig.claim("a").await.expect("is ready");
    rig.settle(id, 1, Outcome::Failed).await.expect("is taken");
    let found = rig.get(id).await.task;
    assert!(found.state == State::Scheduled && found.spec.run_at > deadline, "{found:?}");
    let change = Patch { title: Some("better".into()), ..Patch::default() };
    rig.act(move |act| edit(act, id, &change)).await.expect("is edited");
    let bad = Patch { deadline: Some(Some(crate::rig::START)), ..Patch::default() };
    assert_eq!(rig.act(move |act| edit(act, id, &bad)).await.expect_err("is earlier").code, Code::Invalid);
}

fn nightly() -> Spec {
    Spec { unique: Some(Unique { key: "nightly".into(), for_ms: None }), ..spec("nightly") }
}

// unique_key: until the first is final; one that runs again is not final.
#[tokio::test]
async fn a_task_that_runs_again_holds_its_unique_key_again() {
    let mut rig = Rig::new().await;
    let first = dies(&rig, nightly()).await;
    again(&rig, first).await.expect("runs again");
    rig.restart().await;
    let second = rig.act(|act| submit(act, &nightly())).await.expect("is taken");
    assert_eq!(second.first.map(|found| found.task.id), Some(first), "the first holds it");
    rig.claim("a").await.expect("is ready");
    rig.settle(first, 2, Outcome::Succeeded).await.expect("is taken");
    let third = rig.act(|act| submit(act, &nightly())).await.expect("is taken");
    assert!(third.first.is_none(), "and has given it up");
    let taken = dies_while_another_holds(&rig, third.id).await;
    assert_eq!(again(&rig, taken).await, Err((Code::AlreadyExists, Some(third.id.to_string()))));
}

/// A cancelled task with the key that `holder` took after it.
async fn dies_while_another_holds(rig: &Rig, holder: Id) -> Id {
    rig.act(move |act| cancel(act, holder, "requested")).await.expect("is cancelled");
    let other = rig.submit(nightly()).await;
    rig.act(move |act| cancel(act, other, "requested")).await.expect("is cancelled");
    again(rig, holder).await.expect("runs again");
    other
}

// The same for one that comes back with its dependency: it stays where it is while another holds the key.
#[tokio::test]
async fn a_task_that_comes_back_with_its_dependency_holds_its_key_again() {
    let rig = Rig::new().await;
    let base = rig.submit(spec("base")).await;
    let child = rig.submit(Spec { depends_on: vec![base], ..nightly() }).await;
    rig.act(move |act| cancel(act, base, "requested")).await.expect("is cancelled");
    let other = rig.submit(nightly()).await;
    again(&rig, base).await.expect("runs again");
    assert_eq!(rig.state(child).await, State::Cancelled, "another holds its key");
    for id in [base, other] {
        rig.act(move |act| cancel(act, id, "requested")).await.expect("is cancelled");
    }
    again(&rig, base).await.expect("runs again");
    assert_eq!(rig.state(child).await, State::Pending);
    let late = rig.act(|act| submit(act, &nightly())).await.expect("is taken");
    assert_eq!(late.first.map(|found| found.task.id), Some(child));
}

// A person takes the time of a scheduled task away: it may run at once.
#[tokio::test]
async fn a_scheduled_task_whose_time_is_taken_away_is_ready() {
    let rig = Rig::new().await;
    let id = rig.submit(Spec { run_at: Some(START + 60_000), ..spec("later") }).await;
    let change = Patch { run_at: Some(None), ..Patch::default() };
    rig.act(move |act| edit(act, id, &change)).await.expect("is edited");
    let found = rig.get(id).await.task;
    assert_eq!((found.state, found.spec.run_at), (State::Ready, None));
    assert!(rig.claim("a").await.is_some());
}
