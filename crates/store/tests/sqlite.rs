//! The embedded store as it is opened (E6, E10).

use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tiltyard_store::sqlite::{Durability, Options, Store, version};
use tiltyard_store::{Error, Rows, Writer, meta};

/// Checkpoint when the log is larger than this, as the engine's service does.
const MOVE_BEYOND_BYTES: u64 = 1024 * 1024;

fn open(folder: &TempDir) -> (Store, Writer) {
    let options =
        Options { folder: folder.path().to_owned(), durability: Durability::Full, seed: [7; 16], now: 1_000 };
    Store::open(&options).expect("opens")
}

fn write(writer: &Writer, round: usize) {
    writer.begin().expect("begins");
    for key in 0..50 {
        meta::put(writer.tx(), &format!("k{round}-{key}"), &"x".repeat(1_000)).expect("writes");
    }
    writer.commit().expect("commits");
}

// E6: the bundled library is new enough not to have the WAL fault.
#[test]
fn e6_the_library_is_the_bundled_one() {
    let parts: Vec<u32> = version().split('.').filter_map(|part| part.parse().ok()).collect();
    assert!(parts.as_slice() >= [3, 51, 3].as_slice(), "{}", version());
}

// E6: the log stays bounded while overlapping readers never leave it alone.
#[test]
fn e6_the_log_is_bounded_whatever_readers_do() {
    let folder = TempDir::new().expect("a folder");
    let (store, writer) = open(&folder);
    let store = Arc::new(store);
    let checkpointer = store.checkpointer().expect("opens");
    let (mut before, mut largest) = (None, 0);
    for round in 0..200 {
        // Each reader begins before the one before it ends.
        let mut reader = store.reader().expect("opens");
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let read = |rows: &Rows| -> Result<(), Error> {
                meta::get(rows, "salt")?;
                begun.send(()).expect("somebody listens");
                // The sender's end is the signal.
                let _ = ended.recv();
                Ok(())
            };
            reader.read(read).expect("reads");
        });
        has_begun.recv().expect("has begun");
        if let Some((end, thread)) = before.replace((end, thread)) {
            drop::<std::sync::mpsc::Sender<()>>(end);
            std::thread::JoinHandle::<()>::join(thread).expect("ends");
        }
        write(&writer, round);
        largest = largest.max(store.sizes().1);
        if store.sizes().1 > MOVE_BEYOND_BYTES {
            checkpointer.run().expect("moves");
        }
        if store.sizes().1 > 2 * MOVE_BEYOND_BYTES {
            checkpointer.begin_anew().expect("begins anew");
            // With a reader that stays, the next try is the one that succeeds: readers are ended after a time.
            if let Some((end, thread)) = before.take() {
                drop(end);
                thread.join().expect("ends");
            }
            checkpointer.begin_anew().expect("begins anew");
        }
    }
    if let Some((end, thread)) = before {
        drop(end);
        thread.join().expect("ends");
    }
    assert!(largest < 4 * MOVE_BEYOND_BYTES, "the log grew to {largest} bytes");
}

/// Makes each look at `meta` one without an end.
fn never_ends(store: &Store) {
    let other = rusqlite::Connection::open(store.path()).expect("opens");
    let endless = "ALTER TABLE meta RENAME TO kept;
        CREATE VIEW meta AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT key, value FROM n, kept WHERE i < 0";
    other.execute_batch(endless).expect("is made");
}

// E6: a read that never ends is ended, be it one statement or many, with nobody there who watches it; the next one has its
// whole time again.
#[test]
fn e6_a_read_that_never_ends_is_ended() {
    let folder = TempDir::new().expect("a folder");
    let (store, _writer) = open(&folder);
    let mut reader = store.reader().expect("opens").within(Duration::from_millis(300));
    let for_ever = |rows: &Rows| -> Result<(), Error> {
        loop {
            meta::get(rows, "salt")?;
        }
    };
    for _ in 0..2 {
        assert!(matches!(reader.read(for_ever), Err(Error::Busy(_))));
        reader.read(|rows| meta::get(rows, "salt")).expect("reads");
    }
    never_ends(&store);
    assert!(matches!(reader.read(|rows| meta::get(rows, "salt")), Err(Error::Busy(_))));
}

// E6: a read that panicked leaves nothing behind: its connection serves the next one, and holds no moment of the store, which
// would keep the log from beginning anew.
#[test]
fn e6_a_read_that_panicked_leaves_nothing_behind() {
    let folder = TempDir::new().expect("a folder");
    let (store, writer) = open(&folder);
    let mut reader = store.reader().expect("opens");
    let panics = |rows: &Rows| -> Result<(), Error> {
        meta::get(rows, "salt")?;
        panic!("on purpose")
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.read(panics))).expect_err("panics");
    write(&writer, 1);
    store.checkpointer().expect("opens").begin_anew().expect("begins anew");
    assert_eq!(store.sizes().1, 0, "nobody holds the log");
    let seen: Result<_, Error> = reader.read(|rows| meta::get(rows, "k1-0"));
    assert!(seen.expect("reads").is_some());
}

// The journal is a write-ahead log; that each commit is synced is proven with failing disks elsewhere.
#[test]
fn the_journal_is_a_write_ahead_log() {
    let folder = TempDir::new().expect("a folder");
    let (store, _writer) = open(&folder);
    assert_eq!(store.durability(), Durability::Full);
    let other = rusqlite::Connection::open(store.path()).expect("opens");
    let mode: String = other.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("reads");
    assert_eq!(mode, "wal");
}

// E10: a lock that a killed server left behind blocks nobody, since the kernel drops it; a live one does.
#[test]
fn e10_one_folder_one_server() {
    let folder = TempDir::new().expect("a folder");
    let first = open(&folder);
    let options =
        Options { folder: folder.path().to_owned(), durability: Durability::Full, seed: [7; 16], now: 1_000 };
    assert!(matches!(Store::open(&options), Err(Error::Locked(_))));
    drop(first);
    assert!(folder.path().join("lock").exists());
    Store::open(&options).expect("opens");
}
