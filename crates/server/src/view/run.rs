//! Runs as they are shown, with the command that helps to go on.

use serde_json::value::RawValue;
use tiltyard_engine::readers::Rows;
use tiltyard_engine::run::read::{Item, Listed, Made, Output, Parent, Shown, Stage, thing};
use tiltyard_model::id::Id;
use tiltyard_model::pipeline::OutputKind;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::graph::{Graph, Sort};
use tiltyard_model::run::stage::{State as StageState, Why};
use tiltyard_model::run::{Progress, State};
use tiltyard_model::task::State as TaskState;
use tiltyard_wire::run as wire;
use tiltyard_wire::time::Time;

/// A run in a list.
pub(crate) fn listed(listed: Listed) -> wire::View {
    let Listed { found, sha256, progress, gates, parent } = listed;
    let (made, standing) = (found.made, found.standing);
    let next = next_of_run(found.id, standing.state, &gates);
    let stops = standing.stops;
    let stopping =
        wire::Stopping { asked: stops.asked, stopped: stops.stopped, unconfirmed: stops.unconfirmed };
    wire::View {
        id: found.id,
        scope: found.scope_name,
        title: made.title,
        pipeline: made.pipeline,
        number: made.number,
        sha256,
        state: standing.state,
        progress: of_progress(progress),
        waits_for: gates,
        error: standing.error,
        parent: parent.map(of_parent),
        schedule: made.slot.map(|slot| slot.schedule),
        started_by: found.started_by,
        created_at: Time(made.created_at),
        begun_at: standing.begun_at.map(Time),
        ended_at: standing.ended_at.map(Time),
        reruns: standing.reruns,
        stopping: (stops.asked > 0).then_some(stopping),
        next,
        input: None,
        stages: None,
    }
}

fn of_parent(parent: Parent) -> wire::Parent {
    wire::Parent { run: parent.run, stage: parent.stage, item: parent.item, root: parent.root }
}

const fn of_progress(progress: Progress) -> wire::Progress {
    let Progress { stages, ended, items, items_ended, items_failed } = progress;
    wire::Progress { stages, ended, items, items_ended, items_failed }
}

/// A run in full.
pub(crate) fn view(run: Shown) -> wire::View {
    let Shown { listed: found, graph, input, stages } = run;
    let (id, state, is_part) = (found.found.id, found.found.standing.state, found.parent.is_some());
    let stages: Vec<wire::Stage> =
        stages.into_iter().map(|one| stage(one, &graph, (id, state, is_part))).collect();
    let mut view = listed(found);
    let failed = stages.iter().find(|one| one.state == StageState::Failed);
    if let (State::Failed | State::Cancelled, Some(failed), false) = (state, failed, is_part) {
        view.next = Some(format!("tiltyard runs rerun {id} --from {}", failed.id));
    }
    view.input = RawValue::from_string(input).ok();
    view.stages = Some(stages);
    view
}

fn next_of_run(id: Id, state: State, gates: &[Id]) -> Option<String> {
    match (state, gates.first()) {
        (State::Waiting | State::Running, Some(gate)) => Some(format!("tiltyard approve {gate}")),
        (State::Failed | State::Cancelled, _) => Some(format!("tiltyard runs rerun {id}")),
        _ => None,
    }
}

/// What carries a part out, by the noun of its id.
#[derive(Default)]
struct Thing {
    task: Option<Id>,
    gate: Option<Id>,
    run: Option<Id>,
}

impl Thing {
    fn of(sort: Option<Sort>, id: Option<Id>) -> Self {
        match sort {
            Some(Sort::Command | Sort::Agent | Sort::Change) => Self { task: id, ..Self::default() },
            Some(Sort::Gate) => Self { gate: id, ..Self::default() },
            Some(Sort::Pipeline) => Self { run: id, ..Self::default() },
            _ => Self::default(),
        }
    }
}

fn stage(found: Stage, graph: &Graph, (run, run_state, is_part): (Id, State, bool)) -> wire::Stage {
    let Stage { id, found, thing, task, end, outputs } = found;
    let node = graph.node(found.index);
    let thing = Thing::of(Some(node.uses), thing);
    let state = shown_state(found.stage.state, task);
    let next = match (state, &thing) {
        (StageState::Waiting, Thing { gate: Some(gate), .. }) => Some(format!("tiltyard approve {gate}")),
        (StageState::Running | StageState::Ready, Thing { task: Some(task), .. }) => {
            Some(if state == StageState::Ready {
                format!("tiltyard why {task}")
            } else {
                format!("tiltyard logs {task}")
            })
        }
        (StageState::Running | StageState::Waiting, Thing { run: Some(child), .. }) => {
            Some(format!("tiltyard runs show {child}"))
        }
        (StageState::Failed | StageState::Cancelled, _) if run_state.is_final() && !is_part => {
            Some(format!("tiltyard runs rerun {run} --from {id}"))
        }
        _ => None,
    };
    wire::Stage {
        uses: node.uses.as_str().to_owned(),
        state,
        attempt: found.stage.attempt,
        why: found.stage.why.map(|why| words(why, graph)),
        task: thing.task,
        gate: thing.gate,
        run: thing.run,
        items: found.tally.map(|tally| wire::Items {
            total: tally.total,
            open: tally.open,
            succeeded: tally.succeeded,
            failed: tally.failed,
        }),
        outputs: outputs.into_iter().map(output).collect(),
        began_at: found.began_at.map(Time),
        ended_at: end.as_ref().map(|end| Time(end.ended_at)),
        error: end.and_then(|end| end.error),
        next,
        id,
    }
}

/// A task's claim does not step its run: that it runs is seen by the task.
fn shown_state(state: StageState, task: Option<TaskState>) -> StageState {
    match (state, task) {
        (StageState::Ready, Some(TaskState::Running)) => StageState::Running,
        (StageState::Ready, Some(TaskState::Waiting)) => StageState::Waiting,
        (state, _) => state,
    }
}

/// Why a stage is where it is, in words.
fn words(why: Why, graph: &Graph) -> String {
    let name = |stage: u32| if stage < graph.len() { graph.node(stage).id.as_str() } else { "?" };
    match why {
        Why::Condition => "its condition is false".to_owned(),
        Why::Needs { stage, root } if stage == root => {
            format!("it needs {}, which did not succeed", name(stage))
        }
        Why::Needs { stage, root } => {
            format!("it needs {}, which did not run because {} did not succeed", name(stage), name(root))
        }
        Why::Backoff => "it waits for its next attempt".to_owned(),
        Why::Stopping => "its attempt before has not stopped yet".to_owned(),
        Why::Failed => "its last attempt failed".to_owned(),
        Why::TimedOut => "it took longer than it may".to_owned(),
        Why::Rejected => "its gate did not let pass".to_owned(),
        Why::Items(1) => "one of its items failed".to_owned(),
        Why::Items(count) => format!("{count} of its items failed"),
        Why::Stage => "it was called off".to_owned(),
        Why::Run => "its run was called off".to_owned(),
    }
}

fn output(output: Output) -> wire::Output {
    let kind = match output.kind {
        OutputKind::Document => "document",
        OutputKind::Text => "text",
        OutputKind::File => "file",
    };
    let stored = output.stored;
    wire::Output {
        name: output.name,
        kind: kind.to_owned(),
        artifact: stored.as_ref().map(|stored| stored.id),
        size: stored.as_ref().map(|stored| stored.size),
        media_type: stored.map(|stored| stored.media_type),
    }
}

/// An item of a list.
///
/// # Errors
/// When what is kept of it cannot be read.
pub(crate) fn item(rows: &Rows, each: Option<Sort>, item: Item) -> Result<wire::Item, Refusal> {
    let thing = Thing::of(each, thing(rows, each, item.thing));
    let raw = |text: String| {
        let said = |error| Refusal::new(Code::Internal, format!("an item of a list cannot be read: {error}"));
        RawValue::from_string(text).map_err(said)
    };
    Ok(wire::Item {
        index: item.index,
        state: item.state,
        attempts: item.tries,
        value: raw(item.value)?,
        task: thing.task,
        gate: thing.gate,
        run: thing.run,
        result: item.result.map(raw).transpose()?,
        error: item.error,
    })
}

/// An artifact, and which stage put it out.
pub(crate) fn artifact(stage: String, made: Made) -> wire::Artifact {
    let Made { place, stored } = made;
    wire::Artifact {
        id: stored.id,
        sha256: stored.sha256,
        size: stored.size,
        media_type: stored.media_type,
        name: stored.name,
        stage,
        attempt: place.attempt,
        item: place.item,
        output: place.name,
    }
}
