use crate::pipeline::*;
use proptest::prelude::*;
use serde_json::json;

fn told(text: &str) -> Vec<String> {
    let mistakes = read(text).err().unwrap_or_default();
    mistakes
        .into_iter()
        .map(|mistake| format!("{}:{} {} {}", mistake.line, mistake.column, mistake.field, mistake.error))
        .collect()
}

fn definition(text: &str) -> Definition {
    assert_eq!(told(text), Vec::<String>::new());
    read(text).unwrap()
}

const RELEASE_NOTES: &str = include_str!("../../../../../pipelines/release-notes.yaml");
const IDEA_TO_MERGE: &str = include_str!("../../../../../pipelines/idea-to-merge.yaml");
const NIGHTLY_CHECKS: &str = include_str!("../../../../../pipelines/nightly-checks.yaml");

// D20: the examples are definitions; and what is kept of one is read again as the same.
#[test]
fn d20_the_examples_are_read_and_their_canonical_form_is_too() {
    for text in [RELEASE_NOTES, IDEA_TO_MERGE, NIGHTLY_CHECKS] {
        let first = definition(text);
        let kept = first.to_value();
        let again = read_kept(&kept).unwrap();
        assert_eq!(read_value(&kept).unwrap(), again);
        assert_eq!(again, first);
        assert_eq!(again.to_value(), kept);
        assert_eq!(definition(&kept.to_string()), first);
        assert_eq!(definition(&serde_json::to_string_pretty(&kept).unwrap()), first);
    }
}

// D20, D23: the fields mean what they say.
#[test]
fn d20_release_notes_mean_what_they_say() {
    let read = definition(RELEASE_NOTES);
    assert_eq!(read.order, [0, 1, 2]);
    let [draft, review, write] = read.stages.as_slice() else { panic!() };
    assert_eq!((draft.work.retry.max_attempts, draft.work.timeout_ms), (1, Some(60_000)));
    assert_eq!(draft.work.outputs[0].from, From::StdoutJson);
    let Uses::Gate(gate) = &review.work.uses else { panic!() };
    assert_eq!(gate.subject, Subject::Output { stage: 0, output: "notes".into() });
    assert_eq!(gate.on_reject, OnReject::Back { stage: 0, rounds: 5 });
    assert_eq!(
        (gate.quorum.to_string().as_str(), gate.remind_after_ms.as_slice()),
        ("1 of role:operator", &[3_600_000][..])
    );
    assert_eq!(write.looks_up().outputs, [("review", "subject")]);
    assert_eq!(write.needs, [1]);
}

// D21: expressions have values when their stage begins.
#[test]
fn d21_what_a_stage_does_is_rendered_with_the_names_of_its_run() {
    let read = definition(RELEASE_NOTES);
    let names = json!({"input": {"tag": "v1", "repository": "", "since": ""}, "feedback": null});
    let with = read.stages[0].work.render(&names).unwrap();
    assert_eq!(with["env"], json!({"TAG": "v1", "REPOSITORY": "", "SINCE": "", "REASON": ""}));
    assert_eq!(with["stdin"], json!(null));
    let subject = json!({"title": "Release v1", "changes": ["a", "b"]});
    let names = json!({"stages": {"review": {"state": "succeeded", "outputs": {"subject": subject}}}});
    let with = read.stages[2].work.render(&names).unwrap();
    assert_eq!(with["env"], json!({"TITLE": "Release v1", "CHANGES": "a\n- b"}));
    let skipped = json!({"stages": {"review": {"state": "skipped", "outputs": {"subject": null}}}});
    let failure = read.stages[2].work.render(&skipped).unwrap_err();
    assert_eq!(failure.field, "/env/CHANGES");
    assert!(failure.error.contains("stages.review.outputs.subject is null here"), "{failure}");
}

#[test]
fn d20_items_have_the_fields_of_what_is_done_for_each() {
    let read = definition(IDEA_TO_MERGE);
    let Uses::Foreach(foreach) = &read.stages[2].work.uses else { panic!() };
    assert_eq!((foreach.name.as_str(), foreach.concurrency), ("part", 3));
    let names = json!({"input": {"repository": "app"}, "part": {"title": "t", "prompt": "p"}, "index": 0});
    let with = foreach.each.render(&names).unwrap();
    assert_eq!((&with["repository"], &with["title"]), (&json!("app"), &json!("t")));
    let report = &read.stages[3];
    assert_eq!(report.judges, [2], "it looks at the state of `build`, and decides itself");
    let names = json!({"stages": {"build": {"state": "failed"}}});
    assert_eq!(report.condition.as_ref().unwrap().value(&names).unwrap(), true);
    let read = definition(NIGHTLY_CHECKS);
    let with = read.stages[1].work.render(&json!({"input": {"pause_ms": 5}})).unwrap();
    assert_eq!(with["for_ms"], 5);
    let failure = read.stages[1].work.render(&json!({"input": {"pause_ms": "5"}})).unwrap_err();
    assert_eq!((failure.field.as_str(), failure.expression.as_str()), ("/for_ms", "input.pause_ms"));
}

const EVERY_WORD: &str = r#"
input: {type: object, properties: {n: {type: integer}, on: {type: boolean}, list: {type: array}}}
stages:
  - id: a
    uses: command
    with: {argv: [sleep, 5], env: {VERSION: 1.10, LEVEL: no, GONE: null}, cwd: sub, stdin: {x: 1}, files: {in/a.txt: "${{ input.n }}", b: {c: 1}}, capabilities: [git]}
    outputs:
      f: {file: out/a.bin, media_type: application/octet-stream}
      j: {json: j.json, schema: {type: object, properties: {n: {type: number}}}}
      t: {stdout: text}
      result: {schema: {type: integer}}
  - {id: b, uses: agent, needs: [a], with: {kind: plan, title: T, queue: q, payload: {no: no, on: on}, priority: 10, labels: [x]}}
  - {id: c, uses: change, with: {repository: r, title: t, prompt: p, program: [claude, -p], criteria: [c]}, retry: {max_attempts: 5}}
  - {id: d, uses: http, with: {method: POST, url: "https://h/${{ input.n }}", headers: {a: b}, body: [1], expect: {status: 201, schema: true}}}
  - id: e
    uses: gate
    needs: a
    with:
      subject: May ${{ stages.a.outputs.j.n }} be?
      quorum: 2 of role:operator and 1 of group:security
      no_self_approval: true
      timeout_ms: 1000
      on_timeout: reject
      on_reject: fail
      remind_after_ms: [500, 100]
      escalate: {after_ms: 900, who: [identity:alice]}
  - {id: f, uses: wait, with: {for_ms: 1}}
  - {id: g, uses: wait, with: {event: {type: task.succeeded, subject: "${{ run.id }}"}}, timeout_ms: 5}
  - {id: h, uses: pipeline, with: {name: other, input: {n: "${{ input.n }}"}}}
  - {id: i, uses: foreach, needs: [a, e], if: "${{ input.on && stages.e.outputs.subject != '' }}", with: {in: [1, 2], do: {uses: command, with: {argv: "${{ input.list }}"}}}}
  - {id: j, uses: command, needs: i, with: {argv: [echo, "${{ stages.i.outputs.result[0] }} ${{ stages.a.outputs.f.sha256 }} ${{ stages.a.outputs.t }}"]}}
"#;

// D20: every sort of work, every field.
#[test]
fn d20_every_word_of_the_language() {
    let read = definition(EVERY_WORD);
    let with = read.stages[0].work.with.source();
    assert_eq!(with["argv"], json!(["sleep", "5"]));
    assert_eq!(with["env"], json!({"VERSION": "1.10", "LEVEL": "no", "GONE": null}));
    assert_eq!(read.stages[1].work.with.source()["payload"], json!({"no": "no", "on": "on"}));
    let Uses::Gate(gate) = &read.stages[4].work.uses else { panic!() };
    assert_eq!(gate.subject, Subject::Question);
    assert_eq!(gate.quorum.to_string(), "2 of role:operator and 1 of group:security");
    assert_eq!((gate.remind_after_ms.as_slice(), gate.on_timeout), (&[100, 500][..], OnTimeout::Reject));
    let kept = read.to_value();
    assert_eq!(read_kept(&kept).unwrap(), read);
}

// D20: the served schema takes what is read, as it is written and in its canonical form, and refuses plain mistakes.
#[test]
fn d20_the_served_schema_takes_what_is_read() {
    let schema = jsonschema::draft202012::new(&schema()).unwrap();
    let told = |value: &Value| schema.iter_errors(value).map(|error| error.to_string()).collect::<Vec<_>>();
    for text in [RELEASE_NOTES, IDEA_TO_MERGE, NIGHTLY_CHECKS, EVERY_WORD] {
        assert_eq!(told(&definition(text).to_value()), Vec::<String>::new());
    }
    for bad in [
        json!({"stages": []}),
        json!({"stages": [{"id": "a", "uses": "comand", "with": {"argv": ["x"]}}]}),
        json!({"stages": [{"id": "a", "uses": "command", "with": {"argv": []}}]}),
        json!({"stages": [{"id": "a", "uses": "wait", "with": {"for_ms": 0}}]}),
        json!({"stages": [{"id": "a", "uses": "gate", "with": {"subject": "x", "who": ["bob"]}}]}),
        json!({"stages": [{"id": "a", "uses": "wait", "with": {"for_ms": 1}, "retry": {"max_attempts": 2}}]}),
    ] {
        assert_ne!(told(&bad), Vec::<String>::new(), "{bad}");
        assert!(read_value(&bad).is_err(), "{bad}");
    }
}

// D23: what a patch must meet is what the gate asked about had to meet.
#[test]
fn d23_what_a_gate_approved_is_of_the_kind_it_asked_about() {
    let read = definition(RELEASE_NOTES);
    assert_eq!(read.output_schema(1, SUBJECT), read.output_schema(0, "notes"));
    assert!(read.output_schema(1, SUBJECT).is_some() && read.output_schema(1, RESULT).is_none());
    assert_eq!(read.output_kind(1, SUBJECT), Some(OutputKind::Document));
    assert_eq!(read.output_kind(2, "release"), Some(OutputKind::File));
    assert_eq!(
        (read.output_kind(2, "none"), read.output_kind(2, SUBJECT), read.output_kind(9, RESULT)),
        (None, None, None)
    );
    let question = definition("stages:\n- {id: a, uses: gate, with: {subject: Go?}}\n");
    assert_eq!(question.output_kind(0, SUBJECT), Some(OutputKind::Text));
}

/// A definition of `count` stages in a chain, each of which looks up the one before.
fn chain(count: usize) -> String {
    let mut text = "stages:\n".to_owned();
    for number in 0..count {
        text.push_str(&format!("- id: s{number}\n  uses: command\n"));
        match number {
            0 => text.push_str("  with: {argv: [a]}\n"),
            _ => text.push_str(&format!(
                "  needs: s{0}\n  with: {{argv: [\"${{{{ stages.s{0}.state }}}}\"]}}\n",
                number - 1
            )),
        }
    }
    text
}

#[test]
fn a_thousand_stages_are_read_and_one_more_is_not() {
    let begin = std::time::Instant::now();
    assert_eq!(definition(&chain(MAX_STAGES)).order.len(), MAX_STAGES);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    assert_eq!(
        told(&chain(MAX_STAGES + 1)),
        ["2:3 /stages a definition has 1 to 1000 stages, this one has 1001"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // D20: whatever the needs are, either everything has an order that keeps them, or a circle is named.
    #[test]
    fn needs_are_kept_or_a_circle_is_named(edges in proptest::collection::vec((0_usize..8, 0_usize..8), 0..14)) {
        let mut text = "stages:\n".to_owned();
        let mut needs = vec![std::collections::BTreeSet::new(); 8];
        edges.into_iter().filter(|(from, to)| from != to).for_each(|(from, to)| { needs[from].insert(to); });
        for (stage, needs) in needs.iter().enumerate() {
            let list: Vec<String> = needs.iter().map(|need| format!("s{need}")).collect();
            text.push_str(&format!("- {{id: s{stage}, uses: wait, needs: [{}], with: {{for_ms: 1}}}}\n", list.join(", ")));
        }
        match read(&text) {
            Ok(read) => {
                let place = |stage: usize| read.order.iter().position(|one| *one == stage).unwrap();
                for (stage, needs) in needs.iter().enumerate() {
                    prop_assert!(needs.iter().all(|need| place(*need) < place(stage)));
                }
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    let circle = mistake.error.strip_prefix("the needs go in a circle: ").unwrap().to_owned();
                    let ids: Vec<usize> = circle.split(" → ").map(|id| id[1..].parse().unwrap()).collect();
                    prop_assert!(ids.len() > 2 && ids.first() == ids.last());
                    prop_assert!(ids.windows(2).all(|pair| needs[pair[0]].contains(&pair[1])), "{circle}");
                }
            }
        }
    }
}
