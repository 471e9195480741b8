//! The check of the ledger must be able to fail: each of these breaks the store by hand, and the check has to say so.

use crate::check::{count, faults};
use crate::ledger::{Book, Kind, Word};
use crate::load::Load;
use crate::seen::{Log, look_closely};
use crate::server::Yard;
use rusqlite::Connection;
use std::path::Path;

/// Answers of success before and after the copy.
const HEARD: u64 = 150;

/// The files that are the store.
const STORE: [&str; 2] = ["tiltyard.db", "tiltyard.db-wal"];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for name in STORE {
        // A store that was closed in order has no log any more.
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).expect("the disk has room");
        }
    }
}

/// A yard with work done on it, its ledger, and an older copy of its store; nobody runs there any more.
async fn worked() -> (Yard, Book) {
    let (yard, load) = (Yard::new(), Load::new());
    let server = yard.start().await;
    load.go(&server);
    load.heard(HEARD).await;
    server.kill().await;
    copy(&yard.data(), &yard.beside("older"));
    let server = yard.start().await;
    load.go(&server);
    load.heard(HEARD).await;
    server.kill().await;
    let book = load.drop_everything().await.book().clone();
    copy(&yard.data(), &yard.beside("whole"));
    (yard, book)
}

/// What the check says of the store as it lies there.
async fn verdict(yard: &Yard, book: &Book) -> Vec<crate::ledger::Fault> {
    let server = yard.start().await;
    let found = faults(book, &look_closely(&server, &mut Log::default()).await);
    server.kill().await;
    found
}

// E22: a check that cannot fail does not count. A store that is rolled back has lost what was acknowledged since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e22_the_check_reports_a_store_that_lost_something() {
    let (yard, book) = worked().await;
    assert_eq!(verdict(&yard, &book).await, [], "the store as it was left is whole");

    copy(&yard.beside("older"), &yard.data());
    let rolled_back = verdict(&yard, &book).await;
    let acknowledged = book.tasks.values().filter(|task| matches!(task.word, Word::Done(_))).count();
    println!("rolled back: {} losses among {acknowledged} tasks", count(&rolled_back, Kind::Lost));
    assert!(count(&rolled_back, Kind::Lost) > 0, "{rolled_back:?}");

    for (what, kind, statement) in [
        ("an event less", Kind::Log, "delete from event where seq = (select max(seq) - 5 from event)"),
        ("another result", Kind::Lost, "update task set result = '7' where result is not null"),
        (
            "a generation back",
            Kind::Log,
            "update task set generation = generation - 1 where state = 5 and generation > 1",
        ),
    ] {
        copy(&yard.beside("whole"), &yard.data());
        let store = Connection::open(yard.data().join(STORE[0])).expect("it is a database");
        assert!(store.execute(statement, []).expect(what) > 0, "{what}");
        drop(store);
        let broken = verdict(&yard, &book).await;
        assert!(count(&broken, kind) > 0, "{what}: {broken:?}");
    }
}
