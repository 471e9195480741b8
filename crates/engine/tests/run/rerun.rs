//! A run that has ended goes on from a stage again (D22).

use crate::rig::{Rig, code};
use serde_json::json;
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Code;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State::{Failed, Pending, Ready, Skipped, Succeeded};

const CHAIN: &str = "\
stages:
  - {id: a, uses: command, with: {argv: [a]}}
  - {id: b, uses: command, needs: a, with: {argv: [b, \"${{ stages.a.outputs.result }}\"]}}
  - {id: c, uses: command, needs: b, with: {argv: [c]}}
";

// D22: what succeeded stays, also what it put out; what failed and what needs it runs again as another attempt.
#[tokio::test]
async fn d22_a_rerun_keeps_what_succeeded() {
    let mut rig = Rig::new().await;
    let run = rig.start(CHAIN, json!({})).await;
    rig.begin().await;
    rig.succeeds(json!("one")).await;
    rig.begin().await;
    rig.fails("no").await;
    assert_eq!(rig.stages(run).await, [Succeeded, Failed, Skipped]);
    rig.restart().await;
    assert_eq!(code(rig.rerun(run, Some("x")).await), Some(Code::Invalid));
    assert_eq!(code(rig.rerun(run, Some("c")).await), Some(Code::WrongState), "it would be skipped again");
    rig.rerun(run, None).await.expect("goes on");
    assert_eq!(
        (rig.state(run).await, rig.stages(run).await),
        (State::Running, vec![Succeeded, Ready, Pending])
    );
    rig.begin().await;
    assert_eq!(rig.succeeds(json!(2)).await, "pipeline · b");
    rig.begin().await;
    rig.succeeds(json!(3)).await;
    assert_eq!(rig.state(run).await, State::Succeeded);
    let whole = rig.whole(run).await;
    let attempts: Vec<u32> = whole.stages.iter().map(|row| row.stage.attempt).collect();
    let standing = &whole.found.standing;
    assert_eq!((attempts, standing.reruns, &standing.error), (vec![1, 2, 1], 1, &None));
    assert_eq!(code(rig.rerun(run, None).await), Some(Code::WrongState), "all of it is done");
    rig.rerun(run, Some("a")).await.expect("all of it runs again");
    assert_eq!(rig.stages(run).await, [Ready, Pending, Pending]);
    let told = rig.story(run).await.iter().filter(|told| *told == "run.rerun").count();
    assert_eq!(told, 2);
}

// D22: a run of another run's stage is run again with that.
#[tokio::test]
async fn d22_a_child_is_not_run_again_by_itself() {
    let rig = Rig::new().await;
    rig.publish("leaf", "stages: [{id: x, uses: command, with: {argv: [x]}}]").await;
    let run = rig.start("stages: [{id: z, uses: pipeline, with: {name: leaf}}]", json!({})).await;
    rig.begin().await;
    rig.fails("no").await;
    let key = rig.whole(run).await.stages[0].thing.expect("a run carries it out");
    let child = rig.act(move |act| Ok(act.id(Noun::Run, key))).await.expect("an id");
    assert_eq!(code(rig.rerun(child, None).await), Some(Code::RunIsPart));
    rig.rerun(run, None).await.expect("goes on");
    rig.begin().await;
    rig.succeeds(json!(1)).await;
    assert_eq!(rig.state(run).await, State::Succeeded);
}
