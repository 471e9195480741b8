use super::*;
use crate::pipeline::{RESULT, read};
use crate::run::stage::State;
use serde_json::json;

const REPORT: &str = r#"
input: {type: object, properties: {n: {type: integer}}}
stages:
  - {id: a, uses: command, with: {argv: [x]}, outputs: {log: {stdout: text}, bin: {file: a.bin}}}
  - {id: b, uses: wait, with: {for_ms: 1}}
  - id: c
    uses: command
    needs: [a, b]
    if: ${{ stages.b.state == "succeeded" && input.n > 1 }}
    with:
      argv: ["${{ stages.a.outputs.log }}", "${{ stages.b.state }}"]
      files:
        whole.log: ${{ stages.a.outputs.log }}
        a.bin: ${{ stages.a.outputs.bin }}
        note.txt: ${{ stages.a.outputs.result.note }} of ${{ run.id }}
        none: ${{ default(stages.a.outputs.result.none, null) }}
  - id: d
    uses: foreach
    needs: a
    with: {in: "${{ stages.a.outputs.result }}", as: one, do: {uses: command, with: {argv: ["${{ one }}", "${{ index }}"], files: {b: "${{ stages.a.outputs.bin }}"}}}}
"#;

// D21: what must be read for a stage is known beforehand: states too, and what is handed on apart from what is looked up.
#[test]
fn d21_what_a_stage_looks_up_is_known() {
    let read = read(REPORT).unwrap();
    let needed = read.stages[2].looks_up();
    assert_eq!(needed.roots, ["input", "run"]);
    assert_eq!(needed.states, ["b"]);
    assert_eq!(needed.outputs, [("a", "log"), ("a", RESULT)]);
    assert_eq!(needed.files, [("a", "bin"), ("a", "log")]);
    let needed = read.stages[3].looks_up();
    assert_eq!((needed.roots, needed.states.len()), (vec!["index", "one"], 0));
    assert_eq!((needed.outputs, needed.files), (vec![("a", RESULT)], vec![("a", "bin")]));
}

// D20: a command gets files: outputs as they are, whatever their size, and texts and documents that are written for it.
#[test]
fn d20_a_command_gets_files() {
    let read = read(REPORT).unwrap();
    let (input, run, log) = (json!({"n": 2}), json!({"id": "run_1"}), json!("text"));
    let result = json!({"note": "one", "none": null});
    let mut values = Values::default();
    values.root("input", &input);
    values.root("run", &run);
    values.state("b", State::Succeeded);
    values.output("a", "log", &log);
    values.output("a", RESULT, &result);
    // The binary is no value that anybody must have.
    let report = &read.stages[2];
    assert_eq!(report.condition.as_ref().unwrap().value(&values).unwrap(), true);
    let fields = report.work.render(&values).unwrap();
    assert_eq!(fields["argv"], json!(["text", "succeeded"]));
    assert_eq!(fields["files"], json!({"note.txt": "one of run_1"}), "null is left out");
    let handed: Vec<(&str, &str, &str)> =
        report.work.handed_on().iter().map(|file| (file.path, file.stage, file.output)).collect();
    assert_eq!(handed, [("a.bin", "a", "bin"), ("whole.log", "a", "log")]);
}

// D20: an item has the names of its stage, its own name and its number, and copies none of them.
#[test]
fn d20_an_item_has_the_names_of_its_stage() {
    let read = read(REPORT).unwrap();
    let crate::pipeline::Uses::Foreach(foreach) = &read.stages[3].work.uses else { panic!() };
    let values = Values::default();
    let item = json!("x");
    let names = ItemValues::new(&values, &foreach.name, &item, 7);
    assert_eq!(foreach.each.render(&names).unwrap()["argv"], json!(["x", "7"]));
    let path = crate::pipeline::expression::Expression::read("one").unwrap();
    let path = path.as_path().unwrap();
    assert!(matches!(names.begin(path), Beginning::At(value, 1) if std::ptr::eq(value, &item)));
}

// D20: what is too large to be looked up says how large it is and what to do; what is not there says that.
#[test]
fn d20_what_is_too_large_is_told_in_a_sentence() {
    let mut values = Values::default();
    values.too_large("pages", RESULT, 31 * 1024 * 1024 + 5);
    values.state("pages", State::Failed);
    let value = |source: &str| crate::pipeline::expression::Expression::read(source).unwrap().value(&values);
    let failure = value("default(stages.pages.outputs.result[0].status, 1)").unwrap_err();
    assert_eq!(
        failure.error,
        "stages.pages.outputs.result has 31 MiB, and expressions look up at most 1048576 bytes; hand it on whole, with \
         `files` of a command"
    );
    assert_eq!(value("stages.pages.state == 'failed'").unwrap(), true);
    for nowhere in ["stages.pages.outputs.other", "stages.else.state", "input.x", "feedback"] {
        let error = value(nowhere).unwrap_err().error;
        assert!(error.starts_with("there is no "), "{error}");
        assert_eq!(value(&format!("default({nowhere}, 3)")).unwrap(), 3);
    }
}
