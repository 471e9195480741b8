//! Commands about changes, gates and dead letters.

use crate::fake::Fake;
use crate::golden::{Run, assert_golden};
use crate::sample::{CHANGE, DIGEST, GATE, LETTER, change, decided, gate, letter, page};
use serde_json::json;

fn path(act: &str) -> String {
    format!("POST /changes/{CHANGE}/{act}")
}

fn with_change() -> Fake {
    Fake::start().on(&format!("GET /changes/{CHANGE}"), 200, &change("review"))
}

// D24: a decision carries the digest of what was seen; D26: it binds that.
#[test]
fn d24_d26_a_decision_names_what_was_seen() {
    let fake = with_change().on(&path("approve"), 200, &decided("open"));
    let run = Run::against(&fake, &["approve", CHANGE, "--subject", &DIGEST[..12], "--comment", "fine"]);
    assert_eq!(run.done(), format!("{GATE}  open; still missing: 2 of role:operator\n"));
    assert_eq!(fake.asked()[1].body, json!({"subject_sha256": DIGEST, "comment": "fine"}));

    let run = Run::against(&fake, &["approve", CHANGE, "--subject", "aaaaaaaaaaaa"]);
    assert_eq!(run.code, 4);
    assert!(run.stderr.contains("it is not what you saw"), "{}", run.stderr);

    let run = Run::against(&fake, &["approve", CHANGE]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("say --subject with its digest"), "{}", run.stderr);
    let ready = format!("`tiltyard approve {CHANGE} --subject {}`", &DIGEST[..12]);
    assert!(run.stderr.contains(&ready), "{}", run.stderr);
    assert_eq!(fake.asked().iter().filter(|asked| asked.line.starts_with("POST")).count(), 1);
}

// D26: what is missing is said in words, and the lone person gets the line that confirms.
#[test]
fn d26_what_a_gate_still_waits_for_is_said() {
    let mut answer = decided("open");
    answer["gate"]["missing"] = json!(["the same approval once more"]);
    answer["gate"]["quorum"] = json!("reduced");
    let fake = with_change().on(&path("approve"), 200, &answer);
    let said = Run::against(&fake, &["approve", CHANGE, "--subject", DIGEST]).done();
    let line =
        format!("to confirm: tiltyard approve {CHANGE} --subject {} --confirm {CHANGE}\n", &DIGEST[..12]);
    assert_eq!(said, format!("{GATE}  open; still missing: the same approval once more\n{line}"));

    let mut gate = gate("open");
    gate["missing"] = json!(["1 of role:operator", "the approval of ada does not count any more"]);
    gate["votes"] =
        json!([{"identity": "bob", "vote": "approve", "comment": "fine", "at": "2026-01-02T03:04:05.000Z"}]);
    let mut change = change("review");
    change["history"] = json!({"prompt": "", "criteria": [], "attempts": [], "checks": [], "gates": [gate]});
    let fake = Fake::start().on(&format!("GET /changes/{CHANGE}"), 200, &change);
    let said = Run::against(&fake, &["changes", CHANGE]).done();
    for part in ["approve  bob", "still missing: the approval of ada does not count any more"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

#[test]
fn d24_a_gate_is_decided_by_its_own_id_and_a_reject_has_a_reason() {
    let fake = Fake::start().on(&format!("GET /gates/{GATE}"), 200, &gate("open")).on(
        &format!("POST /gates/{GATE}/reject"),
        200,
        &json!({"gate": gate("rejected"), "replayed": true}),
    );
    let run = Run::against(&fake, &["reject", GATE, "--subject", DIGEST, "--reason", "no"]);
    assert_eq!(run.done(), format!("{GATE}  rejected, as you had said before\n"));
    assert_eq!(fake.asked()[1].body, json!({"subject_sha256": DIGEST, "reason": "no"}));
    assert_eq!(Run::against(&fake, &["reject", GATE, "--subject", DIGEST]).code, 2);
}

#[test]
fn c33_a_change_is_one_page() {
    assert_golden("change.txt", &Run::against(&with_change(), &["changes", CHANGE]).done());
    let mut waits = change("review");
    waits["reason"] = json!("tier 1: safe; people decide only because auto_merge is off for its repository");
    let fake = Fake::start().on("GET /changes", 200, &page(&[waits, change("merged")]));
    assert_golden(
        "changes.txt",
        &Run::against(&fake, &["changes", "--repo", "demo", "--state", "review"]).done(),
    );
    assert_eq!(fake.asked()[0].line, "GET /changes?state=review&repository=demo&limit=50");
}

#[test]
fn a_diff_goes_into_a_pipe_byte_for_byte() {
    let diff = "diff --git a/x b/x\n+\u{1b}[31mred\r\n";
    let fake = Fake::start().on_raw(&format!("GET /changes/{CHANGE}/diff"), 200, "text/plain", diff);
    assert_eq!(Run::against(&fake, &["changes", "diff", CHANGE]).done(), diff);
}

#[test]
fn checks_that_failed_are_shown_with_what_they_said() {
    let check = |name: &str, status: &str| {
        json!({"name": name, "status": status, "exit": 2, "duration_ms": 1200,
        "log_tail": "boom\u{1b}[2J\n", "tree": "c".repeat(40)})
    };
    let checks = page(&[check("tests", "failed"), check("lint", "passed")]);
    let fake = Fake::start().on(&format!("GET /changes/{CHANGE}/checks"), 200, &checks);
    assert_golden("checks.txt", &Run::against(&fake, &["changes", "checks", CHANGE]).done());
}

#[test]
fn c23_a_change_is_sent_back_with_comments_on_lines() {
    let fake = with_change().on(&path("send-back"), 200, &decided("superseded"));
    let comments = ["--comment", "src/a.rs:3: rename", "--comment", "shorter please"];
    let arguments = [&["changes", "send-back", CHANGE, "--subject", DIGEST][..], &comments].concat();
    Run::against(&fake, &arguments).done();
    let expected = json!({"subject_sha256": DIGEST,
        "comments": [{"path": "src/a.rs", "line": 3, "text": "rename"}, {"text": "shorter please"}]});
    assert_eq!(fake.asked()[1].body, expected);
}

// C22: rules are printed; --dry-run weighs any diff.
#[test]
fn c22_rules_are_printed_and_a_diff_is_weighed() {
    let rules = json!({"repository": "demo", "merge": "squash", "auto_merge": "safe", "approvers": "role:operator",
        "fix_attempts": 2, "checks": [{"name": "tests", "argv": ["make", "test"]}],
        "rules": [{"id": "protected", "paths": ["src/**"], "tier": 2, "reason": "core", "origin": "server"}]});
    let weight = json!({"tier": 3, "name": "sensitive",
        "reasons": [{"tier": 3, "rule": "ci", "file": ".ci/run", "text": "runs in CI"}]});
    let fake = Fake::start().on("GET /repositories/demo/rules", 200, &rules).on(
        "POST /repositories/demo/weigh",
        200,
        &weight,
    );
    assert_golden("rules.txt", &Run::against(&fake, &["changes", "rules", "demo"]).done());
    let run = Run::with_input(&fake, &["changes", "rules", "demo", "--dry-run", "-"], "diff --git");
    assert_eq!(run.done(), "tier  3 sensitive\n\nBecause\n  tier 3  .ci/run: runs in CI (ci)\n");
    assert_eq!(fake.asked()[1].body, json!({"diff": "diff --git"}));
}

// C20: a rules file that cannot be read is told where the repository and its rules are shown.
#[test]
fn c20_what_is_wrong_with_the_rules_is_shown() {
    let fault = ".tiltyard.toml:3: there is no key `timeout_s`; did you mean `timeout_ms`?";
    let repository = json!({"scope": "default", "name": "demo", "url": null, "path": "/srv/demo", "branch": "main",
        "agent": "vm", "settings": {}, "state": "ready", "head": null, "error": null, "rules_fault": fault,
        "created_at": "2026-01-02T03:04:05.000Z", "probed_at": null});
    let rules = json!({"repository": "demo", "merge": "squash", "auto_merge": "safe", "approvers": "role:operator",
        "fix_attempts": 2, "checks": [], "rules": [], "fault": fault});
    let fake = Fake::start()
        .on("GET /repositories/demo", 200, &repository)
        .on("PUT /repositories/demo", 200, &repository)
        .on("GET /repositories/demo/rules", 200, &rules);
    for arguments in
        [&["repo", "demo"][..], &["repo", "add", "demo", "/srv/demo"], &["changes", "rules", "demo"]]
    {
        let said = Run::against(&fake, arguments).done();
        assert!(
            said.contains(fault) && said.contains("No change can be approved until"),
            "{arguments:?}: {said}"
        );
    }
}

// D52: who decided on a change is found by the change, though the act is the gate's.
#[test]
fn d52_the_record_of_a_change_has_the_acts_at_its_gate() {
    let entry = |seq: u64, time: &str, action: &str, target: &str| {
        let mut entry = crate::sample::audit_entry();
        entry["seq"] = json!(seq);
        entry["time"] = json!(time);
        entry["action"] = json!(action);
        entry["target"] = json!(target);
        entry
    };
    let mut change = change("rejected");
    change["history"] =
        json!({"prompt": "", "criteria": [], "attempts": [], "checks": [], "gates": [gate("rejected")]});
    let fake = Fake::start()
        .on(&format!("GET /changes/{CHANGE}"), 200, &change)
        .on("GET /audit", 200, &page(&[entry(1, "2026-01-02T03:04:05.000Z", "change.merged", CHANGE)]))
        .on("GET /audit", 200, &page(&[entry(2, "2026-01-02T03:04:06.000Z", "gate.rejected", GATE)]));
    let said = Run::against(&fake, &["audit", "--target", CHANGE]).done();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].contains("gate.rejected") && lines[2].contains("change.merged"), "{said}");
    assert_eq!(fake.asked()[2].line, format!("GET /audit?target={GATE}&limit=50"));
}

// D10: retry, dismiss, reopen and delete; D12: groups are retried as one.
#[test]
fn d10_dead_letters_are_listed_shown_and_moved() {
    let one = format!("/dead-letters/{LETTER}");
    let fake = Fake::start()
        .on("GET /dead-letters", 200, &page(&[letter("pending")]))
        .on(&format!("GET {one}"), 200, &letter("pending"))
        .on(&format!("POST {one}/retry"), 200, &letter("retrying"))
        .on(&format!("POST {one}/dismiss"), 200, &letter("dismissed"))
        .on(&format!("POST {one}/reopen"), 200, &letter("pending"))
        .on_raw(&format!("DELETE {one}"), 204, "text/plain", "");
    assert_golden("dead_letters.txt", &Run::against(&fake, &["dead-letters", "--status", "pending"]).done());
    assert_golden("dead_letter.txt", &Run::against(&fake, &["dead-letters", LETTER]).done());
    let act = |arguments: &[&str]| Run::against(&fake, &[&["dead-letters"], arguments].concat()).done();
    assert!(act(&["retry", LETTER, "--assign-to", "b2"]).contains("retrying"));
    assert!(act(&["dismiss", LETTER, "--reason", "known"]).contains("dismissed"));
    assert!(act(&["reopen", LETTER]).contains("pending"));
    assert_eq!(act(&["delete", LETTER]), format!("{LETTER}  deleted\n"));
    let bodies: Vec<_> = fake.asked().into_iter().skip(2).map(|asked| asked.body).collect();
    assert_eq!(bodies, [json!({"assign_to": "b2"}), json!({"reason": "known"}), json!(null), json!(null)]);
}

#[test]
fn d12_a_group_is_retried_first_some_then_the_rest() {
    let group = json!({"scope": "default", "fingerprint": "f00d", "kind": "command", "error": "exit 2\nx", "pending": 9,
        "total": 12, "first_at": "2026-11-20T07:14:00Z", "last_at": "2026-11-20T07:15:00Z"});
    let fake = Fake::start().on("GET /dead-letters/groups", 200, &page(&[group])).on(
        "POST /dead-letters/groups/f00d/retry",
        200,
        &json!({"matched": 9, "started": 1, "scheduled": 5}),
    );
    assert_golden("groups.txt", &Run::against(&fake, &["dead-letters", "groups"]).done());
    let run = Run::against(
        &fake,
        &["dead-letters", "retry-group", "f00d", "--first", "1", "--rate-per-minute", "5"],
    );
    assert_eq!(run.done(), "1 run again, 5 follow at the rate, 3 wait for another call\n");
    assert_eq!(fake.asked()[1].body, json!({"first": 1, "rate_per_minute": 5}));
}
