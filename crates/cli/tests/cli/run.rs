//! Runs from the command line: started, checked, followed, listed, shown, cancelled, run again.

use crate::fake::Fake;
use crate::golden::{Run, assert_golden};
use crate::sample::{GATE, RUN, listed_run, page, run};
use serde_json::{Value, json};

const GOOD: &str = "input:\n  type: object\n  properties: {tag: {type: string}, pause_ms: {type: integer}}\n\
                    stages:\n  - {id: a, uses: command, with: {argv: [ls, \"${{ input.tag }}\"]}}\n";
const BAD: &str = "stages:\n  - {id: a, uses: command, with: {argv: [ls]}, needs: b}\n";
const LOOK: &str = "POST /pipelines/validate";

// P15: a file is sent with its text; the schema says what a member of the input is.
#[test]
fn a_file_is_run_with_its_input() {
    let fake = Fake::start().on("POST /runs", 201, &run("running"));
    let input =
        ["run", "-", "--input", "tag=1.10", "--input", "pause_ms=5", "--title", "t", "--scope", "default"];
    assert_eq!(Run::with_input(&fake, &input, GOOD).done(), format!("{RUN}  running\n"));
    let body = json!({"scope": "default", "definition": GOOD, "input": {"tag": "1.10", "pause_ms": 5}, "title": "t"});
    assert_eq!(fake.asked()[0].body, body);
    let wrong = Run::with_input(&fake, &["run", "-", "--input", "pause_ms=soon"], GOOD);
    assert_eq!((wrong.code, wrong.stderr.contains("pause_ms")), (2, true), "{wrong:?}");
    assert_eq!(fake.asked().len(), 1, "nothing is sent that is wrong already");
}

#[test]
fn a_published_pipeline_is_run_by_its_name() {
    let pipeline = json!({
        "scope": "default", "name": "notes", "number": 3, "sha256": "ab", "stages": 1, "published_at": "2026-11-20T07:14:00Z",
        "published_by": "ada", "input": {"properties": {"tag": {"type": "string"}}},
    });
    let fake =
        Fake::start().on("GET /pipelines/notes", 200, &pipeline).on("POST /runs", 201, &run("running"));
    Run::against(&fake, &["run", "notes", "--number", "3", "--input", "tag=7"]).done();
    let asked = fake.asked();
    assert_eq!(asked[0].line, "GET /pipelines/notes?number=3");
    assert_eq!(asked[1].body, json!({"pipeline": "notes", "number": 3, "input": {"tag": "7"}}));
}

// D21, P15: every mistake as file:line:column, exit code 4, and without a server too.
#[test]
fn d21_a_file_is_checked() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("bad.yaml"), BAD).expect("writes");
    std::fs::write(home.path().join("good.yaml"), GOOD).expect("writes");
    let bad = Run::at_home(&home, &["run", "bad.yaml", "--check"], "");
    assert_eq!(bad.code, 4);
    assert!(bad.stderr.contains("bad.yaml:2:55: /stages/0/needs: there is no stage `b`"), "{}", bad.stderr);
    let started = Run::at_home(&home, &["run", "bad.yaml"], "");
    assert_eq!(started.code, 4, "nothing is sent that is wrong already");
    let nowhere = ["run", "good.yaml", "--check", "--server", "http://127.0.0.1:1"];
    let alone = Run::at_home(&home, &nowhere, "");
    assert!(alone.code == 0 && alone.stdout.contains("no server was asked"), "{alone:?}");
    let found = json!({"ok": true, "sha256": "ab", "stages": 1, "mistakes": []});
    let fake = Fake::start().on(LOOK, 200, &found);
    let asked = Run::with_input(&fake, &["run", "-", "--check", "--json"], GOOD).json();
    assert_eq!(asked, json!({"ok": true, "stages": 1, "asked": true}));
    let mistake = json!({"line": 5, "column": 3, "field": "/stages/0", "error": "there is no pipeline `x`"});
    let fake = Fake::start().on(LOOK, 200, &json!({"ok": false, "mistakes": [mistake]}));
    let refused = Run::with_input(&fake, &["run", "-", "--check"], GOOD);
    assert_eq!(
        (refused.code, refused.stderr.contains("-:5:3: /stages/0: there is no pipeline `x`")),
        (4, true)
    );
}

fn told(seq: u32, kind: &str, subject: &str, data: &Value) -> String {
    let event = json!({
        "specversion": "1.0", "id": format!("1-{seq}"), "source": "s", "type": format!("tiltyard.{kind}"), "subject": subject,
        "time": "2026-11-20T07:14:00.123Z", "datacontenttype": "application/json", "data": data, "scope": "default",
        "actor": "ada", "runid": RUN, "sequence": seq.to_string(), "seq": seq, "scope_seq": seq,
    });
    format!("id: 1-{seq}\ndata: {event}\n\n")
}

// P15: --follow tells what happens until it is over, and says who decides; 0 succeeded, 1 otherwise.
#[test]
fn a_run_is_followed_to_its_end() {
    let started = json!({"stage": "notes", "attempt": 1, "uses": "command", "thing": "task_1"});
    let stream = [
        told(1, "run.created", RUN, &json!({})),
        told(2, "stage.started", RUN, &started),
        told(3, "run.waiting", RUN, &json!({})),
        told(4, "gate.opened", GATE, &json!({})),
        told(5, "run.failed", RUN, &json!({"stage": "review", "error": "no"})),
    ];
    let mut failed = run("failed");
    (failed["error"], failed["next"]) = (json!("review: no"), json!("tiltyard runs rerun R --from review"));
    let fake = Fake::start()
        .on("POST /runs", 201, &run("running"))
        .on_raw("GET /events/stream", 200, "text/event-stream", stream.concat())
        .on(&format!("GET /runs/{RUN}"), 200, &failed);
    let ended = Run::with_input(&fake, &["run", "-", "--follow"], GOOD);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_golden("follow.txt", &ended.stdout);
    assert!(
        ended.stderr.contains("failed: review: no") && ended.stderr.contains("--from review"),
        "{}",
        ended.stderr
    );
    assert!(fake.asked()[1].line.contains(&format!("run={RUN}")), "{:?}", fake.asked()[1]);
}

#[test]
fn d22_runs_are_listed_shown_cancelled_and_run_again() {
    let one = format!("/runs/{RUN}");
    let fake = Fake::start()
        .on("GET /runs", 200, &page(&[listed_run("waiting")]))
        .on(&format!("GET {one}"), 200, &run("waiting"))
        .on(&format!("POST {one}/cancel"), 200, &run("cancelled"))
        .on(&format!("POST {one}/rerun"), 200, &run("running"))
        .on_raw(&format!("GET {one}/events.jsonl"), 200, "application/x-ndjson", "{\"seq\":1}\n");
    let list = ["runs", "--state", "waiting", "--pipeline", "notes", "-q", "v1"];
    assert_golden("runs.txt", &Run::against(&fake, &list).done());
    assert_eq!(fake.asked()[0].line, "GET /runs?state=waiting&pipeline=notes&q=v1&limit=50");
    assert_golden("run.txt", &Run::against(&fake, &["runs", "show", RUN]).done());
    let cancelled = Run::against(&fake, &["runs", "cancel", RUN, "--reason", "enough"]).done();
    assert_eq!(cancelled, format!("{RUN}  cancelled\n"));
    Run::against(&fake, &["runs", "rerun", RUN, "--from", "notes"]).done();
    let asked = fake.asked();
    assert_eq!(
        (&asked[2].body, &asked[3].body),
        (&json!({"reason": "enough"}), &json!({"from_stage": "notes"}))
    );
    assert_eq!(Run::against(&fake, &["runs", "events", RUN]).done(), "{\"seq\":1}\n");
}

#[test]
fn d20_items_and_artifacts_of_a_run_are_shown_and_fetched() {
    let one = format!("/runs/{RUN}");
    let item = json!({"index": 4, "state": "failed", "attempts": 2, "value": {"path": "a"}, "error": "no \u{1b}[31mway"});
    let artifact = json!({
        "id": "art_01h2xcejqtf2nbrexx3vqjhp41", "sha256": "ab", "size": 5, "media_type": "text/plain", "name": "n.txt",
        "stage": "notes", "attempt": 1, "output": "draft",
    });
    let fake = Fake::start()
        .on(&format!("GET {one}/stages/each/items"), 200, &page(&[item]))
        .on(&format!("GET {one}/artifacts"), 200, &page(&[artifact]))
        .on_raw("GET /artifacts/art_01h2xcejqtf2nbrexx3vqjhp41", 200, "text/plain", "hello");
    assert_golden(
        "items.txt",
        &Run::against(&fake, &["runs", "items", RUN, "each", "--state", "failed"]).done(),
    );
    assert_golden("artifacts.txt", &Run::against(&fake, &["runs", "artifacts", RUN]).done());
    assert_eq!(Run::against(&fake, &["runs", "artifacts", RUN, "--get", "notes.draft"]).done(), "hello");
    let missing = Run::against(&fake, &["runs", "artifacts", RUN, "--get", "final"]);
    assert_eq!((missing.code, missing.stderr.contains("notes.draft")), (1, true), "{missing:?}");
}
