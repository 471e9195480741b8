//! A run is called off, with everything below it (D4, D22).

use crate::rig::{Rig, code};
use serde_json::json;
use tiltyard_model::refusal::Code;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State::{Cancelled, Succeeded};

const WIDE: &str = "\
stages:
  - {id: a, uses: command, with: {argv: [a]}}
  - {id: b, uses: command, with: {argv: [b]}}
  - {id: c, uses: command, needs: [a, b], with: {argv: [c]}}
";

// D4: what is under way is told to stop; the run is cancelled at once, and tells when all of it has.
#[tokio::test]
async fn d4_a_cancel_stops_what_is_under_way() {
    let mut rig = Rig::new().await;
    let run = rig.start(WIDE, json!({})).await;
    rig.begin().await;
    let running = rig.claim().await.expect("is ready");
    rig.cancel(run).await.expect("is cancelled");
    assert_eq!((rig.state(run).await, rig.stages(run).await), (State::Cancelled, vec![Cancelled; 3]));
    assert_eq!(rig.stops(run).await, (2, 1, 0), "what was queued stops at once");
    assert_eq!(code(rig.rerun(run, None).await), Some(Code::WrongState), "it is still stopping");
    rig.restart().await;
    rig.is_as_rows_say().await;
    rig.has_stopped(&running).await;
    assert_eq!(rig.story(run).await.last().map(String::as_str), Some("run.stopped"));
    assert_eq!(rig.stops(run).await, (2, 2, 0));
    rig.cancel(run).await.expect("stays so");
    assert!(rig.claim().await.is_none(), "nothing of it is left");
}

// D4: a tree that is too large for one deed is called off in several, and all of it is.
#[tokio::test]
async fn d4_a_large_tree_is_called_off_in_several_deeds() {
    let rig = Rig::new().await;
    let stages: Vec<String> =
        (0..100).map(|stage| format!("  - {{id: s{stage}, uses: command, with: {{argv: [x]}}}}\n")).collect();
    rig.publish("leaf", &format!("stages:\n{}", stages.concat())).await;
    let text = "stages: [{id: all, uses: foreach, with: {in: \"${{ input.all }}\", concurrency: 60, \
                do: {uses: pipeline, with: {name: leaf}}}}]";
    let text = format!("input: {{type: object}}\n{text}");
    let run = rig.start(&text, json!({"all": vec![0; 60]})).await;
    rig.engine.begin_stages().await.expect("lists");
    rig.engine.begin_stages().await.expect("starts the runs");
    rig.cancel(run).await.expect("is cancelled");
    let left = rig.act(|act| Ok(act.memory.runs.len())).await.expect("counts");
    assert!((2..60).contains(&left), "{left} are left: some were called off, and not all");
    rig.begin().await;
    assert_eq!(rig.act(|act| Ok(act.memory.runs.len())).await, Ok(0));
    assert_eq!(rig.stops(run).await, (60, 60, 0));
}

// D22: a run that has ended another way is not cancelled.
#[tokio::test]
async fn d22_what_has_ended_is_not_cancelled() {
    let rig = Rig::new().await;
    let run = rig.start("stages: [{id: a, uses: command, with: {argv: [a]}}]", json!({})).await;
    rig.begin().await;
    rig.succeeds(json!(1)).await;
    assert_eq!(rig.stages(run).await, [Succeeded]);
    assert_eq!(code(rig.cancel(run).await), Some(Code::AlreadyFinal));
}

// D4: runs below are called off with it.
#[tokio::test]
async fn d4_a_cancel_goes_down_the_tree() {
    let rig = Rig::new().await;
    rig.publish("leaf", "stages: [{id: x, uses: command, with: {argv: [x]}}]").await;
    rig.publish("branch", "stages: [{id: y, uses: pipeline, with: {name: leaf}}]").await;
    let run = rig.start("stages: [{id: z, uses: pipeline, with: {name: branch}}]", json!({})).await;
    rig.begin().await;
    let running = rig.claim().await.expect("the leaf's task is ready");
    rig.cancel(run).await.expect("is cancelled");
    assert_eq!(rig.state(run).await, State::Cancelled);
    assert!(!rig.story(run).await.contains(&"run.stopped".to_owned()), "the leaf is still stopping");
    rig.has_stopped(&running).await;
    assert_eq!(rig.story(run).await.last().map(String::as_str), Some("run.stopped"));
    let gone = rig.act(|act| Ok(act.memory.runs.is_empty())).await;
    assert_eq!(gone, Ok(true));
}
