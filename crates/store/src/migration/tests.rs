//! Migrations up and down (O10).

use super::*;
use tempfile::TempDir;

const NOTHING: Script = Script { up: "", down: "" };
const SECOND: Migration = Migration {
    version: 2,
    name: "second",
    sqlite: Script {
        up: "CREATE TABLE second (id INTEGER PRIMARY KEY) STRICT; INSERT INTO second VALUES (7);",
        down: "DROP TABLE second;",
    },
    postgres: NOTHING,
};
const BROKEN: Migration = Migration {
    version: 2,
    name: "broken",
    sqlite: Script { up: "CREATE TABLE half (id INTEGER); SELECT nonsense;", down: "" },
    postgres: NOTHING,
};

fn connection(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("store.db")).expect("opens")
}

fn backups(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let found = std::fs::read_dir(folder.path().join("backups")).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

fn up_to(connection: &Connection, folder: &TempDir, more: Option<Migration>) -> Result<()> {
    let mut steps: Vec<Migration> = Vec::new();
    steps.extend([Migration { version: 1, name: "start", sqlite: ALL[0].sqlite, postgres: NOTHING }]);
    steps.extend(more);
    make(connection, &steps, &folder.path().join("backups"), 1_000)
}

// O10: every step goes up and down and up again, and leaves nothing behind.
#[test]
fn o10_every_step_goes_up_and_down() {
    let folder = TempDir::new().expect("a folder");
    let connection = connection(&folder);
    let things = |connection: &Connection| -> Vec<String> {
        let mut names = connection
            .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> 'migration'")
            .expect("prepares");
        let rows = names.query_map([], |row| row.get(0)).expect("reads");
        rows.collect::<rusqlite::Result<_>>().expect("reads")
    };
    let backups = folder.path().join("backups");
    up(&connection, &backups, 1).expect("goes up");
    let after = things(&connection);
    assert!(after.len() > 20, "{after:?}");
    assert_eq!(version(&connection).expect("reads"), newest());
    down(&connection, 0, &backups, 2).expect("goes down");
    assert_eq!(things(&connection), Vec::<String>::new());
    assert_eq!(version(&connection).expect("reads"), 0);
    up(&connection, &backups, 3).expect("goes up again");
    assert_eq!(things(&connection), after);
}

// O10: a store that holds anything is copied before it is migrated; a new one is not.
#[test]
fn o10_a_backup_is_taken_before_a_store_is_migrated() {
    let folder = TempDir::new().expect("a folder");
    let connection = connection(&folder);
    up_to(&connection, &folder, None).expect("goes up");
    assert!(backups(&folder).is_empty());
    up_to(&connection, &folder, Some(SECOND)).expect("goes up");
    let [copy] = backups(&folder).try_into().expect("one copy");
    let copied = Connection::open(copy).expect("opens");
    assert_eq!(version(&copied).expect("reads"), 1);
    up_to(&connection, &folder, Some(SECOND)).expect("nothing to do");
    assert_eq!(backups(&folder).len(), 1);
}

const ENDED: &str = "
    INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, created_by, timeout_ms, max_attempts)
    VALUES (1, 1, 7, 1, 5, 'k', 't', '{}', 5, 1, 1, 1), (2, 1, 7, 1, 5, 'k', 't', '{}', 5, 1, 1, 1),
           (3, 1, 7, 1, 6, 'k', 't', '{}', 5, 1, 1, 1), (4, 1, 8, 1, 7, 'k', 't', '{}', 5, 1, 1, 1),
           (5, 1, 8, 1, 4, 'k', 't', '{}', 5, 1, 1, 1)";

// O10: the step that keeps the counts of ended tasks counts those that are there.
#[test]
fn o10_ended_tasks_that_were_there_are_counted() {
    let folder = TempDir::new().expect("a folder");
    let connection = connection(&folder);
    let backups = folder.path().join("backups");
    up_to(&connection, &folder, None).expect("goes up");
    connection.execute_batch(ENDED).expect("is written");
    for again in [false, true] {
        if again {
            down(&connection, 1, &backups, 3).expect("goes down");
        }
        up(&connection, &backups, 2).expect("goes up");
        let mut found = connection.prepare("SELECT queue, state, tasks FROM task_count").expect("prepares");
        let rows = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("reads");
        let counts: Vec<(i64, i64, i64)> = rows.collect::<rusqlite::Result<_>>().expect("reads");
        assert_eq!(counts, [(7, 5, 2), (7, 6, 1), (8, 7, 1)]);
    }
}

// O10: a step that breaks off leaves the store as before it.
#[test]
fn o10_a_step_that_breaks_off_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let connection = connection(&folder);
    up_to(&connection, &folder, None).expect("goes up");
    up_to(&connection, &folder, Some(BROKEN)).expect_err("breaks off");
    assert_eq!(version(&connection).expect("reads"), 1);
    assert!(!connection.table_exists(None, "half").expect("reads"));
    up_to(&connection, &folder, Some(SECOND)).expect("the mended step goes up");
}

// O10: a newer store is refused, and nothing is written to it.
#[test]
fn o10_a_newer_store_is_refused_unwritten() {
    let folder = TempDir::new().expect("a folder");
    let connection = connection(&folder);
    up_to(&connection, &folder, Some(Migration { version: 99, ..SECOND })).expect("goes up");
    let changes = connection.total_changes();
    let refusal = up(&connection, &folder.path().join("backups"), 5).expect_err("is refused");
    assert!(matches!(refusal, Error::Newer { found: 99, .. }), "{refusal}");
    assert!(matches!(refuse_newer(version(&connection).expect("reads"), ALL), Err(Error::Newer { .. })));
    assert_eq!(connection.total_changes(), changes);
}
