//! Servers of different programs over one store, while they are replaced one by one. The other one is played by a connection
//! that writes pages of its version.

use crate::rig::{request, spec};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tiltyard_engine::journal::VERSION;
use tiltyard_engine::task::claim::claim;
use tiltyard_engine::task::submit::submit;
use tiltyard_engine::{Engine, Options, Pass, Sharing, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Writer;
use tiltyard_store::journal::Entry;
use tiltyard_store::postgres::{self, Patience, Store};
use tiltyard_testkit::postgres::{Cluster, Database, program};

pub(crate) async fn open(database: &Database, folder: &TempDir, name: &str) -> Arc<Engine> {
    let sharing = Sharing { name: name.to_owned(), ..Sharing::of(database.url.clone()) };
    Engine::open(Options { sharing: Some(sharing), ..Options::new(folder.path()) }).await.expect("opens")
}

pub(crate) async fn submit_to(engine: &Engine, title: &str) -> Result<Id, Refusal> {
    let spec = spec(title);
    let deed = move |act: &mut tiltyard_engine::Act<'_>| submit(act, &spec).map(|submitted| submitted.id);
    engine.enter(Pass::system(), Urgency::Normal, deed).await
}

pub(crate) async fn claimed(engine: &Engine) -> Option<Id> {
    let deed = |act: &mut tiltyard_engine::Act<'_>| claim(act, &request("a"));
    let claimed = engine.enter(Pass::system(), Urgency::Normal, deed).await.expect("may claim");
    claimed.first().map(|own| own.found.task.id)
}

/// A server of another program, which waits for the lock for a second only.
pub(crate) async fn other(database: &Database) -> Writer {
    let patience = Patience { lock_ms: 1_000, ..Patience::default() };
    let options = postgres::Options { patience, ..postgres::Options::new(&database.url, [3; 16]) };
    tokio::task::spawn_blocking(move || Store::open(&options).expect("opens").1).await.expect("ends")
}

/// Writes a page of that version, as a transaction of its own.
pub(crate) async fn write(writer: Writer, version: u8) -> Writer {
    let written = tokio::task::spawn_blocking(move || {
        let begun = writer.begin_after(i64::MAX).expect("begins");
        let (seq, made_at) = (begun.head + 1, begun.now.expect("a shared store tells the time"));
        let entry = Entry { seq, server: "other/1".to_owned(), made_at, steps: vec![version, 99, 99] };
        writer.commit_with(&entry).expect("commits");
        writer
    });
    written.await.expect("ends")
}

pub(crate) fn psql(database: &Database, text: &str) {
    let mut command = Command::new(program("psql").expect("is installed"));
    let done = command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text]).arg(&database.url).output();
    let done = done.expect("starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

// O16: a server that meets a page of a newer program hands over: it says so, refuses everything with 503, and breaks nothing. The
// newer one serves.
#[tokio::test(flavor = "multi_thread")]
async fn o16_a_newer_program_takes_over() {
    let database = Cluster::shared().database().expect("a database");
    let (one, two) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let older = open(&database, &one, "older").await;
    let first = submit_to(&older, "first").await.expect("is taken in");
    let newer = write(other(&database).await, VERSION + 1).await;
    for _ in 0..3 {
        let refused = submit_to(&older, "late").await.expect_err("it hands over");
        assert_eq!(refused.code, Code::StoreUnreachable);
        assert!(refused.message.contains("a newer program serves this store"), "{refused:?}");
    }
    let (_, reason) = older.door().trouble().is_there().expect("health tells it");
    assert!(reason.contains("a newer program serves this store"), "{reason}");
    drop(newer);
    // In the place of the newer one: a server that starts behind that page.
    let next = open(&database, &two, "next").await;
    assert_eq!(claimed(&next).await, Some(first));
    assert!(submit_to(&next, "more").await.is_ok());
    assert!(submit_to(&older, "late").await.is_err(), "what it could read since does not bring it back");
}

// O16: what an older program did meanwhile stands in the rows, and is known from there.
#[tokio::test(flavor = "multi_thread")]
async fn o16_pages_of_an_older_program_are_read_from_the_rows() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "newer").await;
    let late = tiltyard_model::task::Spec { run_at: Some(200_000_000_000_000), ..spec("later") };
    let deed = move |act: &mut tiltyard_engine::Act<'_>| submit(act, &late).map(|submitted| submitted.id);
    let id = engine.enter(Pass::system(), Urgency::Normal, deed).await.expect("is taken in");
    assert_eq!(claimed(&engine).await, None);
    psql(&database, "UPDATE task SET state = 2, run_at = NULL, ready_at = 1");
    let older = write(other(&database).await, VERSION - 1).await;
    assert_eq!(claimed(&engine).await, Some(id));
    let older = write(older, VERSION - 1).await;
    assert!(submit_to(&engine, "more").await.is_ok());
    drop(older);
}

// E5, E9: a number that memory takes for free and that is taken in the store is a reason to make memory anew: the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn e5_a_number_that_is_taken_is_looked_up() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "one").await;
    submit_to(&engine, "first").await.expect("is taken in");
    psql(
        &database,
        "CREATE TEMP TABLE t AS SELECT * FROM event ORDER BY seq DESC LIMIT 1; UPDATE t SET seq = seq + 1; INSERT INTO event SELECT * FROM t",
    );
    let refused = submit_to(&engine, "second").await.expect_err("its event has no place");
    assert_eq!(refused.code, Code::Internal);
    submit_to(&engine, "third").await.expect("memory knows better now");
}

// E5, E9: the same where only the deed fails, since it asked something itself: what was refused alone is told of as well.
#[tokio::test(flavor = "multi_thread")]
async fn e5_a_number_that_is_taken_is_looked_up_also_for_a_deed_alone() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "one").await;
    submit_to(&engine, "first").await.expect("is taken in");
    psql(
        &database,
        "CREATE TEMP TABLE t AS SELECT * FROM event ORDER BY seq DESC LIMIT 1; UPDATE t SET seq = seq + 1; INSERT INTO event SELECT * FROM t",
    );
    let asks = |act: &mut tiltyard_engine::Act<'_>| {
        let id = submit(act, &spec("second"))?.id;
        tiltyard_engine::task::list::get(act.tx, &act.pass.caller, id)
    };
    let refused =
        engine.enter(Pass::system(), Urgency::Normal, asks).await.expect_err("its event has no place");
    assert_eq!(refused.code, Code::Internal);
    engine.enter(Pass::system(), Urgency::Normal, asks).await.expect("memory knows better now");
}
