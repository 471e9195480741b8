//! C11, C34: clones go when their change is final, and not before.

use crate::rig::{Rig, task_of};
use tiltyard_agent::executor::change::CHANGE_KIND;

fn clones(rig: &Rig) -> usize {
    std::fs::read_dir(rig.world.path("agent/clones")).expect("lists").count()
}

#[tokio::test]
async fn c11_a_clone_stays_until_its_change_is_final() {
    let rig = Rig::new().await;
    rig.propose("echo louder > README.md").await;
    let task = task_of(CHANGE_KIND);
    for state in ["running", "waiting", "ready"] {
        rig.shelf.say(&task, state, 1);
        assert_eq!((rig.workshop.sweep().await, clones(&rig)), (0, 1), "{state}");
    }
    for state in ["succeeded", "cancelled", "dead"] {
        rig.shelf.say(&task, state, 1);
        assert_eq!((rig.workshop.sweep().await, clones(&rig)), (1, 0), "{state}");
        std::fs::create_dir(rig.world.path(&format!("agent/clones/{task}-1"))).expect("makes it again");
    }
}

#[tokio::test]
async fn c11_a_later_attempt_has_a_clone_of_its_own() {
    let rig = Rig::new().await;
    rig.propose("echo louder > README.md").await;
    rig.shelf.say(&task_of(CHANGE_KIND), "running", 2);
    assert_eq!((rig.workshop.sweep().await, clones(&rig)), (1, 0));
}

#[tokio::test]
async fn c34_without_an_answer_nothing_goes() {
    let rig = Rig::new().await;
    rig.propose("echo louder > README.md").await;
    let Rig { shelf, workshop, world, .. } = rig;
    drop(shelf);
    assert_eq!(workshop.sweep().await, 0);
    assert_eq!(std::fs::read_dir(world.path("agent/clones")).expect("lists").count(), 1);
}

// C21: what a killed process left of its checks goes, but not before its programs have ended.
#[tokio::test]
async fn c21_leftovers_of_checks_go_when_nothing_runs_any_more() {
    let world = crate::world::World::with_app();
    world.write("agent/checks/check-left/tree/file", "x");
    world.write("agent/checks/bundle-left", "half of one");
    let rig = Rig::of(world, None).await;
    let count = || std::fs::read_dir(rig.world.path("agent/checks")).expect("lists").count();
    assert_eq!(count(), 2, "something may still write there");
    rig.workshop.clear().await;
    assert_eq!(count(), 0);
}
