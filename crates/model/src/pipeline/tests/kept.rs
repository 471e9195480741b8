//! Definitions that were kept by earlier programs. What stands here is never changed: it is what rows have.

use crate::pipeline::*;
use serde_json::json;

/// As of the first version of the language, with what later ones refuse to take: an http stage that may take seven days,
/// an escalation after the gate's time-out, a role without the right to decide; and with members of a later one.
const KEPT: &str = r##"{
  "input": {"type": "object", "properties": {"n": {"type": "integer"}}},
  "later": true,
  "stages": [
    {"id": "a", "uses": "http", "timeout_ms": 604800000, "with": {"url": "https://${{ input.host }}/", "expect": {"status": [200, 999]}},
     "retry": {"max_attempts": 3, "backoff": {"kind": "fixed", "base_ms": 10, "max_ms": 10, "jitter": "none"}}},
    {"id": "b", "uses": "command", "needs": ["a"], "if": "${{ stages.a.outputs.gone == 1 }}", "later": 1,
     "with": {"argv": ["tee", "x"], "env": {"A": "1", "B": null}, "later": [1]},
     "outputs": {"x": {"file": "x", "media_type": "text/plain"}, "y": {"stdout": "json", "schema": {"$ref": "#/no"}}}},
    {"id": "c", "uses": "gate", "needs": ["b"],
     "with": {"subject": "${{ stages.b.outputs.y }}", "who": ["role:viewer"], "timeout_ms": 1000, "on_timeout": "approve",
              "remind_after_ms": [100, 200000], "escalate": {"after_ms": 5000, "who": ["group:g"]}, "on_reject": {"to_stage": "b", "max_rounds": 99}}},
    {"id": "d", "uses": "foreach", "needs": ["c"],
     "with": {"in": [1, 2], "as": "n", "concurrency": 5000, "do": {"uses": "wait", "with": {"for_ms": 99999999999999}}}}
  ]
}"##;

// D20, O17: a run goes on by the definition that it began with, whatever a later program thinks of it.
#[test]
fn d20_what_was_judged_once_is_not_judged_again() {
    let kept: Value = serde_json::from_str(KEPT).unwrap();
    assert!(read_value(&kept).unwrap_err().len() > 9, "nobody could publish it today");
    let read = read_kept(&kept).unwrap();
    let [a, b, c, d] = read.stages.as_slice() else { panic!() };
    assert_eq!((a.work.time_out_ms(), a.work.retry.max_attempts), (Some(604_800_000), 3));
    assert!(matches!(&a.work.uses, Uses::Http(expect) if expect.takes(999)));
    assert_eq!(b.condition.as_ref().unwrap().source(), "stages.a.outputs.gone == 1");
    assert_eq!(b.work.outputs.len(), 2);
    assert_eq!(b.work.with.source()["env"], json!({"A": "1", "B": null}));
    let Uses::Gate(gate) = &c.work.uses else { panic!() };
    assert_eq!(gate.subject, Subject::Output { stage: 1, output: "y".into() });
    assert_eq!(gate.on_reject, OnReject::Back { stage: 1, rounds: 99 });
    assert_eq!(gate.remind_after_ms, [100, 200_000]);
    assert_eq!(gate.escalate.as_ref().map(|escalation| escalation.after_ms), Some(5_000));
    let Uses::Foreach(foreach) = &d.work.uses else { panic!() };
    assert_eq!((foreach.name.as_str(), foreach.concurrency), ("n", 5_000));
    assert_eq!(
        foreach.each.render(&json!({})).unwrap_err().field,
        "/for_ms",
        "fields are of their forms all the same"
    );
    assert_eq!(read.order, [0, 1, 2, 3]);
    let again = read_kept(&read.to_value()).unwrap();
    assert_eq!(again, read);
}

// D20: what cannot be understood is told; nothing is made of a guess.
#[test]
fn d20_what_cannot_be_understood_is_told() {
    for bad in [
        json!({}),
        json!({"stages": [{"id": "a", "uses": "other", "with": {}}]}),
        json!({"stages": [{"id": "a", "uses": "command", "needs": ["b"], "with": {"argv": ["x"]}}]}),
        json!({"stages": [{"id": "a", "uses": "command", "with": {"argv": ["${{ a ~ b }}"]}}]}),
        json!({"stages": [{"id": "a", "uses": "command", "with": {"argv": ["x"]}, "timeout_ms": "soon"}]}),
        json!({"stages": [{"id": "a", "uses": "gate", "with": {"subject": "x", "who": ["nobody"]}}]}),
        json!({"stages": [{"id": "a", "uses": "wait", "with": {"event": {"type": "no.type"}}}]}),
    ] {
        assert!(read_kept(&bad).is_err(), "{bad}");
    }
}
