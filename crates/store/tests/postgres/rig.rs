//! A database for a test, and servers that share it.

use std::io::Write;
use std::process::{Command, Stdio};
use tiltyard_store::journal::{Begun, Entry};
use tiltyard_store::postgres::{Options, Patience, Store};
use tiltyard_store::{Writer, meta};
use tiltyard_testkit::postgres::{Cluster, Database, program};

/// One that is empty.
pub(crate) fn database() -> Database {
    Cluster::shared().database().expect("a database")
}

/// Times that a test can wait for.
pub(crate) fn hasty() -> Patience {
    Patience { statement_ms: 2_000, read_ms: 2_000, lock_ms: 500, idle_ms: 300 }
}

/// A server's connection.
pub(crate) fn writer(url: &str) -> Writer {
    Store::open(&Options::new(url, [7; 16])).expect("opens").1
}

/// The same in a hurry.
pub(crate) fn hasty_writer(url: &str) -> Writer {
    Store::open(&Options { patience: hasty(), ..Options::new(url, [7; 16]) }).expect("opens").1
}

/// The row of the transaction that has just begun.
pub(crate) fn entry(begun: &Begun, server: &str) -> Entry {
    let made_at = begun.now.expect("a shared store tells the time");
    Entry { seq: begun.head + 1, server: server.to_owned(), made_at, steps: vec![1, 2, 3] }
}

/// Writes a word in a transaction with its row.
pub(crate) fn write(writer: &Writer, server: &str, key: &str) {
    let begun = writer.begin_after(0).expect("begins");
    meta::put(writer.tx(), key, "x").expect("is written");
    writer.commit_with(&entry(&begun, server)).expect("commits");
}

/// What somebody else finds in the database.
pub(crate) fn psql(database: &Database, text: &str) -> String {
    let mut command = Command::new(program("psql").expect("is installed"));
    let options = ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"];
    let command = command.args(options).arg(&database.url);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("starts");
    let mut input = child.stdin.take().expect("is piped");
    let text = format!("{text};\n");
    let write = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let done = child.wait_with_output().expect("ends");
    write.join().expect("ends").expect("is read");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
