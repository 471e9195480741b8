use crate::rig::{database, entry, hasty_writer, psql, write, writer};
use std::cell::Cell;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::role::{Reach, Role};
use tiltyard_model::token::Token;
use tiltyard_store::journal::Entry;
use tiltyard_store::postgres::{Options, Sessions, Store};
use tiltyard_store::{Error, Fate, Tx, journal, meta, token};

// E5: one writes after the other, whichever server it is, and each sees what was written before it.
#[test]
fn e5_writers_stand_in_line() {
    let database = database();
    let each = 40;
    std::thread::scope(|scope| {
        for server in ["a", "b", "c", "d"] {
            let url = &database.url;
            scope.spawn(move || {
                let writer = writer(url);
                let mut seen = 0;
                for n in 0..each {
                    let begun = writer.begin_after(seen).expect("begins");
                    let seqs: Vec<i64> = begun.entries.iter().map(|entry| entry.seq).collect();
                    assert_eq!(seqs, (seen + 1..=begun.head).collect::<Vec<_>>(), "nothing is missing");
                    meta::put(writer.tx(), &format!("{server}{n}"), "x").expect("is written");
                    let own = entry(&begun, server);
                    writer.commit_with(&own).expect("commits");
                    seen = own.seq;
                }
            });
        }
    });
    let rows = psql(&database, "SELECT count(*), max(seq), count(DISTINCT server) FROM journal");
    assert_eq!(rows, format!("{0}|{0}|4", 4 * each));
}

// E4: time is the database's, and a life of the database has a number.
#[test]
fn e4_a_transaction_tells_the_time_of_the_database() {
    let database = database();
    let (one, two) = (writer(&database.url), writer(&database.url));
    let first = one.begin_after(0).expect("begins");
    one.rollback().expect("is taken back");
    let second = two.begin_after(0).expect("begins");
    assert_eq!((first.incarnation, first.head), (second.incarnation, 0));
    assert!(first.incarnation > 0 && second.now >= first.now);
    two.rollback().expect("is taken back");
}

// O16: whoever cannot have the lock in time is told to come back, and has changed nothing.
#[test]
fn o16_a_lock_that_does_not_come_is_no_fault() {
    let database = database();
    let (holder, waiter) = (writer(&database.url), hasty_writer(&database.url));
    holder.begin_after(0).expect("begins");
    let refused = waiter.begin_after(0).expect_err("is refused");
    assert!(matches!(refused, Error::Busy(_)), "{refused}");
    holder.rollback().expect("is taken back");
    write(&waiter, "b", "late");
}

// O16: a server that freezes in mid-transaction holds nobody up, and its late writes come to nothing.
#[test]
fn o16_a_frozen_server_loses_its_transaction() {
    let database = database();
    let (frozen, other) = (hasty_writer(&database.url), writer(&database.url));
    let begun = frozen.begin_after(0).expect("begins");
    meta::put(frozen.tx(), "late", "x").expect("waits");
    // It waits for the lock until the database has ended the session that is idle.
    write(&other, "b", "early");
    let late = frozen.commit_with(&entry(&begun, "a")).expect_err("is refused");
    assert!(matches!(late, Error::Unknown(_) | Error::Busy(_) | Error::Lost(_)), "{late}");
    assert_eq!(frozen.resolve(&entry(&begun, "a")).expect("is known now"), Fate::Lost);
    assert_eq!(meta::get(other.tx(), "late").expect("reads"), None);
    write(&frozen, "a", "thawed");
    assert_eq!(journal::head(other.tx()).expect("reads"), 2);
}

// The beginning brings a bounded part of the journal; the rest is read on.
#[test]
fn the_beginning_of_a_transaction_is_bounded() {
    let database = database();
    let writer = writer(&database.url);
    psql(&database, "INSERT INTO journal SELECT n, 'x', 0, '' FROM generate_series(1, 300) n");
    let begun = writer.begin_after(10).expect("begins");
    assert_eq!((begun.head, begun.entries.len() as i64), (300, journal::MAX_ENTRIES_OF_BEGIN));
    let last = begun.entries.last().expect("is there").seq;
    let rest = journal::after(writer.tx(), last, 1_000).expect("reads");
    assert_eq!(rest.len() as i64, 300 - last);
    journal::prune(writer.tx(), 0, 299).expect("is written");
    writer.commit_with(&entry(&begun, "a")).expect("commits");
    assert_eq!(psql(&database, "SELECT min(seq), max(seq) FROM journal"), "300|301");
}

// O16: what is forgotten of the journal is bounded, since it is done under the lock; the rest goes with the next times.
#[test]
fn o16_so_much_of_the_journal_is_forgotten_at_once() {
    let database = database();
    let writer = writer(&database.url);
    let left = || psql(&database, "SELECT min(seq), max(seq) FROM journal");
    let most = journal::MAX_PRUNED_ROWS;
    let all = 2 * most + 10;
    psql(&database, &format!("INSERT INTO journal SELECT n, 'x', 0, '' FROM generate_series(1, {all}) n"));
    let from = Cell::new(0);
    let forget = |upto: i64| {
        let begun = writer.begin_after(i64::MAX).expect("begins");
        from.set(journal::prune(writer.tx(), from.get(), upto).expect("is written"));
        writer.commit_with(&entry(&begun, "a")).expect("commits");
    };
    forget(all - 1);
    assert_eq!(left(), format!("{}|{}", most + 1, all + 1));
    forget(all - 1);
    assert_eq!(left(), format!("{}|{}", 2 * most + 1, all + 2));
    forget(all - 1);
    assert_eq!(left(), format!("{all}|{}", all + 3));
}

// E2: whoever looks for an outcome after the journal has forgotten it does not learn that nothing happened.
#[test]
fn e2_an_outcome_that_was_forgotten_is_not_known() {
    let database = database();
    let writer = writer(&database.url);
    let begun = writer.begin_after(0).expect("begins");
    let own = entry(&begun, "a");
    meta::put(writer.tx(), "done", "x").expect("is written");
    writer.commit_with(&own).expect("commits");
    assert_eq!(writer.resolve(&own).expect("is known"), Fate::Committed);
    let other = Entry { server: "b".to_owned(), ..own.clone() };
    assert_eq!(writer.resolve(&other).expect("is known"), Fate::Lost);
    let later = Entry { seq: own.seq + 7, ..own.clone() };
    assert_eq!(writer.resolve(&later).expect("is known"), Fate::Lost);
    psql(
        &database,
        "INSERT INTO journal SELECT n, 'x', 0, '' FROM generate_series(2, 9) n; DELETE FROM journal WHERE seq < 5",
    );
    assert_eq!(writer.resolve(&own).expect("answers"), Fate::Forgotten);
    psql(&database, "DELETE FROM journal");
    assert_eq!(writer.resolve(&own).expect("answers"), Fate::Lost, "this is another store, or an older copy");
}

fn token(tx: &Tx) -> Token {
    Token {
        id: tx.id(Noun::Token, Id::key_at(0, 1)),
        label: "own".to_owned(),
        owner: "ada".to_owned(),
        groups: Vec::new(),
        role: Role::Worker,
        reach: Reach::from_list(&["*".to_owned()]),
        queues: None,
        agent: None,
        expires: None,
        last_used: None,
        revoked: None,
    }
}

// E2: a deed that the database refused is taken back before another statement is asked about for the first time.
#[test]
fn e2_a_refused_deed_leaves_the_next_one_whole() {
    for sessions in [Sessions::Own, Sessions::Mixed] {
        let database = database();
        let options = Options { sessions, ..Options::new(&database.url, [7; 16]) };
        let (_store, writer) = Store::open(&options).expect("opens");
        let begun = writer.begin_after(0).expect("begins");
        let tx = writer.tx();
        let twice = || token::insert(tx, &token(tx), &[1; 32]).and_then(|()| tx.flush());
        twice().expect("is written");
        writer.save().expect("saves");
        let refused = twice().expect_err("is refused");
        assert!(matches!(refused, Error::Constraint { .. }), "{refused}");
        writer.undo().expect("takes back");
        assert!(token::any(tx).expect("a statement that was never asked about before"));
        meta::put(tx, "next", "x").expect("is written");
        writer.commit_with(&entry(&begun, "a")).expect("commits");
        assert_eq!(psql(&database, "SELECT count(*) FROM token"), "1");
    }
}
