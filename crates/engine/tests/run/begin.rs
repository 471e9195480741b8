//! The two transactions of a stage: what an outcome frees is kept, and begins a moment later.

use crate::rig::{Rig, code, report};
use serde_json::{Value, json};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Code;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State::{Ready, Succeeded};
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;

const ONE: &str = "\
input: {type: object, required: [who], additionalProperties: false, properties: {who: {type: string}}}
stages:
  - id: greet
    uses: command
    with:
      argv: [echo, \"${{ input.who }}\"]
      capabilities: [shell]
    retry: {max_attempts: 2}
    timeout_ms: 5000
";

// D20, D22: start, one command stage, settle, succeeded; the task is what the definition says.
#[tokio::test]
async fn d20_a_run_of_one_command_stage_succeeds() {
    let rig = Rig::new().await;
    let run = rig.start(ONE, json!({"who": "ann"})).await;
    assert_eq!((rig.state(run).await, rig.stages(run).await), (State::Running, vec![Ready]));
    assert!(rig.whole(run).await.stages[0].thing.is_none(), "it is still to begin");
    assert_eq!(rig.begin().await, 1);
    let key = rig.whole(run).await.stages[0].thing.expect("a task carries it out");
    let found = rig.act(move |act| act.task(act.id(Noun::Task, key))).await.expect("is there");
    let spec = &found.task.spec;
    assert_eq!((spec.kind.as_str(), spec.title.as_str()), ("command", "pipeline · greet"));
    assert_eq!((spec.max_attempts, spec.timeout_ms), (2, 5_000));
    assert_eq!(spec.extras.capabilities, ["shell"]);
    let payload: Value = serde_json::from_str(&spec.payload).expect("is JSON");
    assert_eq!(payload, json!({"argv": ["echo", "ann"]}), "capabilities are the task's, not the program's");
    assert_eq!(found.run, Some(run.key()));
    let claimed = rig.claim_with(&["shell"]).await.expect("is ready");
    rig.report(report(&claimed, Outcome::Succeeded, None, None)).await.expect("is taken");
    assert_eq!((rig.state(run).await, rig.stages(run).await), (State::Succeeded, vec![Succeeded]));
    rig.is_as_rows_say().await;
    let story = rig.story(run).await;
    let told =
        ["run.created", "run.running", "stage.started greet", "stage.succeeded greet", "run.succeeded"];
    assert_eq!(story, told);
    let none = rig.act(|act| Ok(act.memory.runs.is_empty() && act.memory.runs.is_idle())).await;
    assert_eq!(none, Ok(true), "a run that has ended is in its rows alone");
}

// E1, E4: a server that dies between the two transactions finds what is to begin, and it begins once.
#[tokio::test]
async fn e1_what_was_to_begin_begins_once_after_a_restart() {
    let mut rig = Rig::new().await;
    let run = rig.start(ONE, json!({"who": "ann"})).await;
    rig.restart().await;
    assert_eq!(rig.begin().await, 1);
    rig.restart().await;
    assert_eq!(rig.begin().await, 0);
    let claimed = rig.claim_with(&["shell"]).await.expect("is ready");
    rig.restart().await;
    rig.report(report(&claimed, Outcome::Succeeded, None, None)).await.expect("is taken");
    assert_eq!(rig.state(run).await, State::Succeeded);
    assert!(rig.claim_with(&["shell"]).await.is_none(), "one task for one attempt");
}

// P1: whoever comes with what was made ready before the run moved on comes too late.
#[tokio::test]
async fn a_begin_that_comes_too_late_changes_nothing() {
    let rig = Rig::new().await;
    let run = rig.start(ONE, json!({"who": "ann"})).await;
    let (one, other) = tokio::join!(rig.engine.begin_stages(), rig.engine.begin_stages());
    assert_eq!(one.expect("begins") + other.expect("looks"), 1);
    rig.cancel(run).await.expect("is cancelled");
    assert_eq!(rig.begin().await, 0);
    assert_eq!(rig.state(run).await, State::Cancelled);
}

// D21: an input that does not meet its schema starts nothing, and says where.
#[tokio::test]
async fn d21_an_input_that_does_not_fit_starts_nothing() {
    let rig = Rig::new().await;
    for input in [json!({}), json!({"who": 1}), json!({"who": "a", "more": 1}), json!([])] {
        let refused = rig.try_start(ONE, input.clone()).await.expect_err("is refused");
        assert_eq!(refused.code, Code::Invalid, "{input}");
        assert!(refused.faults.iter().all(|fault| fault.field.starts_with("/input")), "{refused:?}");
    }
    let refused = rig.try_start("stages: []", json!({})).await;
    assert_eq!(code(refused), Some(Code::PipelineInvalid));
    let calls = "stages: [{id: a, uses: pipeline, with: {name: nobody}}]";
    assert_eq!(code(rig.try_start(calls, json!({})).await), Some(Code::PipelineInvalid));
}

// D4: the task of a stage that was called off by itself is cancelled, and its run hears of it.
#[tokio::test]
async fn d4_a_stage_whose_task_is_called_off_is_cancelled() {
    let rig = Rig::new().await;
    let run = rig.start(ONE, json!({"who": "ann"})).await;
    rig.begin().await;
    let key = rig.whole(run).await.stages[0].thing.expect("begun");
    let off = move |act: &mut tiltyard_engine::Act<'_>| {
        tiltyard_engine::task::cancel::cancel(act, act.id(Noun::Task, key), "not today")
            .map(|found| found.task.state)
    };
    assert_eq!(rig.act(off).await, Ok(TaskState::Cancelled));
    assert_eq!(rig.state(run).await, State::Failed);
    assert_eq!(rig.story(run).await.last().map(String::as_str), Some("run.failed greet"));
}
