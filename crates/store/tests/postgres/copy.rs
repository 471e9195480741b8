//! A whole store is moved into a database and back (O16).

#![expect(clippy::panic, reason = "a test says what it found")]

use crate::rig::{database, psql};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tempfile::TempDir;
use tiltyard_store::copy::{Left, Place, Progress, Report, Request, copy};
use tiltyard_store::postgres::{self, Options};
use tiltyard_store::sqlite::{self, Durability};
use tiltyard_store::{Error, Store, meta, store};
use tiltyard_testkit::postgres::Database;

/// Rows in every table, with what is hard to carry: nothing, the ends of numbers, bytes, letters of every width.
const FILL: &str = r#"
INSERT INTO scope VALUES (1, 'a', 'über 🚢', 5, NULL), (2, 'b', '', 6, 9);
INSERT INTO scope_seq VALUES (1, 0, 7), (1, 3, 98304);
INSERT INTO actor VALUES (1, 'ä'), (9223372036854775807, 'last');
INSERT INTO queue VALUES (1, 1, 'q', NULL), (2, 2, 'q', '{}');
INSERT INTO lane VALUES (1, 1, 'x');
INSERT INTO agent VALUES (1, 'm', NULL, '{}', 1, 5, NULL, NULL);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 700)
INSERT INTO task (id, scope, queue, lane, state, generation, kind, title, payload, priority, created_by, ready_at, timeout_ms,
                  max_attempts, agent, lease_ms, started_at, progress)
SELECT n * 1000, 1, 1, 1, CASE n WHEN 7 THEN 3 ELSE 2 END, 1, 'k', 'T' || n, '{"n":' || n || '}', 1 + n % 10, 1, n, 1, 1, 1,
       30000, n, CASE n % 3 WHEN 0 THEN 0.1 * n WHEN 1 THEN 1.0 END FROM n;
INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, created_by, timeout_ms, max_attempts)
VALUES (5, 1, 1, 1, 5, 'k', '', hex(zeroblob(3000000)), 1, 1, 1, 1);
INSERT INTO task_count VALUES (1, 5, 1, 0);
INSERT INTO attempt (task, generation, agent, started_at) VALUES (5, 1, 1, 1), (5, 2, 1, -1), (1000, 1, 1, 1);
INSERT INTO dependency VALUES (5, 1000), (5, 2000);
INSERT INTO unique_key VALUES (5, -9223372036854775808, NULL), (1000, 1, 2);
INSERT INTO rate_start VALUES (1, '', 1, 1), (1, 'a', 1, 2), (1, 'a', 2, 3);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 900)
INSERT INTO event SELECT n, 1, 1, n, 1, n, 1, NULL, 0, n, NULL, NULL, '{"x":' || n || '}', n % 2 FROM n;
INSERT INTO audit VALUES ('', 1, 1, 'a', 'b', 'c', 'ok', 'info', NULL, NULL, '{}', '', 'wrong'),
       ('z', 1, 1, 'a', 'b', 'c', 'ok', 'info', 'x', 'y', '{}', '', 'wrong');
INSERT INTO audit_count VALUES ('', 'a', 1, 1, 1), ('z', 'b', 1, 1, 1);
INSERT INTO token (id, digest, label, owner, groups, role, scopes) VALUES (1, x'00ff', 'l', 'o', '[]', 'admin', '[]');
INSERT INTO sign_in VALUES (1, x'01', 1, 1, 5), (2, x'02', 1, NULL, 5);
INSERT INTO idempotency VALUES (1, x'', x'00', 1, 200, '{}'), (1, x'ff', x'00', 1, 200, '{}');
INSERT INTO template VALUES (1, 't', '', '{}', 1);
INSERT INTO dead_letter (id, scope, task, status, fingerprint, kind, error, failed_at, attempts, moved_at)
VALUES (1, 1, 5, 0, 'f', 'k', 'e', 1, 1, 1);
INSERT INTO artifact VALUES (1, 1, 'd', 5, 'm', NULL, NULL, NULL, 1, 'notes');
INSERT INTO repository (scope, name, path, branch, agent, settings, state, created_at)
VALUES (1, 'r', '/x', 'main', 'm', '{}', 'ready', 1);
INSERT INTO change VALUES (1, 1, 5, 'r', 0, NULL, NULL, 1, '{}', 1);
INSERT INTO change_proposal VALUES (1, 1, '{}');
INSERT INTO change_check VALUES (1, 5, '{}');
INSERT INTO gate VALUES (1, 1, 'open', 's', 1, '{}', 1, 2, NULL, 1, 0, 1, NULL, NULL, 1, '{}', 7, 8);
INSERT INTO gate_vote VALUES (1, 1, 'i', '{}', 9);
INSERT INTO pipeline_version VALUES (1, 1, 'd', 'stages: []', '{}', '{}', 1, 5);
INSERT INTO pipeline VALUES (1, 'p', 1, 1, 5, 1, NULL);
INSERT INTO pipeline_history VALUES (1, 'p', 1, 1, 5, 1);
INSERT INTO run (id, scope, state, version, pipeline, number, schedule, slot_at, slot_revision, root, depth, reruns, stops_asked, stops_stopped,
                 stops_unconfirmed, began_seq, started_by, created_at)
VALUES (1, 1, 1, 1, 'p', 1, 's', 5, 1, 1, 0, 0, 0, 0, 0, 9, 1, 5);
INSERT INTO run_input VALUES (1, '{"ä":"🚢"}');
INSERT INTO stage VALUES (1, 0, 2, 1, 0, NULL, NULL, NULL, NULL, 0, NULL, 5, 5, NULL), (1, 1, 0, 0, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, '{}');
WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 600)
INSERT INTO run_item SELECT 1, 1, 1, n, n, 0, 0, NULL, NULL, NULL, NULL FROM n;
INSERT INTO stage_attempt VALUES (1, 0, 1, 0, 5, 2, NULL, NULL, NULL, 5, NULL);
INSERT INTO run_output VALUES (1, 0, 1, -1, 'notes', 2, 1, NULL), (1, 0, 1, -1, 'result', 0, NULL, 'null');
INSERT INTO run_timer VALUES (1, 1, 1, -1, 0, 0, 9223372036854775807);
INSERT INTO run_wait VALUES (1, 1, 1, -1, 0, 1, 8, NULL, 9);
INSERT INTO run_call VALUES (1, 1, 1, 3, 1, '{}', 1, 2, 'a', 5);
INSERT INTO schedule VALUES (1, 's', 1, '{}', '{}', 'skip', 'skip', 0, 5, NULL, 1, 5, '{}');
INSERT INTO schedule_start VALUES (1, 's', 1, 5, 1, NULL, 0, NULL);
INSERT INTO artifact_ref VALUES (1, 1);
UPDATE meta SET value = '3' WHERE key = 'epoch';
INSERT INTO meta VALUES ('written_over', '8');
"#;

/// Tables that a copy leaves out: what each store keeps of its own schema, and what servers of a shared one tell each other.
const LEFT_OUT: &[&str] = &["migration", "journal", "server", "leader"];

fn options(folder: &Path) -> store::Options {
    let (durability, folder) = (Durability::Full, folder.to_owned());
    store::Options::Embedded(sqlite::Options { folder, durability, seed: [1; 16], now: 5 })
}

fn shared(database: &Database) -> Options {
    Options::new(&database.url, [2; 16])
}

fn filled() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Store::open(&options(folder.path())).expect("opens"));
    connect(folder.path()).execute_batch(FILL).expect("is filled");
    folder
}

fn connect(folder: &Path) -> Connection {
    Connection::open(folder.join(sqlite::FILE_NAME)).expect("opens")
}

fn out(folder: &Path, database: &Database) -> Request {
    let (from, to) = (Place::Folder(folder.to_owned()), Place::Database(shared(database)));
    Request { from, to, left: Left::GoOn, now: 5 }
}

fn back(database: &Database, folder: &Path) -> Request {
    let (from, to) = (Place::Database(shared(database)), Place::Folder(folder.to_owned()));
    Request { from, to, left: Left::GoOn, now: 5 }
}

fn run(request: &Request) -> Result<Report, Error> {
    copy(request, &mut |_| {})
}

/// Why it is not done.
fn refusal(request: &Request) -> String {
    match run(request) {
        Err(Error::Locked(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Ends as a killed process does, after so many pages.
fn killed_after(request: &Request, pages: usize) -> bool {
    let mut left = pages;
    let cut = || {
        copy(request, &mut |progress| {
            if matches!(progress, Progress::Rows(_)) {
                left = left.checked_sub(1).expect("killed here");
            }
        })
    };
    catch_unwind(AssertUnwindSafe(cut)).is_err()
}

/// Everything in a file, by table.
fn dump(folder: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let connection = connect(folder);
    let names = rows(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    let names = names.into_iter().map(|row| match &row[0] {
        Value::Text(name) => name.clone(),
        other => panic!("{other:?}"),
    });
    names
        .map(|name| (name.clone(), rows(&connection, &format!("SELECT * FROM {name} ORDER BY 1, 2"))))
        .collect()
}

fn rows(connection: &Connection, text: &str) -> Vec<Vec<Value>> {
    let mut prepared = connection.prepare(text).expect("is right");
    let columns = prepared.column_count();
    let found = prepared.query_map([], |row| (0..columns).map(|place| row.get(place)).collect());
    found.expect("reads").map(|row| row.expect("reads")).collect()
}

fn empty() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

// O16: what is moved into a database and back is what it was, in every table.
#[test]
fn o16_a_store_goes_into_a_database_and_back_unchanged() {
    let (folder, database, other) = (filled(), database(), empty());
    let there = run(&out(folder.path(), &database)).expect("is copied");
    let kept: Vec<&str> = there.tables.iter().map(|table| table.name).collect();
    let left = |name: &&String| !LEFT_OUT.contains(&name.as_str()) && *name != "meta";
    let before = dump(folder.path());
    assert_eq!(before.keys().filter(left).count(), kept.len(), "every table is copied: {kept:?}");
    for table in &there.tables {
        assert_eq!(before[table.name].len() as u64, table.rows, "{}", table.name);
        assert!(table.rows > 0, "the test puts something into {}", table.name);
    }
    let tables =
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    assert_eq!(psql(&database, tables), (kept.len() + LEFT_OUT.len() + 1).to_string());
    assert_eq!(psql(&database, "SELECT value FROM meta WHERE key = 'epoch'"), "3");
    assert_eq!((there.found, there.chains, there.broken_chains.len()), (0, 2, 2), "{there:?}");

    let again = run(&back(&database, other.path())).expect("is copied");
    assert_eq!(again.tables, there.tables, "the same rows have the same digests");
    let mut after = dump(other.path());
    let mut before = before;
    for dump in [&mut before, &mut after] {
        dump.remove("migration");
        dump.get_mut("meta")
            .expect("is there")
            .retain(|row| row[0] != Value::Text("written_over".to_owned()));
    }
    assert_eq!(before, after);
    let (one, two) = (Store::open(&options(folder.path())), Store::open(&options(other.path())));
    let (one, two) = (one.expect("opens").0, two.expect("opens").0);
    assert_eq!((one.epoch(), two.epoch()), (3, 3));
    let id = one.forge().id(tiltyard_model::id::Noun::Task, 5000);
    assert_eq!(two.forge().key(id), Some(5000), "ids stay");
}

// O16: a copy that was killed goes on where it stopped; before its end no server opens what there is.
#[test]
fn o16_a_killed_copy_goes_on_and_is_no_store_before() {
    let (folder, database, other) = (filled(), database(), empty());
    let request = out(folder.path(), &database);
    let mut kills = 0;
    for pages in [0, 1, 4, 7, 9, 12] {
        assert!(killed_after(&request, pages), "it ends before {pages} pages");
        kills += 1;
        let refused = Store::open(&store::Options::Shared(shared(&database))).err();
        assert!(
            matches!(&refused, Some(Error::Locked(text)) if text.contains("not finished")),
            "{refused:?}"
        );
    }
    let report = run(&request).expect("goes on");
    assert!(kills == 6 && report.found > 900, "{report:?}");
    // Whoever is killed after the last word runs it again, and hears that all of it is there.
    let again = run(&request).expect("is there");
    assert_eq!(again.tables, report.tables);
    drop(Store::open(&store::Options::Shared(shared(&database))).expect("is a store"));

    let request = back(&database, other.path());
    for pages in [0, 5, 8] {
        assert!(killed_after(&request, pages));
        assert!(matches!(Store::open(&options(other.path())), Err(Error::Locked(_))));
        assert!(refusal(&out(other.path(), &crate::rig::database())).contains("not finished"));
    }
    assert_eq!(run(&request).expect("goes on").tables, report.tables);
}

// O16: only a store that nobody writes to is copied, and only to where nothing is.
#[test]
fn o16_a_copy_is_refused_where_it_would_be_wrong() {
    let (folder, database, other) = (filled(), database(), empty());
    let request = out(folder.path(), &database);
    assert!(refusal(&out(other.path(), &database)).contains("no store"));
    assert!(refusal(&back(&database, other.path())).contains("no store"));

    let open = Store::open(&options(folder.path())).expect("opens");
    assert!(refusal(&request).contains("another tiltyard server"));
    drop(open);

    // Somebody changes what was copied already.
    assert!(killed_after(&request, 12));
    connect(folder.path()).execute("UPDATE scope SET description = 'x' WHERE id = 2", []).expect("writes");
    let text = refusal(&request);
    assert!(
        text.contains("rows of scope") && text.contains("first at 2") && text.contains("--anew"),
        "{text}"
    );
    // What a step of the schema fills in would meet the same rows once more.
    let mark = psql(&database, "SELECT value::jsonb ->> 'schema' FROM meta WHERE key = 'copying'");
    assert_eq!(mark, psql(&database, "SELECT max(version) FROM migration"));
    psql(&database, "UPDATE meta SET value = (value::jsonb - 'schema')::text WHERE key = 'copying'");
    let text = refusal(&request);
    assert!(text.contains("another schema") && text.contains("--anew"), "{text}");
    let stranger = filled();
    connect(stranger.path()).execute("UPDATE meta SET value = 'x' WHERE key = 'salt'", []).expect("writes");
    assert!(refusal(&out(stranger.path(), &database)).contains("of another store"));
    run(&Request { left: Left::Remove, ..out(folder.path(), &database) }).expect("begins again");

    // It is a store now, and it lives.
    let (_store, writer) = Store::open(&store::Options::Shared(shared(&database))).expect("opens");
    writer.begin().expect("begins");
    meta::put(writer.tx(), "x", "y").expect("is written");
    writer.commit().expect("commits");
    psql(&database, "UPDATE scope SET description = 'y' WHERE id = 2");
    for left in [Left::GoOn, Left::Remove] {
        assert!(refusal(&Request { left, ..out(folder.path(), &database) }).contains("holds rows already"));
    }
    psql(
        &database,
        "INSERT INTO server SELECT 'one', 'i', 'a', extract(epoch FROM clock_timestamp()) * 1000, 0",
    );
    assert!(refusal(&back(&database, other.path())).contains("stop every server"));
    psql(&database, "UPDATE server SET seen_at = seen_at - 16000");
    run(&back(&database, other.path())).expect("is copied");
    drop(postgres::migrations(&shared(&database)).expect("reads"));
}

// O16: who writes into a database while it is copied makes the copy worthless, and it is not finished.
#[test]
fn o16_a_database_that_is_written_to_meanwhile_is_not_copied() {
    let (folder, database, other) = (filled(), database(), empty());
    run(&out(folder.path(), &database)).expect("is copied");
    let mut wrote = false;
    let ended = copy(&back(&database, other.path()), &mut |_| {
        if !std::mem::replace(&mut wrote, true) {
            psql(&database, "INSERT INTO journal VALUES (1, 's', 1, '')");
        }
    });
    assert!(matches!(&ended, Err(Error::Locked(text)) if text.contains("while it was copied")), "{ended:?}");
    assert!(matches!(Store::open(&options(other.path())), Err(Error::Locked(_))));
}
