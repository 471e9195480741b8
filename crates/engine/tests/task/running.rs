//! Lists of what runs in a shared store are made of what memory knows.

use crate::rig::Rig;
use crate::version::{claimed, open, psql, submit_to};
use std::sync::mpsc;
use tempfile::TempDir;
use tiltyard_engine::task::list::{Filter, Window, columns, page, with_running};
use tiltyard_engine::{Engine, Pass, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::task::State;
use tiltyard_testkit::postgres::Cluster;

fn wanted(states: &[State]) -> Filter {
    Filter { states: states.to_vec(), ..Filter::default() }
}

/// What a list shows, and how many it counts.
async fn listed(engine: &Engine, filter: Filter) -> (Vec<Id>, u64) {
    let window = Window { below: i64::MAX, offset: 0, limit: 100 };
    let page = engine.read(move |rows| page(rows, &filter, window)).await.expect("lists");
    (page.items.iter().map(|found| found.task.id).collect(), page.total)
}

// E23: whoever looks for the few that run does not pass all that is ready. That the rows are not looked through shows in one that was made
// to run behind memory's back.
#[tokio::test(flavor = "multi_thread")]
async fn e23_running_tasks_are_read_by_key() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "one").await;
    let mut ids = Vec::new();
    for title in ["one", "two", "three", "four"] {
        ids.push(submit_to(&engine, title).await.expect("is taken in"));
    }
    let runs = [claimed(&engine).await.expect("is ready"), claimed(&engine).await.expect("is ready")];
    assert_eq!(runs, ids[..2]);
    let aside = "UPDATE task t SET state = 3, generation = 1, agent = r.agent, lease_ms = r.lease_ms, started_at = r.started_at \
                 FROM task r WHERE t.title = 'three' AND r.title = 'one'; UPDATE task SET state = 6 WHERE title = 'four'";
    psql(&database, aside);
    let running = with_running(&engine, Pass::system(), wanted(&[State::Running])).await;
    assert_eq!(listed(&engine, running.clone()).await, (vec![ids[1], ids[0]], 2));
    let both = with_running(&engine, Pass::system(), wanted(&[State::Running, State::Dead])).await;
    assert_eq!(listed(&engine, both).await, (vec![ids[3], ids[1], ids[0]], 3));
    let board = Filter { states: Vec::new(), ..running };
    let columns = engine.read(move |rows| columns(rows, &board, 10)).await.expect("lists");
    assert_eq!(columns[State::Running as usize].1.len(), 2);
    let elsewhere = Filter { queue: Some("elsewhere".to_owned()), ..wanted(&[State::Running]) };
    let elsewhere = with_running(&engine, Pass::system(), elsewhere).await;
    assert_eq!(elsewhere.running.as_deref(), Some(&[][..]), "of other queues nothing is asked");
    let ready = with_running(&engine, Pass::system(), wanted(&[State::Running, State::Ready])).await;
    assert_eq!((&ready.running, listed(&engine, ready.clone()).await.1), (&None, 3));
}

// E23: a door that does not answer keeps no list waiting.
#[tokio::test(flavor = "multi_thread")]
async fn e23_a_list_does_not_wait_for_the_door() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "one").await;
    let id = submit_to(&engine, "one").await.expect("is taken in");
    assert_eq!(claimed(&engine).await, Some(id));
    let (let_go, held) = mpsc::channel::<()>();
    let (entered, is_held) = tokio::sync::oneshot::channel();
    let at_work = std::sync::Arc::clone(&engine);
    let deed = move |_: &mut tiltyard_engine::Act<'_>| {
        entered.send(()).expect("is waited for");
        // Until the other end is gone.
        let _ = held.recv();
        Ok(())
    };
    let busy = tokio::spawn(async move { at_work.enter(Pass::system(), Urgency::Urgent, deed).await });
    is_held.await.expect("enters");
    let filter = with_running(&engine, Pass::system(), wanted(&[State::Running])).await;
    assert_eq!((&filter.running, listed(&engine, filter.clone()).await), (&None, (vec![id], 1)));
    drop(let_go);
    // The database may have given up whoever held its lock for so long.
    drop(busy.await.expect("ends"));
}

// E23: an embedded store knows by its index who runs, and nobody waits for the door.
#[tokio::test]
async fn e23_an_index_tells_who_runs_embedded() {
    let rig = Rig::new().await;
    let id = rig.submit(crate::rig::spec("one")).await;
    rig.claim("a").await.expect("is ready");
    let filter = with_running(&rig.engine, Pass::system(), wanted(&[State::Running])).await;
    assert_eq!((&filter.running, listed(&rig.engine, filter.clone()).await), (&None, (vec![id], 1)));
}
