//! Rejections that go back, and reruns.

use super::*;
use crate::run::stage::{Feedback, Past};

/// draft → gate (back to draft, twice) → publish, beside a branch that needs the draft too, and one that does not.
fn release() -> Graph {
    let gate = Node { back: Some(Back { stage: 0, rounds: 2 }), ..needs(&[0]) };
    graph(vec![needs(&[]), gate, needs(&[1]), needs(&[0]), needs(&[])])
}

fn reject(graph: &Graph, run: &mut Run) -> Vec<Effect> {
    let outcome = Outcome::Rejected(part(run, 1), Rejection::AsDefined);
    take(graph, run, outcome).unwrap().effects
}

// D23: a reject sends the run back to a stage, which hears of it; what was made of the rejected thing stops.
#[test]
fn d23_a_reject_goes_back_so_often_and_no_further() {
    let graph = release();
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 0);
    let (gate, side) = (part(&run, 1), part(&run, 3));
    let effects = reject(&graph, &mut run);
    assert_eq!(effects, [Effect::Stop(side), Effect::Start(Part { stage: 0, attempt: 2, item: None })]);
    take(&graph, &mut run, Outcome::Stopped(side, Stop::Stopped)).unwrap();
    assert_eq!(run.stage(0).feedback, Some(Feedback { gate: 1, attempt: 1, round: 1 }));
    assert_eq!(run.stage(4).state, Stage::Ready, "what does not need it goes on");
    assert_eq!(take(&graph, &mut run, Outcome::Succeeded(gate)), Err(Unfit::Stale));
    succeed(&graph, &mut run, 0);
    reject(&graph, &mut run);
    assert_eq!(run.stage(0).feedback, Some(Feedback { gate: 1, attempt: 2, round: 2 }));
    succeed(&graph, &mut run, 0);
    reject(&graph, &mut run);
    assert_eq!(run.stage(1).why, Some(Why::Rejected));
    assert_eq!(run.stage(2).state, Stage::Skipped);
}

// D23: a person may name the stage, also after those rounds; only one that the gate runs after.
#[test]
fn d23_a_reject_names_its_stage() {
    let gate = needs(&[1]);
    let graph = graph(vec![needs(&[]), needs(&[0]), gate, needs(&[])]);
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 0);
    succeed(&graph, &mut run, 1);
    let at = part(&run, 2);
    let outcome = |stage| Outcome::Rejected(at, Rejection::Back(stage));
    assert_eq!(take(&graph, &mut run, outcome(3)), Err(Unfit::NotBehind));
    assert_eq!(take(&graph, &mut run, outcome(2)), Err(Unfit::NotBehind));
    assert_eq!(take(&graph, &mut run, outcome(9)), Err(Unfit::NotBehind));
    take(&graph, &mut run, outcome(0)).unwrap();
    assert_eq!(states(&run), [Stage::Ready, Stage::Pending, Stage::Pending, Stage::Ready]);
}

// D23: who rejects one item of a list and names a stage hears why that cannot be; nothing changes.
#[test]
fn d23_an_item_does_not_send_its_run_back() {
    let list = Node { concurrency: Some(2), ..needs(&[0]) };
    let graph = graph(vec![needs(&[]), list]);
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 0);
    let listed = Outcome::Listed(part(&run, 1), 2);
    take(&graph, &mut run, listed).unwrap();
    let item = Part { item: Some(Item { index: 0, attempt: 1 }), ..part(&run, 1) };
    let refused = take(&graph, &mut run, Outcome::Rejected(item, Rejection::Back(0))).unwrap_err();
    assert_eq!(refused, Unfit::OneOfMany);
    let refusal = crate::refusal::Refusal::from(refused);
    assert_eq!(refusal.code, crate::refusal::Code::Invalid);
    assert!(refusal.message.contains("reject it without a stage"), "{}", refusal.message);
    take(&graph, &mut run, Outcome::Rejected(item, Rejection::AsDefined)).unwrap();
    assert_eq!(run.window(1).unwrap().tally.failed, 1);
}

// D22: a rerun keeps what was made before, runs what comes behind, and whatever was not done.
#[test]
fn d22_a_rerun_keeps_what_comes_before() {
    let graph = graph(vec![needs(&[]), needs(&[0]), needs(&[1]), needs(&[]), needs(&[0])]);
    let mut run = begun(&graph);
    assert_eq!(take(&graph, &mut run, Outcome::Rerun(Some(0))), Err(Unfit::Early(State::Running)));
    succeed(&graph, &mut run, 0);
    succeed(&graph, &mut run, 4);
    fail(&graph, &mut run, 3);
    fail(&graph, &mut run, 1);
    assert_eq!(take(&graph, &mut run, Outcome::Rerun(Some(2))), Err(Unfit::Blocked { stage: 1, root: 1 }));
    let effects = take(&graph, &mut run, Outcome::Rerun(Some(1))).unwrap().effects;
    let start = |stage| Effect::Start(Part { stage, attempt: 2, item: None });
    assert_eq!(effects, [start(1), start(3), Effect::Run(State::Running)]);
    assert_eq!(run.stage(4).state, Stage::Succeeded);
    assert_eq!(run.stage(1).past, Past::AskAnew);
    assert_eq!(run.stage(3).past, Past::Counts);
    assert_eq!(run.head.reruns, 1);
    for stage in [1, 2, 3] {
        succeed(&graph, &mut run, stage);
    }
    assert_eq!(run.head.state, State::Succeeded);
    assert_eq!(take(&graph, &mut run, Outcome::Rerun(None)), Err(Unfit::Done));
    take(&graph, &mut run, Outcome::Rerun(Some(0))).unwrap();
    assert_eq!(run.stage(0).attempt, 2);
    assert_eq!(run.stage(3).state, Stage::Succeeded);
}

// D22: rerun without a stage takes up what a cancel left.
#[test]
fn d22_a_rerun_of_a_cancelled_run() {
    let graph = release();
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 0);
    take(&graph, &mut run, Outcome::Cancel).unwrap();
    for part in run.stopping().clone().into_keys() {
        take(&graph, &mut run, Outcome::Stopped(part, Stop::Stopped)).unwrap();
    }
    take(&graph, &mut run, Outcome::Rerun(None)).unwrap();
    assert_eq!(states(&run), [Stage::Succeeded, Stage::Ready, Stage::Pending, Stage::Ready, Stage::Ready]);
}
