//! Steps of runs, built under `#[cfg(test)]` only.

mod again;
mod exhaustive;
mod large;
mod rows;
mod stop;
mod tally;

use super::graph::{Back, Graph, Node, Sort};
use super::stage::{State as Stage, Why};
use super::step::{Step, Unfit, step, whole};
use super::window::MAX_FAILED_ITEMS;
use super::*;

/// A stage that needs these.
fn needs(needs: &[u32]) -> Node {
    Node { needs: needs.to_vec(), attempts: 1, ..Node::default() }
}

/// A graph whose stages are written in order.
fn graph(nodes: Vec<Node>) -> Graph {
    let order = (0..u32::try_from(nodes.len()).unwrap()).collect();
    Graph::new(nodes, order)
}

/// The same with its stages written in the other direction, so that who needs comes before what it needs.
fn turned(nodes: Vec<Node>) -> Graph {
    let count = u32::try_from(nodes.len()).unwrap();
    let turn = |stage: &u32| count - 1 - stage;
    let nodes = nodes.into_iter().rev().map(|node| Node {
        needs: node.needs.iter().map(turn).collect(),
        judges: node.judges.iter().rev().map(turn).collect(),
        back: node.back.map(|back| Back { stage: turn(&back.stage), ..back }),
        ..node
    });
    Graph::new(nodes.collect(), (0..count).rev().collect())
}

/// Takes a step both ways, carries it out, takes it back and carries it out again.
fn take(graph: &Graph, run: &mut Run, outcome: Outcome) -> Result<Step, Unfit> {
    let near = step(graph, run, outcome);
    assert_eq!(near, whole(graph, run, outcome), "{outcome:?} in {run:?}");
    let taken = near?;
    alone(&taken.effects, run, &taken.changes);
    let before = run.clone();
    let back = run.apply(&taken.changes);
    let after = run.clone();
    run.apply(&back);
    assert_eq!(*run, before, "the inverse takes everything back");
    run.apply(&taken.changes);
    assert_eq!(*run, after);
    sound(graph, run);
    Ok(taken)
}

/// D4: nothing begins beside an earlier attempt of it that has not stopped.
fn alone(effects: &[Effect], run: &Run, changes: &Changes) {
    if run.stopping().is_empty() && changes.stopping.is_empty() {
        return;
    }
    let mut after = run.clone();
    after.apply(changes);
    for effect in effects {
        let Effect::Start(begun) = effect else { continue };
        let asked = after.stopping().iter().filter(|(_, stopping)| **stopping == Stopping::Asked);
        let beside = |part: &&Part| {
            let item = |part: &Part| part.item.map(|item| item.index);
            part.stage == begun.stage && (part.attempt != begun.attempt || item(part) == item(begun))
        };
        assert_eq!(asked.map(|(part, _)| part).find(beside), None, "{begun:?} in {after:?}");
    }
}

/// What holds for every run between two steps.
fn sound(graph: &Graph, run: &Run) {
    let mut counts = [0; 8];
    run.stages().iter().for_each(|stage| counts[stage.state as usize] += 1);
    assert_eq!(counts, run.head.counts);
    let active = run.stages().iter().any(|stage| stage.state.is_active());
    let pending = run.stages().iter().any(|stage| stage.state == Stage::Pending);
    let held = |index: u32| {
        run.stage(index).why == Some(Why::Stopping) && run.stopping().keys().any(|part| part.stage == index)
    };
    if run.head.state.is_final() {
        assert!(!active && !pending, "{run:?}");
    } else if run.head.state != State::Queued {
        let held = (0..graph.len()).any(held);
        assert!(active || held, "a run that has begun has something under way, or has ended: {run:?}");
    }
    for (index, stage) in run.stages().iter().enumerate() {
        let node = graph.node(u32::try_from(index).unwrap());
        let unmet = node.needs.iter().filter(|need| !run.stage(**need).state.is_final()).count();
        if stage.state == Stage::Pending {
            assert_eq!(stage.unmet as usize, unmet);
            let index = u32::try_from(index).unwrap();
            assert!(unmet > 0 || run.head.state == State::Queued || held(index));
        }
        if stage.state.is_active() || stage.state == Stage::Succeeded {
            assert_eq!(unmet, 0, "nothing begins before what it needs has ended");
        }
    }
    lists(graph, run);
    let asked = run.stopping().values().filter(|stopping| **stopping == Stopping::Asked).count();
    assert_eq!(asked, run.head.stops.left() as usize);
    assert!(asked > 0 || run.head.state == State::Cancelled || run.head.stops == Stops::default());
    // Each of its numbers can be counted anew.
    let mut rows = run.to_rows();
    (rows.head.counts, rows.head.items) = ([7; 8], 7);
    rows.stages.iter_mut().for_each(|(_, stage)| stage.unmet = 0);
    let again = Run::of_rows(graph, rows).unwrap();
    assert_eq!((&again.head, &again.windows), (&run.head, &run.windows));
    assert!(again.stages().iter().zip(run.stages()).all(|(again, stage)| again.is_kept_alike(stage)));
}

/// What holds for every list.
fn lists(graph: &Graph, run: &Run) {
    let open: usize = run.windows.values().map(|window| window.open.len()).sum();
    assert_eq!(open, run.head.items as usize);
    assert!(run.head.items <= graph.room());
    for (index, window) in &run.windows {
        let more = window.tally.has_more() && run.stage(*index).state.is_active();
        if more && window.tally.open < graph.node(*index).concurrency.unwrap_or(1) {
            assert_eq!(run.head.items, graph.room(), "a list goes on while there is room: {run:?}");
        }
    }
}

fn begun(graph: &Graph) -> Run {
    let mut run = Run::new(graph);
    take(graph, &mut run, Outcome::Begin).unwrap();
    run
}

/// The attempt of a stage that is under way.
fn part(run: &Run, stage: u32) -> Part {
    Part { stage, attempt: run.stage(stage).attempt, item: None }
}

fn succeed(graph: &Graph, run: &mut Run, stage: u32) -> Vec<Effect> {
    let outcome = Outcome::Succeeded(part(run, stage));
    take(graph, run, outcome).unwrap().effects
}

fn fail(graph: &Graph, run: &mut Run, stage: u32) -> Vec<Effect> {
    let outcome = Outcome::Failed(part(run, stage), Failure::Failed, Again::May);
    take(graph, run, outcome).unwrap().effects
}

fn states(run: &Run) -> Vec<Stage> {
    run.stages().iter().map(|stage| stage.state).collect()
}

#[test]
fn d22_words_and_codes_of_states() {
    for state in State::ALL {
        assert_eq!(State::from_code(state.code()), Some(state));
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
    for state in Stage::ALL {
        assert_eq!(Stage::from_code(state.code()), Some(state));
        assert_eq!(Stage::parse(state.as_str()), Some(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    assert_eq!(State::from_code(6), None);
    assert_eq!(Stage::from_code(8), None);
}

// D20: what needs a skipped stage runs; what needs a failed one is skipped, with the stage that began it, and so on.
#[test]
fn d20_failures_go_down_and_skips_do_not() {
    let graph = graph(vec![needs(&[]), needs(&[0]), needs(&[1]), needs(&[]), needs(&[3])]);
    let mut run = begun(&graph);
    let skipped = Outcome::Skipped(part(&run, 3));
    take(&graph, &mut run, skipped).unwrap();
    assert_eq!(run.stage(4).state, Stage::Ready);
    fail(&graph, &mut run, 0);
    assert_eq!(run.stage(1).why, Some(Why::Needs { stage: 0, root: 0 }));
    assert_eq!(run.stage(2).why, Some(Why::Needs { stage: 1, root: 0 }));
    assert_eq!(run.head.state, State::Running, "other branches go on");
    let effects = succeed(&graph, &mut run, 4);
    assert_eq!(effects.last(), Some(&Effect::Run(State::Failed)));
}

// D20: a stage whose condition looks at the state of a stage runs after its failure, also by way of a skipped one.
#[test]
fn d20_who_judges_a_failure_runs_after_it() {
    let judge = Node { judges: vec![0], ..needs(&[0]) };
    let far = Node { judges: vec![0], ..needs(&[2]) };
    let graph = graph(vec![needs(&[]), judge, needs(&[0]), far]);
    let mut run = begun(&graph);
    fail(&graph, &mut run, 0);
    assert_eq!(states(&run), [Stage::Failed, Stage::Ready, Stage::Skipped, Stage::Ready]);
    succeed(&graph, &mut run, 1);
    succeed(&graph, &mut run, 3);
    assert_eq!(run.head.state, State::Failed, "what was cleaned up has failed all the same");
}

// D22: a run waits when nothing of it is under way, and only then.
#[test]
fn d22_a_run_waits_when_all_that_is_begun_waits() {
    let graph = graph(vec![needs(&[]), needs(&[])]);
    let mut run = begun(&graph);
    let (gate, task) = (part(&run, 0), part(&run, 1));
    take(&graph, &mut run, Outcome::Moved(gate, Going::Waiting)).unwrap();
    assert_eq!(run.head.state, State::Running);
    take(&graph, &mut run, Outcome::Moved(task, Going::Running)).unwrap();
    succeed(&graph, &mut run, 1);
    assert_eq!(run.head.state, State::Waiting);
    succeed(&graph, &mut run, 0);
    assert_eq!(run.head.state, State::Succeeded);
    assert_eq!(run.progress(), Progress { stages: 2, ended: 2, ..Progress::default() });
}

// D20: a stage of the engine is tried as often as its `retry` says; what would fail again is not.
#[test]
fn d20_retry_counts_attempts_and_ignores_late_words() {
    let graph = graph(vec![Node { attempts: 3, ..needs(&[]) }]);
    let mut run = begun(&graph);
    let first = part(&run, 0);
    assert_eq!(fail(&graph, &mut run, 0), [Effect::Retry(first, 1), Effect::Run(State::Waiting)]);
    assert_eq!(take(&graph, &mut run, Outcome::Succeeded(first)), Err(Unfit::Stale));
    let due = take(&graph, &mut run, Outcome::RetryDue(first)).unwrap();
    let second = Part { attempt: 2, ..first };
    assert_eq!(due.effects, [Effect::Start(second), Effect::Run(State::Running)]);
    assert_eq!(take(&graph, &mut run, Outcome::Succeeded(first)), Err(Unfit::Stale));
    assert_eq!(take(&graph, &mut run, Outcome::RetryDue(second)), Err(Unfit::Stale));
    let outcome = Outcome::Failed(second, Failure::TimedOut, Again::Never);
    let effects = take(&graph, &mut run, outcome).unwrap().effects;
    assert_eq!(effects[0], Effect::Stop(second), "what took too long is under way still");
    assert_eq!(run.stage(0).why, Some(Why::TimedOut));
    assert_eq!(run.head.state, State::Failed);
}

// D22: cancel is done at once, goes to everything that is under way, and collects how each stop went.
#[test]
fn d22_cancel_goes_down_and_collects_the_stops() {
    let list = Node { concurrency: Some(2), ..needs(&[]) };
    let graph = graph(vec![needs(&[]), needs(&[0]), list, needs(&[])]);
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 3);
    let listed = Outcome::Listed(part(&run, 2), 5);
    take(&graph, &mut run, listed).unwrap();
    let (child, list) = (part(&run, 0), part(&run, 2));
    let item = |index| Part { item: Some(Item { index, attempt: 1 }), ..list };
    let effects = take(&graph, &mut run, Outcome::Cancel).unwrap().effects;
    let stops: Vec<Effect> =
        effects.iter().copied().filter(|effect| matches!(effect, Effect::Stop(_))).collect();
    assert_eq!(stops, [Effect::Stop(child), Effect::Stop(item(0)), Effect::Stop(item(1))]);
    assert_eq!(effects.last(), Some(&Effect::Run(State::Cancelled)));
    assert_eq!(states(&run), [Stage::Cancelled, Stage::Cancelled, Stage::Cancelled, Stage::Succeeded]);
    assert_eq!(take(&graph, &mut run, Outcome::Succeeded(item(0))), Err(Unfit::Stale));
    assert_eq!(take(&graph, &mut run, Outcome::Rerun(None)), Err(Unfit::Stopping(3)));
    take(&graph, &mut run, Outcome::Stopped(item(1), Stop::Stopped)).unwrap();
    take(&graph, &mut run, Outcome::Stopped(child, Stop::Unconfirmed)).unwrap();
    let last = take(&graph, &mut run, Outcome::Stopped(item(0), Stop::Stopped)).unwrap();
    assert_eq!(last.effects, [Effect::Stopped(Stops { asked: 3, stopped: 2, unconfirmed: 1 })]);
    assert!(take(&graph, &mut run, Outcome::Cancel).unwrap().effects.is_empty(), "the same again is fine");
    let mut queued = Run::new(&graph);
    take(&graph, &mut queued, Outcome::Cancel).unwrap();
    assert_eq!(queued.head.state, State::Cancelled);
}

#[test]
fn d20_runs_nest_eight_deep() {
    assert_eq!(child_depth(1).unwrap(), 2);
    assert_eq!(child_depth(7).unwrap(), 8);
    assert!(child_depth(8).unwrap_err().message.contains("8 deep"));
}

const WRITTEN: &str = "
stages:
  - {id: report, uses: wait, needs: [ask, each], if: \"${{ stages.each.state == 'failed' }}\", with: {for_ms: 1}}
  - {id: draft, uses: command, with: {argv: [x]}, retry: {max_attempts: 3}, outputs: {notes: {stdout: text}}}
  - id: ask
    uses: gate
    needs: draft
    with:
      subject: Is it good?
      timeout_ms: 5000
      remind_after_ms: [1000, 2000]
      escalate: {after_ms: 3000, who: ['group:security']}
      on_reject: {to_stage: draft, max_rounds: 2}
  - id: each
    uses: foreach
    needs: draft
    with:
      in: [1, 2]
      concurrency: 7
      do: {uses: http, with: {url: 'https://x.example'}, retry: {max_attempts: 4}}
";

// D20: the graph of a definition has its needs, whose failure is judged, attempts of the engine, lists and ways back.
#[test]
fn d20_the_graph_of_a_definition() {
    let definition = crate::pipeline::read(WRITTEN).unwrap();
    let graph = Graph::of(&definition);
    let named = |id: &str, uses, node| Node { id: id.to_owned(), uses, ..node };
    let report = Node { judges: vec![3], ..needs(&[2, 3]) };
    assert_eq!(*graph.node(0), named("report", Sort::Wait, report));
    let draft = Node { judged: true, outputs: vec!["notes".to_owned()], ..needs(&[]) };
    assert_eq!(*graph.node(1), named("draft", Sort::Command, draft), "a task counts its attempts by itself");
    let ask =
        Node { back: Some(Back { stage: 1, rounds: 2 }), outputs: vec!["subject".to_owned()], ..needs(&[1]) };
    assert_eq!(*graph.node(2), named("ask", Sort::Gate, ask));
    let each = Node { concurrency: Some(7), attempts: 4, each: Some(Sort::Http), ..needs(&[1]) };
    assert_eq!(*graph.node(3), named("each", Sort::Foreach, each));
    let kept: Graph = serde_json::from_str(&serde_json::to_string(&graph).unwrap()).unwrap();
    assert_eq!(kept, graph);
    assert_eq!([0, 1, 2, 3].map(|stage| graph.behind(stage)), [0, 3, 1, 1]);
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 1);
    assert_eq!(states(&run), [Stage::Pending, Stage::Succeeded, Stage::Ready, Stage::Ready]);
    let crate::pipeline::Uses::Gate(gate) = &definition.stages[2].work.uses else { panic!() };
    let calendar = crate::gate::calendar::Calendar::of(gate, 10_000);
    assert_eq!(calendar.expires_ms, Some(15_000));
    assert_eq!(calendar.next_ms(crate::gate::calendar::Told::default()), Some(11_000));
    assert!(calendar.quorum(&gate.quorum, 13_000).to_string().ends_with("or group:security"));
}
