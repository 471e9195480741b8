//! What goes wrong inside the door itself: parts that are refused, transactions that the database takes back, faults.

use crate::rig::{Rig, report, request, spec};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tempfile::TempDir;
use tiltyard_engine::act::record::Told;
use tiltyard_engine::task::claim::{Request, along, claim, give_back};
use tiltyard_engine::task::settle::each;
use tiltyard_engine::task::submit::submit;
use tiltyard_engine::{Act, Engine, Options, Pass, Urgency};
use tiltyard_model::audit::Action;
use tiltyard_model::event::Type;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Spec, State};
use tokio::time::timeout;

/// Bounds the failure of an answer that never comes.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// A second connection to a store, for what only a damaged one does.
fn damage(folder: &std::path::Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join("tiltyard.db")).expect("opens");
    connection.busy_timeout(MAX_WAIT).expect("is set");
    connection.execute_batch(sql).expect("is done");
}

/// The database takes the whole transaction back by itself, as it does on a full disk.
fn takes_back(folder: &std::path::Path, on: &str) {
    damage(
        folder,
        &format!("CREATE TRIGGER full BEFORE INSERT ON {on} BEGIN SELECT RAISE(ROLLBACK, 'full'); END"),
    );
}

/// An engine that counts how often it found its store broken.
async fn counting() -> (TempDir, Arc<Engine>, Arc<AtomicUsize>) {
    let (folder, broken) = (TempDir::new().expect("a folder"), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&broken);
    let on_broken = Box::new(move |_: &str| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let engine = Engine::open(Options { on_broken, ..Options::new(folder.path()) }).await.expect("opens");
    (folder, engine, broken)
}

fn full() -> Refusal {
    Refusal::new(Code::StorageLow, "the disk is full")
}

async fn enter<T: Send + 'static>(
    engine: &Engine,
    deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Code> {
    let answer = timeout(MAX_WAIT, engine.enter(Pass::system(), Urgency::Normal, deed)).await;
    answer.expect("the door answers").map_err(|refusal| refusal.code)
}

// D51, D3: a claim that fails in the middle, beside outcomes that stand, has taken nothing.
#[tokio::test]
async fn d51_a_claim_that_fails_in_the_middle_takes_nothing_embedded() {
    let rig = Rig::new().await;
    let done = rig.submit(spec("done")).await;
    rig.claim("a").await.expect("is ready");
    for title in ["one", "two", "three"] {
        rig.submit(spec(title)).await;
    }
    let third = format!(
        "CREATE TRIGGER third BEFORE INSERT ON event
         WHEN NEW.type = {kind} AND (SELECT count(*) FROM event WHERE type = {kind}) >= 3
         BEGIN SELECT RAISE(ABORT, 'no more'); END",
        kind = Type::TaskLeased.code()
    );
    damage(rig.folder.path(), &third);
    let reports = [report(done, 1, Outcome::Succeeded), report(done, 7, Outcome::Succeeded)];
    let deed = move |act: &mut Act<'_>| {
        let judged = each(act, &reports)?;
        Ok((judged, along(act, &Request { max: 3, ..request("a") })?))
    };
    let (judged, claimed) = rig.act(deed).await.expect("the outcomes stand");
    assert!(judged[0].1.is_ok() && judged[1].1 == Err(Code::StaleGeneration), "{judged:?}");
    assert_eq!(claimed.map_err(|refusal| refusal.code), Err(Code::Internal));
    assert_eq!(rig.state(done).await, State::Succeeded);
    let leases = rig.act(|act| Ok(act.memory.leases.len())).await;
    assert_eq!(leases, Ok(0), "nothing is leased that nobody was told of");
    damage(rig.folder.path(), "DROP TRIGGER third");
    assert_eq!(rig.claim_as(Request { max: 9, ..request("a") }).await.len(), 3);
}

// E4, D3: a claim whose transaction was lost is given back when nobody hears of it, by generations that were never its
// own: whoever has them since keeps them.
#[tokio::test]
async fn e4_what_was_never_taken_is_given_back_to_nobody() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    let (taken, lost) = mpsc::channel();
    let deed = move |act: &mut Act<'_>| {
        taken.send(claim(act, &request("a"))?).expect("is awaited");
        Err::<(), Refusal>(full())
    };
    assert!(rig.act(deed).await.is_err(), "all of it is taken back");
    let lost = lost.recv().expect("it was claimed");
    assert_eq!(rig.claim("b").await.expect("is ready again").found.task.generation, 1);
    let again = lost.clone();
    rig.act(move |act| give_back(act, &again)).await.expect("is done");
    assert_eq!(rig.state(id).await, State::Running, "it is b's");
    rig.settle(id, 1, Outcome::Released).await.expect("b gives it back");
    let own = rig.claim_as(request("a")).await;
    rig.act(move |act| give_back(act, &lost).and_then(|()| give_back(act, &own))).await.expect("is done");
    assert_eq!(rig.story(id).await, ["submitted", "leased", "released", "leased", "released"]);
}

// E2: a disk that is full inside a part of a deed refuses what is in the transaction, and the server stays.
#[tokio::test]
async fn e2_a_full_disk_inside_a_part_is_no_broken_store() {
    let (folder, engine, broken) = counting().await;
    takes_back(folder.path(), "task");
    let deed = |act: &mut Act<'_>| {
        let part = act.part(|act| submit(act, &spec("x")).map_err(|_| full()));
        part?.map(drop)
    };
    assert_eq!(enter(&engine, deed).await, Err(Code::StorageLow));
    damage(folder.path(), "DROP TRIGGER full");
    assert_eq!(broken.load(Ordering::SeqCst), 0);
    let room = |act: &mut Act<'_>| {
        act.memory.hints().storage_low = false;
        Ok(())
    };
    enter(&engine, room).await.expect("there is room");
    enter(&engine, |act| submit(act, &spec("x")).map(drop)).await.expect("goes on");
}

// SEC21: a record that cannot be written refuses its act, and nothing else.
#[tokio::test]
async fn sec21_a_record_that_cannot_be_written_refuses_its_act() {
    let (folder, engine, broken) = counting().await;
    let refuse = "CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";
    damage(folder.path(), refuse);
    let told = |act: &mut Act<'_>| act.audit(Told::done("system", Action::TaskRetried, "x"));
    assert_eq!(enter(&engine, told).await, Err(Code::AuditUnavailable));
    damage(folder.path(), "DROP TRIGGER no");
    enter(&engine, told).await.expect("is written");
    assert_eq!(broken.load(Ordering::SeqCst), 0);
}

// E4, D3: one row that cannot be read keeps neither leases nor schedules nor deadlines of others from ending.
#[tokio::test]
async fn e4_one_thing_that_fails_holds_up_no_other_embedded() {
    let rig = Rig::new().await;
    let [lost, lost_too] = [rig.submit(spec("one")).await, rig.submit(spec("two")).await];
    assert_eq!(rig.claim_as(Request { max: 2, ..request("a") }).await.len(), 2);
    let soon = crate::rig::START + 30_000;
    let due = |title: &str| Spec { run_at: Some(soon), ..spec(title) };
    let [due, due_too] = [rig.submit(due("three")).await, rig.submit(due("four")).await];
    let overdue = |title: &str| Spec { deadline: Some(soon), run_at: Some(soon - 1), ..spec(title) };
    let [over, over_too] = [rig.submit(overdue("five")).await, rig.submit(overdue("six")).await];
    let unread = "UPDATE task SET extras = 'nonsense' WHERE title IN ('one', 'three', 'five')";
    damage(rig.folder.path(), unread);
    rig.pass_ms(30_000).await;
    let states = [rig.state(lost_too).await, rig.state(due_too).await, rig.state(over_too).await];
    assert_eq!(states, [State::Ready, State::Ready, State::Cancelled]);
    damage(rig.folder.path(), "UPDATE task SET extras = NULL WHERE extras = 'nonsense'");
    rig.pass_ms(0).await;
    let states = [rig.state(lost).await, rig.state(due).await, rig.state(over).await];
    assert_eq!(states, [State::Ready, State::Ready, State::Cancelled], "they are tried again");
}

/// Panics where the door drops it.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert_ne!(std::thread::current().name(), Some("door"), "a fault of ours outside of a deed");
    }
}

// E2, E7: a fault of ours in the door itself ends the server, and leaves nobody waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_nobody_waits_for_a_door_that_is_no_more() {
    let (_folder, engine, broken) = counting().await;
    let (go, gone) = mpsc::channel::<()>();
    let deed = move |_: &mut Act<'_>| {
        gone.recv().expect("the caller goes");
        Ok(Bomb)
    };
    let abandoned = engine.enter(Pass::system(), Urgency::Normal, deed);
    assert!(timeout(Duration::ZERO, abandoned).await.is_err(), "the caller goes before the answer");
    let waits = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { enter(&engine, |_| Ok(())).await }
    });
    go.send(()).expect("is awaited");
    assert!(waits.await.expect("ends").is_err());
    assert!(enter(&engine, |_| Ok(())).await.is_err(), "nor does anybody later");
    engine.close().await.expect("its thread has ended");
    assert_eq!(broken.load(Ordering::SeqCst), 1, "the server is told to end");
}

// E7: claims that found nothing and went away take nobody's place, however many they were.
#[tokio::test]
async fn e7_claims_that_were_given_up_take_no_place() {
    const ROUNDS: usize = 18;
    const AT_ONCE: usize = 1_000;
    let rig = Rig::new().await;
    let wait = || {
        let nothing = |_: &mut Act<'_>| Ok(None::<()>);
        rig.engine.wait(Pass::system(), nothing, |_, ()| Ok(())).expect("may wait")
    };
    for _ in 0..ROUNDS {
        let gone: Vec<_> = (1..AT_ONCE).map(|_| wait()).collect();
        // They stand in one line: when the last has been tried, all have.
        assert_eq!(wait().at_most(Duration::ZERO).await.expect("is not turned away"), None);
        drop(gone);
    }
}
