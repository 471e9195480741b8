//! Stages that need each other: chains, joins, conditions, failures.

use crate::rig::Rig;
use serde_json::{Value, json};
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State::{Failed, Pending, Ready, Skipped, Succeeded};

const DIAMOND: &str = "\
stages:
  - {id: a, uses: command, with: {argv: [a]}}
  - {id: b, uses: command, needs: a, with: {argv: [b, \"${{ stages.a.outputs.result.n }}\"]}}
  - {id: c, uses: command, needs: a, if: \"${{ stages.a.outputs.result.n > 1 }}\", with: {argv: [c]}}
  - id: d
    uses: agent
    needs: [b, c]
    with:
      kind: report
      title: the end
      payload: {b: \"${{ stages.b.outputs.result }}\", c: \"${{ stages.c.outputs.result }}\", how: \"${{ stages.c.state }}\"}
";

async fn payload_of(rig: &Rig, title: &str) -> Value {
    let claimed = rig.claim().await.expect("is ready");
    assert_eq!(claimed.found.task.spec.title, title);
    let text = claimed.found.task.spec.payload.clone();
    let done = crate::rig::report(
        &claimed,
        tiltyard_model::task::attempt::Outcome::Succeeded,
        Some(json!({"done": true}).to_string()),
        None,
    );
    rig.report(done).await.expect("is taken");
    serde_json::from_str(&text).expect("is JSON")
}

// D20, D22: a stage begins when all that it needs has ended; results are looked up; a false condition is a skip, and
// whoever needs a skipped stage runs.
#[tokio::test]
async fn d20_a_join_waits_for_all_and_looks_up_results() {
    let rig = Rig::new().await;
    let run = rig.start(DIAMOND, json!({})).await;
    rig.begin().await;
    assert_eq!(rig.stages(run).await, [Ready, Pending, Pending, Pending]);
    assert_eq!(rig.succeeds(json!({"n": 1})).await, "pipeline · a");
    assert_eq!(rig.begin().await, 2);
    assert_eq!(rig.stages(run).await, [Succeeded, Ready, Skipped, Pending]);
    assert_eq!(payload_of(&rig, "pipeline · b").await, json!({"argv": ["b", "1"]}));
    rig.begin().await;
    let payload = payload_of(&rig, "the end").await;
    assert_eq!(payload, json!({"b": {"done": true}, "c": null, "how": "skipped"}));
    assert_eq!(
        (rig.state(run).await, rig.stages(run).await),
        (State::Succeeded, vec![Succeeded, Succeeded, Skipped, Succeeded])
    );
    let story = rig.story(run).await;
    assert!(story.contains(&"stage.skipped c".to_owned()), "{story:?}");
}

// D22: what needs a stage that failed is skipped, with the error that began it; the run fails with that.
#[tokio::test]
async fn d22_a_failure_skips_what_needs_it_and_is_told() {
    let rig = Rig::new().await;
    let run = rig.start(DIAMOND, json!({})).await;
    rig.begin().await;
    rig.fails("the disk is gone\nsecond line").await;
    assert_eq!(
        (rig.state(run).await, rig.stages(run).await),
        (State::Failed, vec![Failed, Skipped, Skipped, Skipped])
    );
    let whole = rig.whole(run).await;
    assert_eq!(whole.found.standing.error.as_deref(), Some("a: the disk is gone"));
    assert_eq!(whole.ended[0].error.as_deref(), Some("the disk is gone\nsecond line"));
    let story = rig.story(run).await;
    let end = ["stage.failed a", "stage.skipped b", "stage.skipped c", "stage.skipped d", "run.failed a"];
    assert_eq!(story[story.len() - 5..], end);
}

// D21: a field that cannot be filled in fails its stage with a sentence that names it, and is not tried again.
#[tokio::test]
async fn d21_a_field_that_cannot_be_filled_fails_its_stage() {
    let rig = Rig::new().await;
    let run = rig.start(DIAMOND, json!({})).await;
    rig.begin().await;
    rig.succeeds(json!({"other": 1})).await;
    rig.begin().await;
    let whole = rig.whole(run).await;
    assert_eq!(whole.found.standing.state, State::Failed);
    let errors: Vec<&str> = whole.ended.iter().filter_map(|ended| ended.error.as_deref()).collect();
    assert!(errors.iter().any(|error| error.contains("if:")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("argv")), "{errors:?}");
}

// D22: a stage whose condition looks at a failure runs because of it; the run has failed all the same.
#[tokio::test]
async fn d22_a_stage_that_judges_a_failure_runs() {
    let text = "\
stages:
  - {id: a, uses: command, with: {argv: [a]}}
  - {id: b, uses: command, needs: a, if: \"${{ stages.a.state == 'failed' }}\", with: {argv: [b]}}
";
    let rig = Rig::new().await;
    let run = rig.start(text, json!({})).await;
    rig.begin().await;
    rig.fails("no").await;
    assert_eq!(rig.state(run).await, State::Running);
    rig.begin().await;
    rig.succeeds(json!(null)).await;
    assert_eq!((rig.state(run).await, rig.stages(run).await), (State::Failed, vec![Failed, Succeeded]));
}

// D20: one pipeline runs another; what that came to is its result, and its failure the stage's.
#[tokio::test]
async fn d20_a_pipeline_runs_another() {
    let rig = Rig::new().await;
    let inner = "\
input: {type: object, required: [n], properties: {n: {type: integer}}}
stages:
  - {id: x, uses: command, with: {argv: [x, \"${{ input.n }}\"]}}
";
    rig.publish("inner", inner).await;
    let outer = "\
stages:
  - {id: call, uses: pipeline, with: {name: inner, input: {n: 7}}}
  - {id: after, uses: command, needs: call, with: {argv: [y, \"${{ stages.call.outputs.result.x.ok }}\"]}}
";
    let run = rig.start(outer, json!({})).await;
    rig.begin().await;
    rig.begin().await;
    assert_eq!(rig.succeeds(json!({"ok": "yes"})).await, "inner · x");
    rig.begin().await;
    assert_eq!(payload_of(&rig, "pipeline · after").await, json!({"argv": ["y", "yes"]}));
    assert_eq!(rig.state(run).await, State::Succeeded);
    let failing = rig.start(outer, json!({})).await;
    rig.begin().await;
    rig.fails("broken").await;
    assert_eq!(rig.state(failing).await, State::Failed);
    let error = rig.error(failing).await.expect("is told");
    assert!(error.starts_with("call: run_") && error.ends_with("its stage `x`: broken"), "{error}");
}
