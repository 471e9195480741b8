//! Plans as PostgreSQL makes them with many rows (E23): which statements read a whole large table is reviewed, as
//! `plans-postgres.txt` says it. `UPDATE_PLANS=1` writes it anew.

use crate::rig::{database, psql, writer};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HOT: &[&str] = &[
    "task/insert",
    "task/claim",
    "task/settle",
    "task/shift",
    "task/get",
    "task/get_many",
    "task/progress",
    "task/prolong",
    "task/due",
    "task/overdue",
    "task/boot_ready",
    "task/boot_held",
    "task/page",
    "task/page_of_state",
    "task/page_by_state",
    "task/page_of_keys",
    "task/count_of_keys",
    "task/page_succeeded",
    "task/page_of_run",
    "attempt/keep",
    "attempt/all",
    "dependency/put",
    "dependency/dependents",
    "event/append",
    "event/after",
    "event/bounds",
    "unique/put",
    "unique/end",
    "scope/advance",
    "run/insert",
    "run/update",
    "run/get",
    "run/boot",
    "run/page",
    "run/page_by_state",
    "run/page_of_pipeline",
    "run/page_of_schedule",
    "run/children",
    "stage/insert",
    "stage/save",
    "stage/link",
    "stage/all",
    "stage/of_runs",
    "stage_attempt/keep",
    "stage_attempt/current",
    "run_item/insert",
    "run_item/save",
    "run_item/link",
    "run_item/open",
    "run_item/page",
    "run_item/results",
    "run_output/put",
    "run_output/of",
    "run_output/current",
    "run_timer/put",
    "run_timer/due",
    "run_timer/forget_part",
    "run_timer/forget_stage",
    "run_timer/stops",
    "journal/append",
    "journal/after",
    "journal/begin",
    "journal/mark",
];

fn folder(store: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(store)
}

/// Statements by name; those that the store has no need of are left out.
fn statements(store: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for noun in std::fs::read_dir(folder(store)).expect("the folder of statements").flatten() {
        for file in std::fs::read_dir(noun.path()).expect("the folder of a noun").flatten() {
            let path = file.path();
            let text = std::fs::read_to_string(&path).expect("a statement");
            let name = path.strip_prefix(folder(store)).expect("below it").with_extension("");
            let name = name.to_string_lossy().into_owned();
            // Templates of the copy have no table yet; their plans are the order of a key.
            let is_statement = !name.starts_with("migration/") && !name.starts_with("copy/");
            if is_statement && !text.lines().all(|line| line.starts_with("--")) {
                found.insert(name, text);
            }
        }
    }
    found
}

/// How many parameters a text of PostgreSQL has.
fn parameters(text: &str) -> usize {
    let numbers = text.split('$').skip(1).filter_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

// E11: twins take the same parameters and give as many columns.
#[test]
fn e11_twins_take_and_give_the_same() {
    let database = database();
    drop(writer(&database.url));
    let sqlite = Connection::open_in_memory().expect("opens");
    let steps = std::fs::read_dir(folder("sqlite/migration")).expect("the steps");
    let mut steps: Vec<_> = steps.map(|step| step.expect("a step").path()).collect();
    steps.retain(|path| path.to_string_lossy().ends_with(".up.sql"));
    steps.sort();
    for path in steps {
        let text = std::fs::read_to_string(path).expect("a step");
        sqlite.execute_batch(&text).expect("goes up");
    }
    let postgres = statements("postgres");
    let mut script = String::new();
    let twins: Vec<_> =
        statements("sqlite").into_iter().filter(|(name, _)| postgres.contains_key(name)).collect();
    for (name, _) in &twins {
        writeln!(script, "\\echo {name}\n{} \\gdesc", postgres[name].trim()).expect("writes");
    }
    let told = psql(&database, &script);
    for (name, text) in twins {
        let prepared = sqlite.prepare(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(prepared.parameter_count(), parameters(&postgres[&name]), "{name}: parameters");
        let columns =
            told.lines().skip_while(|line| **line != *name).skip(1).take_while(|line| line.contains('|'));
        assert_eq!(prepared.column_count(), columns.count(), "{name}: columns");
    }
}

// E37: the start of a task changes no index, so that it costs one row in the same page.
#[test]
fn e37_a_start_changes_no_index() {
    let database = database();
    drop(writer(&database.url));
    let script = "BEGIN;
        INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, created_by, timeout_ms, max_attempts)
            SELECT n, 1, 1, 1, 2, 'k', 't', repeat('x', 200), 5, 1, 1000, 3 FROM generate_series(1, 5) n;
        UPDATE task SET state = 3, generation = 1, agent = 1, lease_ms = 1000, started_at = 1;
        SELECT 'hot ' || pg_stat_get_xact_tuples_hot_updated('task'::regclass);
        ROLLBACK;";
    let told = psql(&database, script);
    assert!(told.lines().any(|line| line.trim() == "hot 5"), "{told}");
}

/// Tables that grow without end, or nearly.
const LARGE: &[&str] = &[
    "task",
    "attempt",
    "dependency",
    "unique_key",
    "event",
    "audit",
    "dead_letter",
    "change",
    "gate",
    "artifact",
    "token",
    "idempotency",
    "journal",
    "run",
    "stage",
    "stage_attempt",
    "run_item",
    "run_output",
    "run_timer",
];

const FILL: &str = "
INSERT INTO scope (id, name, created_at) SELECT n, 's' || n, 0 FROM generate_series(1, 20) n;
INSERT INTO queue (id, scope, name) SELECT n, n, 'q' FROM generate_series(1, 20) n;
INSERT INTO actor (id, name) SELECT n, 'a' || n FROM generate_series(1, 20) n;
INSERT INTO agent (id, name, created_at) SELECT n, 'a' || n, 0 FROM generate_series(1, 20) n;
INSERT INTO task (id, scope, queue, lane, state, generation, kind, title, payload, priority, created_by, ready_at, run_at,
                  deadline, timeout_ms, max_attempts, waits_for, agent, lease_ms, started_at, unique_key)
SELECT n, 1 + n % 20, 1 + n % 20, 1, CASE n % 50 WHEN 0 THEN 0 WHEN 1 THEN 1 WHEN 2 THEN 2 WHEN 3 THEN 3 WHEN 4 THEN 4
       WHEN 5 THEN 6 WHEN 6 THEN 7 ELSE 5 END, 1, 'k', 't', '{}', 5, 1, n, n, CASE n % 10 WHEN 1 THEN n END, 1, 1,
       CASE n % 50 WHEN 0 THEN 1 ELSE 0 END, 1, 1, 1, 'u'
FROM generate_series(1, 100000) n;
INSERT INTO attempt (task, generation, agent, started_at) SELECT n, 0, 1, 1 FROM generate_series(1, 30000) n;
INSERT INTO dependency SELECT n, n + 1 FROM generate_series(1, 30000) n;
INSERT INTO unique_key SELECT n, n, NULL FROM generate_series(1, 30000) n;
INSERT INTO event SELECT n, 1, 1 + n % 20, n, 1, n, 1, NULL, 0, n, NULL, NULL, '{}' FROM generate_series(1, 100000) n;
INSERT INTO audit SELECT 'c' || n % 20, n, n, 'a', 'b', 'c', 'd', 'e', NULL, NULL, '{}', '', ''
FROM generate_series(1, 30000) n;
INSERT INTO dead_letter (id, scope, task, status, fingerprint, kind, error, failed_at, attempts, moved_at)
SELECT n, 1 + n % 20, n, n % 4, 'f' || n % 100, 'k', 'e', n, 1, n FROM generate_series(1, 30000) n;
INSERT INTO change SELECT n, 1 + n % 20, n, 'r' || n % 50, CASE n % 50 WHEN 0 THEN 0 ELSE 5 END, NULL, NULL, NULL, '{}', n
FROM generate_series(1, 30000) n;
INSERT INTO gate SELECT n, 1 + n % 20, CASE n % 50 WHEN 0 THEN 'open' ELSE 'approved' END, '', n, '{}', n, n,
       CASE n % 50 WHEN 0 THEN NULL ELSE n END
FROM generate_series(1, 30000) n;
INSERT INTO artifact SELECT n, 1 + n % 20, 'd' || n, 1, 'm', NULL, n, 1 FROM generate_series(1, 30000) n;
INSERT INTO token SELECT n, decode(md5(n::text), 'hex'), 'l', 'o', '[]', 'worker', '[]' FROM generate_series(1, 30000) n;
INSERT INTO idempotency SELECT n % 3, decode(md5(n::text), 'hex'), '', n, 200, '' FROM generate_series(1, 30000) n;
INSERT INTO journal SELECT n, 'a', n, '' FROM generate_series(1, 30000) n;
INSERT INTO run (id, scope, state, version, pipeline, schedule, slot_at, slot_revision, parent, parent_stage, parent_attempt,
                 parent_item, parent_item_attempt, root, depth, reruns, stops_asked, stops_stopped, stops_unconfirmed,
                 began_seq, started_by, created_at)
SELECT n, 1 + n % 20, CASE n % 50 WHEN 0 THEN 1 WHEN 1 THEN 2 ELSE 3 + n % 3 END, n % 100, 'p' || n % 100,
       CASE n % 3 WHEN 0 THEN 's' || n % 100 END, CASE n % 3 WHEN 0 THEN n END, CASE n % 3 WHEN 0 THEN 1 END,
       CASE n % 5 WHEN 0 THEN n - 1 END, CASE n % 5 WHEN 0 THEN 1 END, 1, -1, 0, n, 1, 0, CASE n % 500 WHEN 7 THEN 1 ELSE 0 END, 0, 0,
       n, 1 + n % 20, n
FROM generate_series(1, 30000) n;
INSERT INTO stage (run, stage, state, attempt, failures, sent_back, past)
SELECT n, m, CASE n % 50 WHEN 0 THEN 1 ELSE 4 END, 1, 0, 0, 0 FROM generate_series(1, 30000) n, generate_series(0, 2) m;
INSERT INTO stage_attempt SELECT n, 0, 1, 0, n, 4, NULL, NULL, NULL, n, n FROM generate_series(1, 30000) n;
INSERT INTO run_item SELECT n, 1, 1, m, '{}', CASE n % 50 WHEN 0 THEN 2 ELSE 4 END, 1, NULL, n, NULL, NULL
FROM generate_series(1, 3000) n, generate_series(0, 9) m;
INSERT INTO run_output SELECT n, 0, 1, -1, 'result', 0, n, '{}' FROM generate_series(1, 30000) n;
INSERT INTO run_timer SELECT n, 0, 1, -1, 0, n % 4, n FROM generate_series(1, 30000) n;
ANALYZE";

// E23: hot statements find their rows by an index; who else reads a whole table is known.
#[test]
fn e23_whole_tables_are_read_only_where_that_was_reviewed() {
    let database = database();
    drop(writer(&database.url));
    psql(&database, FILL);
    let all = statements("postgres");
    let mut script = "SET plan_cache_mode = force_generic_plan;\n".to_owned();
    for (place, (name, text)) in all.iter().enumerate() {
        let nothing = vec!["NULL"; parameters(text)].join(", ");
        let nothing = if nothing.is_empty() { String::new() } else { format!("({nothing})") };
        writeln!(script, "PREPARE p{place} AS {text};").expect("writes");
        writeln!(script, "\\echo @@{name}\nEXPLAIN (COSTS OFF) EXECUTE p{place}{nothing};").expect("writes");
    }
    let mut found = String::new();
    for plan in psql(&database, &script).split("@@").skip(1) {
        let (name, plan) = plan.split_once('\n').unwrap_or((plan, ""));
        let mut whole: Vec<&str> =
            plan.lines().filter_map(|line| line.split_once("Seq Scan on ")).map(|(_, table)| table).collect();
        whole.retain(|table| LARGE.contains(&table.split(' ').next().unwrap_or_default()));
        whole.sort_unstable();
        assert!(!HOT.contains(&name) || whole.is_empty(), "{name} reads all of {whole:?}:\n{plan}");
        if !whole.is_empty() {
            writeln!(found, "{name}: {}", whole.join(", ")).expect("writes");
        }
    }
    let kept = folder("tests/plans-postgres.txt");
    if std::env::var_os("UPDATE_PLANS").is_some() {
        std::fs::write(&kept, &found).expect("writes");
    }
    let reviewed = std::fs::read_to_string(&kept).unwrap_or_default();
    let new: Vec<&str> = found.lines().filter(|line| !reviewed.lines().any(|other| other == *line)).collect();
    assert!(
        new.is_empty(),
        "whole tables that nobody reviewed (UPDATE_PLANS=1 writes them, then look):\n{}",
        new.join("\n")
    );
}
