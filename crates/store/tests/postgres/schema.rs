use crate::rig::{database, hasty, psql};
use std::process::Command;
use std::sync::Barrier;
use tiltyard_store::Error;
use tiltyard_store::postgres::{Options, Store, migrate_down, migrations};
use tiltyard_store::task::list::due;
use tiltyard_testkit::postgres::program;

// O10: servers that start at once migrate once, and agree about the ids of the store.
#[test]
fn o10_servers_that_start_at_once_migrate_once() {
    let database = database();
    let start = Barrier::new(6);
    let salts: Vec<String> = std::thread::scope(|scope| {
        let open = |n: u8| {
            let (start, url) = (&start, &database.url);
            move || {
                start.wait();
                let (_store, writer) = Store::open(&Options::new(url, [n; 16])).expect("opens");
                tiltyard_store::meta::get(writer.tx(), "salt").expect("reads").expect("is there")
            }
        };
        let threads: Vec<_> = (0..6).map(|n| scope.spawn(open(n))).collect();
        threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
    });
    assert!(salts.iter().all(|salt| *salt == salts[0]), "{salts:?}");
    assert_eq!(psql(&database, "SELECT count(*) FROM migration WHERE version = 1"), "1");
}

// O10: down and up again leaves nothing behind.
#[test]
fn o10_every_step_goes_up_and_down() {
    let database = database();
    let options = Options::new(&database.url, [7; 16]);
    let things = || {
        let text = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class c \
                    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'migration%'";
        psql(&database, text)
    };
    assert!(migrations(&options).expect("reads").iter().all(|step| step.applied_at.is_none()));
    drop(Store::open(&options).expect("opens"));
    let made = things();
    assert!(made.contains("journal") && made.contains("task_named"), "{made}");
    assert!(migrations(&options).expect("reads").iter().all(|step| step.applied_at.is_some()));
    migrate_down(&options, 0).expect("goes down");
    assert_eq!(things(), "");
    drop(Store::open(&options).expect("opens"));
    assert_eq!(things(), made);
}

// O10, O16: the step that keeps the counts of ended tasks counts those that are there, and ends the part of servers that would not
// count: they meet a page that is newer than they are. Where nobody has ever written there is none of it.
#[test]
fn o10_ended_tasks_are_counted_and_older_servers_hand_over() {
    const ENDED: &str = "
        INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, created_by, timeout_ms, max_attempts)
        SELECT n, 1, 7 + n % 2, 1, CASE WHEN n < 9 THEN 5 WHEN n < 11 THEN 7 ELSE 4 END, 'k', 't', '{}', 5, 1, 1, 1
        FROM generate_series(1, 12) n";
    let database = database();
    let options = Options::new(&database.url, [7; 16]);
    drop(Store::open(&options).expect("opens"));
    assert_eq!(psql(&database, "SELECT count(*) FROM journal"), "0");
    migrate_down(&options, 1).expect("goes down");
    psql(&database, ENDED);
    psql(&database, "INSERT INTO journal VALUES (41, 'a/1', 1, '\\x03')");
    drop(Store::open(&options).expect("opens"));
    let counts = psql(&database, "SELECT queue, state, tasks FROM task_count ORDER BY queue, state");
    assert_eq!(counts, "7|5|4\n7|7|1\n8|5|4\n8|7|1");
    let pages = psql(&database, "SELECT seq, get_byte(steps, 0) FROM journal ORDER BY seq");
    assert_eq!(pages, "41|3\n42|4\n43|5\n44|6");
}

// O10, O16: a step that writes a table anew waits for who reads it, longer than a deed waits for a lock.
#[test]
fn o10_a_step_waits_for_whoever_reads() {
    let database = database();
    let (store, writer) = Store::open(&Options::new(&database.url, [7; 16])).expect("opens");
    migrate_down(&Options::new(&database.url, [7; 16]), 4).expect("goes down");
    drop(writer);
    let hasty = Options { patience: hasty(), ..Options::new(&database.url, [7; 16]) };
    let waits = format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND relation = 'task'::regclass \
         AND clock_timestamp() - a.query_start > {} * interval '1 ms'",
        2 * hasty.patience.lock_ms
    );
    let mut reader = store.reader().expect("reads");
    let upgrade = reader.read(|rows| {
        due(rows, 5, 1)?;
        let upgrade = std::thread::spawn(move || Store::open(&hasty).map(drop));
        while psql(&database, &waits) != "1" && !upgrade.is_finished() {}
        Ok::<_, Error>(upgrade)
    });
    upgrade.expect("reads").join().expect("ends").expect("goes up");
}

// O10: a newer store is refused, and nothing is written to it.
#[test]
fn o10_a_newer_store_is_refused_unwritten() {
    let database = database();
    let options = Options::new(&database.url, [7; 16]);
    drop(Store::open(&options).expect("opens"));
    psql(&database, "INSERT INTO migration VALUES (99, 'later', 1); DELETE FROM meta");
    assert!(matches!(Store::open(&options), Err(Error::Newer { found: 99, .. })));
    assert!(matches!(migrations(&options), Err(Error::Newer { found: 99, .. })));
    assert!(matches!(migrate_down(&options, 0), Err(Error::Newer { found: 99, .. })));
    assert_eq!(psql(&database, "SELECT count(*) FROM meta"), "0");
}

// O16: what will not do is said before anything is written.
#[test]
fn o16_a_database_that_will_not_do_is_refused() {
    let database = database();
    let nobody = Options::new("postgres://nobody@127.0.0.1:1/none", [7; 16]);
    assert!(matches!(Store::open(&nobody), Err(Error::Lost(_))));
    assert!(matches!(Store::open(&Options::new("sqlite:x", [7; 16])), Err(Error::Locked(_))));
    psql(&database, "CREATE DATABASE latin_of_a_test ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let name = database.url.rsplit('/').next().unwrap_or_default();
    let latin = Options::new(database.url.replace(name, "latin_of_a_test"), [7; 16]);
    let refused = Store::open(&latin).err();
    psql(&database, "DROP DATABASE latin_of_a_test");
    assert!(matches!(refused, Some(Error::Locked(_))), "{refused:?}");
}

// E11, O16: what runs the tests is the version that was chosen, and not the installed one by mistake.
#[test]
fn e11_o16_the_chosen_version_is_tested() {
    let said =
        Command::new(program("postgres").expect("is there")).arg("--version").output().expect("says it");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let chosen = said.split_whitespace().nth(2).expect("PostgreSQL names its version");
    let running = psql(&database(), "SHOW server_version");
    assert_eq!(running.split_whitespace().next(), Some(chosen));
    if let Some(folder) = std::env::var_os("TILTYARD_TEST_POSTGRES_BIN") {
        assert!(program("initdb").expect("is there").starts_with(folder));
    }
}
