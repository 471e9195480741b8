//! What enters as an idea, and what is taken as a proposal.

use crate::rig::{report, spec};
use crate::yard::{SMITH, Yard, agent, asked, found, idea, oid};
use tiltyard_engine::task::settle::{Report, each};
use tiltyard_model::change::State;
use tiltyard_model::change::work::{ChangePayload, Fit, Program, Start, Stored};
use tiltyard_model::refusal::Code;
use tiltyard_model::repository::settings::Settings;
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;

// C11: the agent is given all that it needs, so that the worker protocol stays dumb.
#[tokio::test]
async fn c11_an_idea_enters_with_all_that_its_agent_needs() {
    let settings = Settings { concurrency: Some(2), ..Settings::default() };
    let yard = Yard::with(None, settings).await;
    let id = yard.idea("fix it").await;
    let task = yard.rig.get(id).await.task;
    let payload: ChangePayload = serde_json::from_str(&task.spec.payload).expect("a payload");
    assert_eq!((payload.repository.as_str(), payload.prompt.as_str()), ("app", "do it"));
    assert_eq!(payload.program, Some(Program::Argv(vec!["sh".into(), "fix.sh".into()])));
    let place = &payload.given.repository;
    assert_eq!((place.scope.as_str(), place.source.as_str()), ("default", "/srv/app"));
    assert_eq!((place.branch.as_str(), payload.given.start), ("main", Start::Base));
    let limit = task.spec.extras.concurrency.expect("is limited by the repository's setting");
    assert_eq!((limit.key.as_str(), limit.limit), ("change:app", 2));
}

#[tokio::test]
async fn an_idea_is_examined_before_it_enters() {
    let yard = Yard::new().await;
    let try_one = async |payload: &str| {
        let mut bad = idea("x");
        bad.payload = payload.to_owned();
        let refusal = yard.submit(bad).await.expect_err(payload);
        (refusal.code, refusal.faults.first().map(|fault| fault.field.clone()).unwrap_or_default())
    };
    let repository = "/payload/repository".to_owned();
    assert_eq!(try_one(r#"{"repository":"nope"}"#).await, (Code::UnknownRepository, repository.clone()));
    assert_eq!(try_one(r#"{"repository":"../x"}"#).await, (Code::Invalid, repository));
    assert_eq!(try_one(r#"{"repository":"app","promt":"x"}"#).await, (Code::Invalid, "/payload".into()));
    assert_eq!(try_one("{}").await, (Code::Invalid, "/payload".into()));
    let program = "/payload/program".to_owned();
    assert_eq!(try_one(r#"{"repository":"app","program":[]}"#).await, (Code::Invalid, program));
    let long = format!(r#"{{"repository":"app","prompt":"{}"}}"#, "x".repeat(140_000));
    assert_eq!(try_one(&long).await, (Code::Invalid, "/payload".into()));
    yard.put(asked("new", Settings::default())).await.expect("is asked for");
    assert_eq!(try_one(r#"{"repository":"new"}"#).await.0, Code::RepositoryUnusable);
    yard.probe(found(None)).await;
    let mut good = idea("x");
    good.payload = r#"{"repository":"new"}"#.to_owned();
    let id = yard.submit(good).await.expect("is taken in");
    let payload = yard.rig.get(id).await.task.spec.payload;
    assert!(payload.contains(r#""prompt":"x""#), "the title is the prompt: {payload}");
}

// D21: a proposal names what its own attempt has uploaded; anything else is refused and changes nothing.
#[tokio::test]
async fn d21_a_proposal_names_what_its_attempt_has_uploaded() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let taken = yard.take("default").await.expect("an idea waits");
    let good = yard.proposal(&taken, "one").await;
    let refused = async |result: String| {
        let refusal = yard.succeed(&taken, Some(result)).await.expect_err("is refused");
        (refusal.code, refusal.faults.first().map(|fault| fault.field.clone()).unwrap_or_default())
    };
    let elsewhere = Stored { sha256: "0".repeat(64), ..good.diff.clone() };
    let mut bad = good.clone();
    bad.diff = elsewhere.clone();
    assert_eq!(refused(bad.to_text()).await, (Code::Invalid, "/result/diff/sha256".into()));
    let mut bad = good.clone();
    bad.bundle = elsewhere;
    assert_eq!(refused(bad.to_text()).await, (Code::Invalid, "/result/bundle/sha256".into()));
    let mut bad = good.clone();
    bad.head = "HEAD".into();
    assert_eq!(refused(bad.to_text()).await, (Code::Invalid, "/result/head".into()));
    assert_eq!(refused("null".into()).await, (Code::Invalid, "/result".into()));
    let mut empty = good.clone();
    empty.diff = yard.upload(&taken, "").await.expect("is kept");
    assert_eq!(refused(empty.to_text()).await, (Code::Invalid, "/result/diff".into()));
    assert_eq!(yard.rig.state(taken.found.task.id).await, TaskState::Running);
    assert!(yard.story().await.is_empty(), "nothing was changed");
    yard.succeed(&taken, Some(good.clone().to_text())).await.expect("is taken");
    let again = yard.succeed(&taken, Some(good.to_text())).await.expect("is answered again");
    assert!(again.replayed, "E8: the same report is answered once more");
}

// An attempt that failed proposes nothing; the next one does.
#[tokio::test]
async fn a_failed_attempt_is_tried_again_before_anything_is_proposed() {
    let yard = Yard::new().await;
    let task = yard.idea("one").await;
    let taken = yard.take("default").await.expect("an idea waits");
    yard.settle(&taken, Outcome::Failed, None).await.expect("is taken");
    assert_eq!(yard.rig.state(task).await, TaskState::Scheduled);
    yard.rig.pass_ms(2_000).await;
    let (_, change) = yard.propose("one").await;
    assert_eq!(change.change.state, State::Checking);
    assert_eq!(change.change.record.proposal.expect("has one").head, oid("one"));
}

// D51: of many reports at once, one that is refused after it had begun leaves nothing behind, and the others stand.
#[tokio::test]
async fn d51_a_report_refused_late_leaves_nothing_half_done_embedded() {
    let yard = Yard::new().await;
    let other = yard.in_review("one").await;
    let late = yard.idea("two").await;
    let taken = yard.take("default").await.expect("an idea waits");
    let result = yard.proposal(&taken, "two").await.to_text();
    let plain = yard.rig.submit(spec("plain")).await;
    yard.take("default").await.expect("is ready");
    // As no store is: the change that is linked to the task is before people, and cannot be proposed again.
    let store = rusqlite::Connection::open(yard.rig.folder.path().join("tiltyard.db")).expect("opens");
    let linked = (other.key, late.key());
    store.execute("UPDATE task SET change = ?1 WHERE id = ?2", linked).expect("is done");
    let reports = [
        Report { result: Some(result), ..report(late, 1, Outcome::Succeeded) },
        report(plain, 7, Outcome::Succeeded),
        report(plain, 1, Outcome::Succeeded),
    ];
    let judged = yard.act_as(&agent(SMITH), move |act| each(act, &reports)).await.expect("are judged");
    let codes: Vec<_> = judged.into_iter().map(|(_, judged)| judged.err()).collect();
    assert_eq!(codes, [Some(Code::WrongState), Some(Code::StaleGeneration), None]);
    assert_eq!(yard.rig.state(plain).await, TaskState::Succeeded);
    let found = yard.rig.get(late).await.task;
    assert_eq!((found.state, found.generation), (TaskState::Running, 1));
    assert!(!yard.rig.story(late).await.contains(&"waiting"));
    yard.settle(&taken, Outcome::Released, None).await.expect("its lease lives, and can end otherwise");
    yard.memory().await;
}
