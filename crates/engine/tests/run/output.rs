//! What stages put out is judged before it counts, and looked up by those behind them (D21, D22).

use crate::rig::{Rig, report};
use serde_json::{Value, json};
use tiltyard_engine::artifact::{Put, put};
use tiltyard_engine::task::claim::Claimed;
use tiltyard_engine::task::due::start_scheduled;
use tiltyard_engine::task::settle::Report;
use tiltyard_model::run::State;
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;

const PLAN: &str = "\
stages:
  - id: plan
    uses: command
    with: {argv: [plan]}
    retry: {max_attempts: 2}
    outputs:
      plan: {stdout: json, schema: {type: object, required: [n]}}
      notes: {file: notes.txt, media_type: text/plain}
      result: {schema: {type: integer}}
  - id: use
    uses: command
    needs: plan
    with:
      argv: [use, \"${{ stages.plan.outputs.plan.n }}\", \"${{ stages.plan.outputs.result }}\", \"${{ stages.plan.outputs.notes.size }}\"]
      files: {there.txt: \"${{ stages.plan.outputs.notes }}\", small.json: \"${{ stages.plan.outputs.plan }}\"}
";

async fn puts(rig: &Rig, claimed: &Claimed, output: &str, bytes: &[u8]) {
    let mut writer = rig.engine.blobs().writer(1_000).expect("has room");
    writer.write(bytes).expect("is written");
    let kept = writer.finish(None).expect("is kept");
    let new = Put {
        task: claimed.found.task.id,
        generation: claimed.found.task.generation,
        kept,
        media_type: None,
        name: None,
        output: Some(output.to_owned()),
    };
    rig.act(move |act| put(act, &new).map(drop)).await.expect("is named");
}

fn success(claimed: &Claimed, result: &Value) -> Report {
    report(claimed, Outcome::Succeeded, Some(result.to_string()), None)
}

async fn settled(rig: &Rig, report: Report) -> (TaskState, bool) {
    let pass = tiltyard_engine::Pass::system();
    let verdict = rig.engine.settle(pass, report).await.expect("is taken");
    (verdict.state, verdict.replayed)
}

// D21: an output that breaks its schema is the attempt's failure, and the task's own retry applies; E8: the same report
// again is known.
#[tokio::test]
async fn d21_an_output_that_breaks_its_schema_fails_its_attempt() {
    let mut rig = Rig::new().await;
    let run = rig.start(PLAN, json!({})).await;
    rig.begin().await;
    let first = rig.claim().await.expect("is ready");
    puts(&rig, &first, "plan", br#"{"m": 1}"#).await;
    puts(&rig, &first, "notes", b"some").await;
    let said = success(&first, &json!(1));
    assert_eq!(settled(&rig, said.clone()).await, (TaskState::Scheduled, false));
    assert_eq!(settled(&rig, said).await, (TaskState::Scheduled, true), "said before");
    let found = rig
        .act({
            let id = first.found.task.id;
            move |act| act.task(id)
        })
        .await
        .expect("is there");
    let error = found.task.attempt.and_then(|attempt| attempt.error).expect("is told");
    assert!(error.starts_with("the output `plan` breaks its schema: the whole: "), "{error}");
    rig.clock.advance(600_000);
    rig.act(start_scheduled).await.expect("starts");
    let second = rig.claim().await.expect("is tried again");
    puts(&rig, &second, "plan", br#"{ "n": 7, "a": [1] }"#).await;
    puts(&rig, &second, "notes", b"some").await;
    assert_eq!(settled(&rig, success(&second, &json!(5))).await, (TaskState::Succeeded, false));
    rig.restart().await;
    rig.begin().await;
    let next = rig.claim().await.expect("is ready");
    let payload: Value = serde_json::from_str(&next.found.task.spec.payload).expect("is JSON");
    assert_eq!(payload["argv"], json!(["use", "7", "5", "4"]));
    let files = payload["files"].as_object().expect("are handed on");
    assert_eq!(files["there.txt"]["size"], 4);
    assert!(files["there.txt"]["artifact"].as_str().is_some_and(|id| id.starts_with("art_")), "{files:?}");
    assert!(files["small.json"]["artifact"].as_str().is_some_and(|id| id.starts_with("art_")), "{files:?}");
    rig.report(success(&next, &json!(null))).await.expect("is taken");
    assert_eq!(rig.state(run).await, State::Succeeded);
}

// D22: an output that is missing, and a result of the wrong kind, are told by name.
#[tokio::test]
async fn d22_what_is_missing_is_told_by_name() {
    let rig = Rig::new().await;
    rig.start(PLAN, json!({})).await;
    rig.begin().await;
    let claimed = rig.claim().await.expect("is ready");
    puts(&rig, &claimed, "plan", br#"{"n": 1}"#).await;
    let reports = vec![success(&claimed, &json!(1))];
    let pass = tiltyard_engine::Pass::system();
    let (verdicts, along) = rig.engine.settle_each(pass, reports, |_| Ok("along")).await.expect("are taken");
    assert_eq!((verdicts.len(), along), (1, "along"));
    assert!(verdicts[0].1.as_ref().is_ok_and(|verdict| verdict.state == TaskState::Scheduled));
    let found = rig
        .act({
            let id = claimed.found.task.id;
            move |act| act.task(id)
        })
        .await
        .expect("is there");
    let error = found.task.attempt.and_then(|attempt| attempt.error).expect("is told");
    assert_eq!(error, "the output `notes` is missing (there was no file `notes.txt`)");
}
