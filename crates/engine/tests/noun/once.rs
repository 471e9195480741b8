//! Requests with an `Idempotency-Key` (API5).

use crate::desk::{admin, caller};
use crate::rig::{Rig, spec};
use tiltyard_engine::once::{
    Answer, Holder, Key, Once, UNDER_WAY_MS, Whole, find, go_on, keep, once, release, reserve,
};
use tiltyard_engine::task::submit::submit;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::Spec;
use tiltyard_model::time::DAY_MS;

fn key(caller: &Caller, key: &str, body: &str) -> Key {
    Key::of(caller, "TaskSubmit", key, &[b"/api/v1/tasks", body.as_bytes()]).expect("a good key")
}

fn given(id: &Id) -> Whole {
    let (tag, location) = (Some("\"t\"".to_owned()), Some(format!("/tasks/{id}")));
    Whole { status: 201, tag, location, body: format!("{{\"id\":\"{id}\"}}") }
}

fn whole(id: &Id) -> Answer {
    Answer::Whole(given(id))
}

async fn ask(rig: &Rig, key: Key, spec: Spec) -> Result<Once<Id>, Code> {
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        once(act, Some(&key), whole, |act| submit(act, &spec).map(|submitted| submitted.id))
    };
    rig.act_as(&admin(), deed).await.map_err(|refusal| refusal.code)
}

async fn tasks(rig: &Rig) -> usize {
    rig.told_of("task").await.len()
}

// API5: the same key and body give the same answer, also across restarts, and nothing happens twice.
#[tokio::test]
async fn api5_the_same_request_is_done_once() {
    let mut rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let Ok(Once::Done(id)) = ask(&rig, first, spec("one")).await else { panic!("is done") };
    let replayed = Once::Replayed(given(&id));
    assert_eq!(ask(&rig, first, spec("one")).await, Ok(replayed.clone()));
    rig.restart().await;
    assert_eq!(ask(&rig, first, spec("one")).await, Ok(replayed));
    assert_eq!(tasks(&rig).await, 1);
}

// API5: the same key with another body is 422, by another token or at another endpoint it is another key.
#[tokio::test]
async fn api5_a_key_belongs_to_a_token_an_endpoint_and_a_body() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    assert!(matches!(ask(&rig, first, spec("one")).await, Ok(Once::Done(_))));
    let other_body = key(&admin(), "k1", "two");
    assert_eq!(ask(&rig, other_body, spec("two")).await, Err(Code::IdempotencyMismatch));
    let elsewhere = Key::of(&admin(), "TaskRetry", "k1", &[b"/api/v1/tasks", b"one"]).expect("a good key");
    assert!(matches!(ask(&rig, elsewhere, spec("one")).await, Ok(Once::Done(_))));
    let other = Caller { owner: "bob".into(), ..caller(Role::Operator, &["*"]) };
    assert!(matches!(ask(&rig, key(&other, "k1", "one"), spec("one")).await, Ok(Once::Done(_))));
    assert_eq!(tasks(&rig).await, 3);
    let glued = Key::of(&admin(), "TaskSubmit", "k1", &[b"/api/v1/taskso", b"ne"]).expect("a good key");
    assert_ne!(glued, first, "what is path and what is body counts");
}

// API5: for 24 hours.
#[tokio::test]
async fn api5_a_key_is_good_for_a_day() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    assert!(matches!(ask(&rig, first, spec("one")).await, Ok(Once::Done(_))));
    rig.pass_ms(DAY_MS - 1).await;
    assert!(matches!(ask(&rig, first, spec("one")).await, Ok(Once::Replayed { .. })));
    rig.pass_ms(1).await;
    assert!(matches!(ask(&rig, first, spec("one")).await, Ok(Once::Done(_))));
    rig.pass_ms(1_000).await;
    assert!(matches!(ask(&rig, first, spec("one")).await, Ok(Once::Replayed { .. })));
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let nowhere = Spec { scope: "team".into(), ..spec("one") };
    assert_eq!(ask(&rig, first, nowhere.clone()).await, Err(Code::UnknownScope));
    rig.act(|act| tiltyard_engine::scope::put(act, "team", "")).await.expect("makes");
    assert!(matches!(ask(&rig, first, nowhere).await, Ok(Once::Done(_))));
}

// SEC1: an answer with a secret is shown once and stored nowhere; nothing is made twice all the same.
#[tokio::test]
async fn sec1_a_secret_is_not_kept_with_its_answer() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let made = async || {
        let deed = move |act: &mut tiltyard_engine::Act<'_>| {
            once(
                act,
                Some(&first),
                |id: &Id| Answer::ShownOnce { made: id.to_string() },
                |act| submit(act, &spec("secret")).map(|submitted| submitted.id),
            )
        };
        rig.act_as(&admin(), deed).await
    };
    let Ok(Once::Done(id)) = made().await else { panic!("is done") };
    let again = made().await.expect_err("not shown again");
    assert_eq!((again.code, &again.extra["made"]), (Code::AlreadyExists, &id.to_string().into()));
    assert_eq!(tasks(&rig).await, 1);
}

// API5: still running is 409.
#[tokio::test]
async fn api5_a_request_under_way_is_said_so() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let running = rig.engine.once().begin(&first).expect("begins");
    let other = key(&admin(), "k1", "two");
    assert_eq!(rig.engine.once().begin(&other).expect_err("running").code, Code::IdempotencyRunning);
    drop(running);
    assert!(rig.engine.once().begin(&first).is_ok());
}

#[tokio::test]
async fn a_key_is_printable_and_short() {
    let long = "k".repeat(256);
    for bad in ["", "  ", "a\nb", "ä", long.as_str()] {
        let refused = Key::of(&admin(), "TaskSubmit", bad, &[]).expect_err("a bad key");
        assert_eq!(refused.code, Code::BadParameter);
    }
    assert!(Key::of(&admin(), "TaskSubmit", &long[1..], &[]).is_ok());
}

// API5: a request of many deeds that is under way on one server is 409 at another, as long as it is told of; refused, it may be sent
// again, and done, it is answered again.
#[tokio::test]
async fn api5_many_deeds_are_under_way_once() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let (holder, other) = (Holder::draw().expect("a word"), Holder::draw().expect("a word"));
    let ask = |key: Key| rig.act(move |act| reserve(act, &key, other));
    let begun = rig.act(move |act| reserve(act, &first, holder)).await;
    let code = |asked: Result<Option<Whole>, Refusal>| asked.err().map(|refusal| refusal.code);
    assert_eq!(begun, Ok(None));
    assert_eq!(code(ask(first).await), Some(Code::IdempotencyRunning));
    assert_eq!(code(ask(key(&admin(), "k1", "two")).await), Some(Code::IdempotencyMismatch));
    rig.pass_ms(UNDER_WAY_MS - 1).await;
    rig.act(move |act| go_on(act, &first, holder)).await.expect("is written");
    rig.pass_ms(UNDER_WAY_MS - 1).await;
    assert_eq!(code(ask(first).await), Some(Code::IdempotencyRunning), "it goes on");
    rig.pass_ms(1).await;
    assert_eq!(ask(first).await, Ok(None), "its server was killed");
    rig.act(move |act| release(act, &first, other)).await.expect("is written");
    assert_eq!(rig.act(move |act| find(act, &first)).await, Ok(None));
    assert_eq!(ask(first).await, Ok(None), "it was refused");
    let whole = Whole { status: 200, body: "{}".to_owned(), ..Whole::default() };
    let kept = whole.clone();
    rig.act(move |act| keep(act, &first, other, &kept)).await.expect("is written");
    assert_eq!(ask(first).await, Ok(Some(whole)));
}

// API5: a server that comes back late has no say in a request that another one has taken over, nor in what was answered.
#[tokio::test]
async fn api5_a_late_server_leaves_the_answer_of_another() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let (late, other) = (Holder::draw().expect("a word"), Holder::draw().expect("a word"));
    let code = |asked: Result<Option<Whole>, Refusal>| asked.err().map(|refusal| refusal.code);
    let answer = |body: &str| Whole { status: 200, body: body.to_owned(), ..Whole::default() };
    let (whole, second) = (answer("{}"), answer("late"));
    assert_eq!(rig.act(move |act| reserve(act, &first, late)).await, Ok(None));
    rig.pass_ms(UNDER_WAY_MS).await;
    assert_eq!(rig.act(move |act| reserve(act, &first, other)).await, Ok(None), "nothing was heard of it");
    let kept = second.clone();
    let running = Some(Code::IdempotencyRunning);
    assert_eq!(code(rig.act(move |act| go_on(act, &first, late)).await), running);
    assert_eq!(code(rig.act(move |act| keep(act, &first, late, &kept)).await), running);
    rig.act(move |act| release(act, &first, late)).await.expect("does nothing");
    assert_eq!(code(rig.act(move |act| reserve(act, &first, late)).await), running, "it is the other one's");
    let kept = whole.clone();
    assert_eq!(rig.act(move |act| keep(act, &first, other, &kept)).await, Ok(None));
    let found = Ok(Some(whole));
    assert_eq!(rig.act(move |act| go_on(act, &first, late)).await, found);
    assert_eq!(rig.act(move |act| keep(act, &first, late, &second)).await, found, "a key has one answer");
    rig.act(move |act| release(act, &first, late)).await.expect("does nothing");
    assert_eq!(rig.act(move |act| find(act, &first)).await, found);
}

// API5: what another one began and gave back is no reason to stop.
#[tokio::test]
async fn api5_a_request_that_nobody_has_may_go_on() {
    let rig = Rig::new().await;
    let first = key(&admin(), "k1", "one");
    let (late, other) = (Holder::draw().expect("a word"), Holder::draw().expect("a word"));
    assert_eq!(rig.act(move |act| reserve(act, &first, late)).await, Ok(None));
    rig.pass_ms(UNDER_WAY_MS).await;
    assert_eq!(rig.act(move |act| reserve(act, &first, other)).await, Ok(None));
    rig.act(move |act| release(act, &first, other)).await.expect("is written");
    assert_eq!(rig.act(move |act| go_on(act, &first, late)).await, Ok(None));
}
