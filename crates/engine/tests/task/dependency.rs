//! Tasks that wait for others.

use crate::rig::{Rig, spec};
use tiltyard_engine::task::cancel::cancel;
use tiltyard_engine::task::edit::{add_dependency, remove_dependency};
use tiltyard_engine::task::retry::{Edit, retry};
use tiltyard_engine::task::why::why;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Extras, OnDependencyFailure, Spec, State};

fn after(on: &[Id]) -> Spec {
    Spec { depends_on: on.to_vec(), ..spec("after") }
}

async fn finish(rig: &Rig, id: Id) {
    let claimed = rig.claim("a").await.expect("is ready");
    assert_eq!(claimed.found.task.id, id);
    rig.settle(id, claimed.found.task.generation, Outcome::Succeeded).await.expect("is taken");
}

#[tokio::test]
async fn a_task_waits_for_all_of_its_dependencies_also_after_a_restart() {
    let mut rig = Rig::new().await;
    let (one, two) = (rig.submit(spec("one")).await, rig.submit(spec("two")).await);
    let last = rig.submit(after(&[one, two])).await;
    assert_eq!(rig.state(last).await, State::Pending);
    let reasons = rig.act(move |act| why(act, last)).await.expect("says why").reasons;
    assert_eq!(reasons.iter().filter(|reason| reason.code == "dependency").count(), 2);
    finish(&rig, one).await;
    assert_eq!(rig.state(last).await, State::Pending);
    rig.restart().await;
    finish(&rig, two).await;
    assert_eq!(rig.state(last).await, State::Ready);
    assert_eq!(rig.story(last).await, ["submitted", "ready"]);
}

// D7: a dependency that ends badly moves its dependents by their rule, and theirs after them.
#[tokio::test]
async fn d7_a_bad_end_goes_down_the_line() {
    let rig = Rig::new().await;
    let root = rig.submit(spec("root")).await;
    let child = rig.submit(after(&[root])).await;
    let grandchild = rig.submit(after(&[child])).await;
    let stubborn = Extras { on_dependency_failure: OnDependencyFailure::Run, ..Extras::default() };
    let stubborn = rig.submit(Spec { extras: stubborn, ..after(&[root]) }).await;
    rig.act(move |act| cancel(act, root, "requested")).await.expect("is cancelled");
    for id in [child, grandchild] {
        let found = rig.get(id).await;
        assert_eq!((found.task.state, found.task.reason.as_deref()), (State::Cancelled, Some("dependency")));
    }
    // D8: `why` says which dependency.
    let reasons = rig.act(move |act| why(act, child)).await.expect("says why").reasons;
    assert_eq!(reasons[0].about, Some(root.to_string()));
    assert!(reasons[0].text.contains("which is cancelled"), "{}", reasons[0].text);
    assert_eq!(rig.state(stubborn).await, State::Ready);
    // The last row of the table: a retried dependency brings those back that it took along.
    let early =
        rig.act(move |act| retry(act, grandchild, &Edit::default())).await.expect_err("waits for child");
    assert_eq!(early.code, Code::DependencyFailed);
    rig.act(move |act| retry(act, root, &Edit::default())).await.expect("is retried");
    assert_eq!((rig.state(child).await, rig.state(grandchild).await), (State::Pending, State::Pending));
    rig.claim("a").await.expect("stubborn or root");
}

#[tokio::test]
async fn dependencies_must_be_there_and_well() {
    let rig = Rig::new().await;
    let stranger: Id = "task_01h2xcejqtfnbrexx3vqjhp41z"
        .parse()
        .unwrap_or_else(|_| Id::from_parts(tiltyard_model::id::Noun::Task, 1, 1));
    assert_eq!(rig.try_submit(after(&[stranger])).await.expect_err("unknown").code, Code::UnknownDependency);
    let ended = rig.submit(spec("ended")).await;
    rig.act(move |act| cancel(act, ended, "requested")).await.expect("is cancelled");
    assert_eq!(rig.try_submit(after(&[ended])).await.expect_err("ended").code, Code::DependencyFailed);
}

// A cycle is refused, and nothing changes.
#[tokio::test]
async fn a_cycle_is_refused() {
    let rig = Rig::new().await;
    let one = rig.submit(spec("one")).await;
    let two = rig.submit(after(&[one])).await;
    let three = rig.submit(after(&[two])).await;
    for (task, on) in [(one, three), (one, one), (one, two)] {
        let refusal = rig.act(move |act| add_dependency(act, task, on)).await.expect_err("a cycle");
        assert_eq!(refusal.code, Code::DependencyCycle);
    }
    assert_eq!(rig.state(one).await, State::Ready);
}

#[tokio::test]
async fn dependencies_come_and_go_before_a_task_starts() {
    let rig = Rig::new().await;
    let (one, two) = (rig.submit(spec("one")).await, rig.submit(spec("two")).await);
    let found = rig.act(move |act| add_dependency(act, one, two)).await.expect("is added");
    assert_eq!((found.task.state, found.task.spec.depends_on), (State::Pending, vec![two]));
    let found = rig.act(move |act| remove_dependency(act, one, two)).await.expect("is gone");
    assert_eq!(found.task.state, State::Ready);
    rig.act(move |act| add_dependency(act, one, two)).await.expect("is added");
    finish(&rig, two).await;
    assert_eq!(rig.claim("a").await.expect("is ready").found.task.id, one);
    let late = rig.act(move |act| add_dependency(act, one, two)).await.expect_err("runs");
    assert_eq!(late.code, Code::WrongState);
}

// E7: what one end sets going is done in one deed, so it has a limit.
#[tokio::test]
async fn e7_so_many_tasks_wait_for_one_and_no_more() {
    use tiltyard_engine::task::dependent::MAX_DEPENDENTS;
    let rig = Rig::new().await;
    let (on, free) = (rig.submit(spec("on")).await, rig.submit(spec("free")).await);
    let other = rig.submit(spec("other")).await;
    rig.submit(after(&[on])).await;
    let full = move |act: &mut tiltyard_engine::Act<'_>| {
        act.memory.hints().awaited.insert(on.key(), MAX_DEPENDENTS);
        Ok(())
    };
    rig.act(full).await.expect("is set");
    let refusal = rig.try_submit(after(&[free, on])).await.expect_err("is one too many");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/depends_on/1"));
    let late = rig.act(move |act| add_dependency(act, other, on)).await.expect_err("is one too many");
    assert_eq!(late.code, Code::Invalid);
    rig.submit(after(&[free])).await;
}
