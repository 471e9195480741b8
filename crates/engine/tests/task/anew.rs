//! Memory is made from a shared store while others go on writing into it. What is read there is held up by a lock on a table that
//! whoever only submits does not need.

use crate::version::{claimed, open, other, submit_to, write};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tiltyard_engine::journal::VERSION;
use tiltyard_testkit::postgres::{Cluster, Database, program};

/// How long a sign is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Waits until somebody wants to read what is held.
pub(crate) async fn until_wanted(database: &Database, what: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
         WHERE d.datname = current_database() AND NOT granted AND {what}"
    );
    let began = Instant::now();
    loop {
        let mut command = Command::new(program("psql").expect("is installed"));
        let told = command.args(["-X", "-q", "-A", "-t", "-c", &waiting]).arg(&database.url).output();
        if String::from_utf8_lossy(&told.expect("starts").stdout).trim() == "1" {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "nobody makes its memory");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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
