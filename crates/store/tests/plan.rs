//! The plan of every statement, as SQLite makes it, compared with the one that was reviewed: a table scan shows in
//! review (architecture, invariant 3; E23 follows with a million rows). `UPDATE_PLANS=1` writes them anew.

#![expect(clippy::panic, reason = "a test says what it found")]

use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlite")
}

fn statements() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for noun in std::fs::read_dir(root()).expect("the folder of statements").flatten() {
        // Templates of the copy have no table yet; their plans are the order of a key.
        if noun.file_name() == "migration" || noun.file_name() == "copy" {
            continue;
        }
        for file in std::fs::read_dir(noun.path()).expect("the folder of a noun").flatten() {
            let path = file.path();
            let name = path.strip_prefix(root()).expect("below the root").with_extension("");
            let text = std::fs::read_to_string(&path).expect("a statement");
            if text.lines().all(|line| line.starts_with("--")) {
                // Only the other store needs it.
                continue;
            }
            found.insert(name.to_string_lossy().into_owned(), text);
        }
    }
    found
}

fn store() -> Connection {
    let connection = Connection::open_in_memory().expect("opens");
    let mut steps: Vec<PathBuf> = std::fs::read_dir(root().join("migration"))
        .expect("the steps")
        .flatten()
        .map(|file| file.path())
        .collect();
    steps.retain(|path| path.to_string_lossy().ends_with(".up.sql"));
    steps.sort();
    for step in steps {
        let text = std::fs::read_to_string(step).expect("a step");
        connection.execute_batch(&text).expect("goes up");
    }
    connection
}

fn plan(connection: &Connection, name: &str, text: &str) -> String {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
    let lines = statement
        .query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    lines.map(|line| line.expect("a line")).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_plan_is_the_reviewed_one() {
    let connection = store();
    let mut plans = String::new();
    for (name, text) in statements() {
        writeln!(plans, "{name}: {}", plan(&connection, &name, &text)).expect("writes");
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans.txt");
    if std::env::var_os("UPDATE_PLANS").is_some() {
        std::fs::write(&kept, &plans).expect("writes");
    }
    let reviewed = std::fs::read_to_string(&kept).unwrap_or_default();
    let changed: Vec<_> =
        plans.lines().filter(|line| !reviewed.lines().any(|other| other == *line)).collect();
    assert!(
        changed.is_empty(),
        "plans that nobody reviewed (UPDATE_PLANS=1 writes them, then look):\n{}",
        changed.join("\n")
    );
    assert_eq!(plans.lines().count(), reviewed.lines().count(), "a statement is gone: UPDATE_PLANS=1");
}

// The hot statements find their row by key, and the ready order is read from its own narrow index.
#[test]
fn hot_statements_scan_nothing() {
    let connection = store();
    let all = statements();
    for name in [
        "task/claim",
        "task/settle",
        "task/shift",
        "task/get",
        "task/boot_ready",
        "task/due",
        "task/overdue",
        "event/append",
        "dependency/dependents",
    ] {
        let plan = plan(&connection, name, &all[name]);
        assert!(!plan.contains("SCAN t") && !plan.contains("SCAN task"), "{name}: {plan}");
    }
}
