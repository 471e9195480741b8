//! Memory is made from a shared store while others go on writing into it. What is read there is held up by a lock on a table that
//! whoever only submits does not need.

use crate::version::{claimed, open, other, psql, submit_to, write};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tiltyard_engine::act::Effect;
use tiltyard_engine::journal::VERSION;
use tiltyard_engine::{Engine, Pass, Urgency};
use tiltyard_model::refusal::Code;
use tiltyard_testkit::postgres::{Cluster, Database, program};

/// How long a sign is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Less than what a name is kept for without a word.
const SEEN_WITHIN: Duration = Duration::from_secs(6);

/// The counts of ended tasks.
const COUNTS: &str = "relation = 'task_count'::regclass";

/// Keeps everybody from something, until it is let go.
pub(crate) struct Held {
    child: Child,
    input: Option<ChildStdin>,
}

impl Held {
    fn counts(database: &Database) -> Self {
        Self::by(database, "LOCK TABLE task_count IN ACCESS EXCLUSIVE MODE")
    }

    /// A lock of a test's own.
    pub(crate) fn advisory(database: &Database, number: i64) -> Self {
        Self::by(database, &format!("DO $$ BEGIN PERFORM pg_advisory_xact_lock({number}); END $$"))
    }

    fn by(database: &Database, lock: &str) -> Self {
        let mut command = Command::new(program("psql").expect("is installed"));
        let command = command.args(["-X", "-q", "-A", "-t"]).arg(&database.url);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        let mut input = child.stdin.take().expect("is piped");
        writeln!(input, "BEGIN; {lock}; SELECT 'held';").expect("is written");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("is read");
        assert_eq!(line.trim(), "held");
        Self { child, input: Some(input) }
    }

    pub(crate) fn let_go(mut self) {
        drop(self.input.take());
        self.child.wait().expect("ends");
    }
}

/// What the database tells.
fn told(database: &Database, question: &str) -> String {
    let mut command = Command::new(program("psql").expect("is installed"));
    let told = command.args(["-X", "-q", "-A", "-t", "-c", question]).arg(&database.url).output();
    String::from_utf8_lossy(&told.expect("starts").stdout).trim().to_owned()
}

/// Waits until somebody wants to read what is held.
pub(crate) async fn until_wanted(database: &Database, what: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
         WHERE d.datname = current_database() AND NOT granted AND {what}"
    );
    until(database, PATIENCE, &waiting, |told| told == "1").await;
}

async fn until(database: &Database, patience: Duration, question: &str, is_so: impl Fn(&str) -> bool) {
    let began = Instant::now();
    while !is_so(&told(database, question)) {
        assert!(began.elapsed() < patience, "it does not come to that: {question}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a server has said twice that it is there, each time before its name could be given away.
async fn until_seen(database: &Database, name: &str) {
    let seen = format!("SELECT seen_at FROM server WHERE name = '{name}'");
    for _ in 0..2 {
        let before = told(database, &seen);
        until(database, SEEN_WITHIN, &seen, |now| now != before).await;
    }
}

/// The server finds that a number is taken which it took for free: its memory is made anew at the next deed. Nobody else's is.
async fn confuse(database: &Database, engine: &Engine) {
    submit_to(engine, "first").await.expect("is taken in");
    psql(
        database,
        "CREATE TEMP TABLE t AS SELECT * FROM event ORDER BY seq DESC LIMIT 1; UPDATE t SET seq = seq + 1; INSERT INTO event SELECT * FROM t",
    );
    submit_to(engine, "second").await.expect_err("its event has no place");
}

// O16: a server that starts keeps nobody from writing, however long it reads, and then knows what was written meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn o16_others_write_while_a_server_starts() {
    let database = Cluster::shared().database().expect("a database");
    let (one, two) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let first = open(&database, &one, "first").await;
    let before = submit_to(&first, "before").await.expect("is taken in");
    let held = Held::counts(&database);
    let second = open(&database, &two, "second");
    let meanwhile = async {
        until_wanted(&database, COUNTS).await;
        assert_eq!(claimed(&first).await, Some(before));
        let id = submit_to(&first, "meanwhile").await.expect("is taken in");
        held.let_go();
        id
    };
    let (second, id) = tokio::join!(second, meanwhile);
    assert_eq!(claimed(&second).await, Some(id));
    assert_eq!(claimed(&second).await, None, "the other one had been taken meanwhile");
}

// O16: the same where a server has lost its place in the journal.
#[tokio::test(flavor = "multi_thread")]
async fn o16_others_write_while_a_server_makes_its_memory_anew() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "newer").await;
    let held = Held::counts(&database);
    let older = write(other(&database).await, VERSION - 1).await;
    // What it did stands in the rows only; the server begins to read them.
    until_wanted(&database, COUNTS).await;
    let mut older = older;
    for _ in 0..3 {
        older = write(older, VERSION - 1).await;
    }
    held.let_go();
    let id = submit_to(&engine, "behind").await.expect("is taken in");
    assert_eq!(claimed(&engine).await, Some(id));
    drop(older);
}

// O16, E7: a server that takes long to make its memory, however long one page of it takes, goes on saying that it is there, refuses who
// waits, says that it is not ready, and sends its agents away: their leases go on elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_server_without_memory_sends_everybody_elsewhere() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "a").await;
    confuse(&database, &engine).await;
    let mut effects = engine.door().effects();
    let held = Held::counts(&database);
    let first = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { submit_to(&engine, "first in line").await }
    });
    until_wanted(&database, COUNTS).await;
    let refused = submit_to(&engine, "behind").await.expect_err("it cannot know");
    assert_eq!(refused.code, Code::StoreUnreachable, "{refused:?}");
    assert_eq!(effects.recv().await.expect("is told"), Effect::LostTrack);
    let (_, reason) = engine.door().trouble().is_there().expect("it is not ready");
    assert!(reason.contains("makes its memory anew"), "{reason}");
    until_seen(&database, "a").await;
    held.let_go();
    first.await.expect("ends").expect("is taken in");
    assert!(engine.door().trouble().is_there().is_none(), "it is ready again");
}

// O16: a server that starts has its name from its first moment on, however long its start takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_server_that_starts_says_that_it_is_there() {
    let database = Cluster::shared().database().expect("a database");
    let (one, two) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let _first = open(&database, &one, "first").await;
    let held = Held::counts(&database);
    let seen = async {
        until_wanted(&database, COUNTS).await;
        until_seen(&database, "second").await;
        held.let_go();
    };
    let (_second, ()) = tokio::join!(open(&database, &two, "second"), seen);
}

// O16: the journal is kept from the moment on that memory is made from, also for a server that was taken for gone: it comes back, however
// much others write meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_the_journal_is_kept_for_a_server_that_comes_back() {
    let database = Cluster::shared().database().expect("a database");
    let (one, two) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let (engine, leader) = (open(&database, &one, "a").await, open(&database, &two, "b").await);
    confuse(&database, &engine).await;
    psql(&database, "DELETE FROM server WHERE name = 'a'; DELETE FROM leader");
    let held = Held::counts(&database);
    let first = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { submit_to(&engine, "first in line").await }
    });
    until_wanted(&database, COUNTS).await;
    let head: i64 = told(&database, "SELECT max(seq) FROM journal").parse().expect("a number");
    psql(
        &database,
        "INSERT INTO journal (seq, server, made_at, steps) SELECT j.seq + n, 'b/1', j.made_at, ''::bytea \
         FROM (SELECT * FROM journal ORDER BY seq DESC LIMIT 1) j, generate_series(1, 3000) n",
    );
    // The second time it tells that it has followed.
    for _ in 0..2 {
        leader.report().await.expect("is there");
    }
    let oldest: i64 = told(&database, "SELECT min(seq) FROM journal").parse().expect("a number");
    assert!(oldest <= head + 1, "row {oldest} is the oldest, {head} was the last one before");
    held.let_go();
    first.await.expect("ends").expect("is taken in");
}

// SEC19: a token that was revoked at another server reads no more at one that makes its memory for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec19_a_revoked_token_is_noticed_without_memory() {
    let database = Cluster::shared().database().expect("a database");
    let folder = TempDir::new().expect("a folder");
    let engine = open(&database, &folder, "a").await;
    let random = tiltyard_engine::token::random().expect("randomness");
    let deed = move |act: &mut tiltyard_engine::Act<'_>| tiltyard_engine::token::first(act, &random);
    let minted =
        engine.enter(Pass::system(), Urgency::Normal, deed).await.expect("is made").expect("the first");
    let reads = || engine.tokens().verify(&minted.text, engine.clock().now().wall).is_ok();
    assert!(reads());
    confuse(&database, &engine).await;
    let held = Held::counts(&database);
    let first = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { submit_to(&engine, "first in line").await }
    });
    until_wanted(&database, COUNTS).await;
    psql(&database, "UPDATE token SET ended_at = 1, revoked = 1");
    let began = Instant::now();
    while reads() {
        assert!(began.elapsed() < PATIENCE, "it goes on reading");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    held.let_go();
    first.await.expect("ends").expect("is taken in");
}
