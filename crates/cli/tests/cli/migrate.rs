//! `tiltyard migrate`: the steps of the schema on a real store, with the server stopped (O10).

use crate::golden::Run;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A home with a data folder that nobody has made yet.
fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join(".local/share/tiltyard");
    (home, data)
}

fn migrate(home: &TempDir, words: &[&str]) -> Run {
    Run::at_home(home, &[&["migrate"], words].concat(), "")
}

fn steps(home: &TempDir, words: &[&str]) -> Vec<Value> {
    let answer = migrate(home, &[words, &["--json"]].concat()).json();
    answer["steps"].as_array().expect("is a list").clone()
}

fn made(home: &TempDir) -> Vec<bool> {
    let answer = migrate(home, &["status", "--json"]).json();
    let items = answer["items"].as_array().expect("is a list").clone();
    items.iter().map(|step| step["applied_at"].is_string()).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = found.map(|entry| entry.file_name().display().to_string()).collect();
    names.sort();
    names
}

// O10: `tiltyard migrate status|up|down|--dry-run`.
#[test]
fn o10_the_schema_goes_up_and_down_and_up_again() {
    let (home, data) = home();
    assert!(made(&home).iter().all(|made| !made), "a folder without a store has made no step");
    let first = json!({"version": 1, "name": "start"});
    assert_eq!(steps(&home, &["--dry-run"])[0], first);
    assert!(!data.exists(), "a dry run and a status write nothing");

    assert_eq!(steps(&home, &["up"])[0], first);
    assert!(made(&home).iter().all(|made| *made));
    assert_eq!(migrate(&home, &["up"]).done(), "nothing to do\n");
    // Flags stand before or behind the act.
    let data_flag = ["--data", data.to_str().expect("is UTF-8")];
    let before = migrate(&home, &[&data_flag[..], &["status"]].concat()).done();
    assert_eq!(before, migrate(&home, &[&["status"], &data_flag[..]].concat()).done());
    assert_eq!(files(&data.join("backups")), Vec::<String>::new());

    assert_eq!(steps(&home, &["down", "--to", "0", "--dry-run"]).last(), Some(&first));
    assert!(made(&home).iter().all(|made| *made), "a dry run takes nothing back");
    let down = migrate(&home, &["down", "--to", "0"]).done();
    assert!(down.starts_with("the store as it was is kept in ~/.local/share/tiltyard/backups\n"), "{down}");
    assert!(down.ends_with("1  start  taken back\n"), "{down}");
    assert!(made(&home).iter().all(|made| !made));
    assert_eq!(files(&data.join("backups")).len(), 1, "a copy is taken before a store is changed");

    assert_eq!(steps(&home, &["up"])[0], first);
    let table = migrate(&home, &[]).done();
    assert!(table.starts_with("VERSION  NAME") && table.contains("start"), "{table}");
}

// O10: a newer store than the program is refused with a clear message and no write.
#[test]
fn o10_a_newer_store_is_refused_and_not_written() {
    let (home, data) = home();
    migrate(&home, &["up"]).done();
    let store = data.join("tiltyard.db");
    let connection = Connection::open(&store).expect("opens");
    connection
        .execute("INSERT INTO migration SELECT 99, 'tomorrow', applied_at FROM migration LIMIT 1", [])
        .expect("writes");
    connection.close().expect("closes");
    let before = std::fs::read(&store).expect("is there");
    for words in [&["status"][..], &["up"], &["down"]] {
        let run = migrate(&home, words);
        assert_eq!(run.code, 1, "{words:?}: {}", run.stderr);
        assert!(run.stderr.contains("schema version 99"), "{}", run.stderr);
    }
    assert_eq!(std::fs::read(&store).expect("is there"), before);
}

// E10: one data folder, one server; steps are not changed under it. O3: exit codes.
#[test]
fn e10_a_store_in_use_is_left_alone() {
    let (home, data) = home();
    migrate(&home, &["up"]).done();
    let lock = File::options().write(true).open(data.join("lock")).expect("is there");
    lock.lock().expect("is free");
    for words in [&["status"][..], &["up"], &["down"]] {
        let run = migrate(&home, words);
        assert_eq!(run.code, 1, "{words:?}: {}", run.stderr);
        assert!(
            run.stderr.contains("another tiltyard server is using ~/.local/share/tiltyard"),
            "{}",
            run.stderr
        );
    }
    drop(lock);
    assert!(made(&home).iter().all(|made| *made));
}

// O3: 1 failed, 2 wrong usage, 5 storage failure.
#[test]
fn o3_wrong_usage_an_absent_and_a_damaged_store_have_their_exit_codes() {
    let (home, data) = home();
    assert_eq!(migrate(&home, &["sideways"]).code, 2);
    assert_eq!(migrate(&home, &["down", "--to", "-1"]).code, 2);
    let absent = migrate(&home, &["down"]);
    assert_eq!(absent.code, 1);
    assert!(absent.stderr.contains("there is no store in ~/.local/share/tiltyard"), "{}", absent.stderr);
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::write(data.join("tiltyard.db"), "this is no database, however often it is asked")
        .expect("writes");
    let damaged = migrate(&home, &["up"]);
    assert_eq!(damaged.code, 5, "{}", damaged.stderr);
}
