//! Queues.

use crate::desk::{admin, caller};
use crate::rig::{Rig, spec};
use tiltyard_engine::queue::{Patch, View, drain, list, patch};
use tiltyard_model::queue::{Assignment, Flow};
use tiltyard_model::refusal::Code;
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::Outcome;

async fn change(rig: &Rig, change: Patch) -> View {
    rig.act_as(&admin(), move |act| patch(act, "default", "default", &change)).await.expect("changes")
}

async fn queues(rig: &Rig, caller: Caller, scope: Option<&'static str>) -> Vec<View> {
    rig.act_as(&caller, move |act| list(act, scope)).await.expect("lists")
}

// D5: a paused queue starts nothing; the switch survives a restart.
#[tokio::test]
async fn d5_a_paused_queue_starts_nothing() {
    let mut rig = Rig::new().await;
    let view = change(&rig, Patch { flow: Some(Flow::Paused), ..Patch::default() }).await;
    assert_eq!(view.settings.flow, Flow::Paused);
    rig.submit(spec("one")).await;
    assert!(rig.claim("a").await.is_none());
    rig.restart().await;
    assert!(rig.claim("a").await.is_none());
    change(&rig, Patch { flow: Some(Flow::Open), ..Patch::default() }).await;
    assert!(rig.claim("a").await.is_some());
}

// D6: drain finishes what runs and starts nothing.
#[tokio::test]
async fn d6_a_drain_ends_when_nothing_runs() {
    let rig = Rig::new().await;
    rig.submit(spec("one")).await;
    rig.submit(spec("two")).await;
    let one = rig.claim("a").await.expect("runs").found.task;
    let draining = rig.act_as(&admin(), |act| drain(act, "default", "default")).await.expect("drains");
    assert!(!draining.is_drained());
    rig.settle(one.id, one.generation, Outcome::Succeeded).await.expect("settles");
    assert!(rig.claim("a").await.is_none());
    let view = queues(&rig, admin(), None).await.remove(0);
    assert!(view.is_drained());
    assert_eq!((view.count(State::Ready), view.count(State::Succeeded)), (1, 1));
}

#[tokio::test]
async fn a_view_counts_and_tells_how_long_the_next_has_waited() {
    let rig = Rig::new().await;
    rig.submit(spec("one")).await;
    rig.clock.advance(5_000);
    rig.submit(spec("two")).await;
    let view = queues(&rig, admin(), None).await.remove(0);
    assert_eq!((view.count(State::Ready), view.next_ready_ms), (2, Some(5_000)));
}

#[tokio::test]
async fn limits_are_set_lifted_and_told() {
    let rig = Rig::new().await;
    let set = Patch {
        concurrency_limit: Some(Some(3)),
        rate_per_minute: Some(Some(7)),
        assignment: Some(Assignment::Affinity),
        dead_letters: Some(false),
        ..Patch::default()
    };
    let view = change(&rig, set).await;
    assert_eq!((view.settings.concurrency_limit, view.settings.rate_per_minute), (Some(3), Some(7)));
    let view = change(&rig, Patch { concurrency_limit: Some(None), ..Patch::default() }).await;
    assert_eq!((view.settings.concurrency_limit, view.settings.rate_per_minute), (None, Some(7)));
    assert_eq!((view.settings.assignment, view.settings.dead_letters), (Assignment::Affinity, false));
    change(&rig, Patch::default()).await;
    assert_eq!(rig.told_of("queue").await, ["queue.updated@default", "queue.updated@default"]);
    // SEC21: who changed what, with what it was.
    let entries = rig.chain("default").await;
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].actor.as_str(), entries[1].target.as_str()), ("ada", "default"));
    assert_eq!(entries[1].detail["before"]["concurrency_limit"], 3);
}

#[tokio::test]
async fn a_wrong_change_changes_nothing() {
    let rig = Rig::new().await;
    let refused = async |scope: &'static str, name: &'static str, change: Patch| {
        rig.act_as(&admin(), move |act| patch(act, scope, name, &change)).await.expect_err("refused").code
    };
    let zero = Patch { concurrency_limit: Some(Some(0)), ..Patch::default() };
    assert_eq!(refused("default", "fresh", zero).await, Code::Invalid);
    assert_eq!(refused("default", "No Slug", Patch::default()).await, Code::Invalid);
    assert_eq!(refused("nowhere", "q", Patch::default()).await, Code::UnknownScope);
    assert!(queues(&rig, admin(), None).await.is_empty(), "the new queue was taken back too");
}

// SEC4: lists show the queues of the token's scopes, and of its queues.
#[tokio::test]
async fn sec4_queues_of_others_are_not_shown() {
    let rig = Rig::new().await;
    for (scope, name) in [("a", "x"), ("b", "x"), ("b", "y")] {
        rig.act(move |act| tiltyard_engine::scope::put(act, scope, "")).await.expect("makes");
        rig.act(move |act| patch(act, scope, name, &Patch::default())).await.expect("makes");
    }
    let names = |views: Vec<View>| {
        views.into_iter().map(|view| format!("{}/{}", view.scope, view.name)).collect::<Vec<_>>()
    };
    assert_eq!(names(queues(&rig, admin(), None).await), ["a/x", "b/x", "b/y"]);
    assert_eq!(names(queues(&rig, admin(), Some("b")).await), ["b/x", "b/y"]);
    let of_b = Caller { queues: Some(vec!["y".into()]), ..caller(Role::Viewer, &["b"]) };
    assert_eq!(names(queues(&rig, of_b, None).await), ["b/y"]);
}
