//! Commands that hand in, show and move work.

use crate::fake::Fake;
use crate::golden::{Run, assert_golden};
use crate::sample::{CHANGE, TASK, attempts, change, page, task};
use serde_json::json;

/// An idea with all that can be said of it.
const IDEA: &[&str] = &["--repo", "demo", "--prompt", "-", "--criteria", "tests pass", "--", "sh", "mend.sh"];

#[test]
fn submit_takes_a_command_an_idea_or_anything_else() {
    let bodies = |arguments: &[&str], input: &str| {
        let fake = Fake::start().on("POST /tasks", 201, &task("ready"));
        let run = Run::with_input(&fake, arguments, input);
        assert_eq!(run.done(), format!("{TASK}  ready\n"));
        let asked = fake.asked();
        assert_eq!((asked.len(), asked[0].authorization.as_str()), (1, "Bearer jst_hush"));
        asked[0].body.clone()
    };
    assert_eq!(
        bodies(
            &[
                "submit",
                "--queue",
                "builds",
                "--env",
                "A=b=c",
                "--timeout",
                "5m",
                "--",
                "make",
                "-s",
                "release"
            ],
            ""
        ),
        json!({"kind": "command", "title": "make -s release", "queue": "builds", "timeout_ms": 300_000,
            "payload": {"argv": ["make", "-s", "release"], "env": {"A": "b=c"}}})
    );
    assert_eq!(
        bodies(&[&["submit", "Fix it", "--after", TASK], IDEA].concat(), "In full."),
        json!({"kind": "change", "title": "Fix it", "depends_on": [TASK],
            "payload": {"repository": "demo", "prompt": "In full.", "criteria": ["tests pass"],
                "program": ["sh", "mend.sh"]}})
    );
    assert_eq!(
        bodies(
            &[
                "submit",
                "Resize",
                "--kind",
                "resize",
                "--payload",
                "{\"w\":1}",
                "--label",
                "a",
                "--label",
                "b"
            ],
            ""
        ),
        json!({"kind": "resize", "title": "Resize", "labels": ["a", "b"], "payload": {"w": 1}})
    );
}

#[test]
fn o3_submit_without_enough_is_wrong_usage_and_asks_nobody() {
    let fake = Fake::start();
    for arguments in [
        &["submit", "title"][..],
        &["submit", "--repo", "demo"],
        &["submit", "--repo", "demo", "--", "sh", "mend.sh"],
        &["submit", "t", "--repo", "demo", "--env", "A=b", "--", "sh", "mend.sh"],
        &["submit", "t", "--repo", "demo", "--program", "claude", "--", "sh", "mend.sh"],
        &["submit", "t", "--kind", "k", "--payload", "{"],
        &["submit", "t", "--repo", "r", "--kind", "k"],
        &["submit", "t", "--kind", "k", "--after", "nonsense"],
    ] {
        let run = Run::against(&fake, arguments);
        assert_eq!(run.code, 2, "{arguments:?} {run:?}");
    }
    assert_eq!(fake.asked(), []);
}

// O3: 3 not reachable, 4 refused, 5 storage failure, with a word on what to do next.
#[test]
fn o3_failures_have_their_exit_code_and_say_what_to_do() {
    let submit = ["submit", "t", "--kind", "k"];
    let run = Run::new(&["submit", "t", "--kind", "k", "--server", "http://127.0.0.1:9"]);
    assert_eq!(
        (run.code, run.stderr.contains("not reachable"), run.stderr.contains("`tiltyard up`")),
        (3, true, true)
    );

    let refused = |status, code| Fake::start().refuse("POST /tasks", status, code, "what happened");
    let fake = refused(422, "invalid");
    let run = Run::against(&fake, &submit);
    let page = format!("{}/docs/problem/invalid explains it; the request was r-1", fake.url);
    assert_eq!((run.code, run.stderr), (4, format!("error: what happened [invalid]\nnext: {page}\n")));
    let run = Run::against(&fake, &[&submit[..], &["--json"]].concat());
    let failure: serde_json::Value = serde_json::from_str(&run.stderr).expect("is JSON");
    assert_eq!(failure, json!({"error": "what happened", "code": "invalid", "hint": page, "exit": 4}));
    let run = Run::new(&["submit", "--json"]);
    let failure: serde_json::Value = serde_json::from_str(&run.stderr).expect("is JSON");
    assert_eq!((run.code, &failure["exit"]), (2, &json!(2)), "wrong usage too");
    assert_eq!(Run::against(&refused(401, "unauthenticated"), &submit).code, 4);
    assert_eq!(Run::against(&refused(503, "storage_low"), &submit).code, 5);
    assert_eq!(Run::against(&refused(500, "internal"), &submit).code, 1);

    let run = Run::against(&refused(422, "invalid"), &["submit", "t", "--kind", "k", "--json"]);
    let failure: serde_json::Value = serde_json::from_str(&run.stderr).expect("is JSON");
    assert_eq!((run.stdout.as_str(), &failure["code"], &failure["exit"]), ("", &json!("invalid"), &json!(4)));
}

#[test]
fn submit_waits_for_the_end_and_ends_like_the_task() {
    let path = format!("GET /tasks/{TASK}");
    let good = Fake::start().on("POST /tasks", 201, &task("ready")).on(&path, 200, &task("running"));
    let good = good.on(&path, 200, &task("succeeded"));
    assert_eq!(
        Run::against(&good, &["submit", "--wait", "--", "make"]).done(),
        format!("{TASK}  succeeded\n")
    );
    let bad = Fake::start().on("POST /tasks", 201, &task("ready")).on(&path, 200, &task("dead"));
    let run = Run::against(&bad, &["submit", "--wait", "--", "make"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("is dead: exit 2\\r\nboom \\u{202e}evil"), "{}", run.stderr);
}

// C23: who waits for a change hears its id at once, and that a person is asked.
#[test]
fn c23_who_waits_for_a_change_is_told_that_a_person_is_asked() {
    let path = format!("GET /tasks/{TASK}");
    let of_change = |state: &str| {
        let mut task = task(state);
        task["kind"] = json!("change");
        task
    };
    let fake =
        Fake::start().on("POST /tasks", 201, &of_change("ready")).on(&path, 200, &of_change("waiting"));
    let fake = fake.on(&path, 200, &of_change("succeeded"));
    let fake = fake.on("GET /changes", 200, &page(&[change("review")]));
    let run = Run::against(&fake, &["submit", "t", "--repo", "demo", "--wait", "--", "sh", "mend.sh"]);
    let first = run.stderr.lines().next();
    assert_eq!(first, Some(format!("{TASK}  ready").as_str()), "the id comes before anything is waited for");
    let asked = format!("{CHANGE}  waits for a decision");
    assert_eq!(run.stderr.matches(&asked).count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("tiltyard approve {CHANGE}")), "{}", run.stderr);
    assert_eq!(run.stdout, format!("{TASK}  succeeded\n"));
}

// C11: a change without a program dies at once: it is refused where it is typed, with what to do.
#[test]
fn c11_a_change_names_its_program() {
    let fake = Fake::start().on("POST /tasks", 201, &task("ready"));
    let run = Run::against(&fake, &["submit", "t", "--repo", "demo"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("put a program behind --"), "{}", run.stderr);
    assert!(fake.asked().is_empty());
}

// What the server gives its agents for changes is not what a person handed in: it is listed when asked for.
#[test]
fn tasks_leave_out_what_nobody_submitted() {
    let mut internal = task("succeeded");
    internal["queue"] = json!("git");
    internal["kind"] = json!("git.check");
    let fake = Fake::start().on("GET /tasks", 200, &page(&[task("ready"), internal]));
    let lines = |arguments: &[&str]| Run::against(&fake, arguments).done();
    assert!(!lines(&["tasks"]).contains("git.check") && lines(&["tasks"]).contains(TASK));
    for all in [&["tasks", "--all"][..], &["tasks", "--queue", "git"], &["tasks", "--json"]] {
        assert!(lines(all).contains("git.check"), "{all:?}");
    }
}

#[test]
fn batch_sends_lines_in_chunks_and_names_the_line_that_is_wrong() {
    let brief = json!({"id": TASK, "scope": "default", "queue": "default", "kind": "k", "title": "t", "priority": 5,
        "state": "ready", "created_at": "2026-11-20T07:14:00.123Z"});
    let answer = json!({"tasks": [brief, brief], "duplicates": [{"index": 1, "id": TASK}]});
    let line = "{\"kind\":\"k\",\"title\":\"t\"}\n";
    let fake = Fake::start().on("POST /tasks/batch", 201, &answer);
    let run =
        Run::with_input(&fake, &["batch", "--chunk", "2", "--json"], &format!("{line}\n{line}{line}{line}"));
    assert_eq!(run.json(), json!({"submitted": 4, "duplicates": 2}));
    let sizes: Vec<_> =
        fake.asked().iter().map(|asked| asked.body["tasks"].as_array().map(Vec::len)).collect();
    assert_eq!(sizes, [Some(2), Some(2)]);

    let fake = Fake::start().on("POST /tasks/batch", 201, &answer);
    let run = Run::with_input(&fake, &["batch", "--chunk", "2"], &format!("{line}{line}{{\"knd\":1}}\n"));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("line 3 is no task: unknown field `knd`"), "{}", run.stderr);
    assert!(run.stderr.contains("2 tasks went in before"), "{}", run.stderr);

    // What the server refuses is told by its line too: its index counts no empty lines and starts anew in each chunk.
    let refusal = json!({
        "type": "/docs/problem/invalid", "title": "Title", "status": 422, "detail": "task 1: /title must be said",
        "error": "", "code": "invalid", "request_id": "r-1", "details": [
            {"field": "/tasks/1/title", "error": "must be said"}, {"field": "/tasks/1/kind", "error": "is wrong"}],
    });
    let fake = Fake::start().on("POST /tasks/batch", 422, &refusal);
    let run = Run::with_input(&fake, &["batch"], &format!("{line}\n{line}"));
    let told =
        "error: line 3: /title must be said\n  line 3: /kind: is wrong; 0 tasks went in before [invalid]\n";
    assert!(run.code == 4 && run.stderr.starts_with(told), "{}", run.stderr);
}

#[test]
fn o3_sec17_tasks_are_listed_in_a_table_and_shown_in_full() {
    let fake = Fake::start().on("GET /tasks", 200, &page(&[task("running"), task("dead")]));
    let run = Run::against(&fake, &["tasks", "--state", "running,dead", "-q", "two words", "--limit", "7"]);
    assert_golden("tasks.txt", &run.done());
    assert_eq!(fake.asked()[0].line, "GET /tasks?state=running%2Cdead&q=two+words&limit=7");

    let path = format!("GET /tasks/{TASK}");
    let fake = Fake::start().on(&path, 200, &task("dead")).on(&format!("{path}/attempts"), 200, &attempts());
    assert_golden("task.txt", &Run::against(&fake, &["tasks", TASK]).done());
    assert_eq!(
        Run::against(&fake, &["tasks", TASK, "--json"]).json()["attempt_list"][0]["outcome"],
        "failed"
    );
}

#[test]
fn api3_a_list_follows_its_pages_up_to_the_limit() {
    let first = json!({"items": vec![task("ready"); 100], "next_cursor": "c1", "total": 10_000, "total_is": "at_least"});
    let second = json!({"items": vec![task("ready"); 20], "next_cursor": "c2", "total": 10_000, "total_is": "at_least"});
    let fake = Fake::start().on("GET /tasks", 200, &first).on("GET /tasks", 200, &second);
    let text = Run::against(&fake, &["tasks", "--limit", "120"]).done();
    assert_eq!(text.lines().count(), 122);
    assert!(text.ends_with("120 of more than 10000; --limit shows more\n"), "{text}");
    let lines: Vec<_> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /tasks?limit=100", "GET /tasks?limit=20&cursor=c1"]);
}

// D8: why says why a task is not running, in words and as data.
#[test]
fn d8_why_says_why() {
    let why = json!({"state": "ready", "summary": "the queue is paused", "reasons": [
        {"code": "queue_paused", "text": "the queue builds is paused", "about": "builds"},
        {"code": "capability", "text": "no agent can do gpu", "about": "gpu"}]});
    let fake = Fake::start().on(&format!("GET /tasks/{TASK}/why"), 200, &why);
    assert_golden("why.txt", &Run::against(&fake, &["why", TASK]).done());
    assert_eq!(Run::against(&fake, &["why", TASK, "--json"]).json(), why);
}

#[test]
fn cancel_and_retry_try_all_and_end_with_the_worst() {
    let other = TASK.replace("41", "42");
    let mut stopping = task("cancelled");
    stopping["stop"] = json!("requested");
    let fake = Fake::start().on(&format!("POST /tasks/{TASK}/cancel"), 200, &stopping).refuse(
        &format!("POST /tasks/{other}/cancel"),
        409,
        "already_final",
        "it is final",
    );
    let run = Run::against(&fake, &["cancel", &other, TASK, "--reason", "late"]);
    assert_eq!((run.code, run.stdout), (4, format!("{TASK}  cancelled, stopping\n")));
    assert!(run.stderr.contains(&format!("{other}: it is final [already_final]")), "{}", run.stderr);
    assert_eq!(fake.asked()[1].body, json!({"reason": "late"}));

    let fake = Fake::start().on(&format!("POST /tasks/{TASK}/retry"), 200, &task("ready"));
    Run::against(&fake, &["retry", TASK, "--priority", "9", "--payload", "[1]"]).done();
    assert_eq!(fake.asked()[0].body, json!({"priority": 9, "payload": [1]}));
}
