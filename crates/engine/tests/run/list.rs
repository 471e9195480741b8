//! Lists: the same for each item (D20).

use crate::rig::{Rig, report};
use serde_json::{Value, json};
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State as StageState;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_store::run::item::{self, List};

const LIST: &str = "\
input: {type: object, properties: {all: {type: array}}}
stages:
  - id: each
    uses: foreach
    with:
      in: ${{ input.all }}
      as: one
      concurrency: 2
      do: {uses: command, with: {argv: [do, \"${{ one }}\", \"${{ index }}\"]}}
  - {id: sum, uses: agent, needs: each, with: {kind: sum, title: sum, payload: \"${{ stages.each.outputs.result }}\"}}
";

// D20: items are worked on a few at once, in order; what each came to is the stage's result.
#[tokio::test]
async fn d20_items_slide_through_a_window() {
    let mut rig = Rig::new().await;
    let run = rig.start(LIST, json!({"all": ["x", "y", "z"]})).await;
    assert_eq!(rig.begin().await, 3, "the list, and two of its items");
    rig.restart().await;
    rig.is_as_rows_say().await;
    let open = rig.claim_many(10).await;
    let titles: Vec<&str> = open.iter().map(|claimed| claimed.found.task.spec.title.as_str()).collect();
    assert_eq!(titles, ["pipeline · each#0", "pipeline · each#1"]);
    let payload: Value = serde_json::from_str(&open[1].found.task.spec.payload).expect("is JSON");
    assert_eq!(payload, json!({"argv": ["do", "y", "1"]}));
    for claimed in &open {
        let result = Some(json!({"of": claimed.found.task.spec.title}).to_string());
        rig.report(report(claimed, Outcome::Succeeded, result, None)).await.expect("is taken");
    }
    assert_eq!(rig.begin().await, 1);
    rig.succeeds(json!(3)).await;
    rig.begin().await;
    let last = rig.claim().await.expect("is ready");
    let payload: Value = serde_json::from_str(&last.found.task.spec.payload).expect("is JSON");
    assert_eq!(payload, json!([{"of": "pipeline · each#0"}, {"of": "pipeline · each#1"}, 3]));
    rig.report(report(&last, Outcome::Succeeded, None, None)).await.expect("is taken");
    assert_eq!(rig.state(run).await, State::Succeeded);
    let counted = move |rows: &tiltyard_store::Rows| {
        let list = List { run: run.key(), stage: 0, attempt: 1 };
        item::counts(rows, list).map_err(tiltyard_engine::act::refusal_of)
    };
    assert_eq!(rig.read(counted).await, [(StageState::Succeeded, 3)]);
}

// D20, D22: an empty list is done; one with failed items has failed, and says how many and which was first.
#[tokio::test]
async fn d22_a_list_fails_with_its_items() {
    let rig = Rig::new().await;
    let none = rig.start(LIST, json!({"all": []})).await;
    rig.begin().await;
    rig.succeeds(json!(0)).await;
    assert_eq!(rig.state(none).await, State::Succeeded);
    let run = rig.start(LIST, json!({"all": [1, 2]})).await;
    rig.begin().await;
    rig.fails("no").await;
    rig.succeeds(json!(1)).await;
    assert_eq!(rig.state(run).await, State::Failed);
    let error = rig.error(run).await.expect("is told");
    assert_eq!(error, "each: 1 of 2 items failed, the first to end was item 0");
}

// D4: items under way stop with their run.
#[tokio::test]
async fn d4_items_stop_with_their_run() {
    let rig = Rig::new().await;
    let run = rig.start(LIST, json!({"all": [1, 2, 3, 4]})).await;
    rig.begin().await;
    let running = rig.claim().await.expect("is ready");
    rig.cancel(run).await.expect("is cancelled");
    rig.has_stopped(&running).await;
    assert_eq!(rig.stops(run).await, (2, 2, 0));
    assert!(rig.claim().await.is_none());
    rig.rerun(run, None).await.expect("goes on");
    assert_eq!(rig.begin().await, 3);
}
