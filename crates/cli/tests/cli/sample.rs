//! Views as a server would send them.

use serde_json::{Value, json};

pub(crate) const TASK: &str = "task_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const CHANGE: &str = "chg_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const GATE: &str = "gate_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const RUN: &str = "run_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const ARTIFACT: &str = "art_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const LETTER: &str = "dlq_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const TOKEN: &str = "tok_01h2xcejqtf2nbrexx3vqjhp41";
pub(crate) const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const AT: &str = "2026-11-20T07:14:00.123Z";

pub(crate) fn task(state: &str) -> Value {
    json!({
        "id": TASK, "scope": "default", "queue": "builds", "kind": "command", "title": "make \u{1b}[31mrelease",
        "payload": {"argv": ["make"]}, "priority": 5, "category": null, "labels": ["nightly"], "capabilities": [],
        "depends_on": [], "run_at": null, "deadline": null, "timeout_ms": 3_600_000, "max_attempts": 3,
        "backoff": {"kind": "exponential", "base_ms": 1000, "max_ms": 300_000, "jitter": "full"},
        "unique_key": null, "unique_for_ms": null, "concurrency_key": null, "concurrency_limit": null,
        "rate_key": null, "rate_per_minute": null, "assign_to": null, "on_dependency_failure": "cancel",
        "state": state, "generation": 2, "attempts": 2, "agent": "builder", "created_at": AT, "ready_at": AT,
        "started_at": AT, "ended_at": null, "result": null, "error": "exit 2\r\nboom \u{202e}evil",
    })
}

pub(crate) fn attempts() -> Value {
    page(&[json!({
        "generation": 1, "agent": "builder", "started_at": AT, "ended_at": AT, "outcome": "failed",
        "error": "exit 2\nmore", "result": null, "log": "/x", "stop": null,
    })])
}

pub(crate) fn page(items: &[Value]) -> Value {
    json!({"items": items, "next_cursor": null, "total": items.len()})
}

pub(crate) fn change(state: &str) -> Value {
    json!({
        "id": CHANGE, "scope": "default", "task": TASK, "repository": "demo", "title": "Fix the README", "state": state,
        "branch": "main", "agent": "builder", "submitted_by": "ada", "generation": 1, "base": "b".repeat(40),
        "head": "a".repeat(40), "tree": "c".repeat(40), "subject_sha256": DIGEST, "tier": 2,
        "reasons": [{"tier": 2, "rule": "protected", "file": "src/a.rs", "text": "is protected"}],
        "files": [{"path": "src/a.rs", "status": "modified", "added": 3, "deleted": 1, "binary": false}],
        "checks": [{"name": "tests", "status": "passed", "exit": 0, "duration_ms": 1200, "log_tail": "ok", "tree": "c".repeat(40)}],
        "gate": GATE, "merge": null, "conflicts": [], "reason": null,
        "comments": [{"path": "src/a.rs", "line": 3, "text": "rename"}, {"text": "shorter"}],
        "fixes": 0, "created_at": AT, "updated_at": AT,
    })
}

pub(crate) fn gate(state: &str) -> Value {
    json!({
        "id": GATE, "scope": "default", "state": state, "subject": {"kind": "change", "id": CHANGE, "title": "Fix the README"},
        "subject_sha256": DIGEST, "who": "2 of role:operator", "no_self_approval": false, "quorum": null,
        "submitted_by": "ada", "reasons": ["src/a.rs is protected"], "blocked": null, "votes": [], "opened_at": AT,
        "expires_at": null, "decided_at": null,
    })
}

/// A gate of a run that asks about a document.
pub(crate) fn gate_of_run(state: &str) -> Value {
    let mut gate = gate(state);
    gate["subject"] = json!({"kind": "artifact", "id": ARTIFACT, "title": "approve the plan?"});
    gate["run"] = json!(RUN);
    gate["stage"] = json!("approve_plan");
    gate["attempt"] = json!(2);
    gate["artifact"] =
        json!({"id": ARTIFACT, "media_type": "application/json", "size": 24, "name": "plan.json"});
    gate["missing"] = json!(["2 of role:operator"]);
    gate
}

pub(crate) fn decided(gate_state: &str) -> Value {
    json!({"change": change("review"), "gate": gate(gate_state), "replayed": false})
}

pub(crate) fn letter(status: &str) -> Value {
    json!({
        "id": LETTER, "scope": "default", "task": TASK, "status": status, "title": "make release", "queue": "builds",
        "kind": "command", "category": null, "error": "exit 2\nboom", "agent": "builder", "failed_at": AT, "attempts": 3,
        "retries": 0, "fingerprint": "f00d", "reason": null, "payload": {"argv": ["make"]}, "metadata": {},
    })
}

pub(crate) fn repository() -> Value {
    json!({
        "scope": "default", "name": "demo", "url": null, "path": "/srv/demo", "branch": "main", "agent": "builder",
        "settings": {"merge": "squash"}, "state": "ready", "head": "a".repeat(40), "error": null, "created_at": AT,
        "probed_at": AT,
    })
}

pub(crate) fn pipeline() -> Value {
    json!({
        "scope": "default", "name": "notes", "number": 3, "sha256": DIGEST, "stages": 2, "published_at": AT,
        "published_by": "ada", "input": {"type": "object"}, "definition": "stages:\n  - {id: a\u{202e}}\n",
    })
}

/// A run with its stages, as one that is asked for alone.
pub(crate) fn run(state: &str) -> Value {
    let mut run = listed_run(state);
    run["input"] = json!({"tag": "v1"});
    run["stages"] = json!([
        {"id": "notes", "uses": "command", "state": "succeeded", "attempt": 1, "why": null, "task": TASK, "began_at": AT,
         "ended_at": AT, "error": null, "outputs": [{"name": "draft", "kind": "file", "artifact": null, "size": 3, "media_type": "text/plain"}]},
        {"id": "review", "uses": "gate", "state": "waiting", "attempt": 1, "why": null, "gate": GATE, "began_at": AT,
         "ended_at": null, "error": null, "next": format!("tiltyard approve {GATE}")},
        {"id": "each", "uses": "foreach", "state": "failed", "attempt": 2, "why": "2 of its items failed", "began_at": AT,
         "ended_at": AT, "error": "page \u{202e} broke", "items": {"total": 9, "open": 0, "succeeded": 5, "failed": 2}},
    ]);
    run["next"] = json!(format!("tiltyard approve {GATE}"));
    run
}

pub(crate) fn listed_run(state: &str) -> Value {
    json!({
        "id": RUN, "scope": "default", "title": "Notes of v1", "pipeline": "notes", "number": 3, "sha256": DIGEST,
        "state": state, "progress": {"stages": 3, "ended": 2, "items": 9, "items_ended": 7, "items_failed": 2},
        "waits_for": [GATE], "error": null, "parent": null, "schedule": null, "started_by": "ada", "created_at": AT,
        "begun_at": AT, "ended_at": null, "reruns": 1,
    })
}

pub(crate) fn queue(name: &str, paused: bool) -> Value {
    json!({
        "scope": "default", "name": name, "paused": paused, "draining": false, "concurrency_limit": 4,
        "rate_per_minute": null, "assignment": "fair", "dead_letters": true, "next_ready_ms": 200_000,
        "counts": {"pending": 1, "scheduled": 2, "ready": 3, "running": 4, "waiting": 5, "succeeded": 6, "dead": 7, "cancelled": 8},
    })
}

pub(crate) fn schedule(paused: bool) -> Value {
    json!({
        "scope": "default", "name": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "every_ms": null, "from": null,
        "pipeline": null, "input": null, "task": {"kind": "note", "title": "Look", "payload": {"a": [1]}}, "missed": "run_once",
        "overlap": "skip", "paused": paused, "revision": 3, "next": if paused { json!([]) } else { json!([AT]) },
        "last": {"slot": AT, "became": "started", "task": TASK, "run": null, "error": null}, "saved_by": "ada", "updated_at": AT,
    })
}

pub(crate) fn token() -> Value {
    json!({
        "id": TOKEN, "label": "laptop", "owner": "ada", "groups": [], "role": "operator", "scopes": ["default"],
        "queues": null, "agent": null, "created": AT, "expires": null, "last_used": AT, "revoked": null,
    })
}

pub(crate) fn event(seq: u32) -> Value {
    json!({
        "specversion": "1.0", "id": format!("1-{seq}"), "source": "s", "type": "tiltyard.task.ready", "subject": TASK,
        "time": AT, "datacontenttype": "application/json", "data": {"title": "a\u{202e}b"}, "scope": "default",
        "actor": "ada", "sequence": seq.to_string(), "seq": seq, "scope_seq": seq,
    })
}

pub(crate) fn audit_entry() -> Value {
    json!({
        "seq": 1, "time": AT, "scope": "default", "actor": "ada", "action": "gate.approved", "target": GATE,
        "result": "ok", "severity": "info", "client": "127.0.0.1", "request_id": "r-1", "detail": {},
        "prev_hash": "0".repeat(64), "hash": "1".repeat(64),
    })
}
