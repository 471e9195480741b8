//! What a server makes of the journal of a shared store: who could not be heard, which history it is, and how it catches up.

use crate::anew::Held;
use crate::version::{claimed, open, other, submit_to};
use std::sync::Arc;
use tempfile::TempDir;
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::{Engine, Pass, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::time::{DurationMs, TimeMs};
use tiltyard_store::journal::Entry;
use tiltyard_store::{Rows, Writer, server};
use tiltyard_testkit::postgres::{Cluster, Database};

/// Nobody was heard for longer than this: leases begin anew.
const QUIET_MS: DurationMs = 8_000;
/// More rows than a transaction's beginning brings with it.
const FAR_BEHIND: i64 = 600;

/// Another server writes a row that tells nothing, made at its time and so much.
async fn says(writer: Writer, by_ms: DurationMs) -> Writer {
    let said = tokio::task::spawn_blocking(move || {
        let begun = writer.begin_after(i64::MAX).expect("begins");
        let made_at = begun.now.expect("a shared store tells the time") + by_ms;
        let entry = Entry { seq: begun.head + 1, server: "other/1".to_owned(), made_at, steps: Vec::new() };
        writer.commit_with(&entry).expect("commits");
        writer
    });
    said.await.expect("ends")
}

/// When the lease of a task runs out, and the present.
async fn expiry(engine: &Engine, id: Id) -> (TimeMs, TimeMs) {
    let look = move |act: &mut tiltyard_engine::Act<'_>| {
        let key = act.tx.key(id).expect("it is of this store");
        Ok((act.memory.leases.get(key).expect("it is held").expires, act.now.steady))
    };
    engine.enter(Pass::system(), Urgency::Normal, look).await.expect("looks")
}

/// A task that nobody can claim before a far day.
async fn later(engine: &Engine, title: &str) -> Id {
    let spec = tiltyard_model::task::Spec { run_at: Some(200_000_000_000_000), ..crate::rig::spec(title) };
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        tiltyard_engine::task::submit::submit(act, &spec).map(|submitted| submitted.id)
    };
    engine.enter(Pass::system(), Urgency::Normal, deed).await.expect("is taken in")
}

// E4: the database was away from everybody and was not restarted: no server has written for eight seconds, so nobody could be heard, and
// leases have their full length again. A row that somebody wrote in time changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn e4_leases_begin_anew_when_nobody_was_heard() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "one").await;
    let other = other(&database).await;
    let id = submit_to(&engine, "held").await.expect("is taken in");
    assert_eq!(claimed(&engine).await, Some(id));
    let (given, began) = expiry(&engine, id).await;
    while expiry(&engine, id).await.1 == began {}
    let other = says(other, -QUIET_MS / 2).await;
    assert_eq!(expiry(&engine, id).await.0, given, "somebody was there");
    let other = says(other, -QUIET_MS - 5_000).await;
    let anew = expiry(&engine, id).await.0;
    assert!(anew > given, "{anew} after {given}");
    drop(other);
}

// E5: a journal of the same length whose last row is another one is another history, as after a crash of a database whose commits were not
// synced: memory is made anew from the rows. Once: what is changed by hand behind the journal's back is not seen.
#[tokio::test(flavor = "multi_thread")]
async fn e5_another_history_of_the_same_length_is_noticed() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "one").await;
    let (one, two) = (later(&engine, "one").await, later(&engine, "two").await);
    assert_eq!(claimed(&engine).await, None);
    let ready = |title: &str| {
        format!("UPDATE task SET state = 2, run_at = NULL, ready_at = 1 WHERE title = '{title}'")
    };
    crate::version::psql(&database, &ready("one"));
    assert_eq!(claimed(&engine).await, None, "it looks at rows where it has reason to");
    let forged = "UPDATE journal SET made_at = made_at - 1 WHERE seq = (SELECT max(seq) FROM journal)";
    crate::version::psql(&database, forged);
    let found = claimed(&engine).await;
    assert_eq!(found, Some(one));
    crate::version::psql(&database, &ready("two"));
    assert_eq!(claimed(&engine).await, None, "{two}");
}

/// Whoever reads the rows of the journal in the middle has to wait for a lock of the test.
async fn with_a_slow_journal(database: &Database) -> Writer {
    const SLOW: &str = "
        CREATE FUNCTION waits(seq bigint) RETURNS boolean LANGUAGE plpgsql COST 100000 AS $$
        BEGIN
            IF seq BETWEEN 500 AND 510 THEN PERFORM pg_advisory_xact_lock_shared(77); END IF;
            RETURN true;
        END $$;
        ALTER TABLE journal RENAME TO kept;
        CREATE VIEW journal AS SELECT seq, server, made_at, steps FROM kept WHERE waits(seq)";
    let writer = other(database).await;
    crate::version::psql(database, SLOW);
    drop(writer);
    other(database).await
}

// O16: a server that is far behind, as after a freeze, reads what it has missed without the lock: the others write meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn o16_who_is_far_behind_catches_up_without_the_lock() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let other = with_a_slow_journal(&database).await;
    let engine = open(&database, &folder, "behind").await;
    let held = Held::advisory(&database, 77);
    let missed = format!(
        "INSERT INTO kept SELECT head + n, 'other/1', (extract(epoch FROM clock_timestamp()) * 1000)::bigint, '' \
         FROM (SELECT max(seq) AS head FROM kept) AS ends, generate_series(1, {FAR_BEHIND}) n"
    );
    crate::version::psql(&database, &missed);
    let late = {
        let engine: Arc<Engine> = Arc::clone(&engine);
        tokio::spawn(async move { submit_to(&engine, "late").await })
    };
    crate::anew::until_wanted(&database, "locktype = 'advisory' AND objid = 77").await;
    let other = says(other, 0).await;
    held.let_go();
    late.await.expect("ends").expect("is taken in");
    drop(other);
}

// O16: the database's clock was set back, or is another machine's, and an hour behind. The duty of a leader that is gone is free, and a
// server that is gone is forgotten: neither is waited for until the old time comes again. Who leads in the present time goes on.
#[tokio::test(flavor = "multi_thread")]
async fn o16_what_was_written_before_the_clock_was_set_back_is_over() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "here").await;
    let servers = async || {
        let read = |rows: &Rows| server::all(rows).map_err(refusal_of);
        let found = engine.read(read).await.expect("reads");
        found.into_iter().map(|server| server.name).collect::<Vec<_>>()
    };
    let present = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let gone = format!("INSERT INTO server VALUES ('gone', '1', '', {present} + 3600000, 0)");
    crate::version::psql(&database, &gone);
    let leads =
        |ahead_ms: i64| format!("UPDATE leader SET server = 'gone/1', until = {present} + {ahead_ms}");
    crate::version::psql(&database, &leads(5_000));
    engine.report().await.expect("is written");
    assert!(!engine.leads(), "another one leads");
    assert_eq!(servers().await, ["gone", "here"]);
    crate::version::psql(&database, &leads(3_600_000));
    engine.report().await.expect("is written");
    assert!(engine.leads(), "nobody leads for an hour");
    assert_eq!(servers().await, ["here"]);
}
