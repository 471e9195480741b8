//! Commands about gates of runs, and the inbox.

use crate::fake::Fake;
use crate::golden::{Run, assert_golden};
use crate::sample::{ARTIFACT, CHANGE, DIGEST, GATE, LETTER, RUN, TASK, gate_of_run, page};
use serde_json::json;

const PLAN: &str = r#"{"steps":["build","test"]}"#;

fn with_gate() -> Fake {
    let fake = Fake::start().on(&format!("GET /gates/{GATE}"), 200, &gate_of_run("open"));
    fake.on_raw(&format!("GET /artifacts/{ARTIFACT}"), 200, "application/json", PLAN)
}

fn decided(state: &str) -> serde_json::Value {
    json!({"gate": gate_of_run(state), "replayed": false})
}

// D27: what waits, with the command that helps.
#[test]
fn d27_the_inbox_says_what_to_do() {
    let at = "2026-11-20T07:14:00.123Z";
    let items = [
        json!({"kind": "gate", "id": GATE, "scope": "default", "title": "approve the plan?", "blocked": 12, "since": at,
            "may_decide": true, "missing": ["1 of role:operator"], "gate": GATE, "run": RUN, "stage": "approve_plan",
            "next": format!("tiltyard approve {GATE}")}),
        json!({"kind": "change", "id": CHANGE, "scope": "default", "title": "Fix \u{1b}[2J it", "blocked": 0, "since": at,
            "may_decide": false, "missing": ["2 of role:operator"], "gate": GATE, "change": CHANGE,
            "next": format!("tiltyard approve {CHANGE}")}),
        json!({"kind": "dead_letter", "id": LETTER, "scope": "default", "title": "make release", "blocked": 0, "since": at,
            "may_decide": true, "missing": ["exit 2"], "task": TASK, "next": format!("tiltyard dead-letters {LETTER}")}),
    ];
    let fake = Fake::start().on("GET /inbox", 200, &page(&items));
    assert_golden("inbox.txt", &Run::against(&fake, &["inbox", "--kind", "gate", "--limit", "7"]).done());
    assert_eq!(fake.asked()[0].line, "GET /inbox?kind=gate&limit=7");
    let none = Fake::start().on("GET /inbox", 200, &page(&[]));
    assert_eq!(Run::against(&none, &["inbox"]).done(), "Nothing waits for you.\n");
}

#[test]
fn a_gate_is_listed_and_shown_with_its_document() {
    let fake = with_gate().on("GET /gates", 200, &page(&[gate_of_run("open")]));
    assert_golden("gates.txt", &Run::against(&fake, &["gates", "--state", "open", "--run", RUN]).done());
    assert_eq!(fake.asked()[0].line, format!("GET /gates?state=open&run={RUN}&limit=50"));
    assert_golden("gate.txt", &Run::against(&fake, &["gates", "show", GATE]).done());
    let document = "{\n  \"steps\": [\n    \"build\",\n    \"test\"\n  ]\n}\n";
    assert_eq!(Run::against(&fake, &["gates", "show", GATE, "--subject"]).done(), document);
    let mut question = gate_of_run("open");
    question["text"] = json!("shall we?");
    let fake = Fake::start().on(&format!("GET /gates/{GATE}"), 200, &question);
    assert_eq!(Run::against(&fake, &["gates", "show", GATE, "--subject"]).done(), "shall we?\n");
}

// D23: a patch is applied before it is sent, so that one that does not fit is told of here; what is sent is the patch.
#[test]
fn d23_a_decision_carries_a_patch() {
    let patch = r#"[{"op":"remove","path":"/steps/1"}]"#;
    let fake = with_gate().on(&format!("POST /gates/{GATE}/approve"), 200, &decided("approved"));
    let arguments = ["approve", GATE, "--subject", DIGEST, "--patch", "-"];
    assert_eq!(Run::with_input(&fake, &arguments, patch).done(), format!("{GATE}  approved\n"));
    let sent = &fake.asked()[2].body;
    assert_eq!((&sent["patch"][0]["op"], &sent["subject_sha256"]), (&json!("remove"), &json!(DIGEST)));

    let odd = Run::with_input(&fake, &arguments, r#"[{"op":"remove","path":"/nothing"}]"#);
    assert_eq!(odd.code, 2);
    assert!(odd.stderr.contains("/patch/0/path"), "{}", odd.stderr);
    assert_eq!(fake.asked().iter().filter(|asked| asked.line.starts_with("POST")).count(), 1);

    let fake = with_gate().on(&format!("POST /gates/{GATE}/reject"), 200, &decided("rejected"));
    let arguments =
        ["reject", GATE, "--subject", DIGEST, "--reason", "shorter", "--to-stage", "plan", "--patch", "-"];
    Run::with_input(&fake, &arguments, patch).done();
    let sent = &fake.asked()[2].body;
    assert_eq!(
        (&sent["to_stage"], &sent["reason"], sent["patch"].is_array()),
        (&json!("plan"), &json!("shorter"), true)
    );
    let other = Fake::start().on(&format!("GET /changes/{CHANGE}"), 200, &crate::sample::change("review"));
    let change = Run::with_input(&other, &["approve", CHANGE, "--subject", DIGEST, "--patch", "-"], patch);
    assert!(change.code == 2 && change.stderr.contains("send-back"), "{}", change.stderr);
}

// D24: what is decided by the id of a run is the gate that it waits at, where there is one alone.
#[test]
fn d24_a_run_is_decided_at_the_gate_that_it_waits_at() {
    let gates = page(&[gate_of_run("open")]);
    let fake = Fake::start().on("GET /gates", 200, &gates).on(
        &format!("POST /gates/{GATE}/approve"),
        200,
        &decided("approved"),
    );
    Run::against(&fake, &["approve", RUN, "--subject", DIGEST]).done();
    assert_eq!(fake.asked()[0].line, format!("GET /gates?state=open&run={RUN}&limit=20"));
    assert!(fake.asked()[1].line.starts_with(&format!("POST /gates/{GATE}/approve")));
    let several = Fake::start().on("GET /gates", 200, &page(&[gate_of_run("open"), gate_of_run("open")]));
    let run = Run::against(&several, &["approve", RUN, "--subject", DIGEST]);
    assert!(run.code == 2 && run.stderr.contains("say which one"), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{GATE} (approve_plan)")), "{}", run.stderr);
    let none = Fake::start().on("GET /gates", 200, &page(&[]));
    assert_eq!(Run::against(&none, &["reject", RUN, "--subject", DIGEST, "--reason", "no"]).code, 1);
    // Without a terminal and without a digest nothing is decided; where to look is said.
    let run = Run::against(&with_gate(), &["approve", GATE]);
    assert!(
        run.code == 2 && run.stderr.contains(&format!("`tiltyard gates show {GATE} --subject` shows it"))
    );
}
