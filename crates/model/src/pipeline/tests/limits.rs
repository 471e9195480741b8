use crate::pipeline::timeout::{DEFAULT_HTTP_TIMEOUT_MS, MAX_HTTP_TIMEOUT_MS};
use crate::pipeline::*;
use crate::task::{DEFAULT_TIMEOUT_MS, admission};
use serde_json::json;

fn told(text: &str) -> Vec<String> {
    let mistakes = read(text).err().unwrap_or_default();
    mistakes.into_iter().map(|mistake| format!("{} {}", mistake.field, mistake.error)).collect()
}

/// A stage that uses this, with what stands beside its `with`.
fn stage(uses: &str, beside: &str) -> String {
    let with = match uses {
        "command" => "{argv: [x]}",
        "agent" => "{kind: k}",
        "change" => "{repository: r, title: t}",
        "http" => "{url: 'https://h'}",
        "gate" => "{subject: Go?}",
        "wait" => "{for_ms: 1}",
        "pipeline" => "{name: p}",
        _ => "{in: [1], do: {uses: wait, with: {for_ms: 1}}}",
    };
    format!("stages:\n- {{id: a, uses: {uses}, with: {with}{beside}}}\n")
}

// D20: whatever waits for others takes as long as it takes; what works has the time of its sort, and no stage says more than
// that allows.
#[test]
fn d20_how_long_a_stage_may_take() {
    let task = (Some(DEFAULT_TIMEOUT_MS), admission::MAX_TIMEOUT_MS);
    for (uses, (default, most)) in [
        ("command", task),
        ("agent", task),
        ("change", task),
        ("http", (Some(DEFAULT_HTTP_TIMEOUT_MS), MAX_HTTP_TIMEOUT_MS)),
        ("wait", (None, MAX_WAIT_MS)),
        ("pipeline", (None, MAX_WAIT_MS)),
        ("foreach", (None, MAX_WAIT_MS)),
    ] {
        let work = |beside: &str| read(&stage(uses, beside)).unwrap().stages.remove(0).work;
        assert_eq!(work("").time_out_ms(), default, "{uses}");
        assert_eq!(work(&format!(", timeout_ms: {most}")).time_out_ms(), Some(most), "{uses}");
        let more = format!(", timeout_ms: {}", most + 1);
        assert_eq!(
            told(&stage(uses, &more)),
            [format!("/stages/0/timeout_ms must be a whole number from 1 to {most}")]
        );
    }
    assert_eq!(read(&stage("gate", "")).unwrap().stages[0].work.time_out_ms(), None);
}

fn rendered(with: &str, input: &Value) -> Result<Map<String, Value>, Unrendered> {
    let text = format!("input: true\nstages:\n- {{id: a, uses: {with}}}\n");
    assert_eq!(told(&text), Vec::<String>::new());
    read(&text).unwrap().stages[0].work.render(&json!({"input": input}))
}

// E1: what goes with a task fits into it, and the field that does not is named before anything is submitted.
#[test]
fn e1_fields_that_do_not_fit_into_a_task_are_named() {
    let long = |bytes: usize| json!("x".repeat(bytes));
    let agent = "agent, with: {kind: k, title: t, payload: \"${{ input }}\"}";
    assert!(rendered(agent, &long(MAX_FIELDS_BYTES - 100)).is_ok());
    let failure = rendered(agent, &long(MAX_FIELDS_BYTES)).unwrap_err();
    assert_eq!((failure.field.as_str(), failure.expression.as_str()), ("/payload", "input"));
    assert!(failure.error.contains("at most 204800 go with a task"), "{failure}");

    let stdin = "command, with: {argv: [x], stdin: \"${{ input }}\"}";
    assert!(rendered(stdin, &long(MAX_DOCUMENT_BYTES - 100)).is_ok(), "standard input goes beside the task");
    let files = "command, with: {argv: [x], files: {a: \"${{ input }}\"}}";
    assert!(rendered(files, &long(MAX_DOCUMENT_BYTES - 100)).is_ok(), "and so do files");

    let argv = "command, with: {argv: [x, \"${{ input }}\"]}";
    let failure = rendered(argv, &long(MAX_ARGUMENT_BYTES + 1)).unwrap_err();
    assert_eq!(failure.field, "/argv/1");
    assert!(failure.error.contains("at most 131071 in one argument"), "{failure}");
    assert!(rendered(argv, &long(MAX_ARGUMENT_BYTES)).is_ok());
    let env = "command, with: {argv: [x], env: {NAME: \"${{ input }}\"}}";
    assert_eq!(rendered(env, &long(MAX_ARGUMENT_BYTES - 4)).unwrap_err().field, "/env/NAME");
    let both = "command, with: {argv: [\"${{ input }}\", \"${{ input }}\"], env: {A: \"${{ input }}\"}}";
    assert_eq!(rendered(both, &long(MAX_ARGUMENT_BYTES / 2 + 10_000)).unwrap_err().field, "/argv");

    let child = "pipeline, with: {name: p, input: \"${{ input }}\"}";
    assert_eq!(rendered(child, &long(MAX_INPUT_BYTES)).unwrap_err().field, "/input");
    assert!(rendered(child, &long(MAX_INPUT_BYTES - 2)).is_ok());
}

// D28: a wait's subject that becomes no text fails the stage; an event about nothing never comes.
#[test]
fn d28_the_subject_of_a_wait_becomes_a_text() {
    let wait = "wait, with: {event: {type: task.succeeded, subject: \"${{ input }}\"}}";
    assert!(rendered(wait, &json!("task_1")).is_ok());
    for (value, kind) in [(json!(null), "null"), (json!(3), "a number"), (json!(""), "a text")] {
        let failure = rendered(wait, &value).unwrap_err();
        assert_eq!(failure.field, "/event/subject");
        assert!(failure.error.ends_with(&format!("and is {kind}")), "{failure}");
    }
}

// D20, SEC16: files lie in the command's own folder, at paths that are fixed.
#[test]
fn sec16_files_of_a_command_lie_in_its_folder() {
    let files = |files: &str| {
        told(&format!("stages:\n- {{id: a, uses: command, with: {{argv: [x], files: {files}}}}}\n"))
    };
    assert_eq!(files("{a/b: text, c: {d: [1]}}"), Vec::<String>::new());
    let inside = "must be a path inside of the stage's own folder, of at most 1024 bytes: notes/draft.md";
    assert_eq!(files("{../a: x}"), [format!("/stages/0/with/files/..~1a {inside}")]);
    assert_eq!(
        files("{a: x, a/b: y}"),
        ["/stages/0/with/files/a is a file here, and the folder of another one"]
    );
    let rule = "/stages/0/with/files must be an object of files by their paths, none of them an expression";
    assert_eq!(files("[a]"), [rule]);
    assert_eq!(files("\"${{ run }}\""), [rule]);
    let many: Vec<String> = (0..=MAX_FILES).map(|number| format!("f{number}: x")).collect();
    assert_eq!(
        files(&format!("{{{}}}", many.join(", "))),
        ["/stages/0/with/files a command gets at most 32 files"]
    );
    assert_eq!(
        files("{a: \"${{ stages.b.outputs.c }}\"}"),
        ["/stages/0/with/files/a there is no stage `b`; there is a"]
    );
}
