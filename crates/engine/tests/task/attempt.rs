//! How attempts end, and what is said twice.

use crate::rig::{Rig, report, spec};
use tiltyard_engine::task::cancel::{cancel, report_stop};
use tiltyard_engine::task::heartbeat::{Beat, acknowledge_if_cancelled, beat};
use tiltyard_engine::task::list::attempts;
use tiltyard_engine::task::retry::{Edit, retry};
use tiltyard_engine::task::settle::Report;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_model::role::Caller;
use tiltyard_model::task::attempt::{Attempt, Outcome, Stop};
use tiltyard_model::task::{Concurrency, Extras, Spec, State};

async fn history(rig: &Rig, id: Id) -> Vec<Attempt> {
    rig.engine.read(move |rows| attempts(rows, &Caller::system(), id)).await.expect("reads")
}

async fn running(rig: &Rig, spec: Spec) -> Id {
    let id = rig.submit(spec).await;
    assert_eq!(rig.claim("a").await.expect("is ready").found.task.id, id);
    id
}

// D2: each attempt is kept, with how it ended; a failure waits out its back-off.
#[tokio::test]
async fn d2_each_attempt_is_kept() {
    let rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    rig.settle(id, 1, Outcome::Failed).await.expect("is taken");
    assert_eq!(rig.state(id).await, State::Scheduled);
    rig.pass_ms(1_000).await;
    rig.claim("b").await.expect("is ready again");
    rig.report(Report { result: Some("{\"n\":1}".into()), ..report(id, 2, Outcome::Succeeded) })
        .await
        .expect("is taken");
    let kept = history(&rig, id).await;
    let told: Vec<_> = kept.iter().map(|one| (one.generation, one.agent.as_str(), one.outcome)).collect();
    assert_eq!(told, [(1, "a", Some(Outcome::Failed)), (2, "b", Some(Outcome::Succeeded))]);
    assert_eq!((kept[0].error.as_deref(), kept[1].result.as_deref()), (Some("it broke"), Some("{\"n\":1}")));
    assert_eq!(rig.story(id).await, ["submitted", "leased", "failed", "ready", "leased", "succeeded"]);
}

// The table of moves: attempts used up, and `retryable: false`.
#[tokio::test]
async fn a_task_dies_when_its_attempts_are_used_up() {
    let rig = Rig::new().await;
    let id = running(&rig, Spec { max_attempts: 2, ..spec("x") }).await;
    rig.settle(id, 1, Outcome::Failed).await.expect("is taken");
    rig.pass_ms(300_000).await;
    rig.claim("a").await.expect("is ready again");
    assert_eq!(rig.settle(id, 2, Outcome::Failed).await.expect("is taken").state, State::Dead);
    let hopeless = running(&rig, spec("y")).await;
    let last = Report { retryable: false, ..report(hopeless, 1, Outcome::Failed) };
    assert_eq!(rig.report(last).await.expect("is taken").state, State::Dead);
}

// E8: the same again is replayed, something else is refused, for as long as the task is kept.
#[tokio::test]
async fn e8_a_lost_reply_is_harmless() {
    let mut rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    let said = Report { result: Some("1".into()), ..report(id, 1, Outcome::Succeeded) };
    assert!(!rig.report(said.clone()).await.expect("is taken").replayed);
    assert!(rig.report(said.clone()).await.expect("is replayed").replayed);
    rig.restart().await;
    assert!(rig.report(said.clone()).await.expect("is replayed").replayed);
    let other = Report { result: Some("2".into()), ..said.clone() };
    assert_eq!(rig.report(other).await, Err(Code::AlreadySettled));
    assert_eq!(rig.settle(id, 1, Outcome::Failed).await, Err(Code::AlreadySettled));
    assert_eq!(rig.settle(id, 2, Outcome::Succeeded).await, Err(Code::StaleGeneration));
    assert_eq!(rig.story(id).await, ["submitted", "leased", "succeeded"], "one effect only");
}

// E8: also when the task has moved on to another attempt.
#[tokio::test]
async fn e8_a_settle_is_replayed_after_the_task_moved_on() {
    let rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    rig.settle(id, 1, Outcome::Failed).await.expect("is taken");
    rig.pass_ms(300_000).await;
    rig.claim("b").await.expect("is ready again");
    let again = rig.settle(id, 1, Outcome::Failed).await.expect("is replayed");
    assert!(again.replayed && again.state == State::Running);
    assert_eq!(rig.settle(id, 1, Outcome::Succeeded).await, Err(Code::AlreadySettled));
}

// D1: a word for a settled generation is `already_settled`, for a lost one `stale_generation`.
#[tokio::test]
async fn d1_words_of_other_generations_change_nothing() {
    let rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    let word = move |generation| Beat {
        id,
        generation,
        lease_ms: None,
        progress: Some(0.5),
        message: Some("half".into()),
    };
    assert_eq!(rig.act(move |act| beat(act, &word(1))).await, Ok(30_000));
    assert_eq!(rig.get(id).await.task.progress, Some(0.5));
    let code = |result: Result<i64, tiltyard_model::refusal::Refusal>| result.map_err(|refusal| refusal.code);
    assert_eq!(code(rig.act(move |act| beat(act, &word(2))).await), Err(Code::StaleGeneration));
    rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
    assert_eq!(code(rig.act(move |act| beat(act, &word(1))).await), Err(Code::AlreadySettled));
    let strange = running(&rig, spec("y")).await;
    let bad = Beat { id: strange, generation: 1, lease_ms: Some(10), progress: None, message: None };
    assert_eq!(code(rig.act(move |act| beat(act, &bad)).await), Err(Code::Invalid));
}

// D4: cancelled at once for us; whatever that generation says is refused; the slot is free when it has stopped.
#[tokio::test]
async fn d4_a_cancel_is_verified() {
    let rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    let found = rig.act(move |act| cancel(act, id, "requested")).await.expect("is cancelled");
    assert_eq!(found.task.state, State::Cancelled);
    assert_eq!(found.task.attempt.and_then(|attempt| attempt.stop), Some(Stop::Requested));
    assert_eq!(rig.settle(id, 1, Outcome::Succeeded).await, Err(Code::StaleGeneration));
    rig.act(move |act| acknowledge_if_cancelled(act, id, 1)).await.expect("is on record");
    let stop = |found: tiltyard_store::task::Found| found.task.attempt.and_then(|attempt| attempt.stop);
    assert_eq!(stop(rig.get(id).await), Some(Stop::Acknowledged));
    assert_eq!(rig.settle(id, 1, Outcome::Released).await.map(|verdict| verdict.state), Ok(State::Cancelled));
    assert_eq!(stop(rig.get(id).await), Some(Stop::Stopped));
    let again = rig.act(move |act| cancel(act, id, "requested")).await.expect("is 200");
    assert_eq!(again.task.state, State::Cancelled);
    assert_eq!(rig.story(id).await, ["submitted", "leased", "cancelled", "stopped", "stopped"]);
}

// D4: nobody confirms for 30 s: unconfirmed, and the slot is free only then.
#[tokio::test]
async fn d4_a_stop_that_nobody_confirms_ends_after_thirty_seconds() {
    let mut rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    rig.act(move |act| cancel(act, id, "requested")).await.expect("is cancelled");
    async fn taken(rig: &Rig) -> Result<usize, tiltyard_model::refusal::Refusal> {
        rig.act(|act| Ok(act.memory.leases.len())).await
    }
    rig.restart().await;
    assert_eq!(taken(&rig).await, Ok(1), "the slot is taken, also after a restart");
    rig.pass_ms(30_000).await;
    assert_eq!(taken(&rig).await, Ok(0));
    let stop = rig.get(id).await.task.attempt.and_then(|attempt| attempt.stop);
    assert_eq!(stop, Some(Stop::Unconfirmed));
    rig.act(move |act| report_stop(act, id, 1, Stop::Stopped)).await.expect("a late word is welcome");
    assert_eq!(rig.get(id).await.task.attempt.and_then(|attempt| attempt.stop), Some(Stop::Stopped));
}

#[tokio::test]
async fn d4_a_task_that_succeeded_cannot_be_cancelled() {
    let rig = Rig::new().await;
    let id = running(&rig, spec("x")).await;
    rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
    let refusal = rig.act(move |act| cancel(act, id, "requested")).await.expect_err("is refused");
    assert_eq!(refusal.code, Code::AlreadyFinal);
}

// A retry begins a new life: attempts fresh, generations rising (E3), the old payload kept with its attempts (D12).
#[tokio::test]
async fn a_retry_begins_a_new_life() {
    let rig = Rig::new().await;
    let id = running(&rig, Spec { max_attempts: 1, payload: "1".into(), ..spec("x") }).await;
    rig.settle(id, 1, Outcome::Failed).await.expect("is taken");
    assert_eq!(rig.state(id).await, State::Dead);
    let edit = Edit { priority: Some(9), payload: Some("2".into()), assign_to: Some("b".into()) };
    let found = rig.act(move |act| retry(act, id, &edit)).await.expect("is retried");
    assert_eq!((found.task.state, found.task.used, found.task.spec.payload.as_str()), (State::Ready, 0, "2"));
    assert!(rig.claim("a").await.is_none());
    let claimed = rig.claim("b").await.expect("is its own");
    assert_eq!((claimed.found.task.generation, claimed.found.task.spec.priority), (2, 9));
    assert_eq!(history(&rig, id).await[0].payload.as_deref(), Some("1"));
    let early = rig.act(move |act| retry(act, id, &Edit::default())).await.expect_err("runs");
    assert_eq!(early.code, Code::WrongState);
}

// D4: an attempt that is still stopping keeps its slot: its task does not run again beside it.
#[tokio::test]
async fn d4_a_task_is_retried_once_its_attempt_has_stopped() {
    let mut rig = Rig::new().await;
    let limited = |title: &str| {
        let concurrency = Some(Concurrency { key: "db".into(), limit: 1 });
        Spec { extras: Extras { concurrency, ..Extras::default() }, ..spec(title) }
    };
    let id = running(&rig, limited("one")).await;
    let other = rig.submit(limited("other")).await;
    rig.act(move |act| cancel(act, id, "requested")).await.expect("is cancelled");
    let again = move |act: &mut tiltyard_engine::Act<'_>| retry(act, id, &Edit::default()).map(drop);
    let early = rig.act(again).await.expect_err("still stops");
    assert_eq!(early.code, Code::WrongState);
    rig.restart().await;
    assert_eq!(rig.act(again).await.expect_err("still stops").code, Code::WrongState);
    assert!(rig.claim("b").await.is_none(), "the slot is taken");
    rig.act(move |act| report_stop(act, id, 1, Stop::Stopped)).await.expect("is on record");
    rig.clock.advance(1);
    rig.act(again).await.expect("has stopped");
    assert_eq!(rig.claim("b").await.expect("is free").found.task.id, other);
    assert!(rig.claim("b").await.is_none(), "one at a time");
}
