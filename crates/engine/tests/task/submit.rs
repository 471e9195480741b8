//! What a submission becomes.

use crate::rig::{Rig, START, spec};
use tiltyard_engine::task::submit::{submit, submit_batch};
use tiltyard_model::refusal::Code;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Spec, State, Unique};

#[tokio::test]
async fn a_task_is_ready_or_scheduled_and_its_event_says_so() {
    let rig = Rig::new().await;
    let ready = rig.submit(spec("now")).await;
    let later = rig.submit(Spec { run_at: Some(START + 5_000), ..spec("later") }).await;
    assert_eq!((rig.state(ready).await, rig.state(later).await), (State::Ready, State::Scheduled));
    assert_eq!(rig.story(ready).await, ["submitted"]);
    rig.pass_ms(4_999).await;
    assert_eq!(rig.state(later).await, State::Scheduled);
    rig.pass_ms(1).await;
    assert_eq!(rig.state(later).await, State::Ready);
    assert_eq!(rig.story(later).await, ["submitted", "ready"]);
}

// API2: all that is wrong is said at once, and nothing of it is written.
#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let rig = Rig::new().await;
    let bad = Spec { priority: 0, title: String::new(), ..spec("x") };
    let refusal = rig.try_submit(bad).await.expect_err("is refused");
    assert_eq!((refusal.code, refusal.faults.len()), (Code::Invalid, 2));
    let unknown =
        rig.try_submit(Spec { scope: "nowhere".into(), ..spec("x") }).await.expect_err("is refused");
    assert_eq!(unknown.code, Code::UnknownScope);
    assert!(rig.claim("a").await.is_none());
}

// A batch is all or nothing: a wrong one in the middle takes the ones before it back.
#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let rig = Rig::new().await;
    let batch = vec![spec("one"), Spec { priority: 99, ..spec("two") }, spec("three")];
    let refusal = rig.act(move |act| submit_batch(act, &batch)).await.expect_err("is refused");
    assert_eq!(refusal.faults[0].field, "/tasks/1/priority");
    assert!(rig.claim("a").await.is_none());
    let good = vec![spec("one"), spec("two")];
    let taken = rig.act(move |act| submit_batch(act, &good)).await.expect("is taken in");
    assert_eq!(taken.len(), 2);
    assert_eq!(rig.claim("a").await.map(|claimed| claimed.found.task.id), Some(taken[0].id));
}

// unique_key: a second task returns the first until that one is final.
#[tokio::test]
async fn a_unique_key_holds_until_its_task_is_final() {
    let mut rig = Rig::new().await;
    let keyed = || Spec { unique: Some(Unique { key: "k".into(), for_ms: None }), ..spec("only one") };
    let first = rig.submit(keyed()).await;
    assert_eq!(rig.submit(keyed()).await, first);
    rig.restart().await;
    let again = rig.act(move |act| submit(act, &keyed())).await.expect("answers");
    assert_eq!((again.id, again.first.is_some()), (first, true));
    let claimed = rig.claim("a").await.expect("is ready");
    rig.settle(first, claimed.found.task.generation, Outcome::Succeeded).await.expect("is taken");
    assert_ne!(rig.submit(keyed()).await, first);
}

#[tokio::test]
async fn a_timed_unique_key_outlives_its_task_and_ends() {
    let rig = Rig::new().await;
    let keyed =
        || Spec { unique: Some(Unique { key: "k".into(), for_ms: Some(60_000) }), ..spec("once a minute") };
    let first = rig.submit(keyed()).await;
    let claimed = rig.claim("a").await.expect("is ready");
    rig.settle(first, claimed.found.task.generation, Outcome::Succeeded).await.expect("is taken");
    rig.pass_ms(59_999).await;
    assert_eq!(rig.submit(keyed()).await, first);
    rig.pass_ms(1).await;
    assert_ne!(rig.submit(keyed()).await, first);
}

// Past its deadline unfinished work is cancelled with reason `deadline`.
#[tokio::test]
async fn a_deadline_cancels_what_is_unfinished() {
    let rig = Rig::new().await;
    let dated = |title| Spec { deadline: Some(START + 10_000), ..spec(title) };
    let (waiting, running, done) = (dated("waits"), dated("runs"), dated("is done"));
    let done = rig.submit(done).await;
    let claimed = rig.claim("a").await.expect("is ready");
    rig.settle(done, claimed.found.task.generation, Outcome::Succeeded).await.expect("is taken");
    let running = rig.submit(running).await;
    rig.claim("a").await.expect("is ready");
    let waiting = rig.submit(waiting).await;
    rig.pass_ms(10_000).await;
    for id in [waiting, running] {
        let found = rig.get(id).await;
        assert_eq!((found.task.state, found.task.reason.as_deref()), (State::Cancelled, Some("deadline")));
    }
    assert_eq!(rig.state(done).await, State::Succeeded);
}
