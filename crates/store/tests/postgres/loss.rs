use crate::rig::{database, entry, psql, write, writer};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tiltyard_model::task::State;
use tiltyard_store::leader;
use tiltyard_store::postgres::{Options, Patience, Store};
use tiltyard_store::task::{Move, shift};
use tiltyard_store::{Error, Fate, Rows, meta};
use tiltyard_testkit::Proxy;
use tiltyard_testkit::postgres::{Cluster, Database, Sync};

/// What a writer holds until its transaction ends.
const LOCK_OF_WRITERS: i64 = 0x7469_6c74_7961_7264;
const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'tiltyard'";

// O16: sessions that somebody ends are made anew by themselves; what they were doing did not happen.
#[test]
fn o16_a_session_that_was_ended_is_made_anew() {
    let database = database();
    let (store, writer) = Store::open(&Options::new(&database.url, [7; 16])).expect("opens");
    let mut reader = store.reader().expect("opens");
    for round in 0..5 {
        psql(&database, KILL);
        write(&writer, "a", &format!("idle{round}"));
        reader.read(|rows| meta::get(rows, "idle0")).expect("reads");
    }
    writer.begin_after(0).expect("begins");
    meta::put(writer.tx(), "lost", "x").expect("waits");
    psql(&database, KILL);
    let lost = meta::get(writer.tx(), "lost").expect_err("is lost");
    assert!(matches!(lost, Error::Busy(_) | Error::Lost(_)), "{lost}");
    writer.rollback().expect("there is nothing to take back");
    assert_eq!(meta::get(writer.tx(), "lost").expect("reads"), None);
    write(&writer, "a", "after");
}

/// A store behind a network that can be cut.
struct Far {
    runtime: tokio::runtime::Runtime,
    proxy: Proxy,
    server: SocketAddr,
    url: String,
}

fn far(database: &Database) -> Far {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let proxy = runtime.block_on(Proxy::start()).expect("starts");
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, Cluster::shared().port()));
    proxy.open(server);
    let own = format!(":{}/", Cluster::shared().port());
    let url = database.tcp_url().replace(&own, &format!(":{}/", proxy.address().port()));
    Far { runtime, proxy, server, url }
}

// E2: an answer that got lost while it committed: nobody is told before the mark of the transaction was looked for.
#[test]
fn e2_a_commit_whose_answer_is_lost_is_found_out() {
    let database = database();
    let far = far(&database);
    let (_store, writer) = Store::open(&Options::new(&far.url, [7; 16])).expect("opens");
    let near = crate::rig::writer(&database.url);
    // What is prepared needs no answer.
    write(&writer, "a", "warm");
    for happened in [true, false] {
        let begun = writer.begin_after(0).expect("begins");
        let (own, key) = (entry(&begun, "a"), format!("happened {happened}"));
        meta::put(writer.tx(), &key, "x").expect("waits");
        if happened {
            far.proxy.deafen();
        } else {
            far.proxy.cut();
        }
        let lost = std::thread::scope(|scope| {
            let (proxy, database, key) = (&far.proxy, &database, &key);
            // The words arrive and their answer does not, until the connection breaks.
            scope.spawn(move || {
                if happened {
                    // Granted when the writer's transaction has ended.
                    psql(database, &format!("SELECT pg_advisory_xact_lock({LOCK_OF_WRITERS})"));
                    assert_eq!(
                        psql(database, &format!("SELECT count(*) FROM meta WHERE key = '{key}'")),
                        "1"
                    );
                }
                proxy.cut();
            });
            writer.commit_with(&own).expect_err("is lost")
        });
        assert!(matches!(lost, Error::Unknown(_)), "{lost}");
        assert!(writer.resolve(&own).is_err(), "as long as nobody gets through, nobody knows");
        far.proxy.open(far.server);
        let fate = if happened { Fate::Committed } else { Fate::Lost };
        assert_eq!(writer.resolve(&own).expect("is known now"), fate);
        assert_eq!(meta::get(near.tx(), &key).expect("reads").is_some(), happened);
    }
    drop(far.runtime);
}

// A write that finds another number of rows than the memory promised takes the whole transaction back.
#[test]
fn memory_that_disagrees_with_rows_commits_nothing() {
    let database = database();
    let writer = writer(&database.url);
    let begun = writer.begin_after(0).expect("begins");
    meta::put(writer.tx(), "with it", "x").expect("waits");
    let step = Move {
        key: 1,
        from: State::Ready,
        generation: 0,
        to: State::Cancelled,
        run_at: None,
        waits_for: 0,
        now: 1,
        reason: None,
    };
    assert!(shift(writer.tx(), &step).expect("waits"), "it is believed until it is sent");
    let refused = writer.commit_with(&entry(&begun, "a")).expect_err("is refused");
    assert!(matches!(refused, Error::Unreadable { .. }), "{refused}");
    writer.rollback().expect("is taken back");
    assert_eq!(psql(&database, "SELECT count(*) FROM journal"), "0");
    assert_eq!(meta::get(writer.tx(), "with it").expect("reads"), None);
}

// E6: a read that never ends is ended, be it one statement or many.
#[test]
fn e6_a_read_that_never_ends_is_ended() {
    let database = database();
    let patience = Patience { read_ms: 200, ..Patience::default() };
    let (store, _writer) =
        Store::open(&Options { patience, ..Options::new(&database.url, [7; 16]) }).expect("opens");
    let mut reader = store.reader().expect("opens").within(Duration::from_millis(200));
    let for_ever = |rows: &Rows| -> Result<(), Error> {
        loop {
            meta::get(rows, "salt")?;
        }
    };
    let ended = reader.read(for_ever).expect_err("is ended");
    assert!(matches!(ended, Error::Busy(_)), "{ended}");
    psql(&database, "ALTER TABLE meta RENAME TO kept");
    psql(&database, "CREATE VIEW meta AS SELECT key, value FROM kept, pg_sleep(50)");
    let ended = reader.read(|rows| meta::get(rows, "salt")).expect_err("is ended");
    assert!(matches!(ended, Error::Busy(_)), "{ended}");
}

// A read that panicked leaves no moment behind: the next one on its connection sees what was written since.
#[test]
fn a_read_that_panicked_leaves_nothing_behind() {
    let database = database();
    let (store, writer) = Store::open(&Options::new(&database.url, [7; 16])).expect("opens");
    let mut reader = store.reader().expect("opens");
    let panics = |rows: &Rows| -> Result<(), Error> {
        meta::get(rows, "salt")?;
        panic!("on purpose")
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.read(panics))).expect_err("panics");
    write(&writer, "a", "later");
    let seen: Result<_, Error> = reader.read(|rows| meta::get(rows, "later"));
    assert!(seen.expect("reads").is_some());
}

// PostgreSQL keeps no U+0000: a word that holds it costs its deed, and is not found.
#[test]
fn a_nul_costs_its_deed_only() {
    let database = database();
    let writer = writer(&database.url);
    let begun = writer.begin_after(0).expect("begins");
    writer.save().expect("marks");
    assert!(matches!(meta::put(writer.tx(), "nul", "a\0b"), Err(Error::Constraint { .. })));
    writer.undo().expect("takes back");
    meta::put(writer.tx(), "whole", r#""a\u0000b""#).expect("waits");
    writer.commit_with(&entry(&begun, "a")).expect("commits");
    assert_eq!(meta::get(writer.tx(), "a\0b").expect("reads"), None);
    assert!(meta::get(writer.tx(), "whole").expect("reads").is_some());
}

// D51: what is taken back may be a statement that was sent at once, as the first one behind its mark.
#[test]
fn d51_a_write_whose_outcome_was_asked_is_taken_back_too() {
    let database = database();
    let writer = writer(&database.url);
    let begun = writer.begin_after(0).expect("begins");
    let duty = |server: &str| leader::Duty { duty: "one".to_owned(), server: server.to_owned(), until: 9 };
    writer.save().expect("marks");
    assert!(leader::take(writer.tx(), &duty("first"), 1).expect("is asked"));
    writer.tx().save_part().expect("marks");
    assert!(leader::take(writer.tx(), &duty("first"), 2).expect("is asked"));
    writer.tx().undo_part().expect("takes back");
    writer.undo().expect("takes back");
    writer.commit_with(&entry(&begun, "a")).expect("commits");
    assert_eq!(leader::all(writer.tx()).expect("reads"), []);
}

// E3: a write that must touch its row and does not costs the whole transaction, also when it is found out while another deed asks for
// something, and that deed is taken back.
#[test]
fn e3_a_row_that_is_not_there_is_not_forgotten_with_another_deed() {
    let database = database();
    let writer = writer(&database.url);
    let begun = writer.begin_after(0).expect("begins");
    writer.save().expect("marks");
    let (from, to) = (State::Running, State::Ready);
    let gone = Move { key: 4_711, from, generation: 1, to, run_at: None, waits_for: 0, now: 1, reason: None };
    assert!(shift(writer.tx(), &gone).expect("waits"), "it is taken for granted");
    writer.keep().expect("keeps");
    writer.save().expect("marks");
    let duty = leader::Duty { duty: "one".to_owned(), server: "a".to_owned(), until: 9 };
    leader::take(writer.tx(), &duty, 1).expect_err("what went before shows");
    assert!(matches!(writer.undo(), Err(Error::Unreadable { .. })), "it is not this deed's to take back");
    assert!(writer.commit_with(&entry(&begun, "a")).is_err(), "nothing of it stands");
    writer.rollback().expect("is taken back");
    assert_eq!(leader::all(writer.tx()).expect("reads"), []);
}

// O16: whoever meets a database that hangs is told so once the answer is overdue, and does not wait a second time on a new connection.
#[test]
fn o16_a_database_that_hangs_is_waited_for_once() {
    let cluster = Cluster::start(Sync::Off, &[]).expect("a database of its own");
    let database = cluster.database().expect("a database");
    let patience = Patience { statement_ms: 1_500, read_ms: 500, lock_ms: 1_500, idle_ms: 300 };
    let (_store, writer) =
        Store::open(&Options { patience, ..Options::new(&database.url, [7; 16]) }).expect("opens");
    write(&writer, "a", "warm");
    cluster.freeze().expect("it is ours");
    let began = Instant::now();
    let lost = writer.begin_after(0).expect_err("hangs");
    let took = began.elapsed();
    cluster.thaw().expect("it is ours");
    assert!(matches!(lost, Error::Lost(_)), "{lost}");
    // Its own limit and two seconds; a second try would double it.
    assert!(took < Duration::from_secs(6), "{took:?}");
    write(&writer, "a", "again");
}
