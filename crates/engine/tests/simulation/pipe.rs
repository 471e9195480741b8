//! What can happen to runs of pipelines: they start, what is to begin begins, they are called off and run again. Their tasks
//! are claimed, settled, cancelled and lost like all others.

use crate::world::World;
use serde_json::json;
use tiltyard_engine::pipeline::reading::Sent;
use tiltyard_engine::run::start::started;
use tiltyard_engine::run::{Asked, Which, cancel, rerun};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Code;
use tiltyard_model::role::Caller;

/// How many things can happen to them.
pub(crate) const THINGS: usize = 6;

/// Definitions, from a chain to a list: `retry` and conditions, joins, a list whose items fail.
const DEFINITIONS: [&str; 4] = [
    "stages:
  - {id: a, uses: command, with: {argv: [a]}, retry: {max_attempts: 2}}
  - {id: b, uses: command, needs: a, with: {argv: [b]}}
  - {id: c, uses: command, needs: b, if: \"${{ stages.b.state == 'failed' }}\", with: {argv: [c]}}",
    "stages:
  - {id: a, uses: command, with: {argv: [a]}}
  - {id: b, uses: command, with: {argv: [b]}}
  - {id: c, uses: command, needs: [a, b], with: {argv: [c, \"${{ stages.a.outputs.result }}\"]}}
  - {id: d, uses: command, needs: c, if: \"${{ stages.b.outputs.result == null }}\", with: {argv: [d]}}",
    "stages:
  - {id: list, uses: foreach, with: {in: [1, 2, 3, 4, 5], concurrency: 2, do: {uses: command, with: {argv: [x]}, retry: {max_attempts: 2}}}}
  - {id: end, uses: command, needs: list, if: \"${{ stages.list.state == 'succeeded' }}\", with: {argv: [end]}}",
    "stages:
  - {id: rest, uses: wait, with: {for_ms: 5000}}
  - {id: a, uses: command, needs: rest, with: {argv: [a]}, timeout_ms: 20000}
  - {id: none, uses: foreach, needs: a, with: {in: [], do: {uses: command, with: {argv: [x]}}}}",
];

pub(crate) async fn go_on(world: &mut World, what: usize) {
    match what {
        0 => starts(world).await,
        1..=3 => begins(world).await,
        4 => cancels(world).await,
        _ => reruns(world).await,
    }
}

async fn starts(world: &mut World) {
    let text = DEFINITIONS[world.chance.below(DEFINITIONS.len())];
    let asked = Asked {
        scope: "default".into(),
        which: Which::Sent(Sent::Text(text.to_owned())),
        input: Some(json!({})),
        title: None,
    };
    let engine = world.engine.clone().expect("an engine");
    let ready = engine.ready_run(&Caller::system(), asked).await.expect("is well");
    let id = world.act(move |act| started(act, &ready).map(|found| found.id)).await.expect("starts");
    world.runs.push(id);
}

async fn begins(world: &mut World) {
    let engine = world.engine.clone().expect("an engine");
    engine.begin_stages().await.expect("begins");
}

fn any(world: &mut World) -> Option<Id> {
    let runs = world.runs.clone();
    world.chance.of(&runs)
}

async fn cancels(world: &mut World) {
    let Some(id) = any(world) else { return };
    let done = world.act(move |act| cancel::cancel(act, id, None).map(drop)).await;
    assert!(matches!(done, Ok(()) | Err(Code::AlreadyFinal)), "{id}: {done:?}");
}

async fn reruns(world: &mut World) {
    let Some(id) = any(world) else { return };
    let done = world.act(move |act| rerun::rerun(act, id, None).map(drop)).await;
    assert!(matches!(done, Ok(()) | Err(Code::WrongState)), "{id}: {done:?}");
}
