//! Commands that watch, share and keep: repositories, queues, events, logs, tokens, audit.

use crate::fake::Fake;
use crate::golden::{Run, assert_golden};
use crate::sample::{TASK, TOKEN, audit_entry, event, page, queue, repository, schedule, task, token};
use serde_json::json;
use tiltyard_model::audit::{Act, ActResult, Action, Entry, Head};

// C19: repositories are registered once.
#[test]
fn c19_repositories_are_added_listed_shown_and_removed() {
    let fake = Fake::start()
        .on("PUT /repositories/demo", 200, &repository())
        .on("GET /repositories", 200, &page(&[repository()]))
        .on("GET /repositories/demo", 200, &repository())
        .on_raw("DELETE /repositories/demo", 204, "text/plain", "");
    let add = [
        "repo",
        "add",
        "demo",
        "/srv/demo",
        "--branch",
        "dev",
        "--check",
        "tests=make test",
        "--protect",
        "src/**",
    ];
    Run::against(&fake, &add).done();
    let body = json!({"path": "/srv/demo", "branch": "dev", "checks": [{"name": "tests", "argv": ["make", "test"]}],
        "protected": ["src/**"]});
    assert_eq!(fake.asked()[0].body, body);
    assert_golden("repositories.txt", &Run::against(&fake, &["repo"]).done());
    assert_golden("repository.txt", &Run::against(&fake, &["repo", "demo", "--scope", "default"]).done());
    assert_eq!(Run::against(&fake, &["repo", "remove", "demo"]).done(), "demo is forgotten\n");
    assert_eq!(fake.asked()[2].line, "GET /repositories/demo?scope=default");
}

// D29: schedules are saved, listed, shown, paused, resumed and removed.
#[test]
fn d29_schedules_are_saved_listed_shown_paused_and_removed() {
    let fake = Fake::start()
        .on("PUT /schedules/nightly", 200, &schedule(false))
        .on("GET /schedules", 200, &page(&[schedule(false), schedule(true)]))
        .on("GET /schedules/nightly", 200, &schedule(false))
        .on_raw("DELETE /schedules/nightly", 204, "text/plain", "");
    let put = ["schedule", "put", "nightly"];
    let night = ["--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--pipeline", "checks"];
    let terms = ["--input", "n=1", "--input", "who=ada", "--missed", "skip", "--overlap", "queue"];
    Run::against(&fake, &[&put[..], &night, &terms].concat()).done();
    let task = r#"{"kind":"note","title":"Look","payload":{"b":1,"a":2}}"#;
    Run::against(&fake, &[&put[..], &["--every", "15m", "--task", task]].concat()).done();
    assert_golden("schedules.txt", &Run::against(&fake, &["schedule"]).done());
    assert_golden("schedule.txt", &Run::against(&fake, &["schedule", "show", "nightly"]).done());
    Run::against(&fake, &["schedule", "pause", "nightly"]).done();
    let removed = Run::against(&fake, &["schedule", "delete", "nightly", "--scope", "default"]).done();
    assert_eq!(removed, "nightly is removed; what it started stays\n");
    let asked = fake.asked();
    let pipeline = json!({"cron": "30 2 * * *", "timezone": "Europe/Berlin", "pipeline": "checks",
        "input": {"n": 1, "who": "ada"}, "missed": "skip", "overlap": "queue", "paused": false});
    let every = json!({"every_ms": 900_000, "task": {"kind": "note", "title": "Look", "payload": {"a": 2, "b": 1}},
        "missed": "run_once", "overlap": "skip", "paused": false});
    let paused = json!({"scope": "default", "cron": "30 2 * * *", "timezone": "Europe/Berlin",
        "task": {"kind": "note", "title": "Look", "payload": {"a": [1]}}, "missed": "run_once", "overlap": "skip",
        "paused": true});
    assert_eq!([&asked[0].body, &asked[1].body, &asked[5].body], [&pipeline, &every, &paused]);
    assert_eq!(asked[6].line, "DELETE /schedules/nightly?scope=default");
    for wrong in [&["--every", "15m"][..], &["--cron", "* * * * *", "--every", "1m", "--pipeline", "p"]] {
        assert_eq!(Run::against(&fake, &[&put[..], wrong].concat()).code, 2);
    }
}

#[test]
fn d5_d6_queues_are_listed_paused_drained_and_limited() {
    let items = [queue("builds", false), queue("git", true)];
    let fake = Fake::start()
        .on("GET /queues", 200, &json!({"items": items, "next_cursor": null, "total": 2}))
        .on("PATCH /queues/builds", 200, &queue("builds", true))
        .on("POST /queues/builds/drain", 200, &queue("builds", false));
    assert_golden("queues.txt", &Run::against(&fake, &["queues"]).done());
    for act in [
        &["pause"][..],
        &["resume"],
        &["drain"],
        &["limit", "--concurrency", "0", "--assignment", "affinity"],
    ] {
        Run::against(&fake, &[&["queues", act[0], "builds"], &act[1..]].concat()).done();
    }
    let bodies: Vec<_> = fake.asked().into_iter().skip(1).map(|asked| asked.body).collect();
    let limit = json!({"concurrency_limit": null, "assignment": "affinity"});
    assert_eq!(bodies, [json!({"paused": true}), json!({"paused": false}), json!(null), limit]);
}

#[test]
fn events_are_printed_one_a_line() {
    let listed = json!({"items": [event(1), event(2)], "next_cursor": "1-2", "latest": "1-2"});
    let fake = Fake::start().on("GET /events", 200, &listed);
    assert_golden("events.txt", &Run::against(&fake, &["events", "--after", "0", "--types", "task"]).done());
    assert_eq!(fake.asked()[0].line, "GET /events?after=0&types=task&limit=100");
    let lines = Run::against(&fake, &["events", "--json"]).done();
    let first: serde_json::Value =
        serde_json::from_str(lines.lines().next().expect("has one")).expect("is JSON");
    // SEC17: what a terminal would obey is escaped, and means the same.
    assert!(first["data"]["title"] == "a\u{202e}b" && lines.contains("a\\u202eb"), "{lines}");
}

// API20: a page without events is not the end of the log; promise 3: what happened is found however long ago.
#[test]
fn api20_events_of_a_filter_are_looked_for_to_the_end_of_the_log() {
    let page = |items: &[u32], next: &str| {
        let items: Vec<_> = items.iter().map(|seq| event(*seq)).collect();
        json!({"items": items, "next_cursor": next, "latest": "1-30000"})
    };
    let fake = Fake::start()
        .on("GET /events", 200, &page(&[], "1-10000"))
        .on("GET /events", 200, &page(&[], "1-20000"))
        .on("GET /events", 200, &page(&[25], "1-30000"));
    let run = Run::against(&fake, &["events", "--after", "0", "--subject", "x"]).done();
    assert_eq!(run.lines().count(), 1, "{run}");
    let lines: Vec<_> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[2], "GET /events?after=1-20000&subject=x&limit=100");
}

#[test]
fn events_without_a_cursor_are_the_newest() {
    let page = |items: &[u32]| {
        let items: Vec<_> = items.iter().map(|seq| event(*seq)).collect();
        json!({"items": items, "next_cursor": "1-30000", "latest": "1-30000"})
    };
    let fake = Fake::start().on("GET /events", 200, &page(&[])).on("GET /events", 200, &page(&[4])).on(
        "GET /events",
        200,
        &page(&[1, 2, 3, 4]),
    );
    let run = Run::against(&fake, &["events", "--limit", "2", "--json"]).done();
    let seqs: Vec<serde_json::Value> = run
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("is JSON")["seq"].clone())
        .collect();
    assert_eq!(seqs, [3, 4], "the last two, oldest first");
    let lines: Vec<_> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        ["after=0&limit=1", "after=29000&limit=1000", "after=22000&limit=1000"]
            .map(|query| format!("GET /events?{query}"))
    );
}

// API20: a stream that breaks is resumed without gap or repeat.
#[test]
fn api20_followed_events_resume_and_end_with_what_cannot_be_mended() {
    let stream = |seq: u32| format!("id: 1-{seq}\ndata: {}\n\n", event(seq));
    let fake = Fake::start()
        .on_raw("GET /events/stream", 200, "text/event-stream", stream(1))
        .on_raw("GET /events/stream", 200, "text/event-stream", stream(2))
        .refuse("GET /events/stream", 410, "cursor_compacted", "events that old are gone");
    let run = Run::against(&fake, &["events", "--follow"]);
    assert_eq!((run.code, run.stdout.lines().count()), (4, 2));
    assert!(run.stderr.contains("resuming") && run.stderr.contains("[cursor_compacted]"), "{}", run.stderr);
    let lines: Vec<_> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /events/stream", "GET /events/stream?after=1-1", "GET /events/stream?after=1-2"]);
}

#[test]
fn logs_are_printed_and_followed() {
    let path = format!("GET /tasks/{TASK}/log");
    let fake = Fake::start().on_raw(&path, 200, "text/plain", "one\ntwo ü\n");
    assert_eq!(Run::against(&fake, &["logs", TASK, "--attempt", "3"]).done(), "one\ntwo ü\n");
    assert_eq!(fake.asked()[0].line, format!("{path}?generation=3"));
    let mut fresh = task("ready");
    fresh["generation"] = json!(0);
    let fake =
        Fake::start().on_raw(&path, 200, "text/plain", "").on(&format!("GET /tasks/{TASK}"), 200, &fresh);
    let run = Run::against(&fake, &["logs", TASK]);
    let said = format!("no attempt yet; `tiltyard why {TASK}` says why\n");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (0, "", said));
    let stream = "id: 4\ndata: one\ndata: \n\nid: 8\ndata: two\ndata: \n\nevent: end\ndata: \n\n";
    let fake = Fake::start().on_raw(&path, 200, "text/event-stream", stream);
    assert_eq!(Run::against(&fake, &["logs", "--follow", TASK]).done(), "one\ntwo\n");
}

// SEC1: a token is shown once.
#[test]
fn sec1_tokens_are_minted_shown_once_listed_revoked_and_rotated() {
    let mut minted = token();
    minted["token"] = json!("jst_new");
    let fake = Fake::start()
        .on("POST /auth/tokens", 201, &minted)
        .on("GET /auth/tokens", 200, &page(&[token()]))
        .on_raw(&format!("DELETE /auth/tokens/{TOKEN}"), 204, "text/plain", "")
        .on(&format!("POST /auth/tokens/{TOKEN}/rotate"), 201, &minted);
    let run = Run::against(
        &fake,
        &["token", "mint", "laptop", "--role", "operator", "--scopes", "a,b", "--groups", "sec"],
    );
    assert_eq!(run.done().lines().last(), Some("jst_new"));
    assert_eq!(
        fake.asked()[0].body,
        json!({"label": "laptop", "role": "operator", "scopes": ["a", "b"], "groups": ["sec"]})
    );
    assert_golden("tokens.txt", &Run::against(&fake, &["token"]).done());
    assert_eq!(Run::against(&fake, &["token", "revoke", TOKEN]).done(), format!("{TOKEN}  revoked\n"));
    assert!(Run::against(&fake, &["token", "rotate", TOKEN]).done().ends_with("jst_new\n"));
    assert_eq!(Run::against(&fake, &["token", "mint", "x", "--role", "king"]).code, 2);
}

#[test]
fn sec21_the_record_is_listed_and_exported() {
    let fake = Fake::start().on("GET /audit", 200, &page(&[audit_entry()])).on_raw(
        "GET /audit/export",
        200,
        "application/jsonl",
        "{\"seq\":1}\n",
    );
    let list = ["audit", "--action", "gate.approved", "--since", "2026-11-20"];
    assert_eq!(Run::against(&fake, &list).code, 2, "a day is no time");
    let list = ["audit", "--action", "gate.approved", "--since", "2026-11-20T00:00:00Z"];
    assert_golden("audit.txt", &Run::against(&fake, &list).done());
    assert_eq!(Run::against(&fake, &["audit", "export", "--scope", "a"]).done(), "{\"seq\":1}\n");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain.jsonl").display().to_string();
    Run::against(&fake, &["audit", "export", "--out", &path]).done();
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), "{\"seq\":1}\n");
    assert_eq!(Run::against(&fake, &["audit", "export", "--out", &path]).code, 2, "nothing is overwritten");
}

fn chain(length: i64) -> Vec<String> {
    let mut head = Head::default();
    let entries = (0..length).map(|time| {
        let act = Act {
            time,
            scope: "default".into(),
            actor: "ada".into(),
            action: Action::GateApproved,
            target: "x".into(),
            result: ActResult::Ok,
            client: None,
            request_id: None,
            phase: None,
            detail: serde_json::Map::new(),
        };
        let entry = Entry::link(act, &head);
        head = entry.head();
        entry.line()
    });
    entries.collect()
}

// D52: verify needs no store, exits 0 or 1, prints {ok, line, seq, reason} of the first bad entry.
#[test]
fn d52_an_export_is_verified_without_a_server() {
    let home = tempfile::tempdir().expect("a folder");
    let lines = chain(5);
    let verify = |text: String| Run::at_home(&home, &["audit", "verify", "-", "--json"], &text);
    let run = verify(lines.join("\n") + "\n");
    assert_eq!(run.json(), json!({"ok": true, "line": null, "seq": null, "reason": null}));

    let run = verify(lines.join("\n").replacen("ada", "eve", 1));
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let verdict: serde_json::Value = serde_json::from_str(&run.stdout).expect("is JSON");
    assert_eq!((&verdict["ok"], &verdict["line"], &verdict["seq"]), (&json!(false), &json!(1), &json!(1)));

    let run = Run::at_home(&home, &["audit", "verify", "-"], &(lines[..2].join("\n") + "\n" + &lines[3]));
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("error: not whole: line 3, seq 4: "), "{}", run.stderr);
    assert_eq!(Run::at_home(&home, &["audit", "verify", "/does/not/exist"], "").code, 1);
}
