//! What is done with a whole store from the command line, on a real PostgreSQL: `store copy`, `migrate`, `doctor`.

use crate::golden::Run;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use tempfile::TempDir;
use tiltyard_testkit::postgres::{Cluster, Database};

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join(".local/share/tiltyard");
    (home, data)
}

fn database() -> Database {
    Cluster::shared().database().expect("a database")
}

fn run(home: &TempDir, words: &[&str]) -> Run {
    Run::at_home(home, words, "")
}

// O3, O16: a store is moved into a database and back, with the exit codes of every command.
#[test]
fn o3_o16_a_store_is_copied_there_and_back() {
    let ((home, data), (other, _), database) = (home(), home(), database());
    for words in [
        &["store", "copy"][..],
        &["store", "copy", "--to", &database.url, "--from", &database.url],
        &["store", "copy", "--to", "mysql://u@h/d"],
        &["store"],
    ] {
        assert_eq!(run(&home, words).code, 2, "{words:?}");
    }
    let out = ["store", "copy", "--to", &database.url];
    let none = run(&home, &out);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("there is no store in ~/.local/share/tiltyard"), "{none:?}");

    run(&home, &["migrate", "up"]).done();
    let lock = File::options().write(true).create(true).truncate(false).open(data.join("lock"));
    let lock = lock.expect("opens");
    lock.lock().expect("is free");
    let busy = run(&home, &out);
    assert!(busy.code == 1 && busy.stderr.contains("another tiltyard server is using"), "{busy:?}");
    drop(lock);

    // The address on standard input, where nobody else sees its password.
    let document = Run::at_home(&home, &["store", "copy", "--to", "-", "--json"], &database.url).json();
    let tables = document["tables"].as_array().expect("is a list").clone();
    assert_eq!((&document["rows"], &document["found"]), (&json!(0), &json!(0)), "{document}");
    assert_eq!(document["audit"], json!({"chains": 0, "broken": []}));
    assert!(tables.iter().any(|table| table["name"] == "event" && table["sha256"].is_string()), "{tables:?}");

    let back = run(&other, &["store", "copy", "--from", &database.url]).done();
    assert!(back.contains("every one compared") && back.contains("audit chains read back: 0"), "{back}");
    assert!(back.contains("logs and artifacts are files"), "{back}");
    assert!(made(&other, &[]).iter().all(|made| *made));
    let again = run(&other, &["store", "copy", "--from", &database.url]);
    assert_eq!(again.code, 0, "all of it is there: {again:?}");
    let nobody = run(&home, &["store", "copy", "--to", "postgres://nobody:geheim@127.0.0.1:1/none"]);
    assert!(nobody.code == 1 && !nobody.stderr.contains("geheim"), "{nobody:?}");
}

fn made(home: &TempDir, words: &[&str]) -> Vec<bool> {
    let answer = run(home, &[&["migrate", "status", "--json"], words].concat()).json();
    let items = answer["items"].as_array().expect("is a list").clone();
    items.iter().map(|step| step["applied_at"].is_string()).collect()
}

// O10, O16: `migrate` speaks of a shared store as of an embedded one, and several at once make a step once.
#[test]
fn o10_o16_the_schema_of_a_shared_store_goes_up_and_down() {
    let ((home, data), database) = (home(), database());
    let store = ["--store", database.url.as_str()];
    let with = |words: &[&str]| run(&home, &[&["migrate"], words, &store[..]].concat());
    let steps = with(&["--dry-run", "--json"]).json();
    let steps = steps["steps"].as_array().expect("a list");
    assert_eq!(steps[0], json!({"version": 1, "name": "start"}));
    let so_far = |count: usize| (0..steps.len()).map(|place| place < count).collect::<Vec<_>>();
    assert_eq!(made(&home, &store), so_far(0), "a dry run writes nothing");

    let told: Vec<Value> = std::thread::scope(|scope| {
        let up = || scope.spawn(|| with(&["up", "--json"]).json());
        let all: Vec<_> = (0..4).map(|_| up()).collect();
        all.into_iter().map(|one| one.join().expect("ends")).collect()
    });
    assert!(told.iter().all(|own| own["direction"] == "up"), "{told:?}");
    assert_eq!(made(&home, &store), so_far(steps.len()));
    assert_eq!(with(&["up"]).done(), "nothing to do\n");
    for (place, step) in steps.iter().enumerate().rev() {
        let (version, name) = (&step["version"], step["name"].as_str().expect("a name"));
        assert_eq!(with(&["down", "--dry-run"]).done(), format!("{version}  {name}  would be taken back\n"));
        assert_eq!(made(&home, &store), so_far(place + 1));
        assert_eq!(with(&["down"]).done(), format!("{version}  {name}  taken back\n"));
        assert_eq!(made(&home, &store), so_far(place));
    }
    assert!(!data.exists(), "nothing of it is in the data folder");
    let nobody = run(&home, &["migrate", "--store", "postgres://nobody@127.0.0.1:1/none"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
}

// O23: doctor looks at the database from outside, and prints the command that mends what is wrong.
#[test]
fn o23_doctor_looks_at_the_database() {
    let ((home, _), database) = (home(), database());
    let checks = |url: &str| -> Vec<Value> {
        let run = run(&home, &["doctor", "--json", "--listen", "127.0.0.1:0", "--store", url]);
        let document: Value = serde_json::from_str(&run.stdout).expect("is JSON");
        let checks = document["checks"].as_array().expect("is a list").iter();
        checks
            .filter(|check| check["check"].as_str().is_some_and(|name| name.starts_with("database")))
            .cloned()
            .collect()
    };
    let found = checks(&database.url);
    let verdict = |name: &str| {
        let check = found.iter().find(|check| check["check"] == name).expect(name);
        check["verdict"].as_str().unwrap_or_default().to_owned()
    };
    for name in [
        "database",
        "database version",
        "database encoding",
        "database rights",
        "database pool",
        "database wakes",
    ] {
        assert_eq!(verdict(name), "ok", "{found:#?}");
    }
    assert_eq!(verdict("database commits"), "fail", "the database of tests keeps nothing in a power cut");
    assert_eq!(found.len(), 10, "{found:#?}");
    let none = checks("postgres://nobody:geheim@127.0.0.1:1/none");
    assert_eq!((none.len(), &none[0]["verdict"]), (1, &json!("fail")));
    assert!(none[0]["mend"].as_str().unwrap_or_default().starts_with("pg_isready"), "{none:?}");
    assert!(!none[0].to_string().contains("geheim"), "{none:?}");
}
