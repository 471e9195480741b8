//! Large runs, and any run.

use super::tally::Items;
use super::*;
use crate::run::window::{Open, Rest};
use proptest::prelude::*;
use std::collections::VecDeque;

/// Carries out what a run says until it has ended; gives how many steps that took, and the most items under way.
fn drive(graph: &Graph, run: &mut Run, items: u32, fails: impl Fn(Part) -> bool) -> (usize, usize) {
    let mut todo: VecDeque<Effect> = step_into(graph, run, Outcome::Begin).into();
    let (mut steps, mut most) = (0, 0);
    while let Some(effect) = todo.pop_front() {
        let Effect::Start(part) = effect else { continue };
        let list = part.item.is_none() && graph.node(part.stage).concurrency.is_some();
        let outcome = match (list, fails(part)) {
            (true, _) => Outcome::Listed(part, items),
            (false, true) => Outcome::Failed(part, Failure::Failed, Again::Never),
            (false, false) => Outcome::Succeeded(part),
        };
        todo.extend(step_into(graph, run, outcome));
        steps += 1;
        most = most.max(run.windows.values().map(|window| window.open.len()).sum());
    }
    (steps, most)
}

pub(super) fn step_into(graph: &Graph, run: &mut Run, outcome: Outcome) -> Vec<Effect> {
    let taken = step(graph, run, outcome).unwrap();
    run.apply(&taken.changes);
    taken.effects
}

/// What a run is in a journal.
fn bytes(run: &Run) -> usize {
    serde_json::to_vec(run).unwrap().len()
}

// D20: a list of 10,000, fifty at once: the run never holds more than fifty of them, and says how far it is.
#[test]
fn d20_a_long_list_is_a_window() {
    let list = Node { concurrency: Some(50), ..needs(&[]) };
    let graph = graph(vec![list, needs(&[0])]);
    let mut run = Run::new(&graph);
    let (steps, most) = drive(&graph, &mut run, 10_000, |_| false);
    assert_eq!((steps, most), (10_002, 50));
    assert_eq!(run.head.state, State::Succeeded);
    let progress =
        Progress { stages: 2, ended: 2, items: 10_000, items_ended: 10_000, ..Progress::default() };
    assert_eq!(run.progress(), progress);
    assert!(bytes(&run) < 1_000);
}

// D20: a step of a list changes as much as it touches, however long the list.
#[test]
fn d20_a_step_is_as_small_as_what_it_touches() {
    let list = Node { concurrency: Some(1_000), ..needs(&[]) };
    let graph = graph(vec![list]);
    let mut run = begun(&graph);
    let listed = Outcome::Listed(part(&run, 0), 10_000);
    take(&graph, &mut run, listed).unwrap();
    let first = Part { item: Some(Item { index: 0, attempt: 1 }), ..part(&run, 0) };
    let taken = take(&graph, &mut run, Outcome::Succeeded(first)).unwrap();
    let WindowChange::Is(tally, items) = &taken.changes.windows[0].1 else { panic!() };
    assert_eq!((tally.open, tally.succeeded, items.len()), (1_000, 1, 2));
    let too_long = Outcome::Listed(part(&run, 0), 10_001);
    assert_eq!(take(&graph, &mut run, too_long), Err(Unfit::Stale), "a list is said once");
    let mut other = begun(&graph);
    let too_long = Outcome::Listed(part(&other, 0), 10_001);
    assert_eq!(take(&graph, &mut other, too_long), Err(Unfit::TooMany));
}

// D20: every item is tried, up to a hundred failures; then no more begin, and the stage says how many failed.
#[test]
fn d20_items_fail_one_by_one_and_not_without_end() {
    let list = Node { concurrency: Some(10), ..needs(&[]) };
    let graph = graph(vec![list, needs(&[0])]);
    let mut run = Run::new(&graph);
    let third = |part: Part| part.item.is_some_and(|item| item.index == 3);
    let (steps, _) = drive(&graph, &mut run, 20, third);
    assert_eq!(steps, 21);
    assert_eq!(run.stage(0).why, Some(Why::Items(1)));
    assert_eq!(run.window(0).unwrap().tally.first_failed, Some(3));
    assert_eq!(run.progress().items_failed, 1);
    let mut run = Run::new(&graph);
    drive(&graph, &mut run, 10_000, |part| part.item.is_some());
    let failed = run.window(0).unwrap().tally.failed;
    assert!((MAX_FAILED_ITEMS..MAX_FAILED_ITEMS + 10).contains(&failed), "{failed}");
    assert_eq!(run.head.state, State::Failed);
    let mut run = Run::new(&graph);
    drive(&graph, &mut run, 0, |_| false);
    assert_eq!(run.head.state, State::Succeeded, "an empty list is done");
}

// D20, D22: items of the engine rest between attempts, and wait; the stage and the run wait with them.
#[test]
fn d20_items_are_tried_again_and_wait() {
    let list = Node { concurrency: Some(2), attempts: 2, ..needs(&[]) };
    let graph = graph(vec![list]);
    let mut run = begun(&graph);
    let stage = part(&run, 0);
    take(&graph, &mut run, Outcome::Listed(stage, 2)).unwrap();
    let item = |index, attempt| Part { item: Some(Item { index, attempt }), ..stage };
    take(&graph, &mut run, Outcome::Moved(item(1, 1), Going::Waiting)).unwrap();
    let failed = Outcome::Failed(item(0, 1), Failure::TimedOut, Again::May);
    let effects = take(&graph, &mut run, failed).unwrap().effects;
    let expected = [Effect::Stop(item(0, 1)), Effect::Retry(item(0, 1), 1), Effect::Run(State::Waiting)];
    assert_eq!(effects, expected);
    assert_eq!(run.stage(0).state, Stage::Waiting);
    let resting = Open { attempt: 1, going: Going::Waiting, rest: Rest::Backoff };
    assert_eq!(run.window(0).unwrap().open[&0], resting);
    take(&graph, &mut run, Outcome::Stopped(item(0, 1), Stop::Stopped)).unwrap();
    take(&graph, &mut run, Outcome::RetryDue(item(0, 1))).unwrap();
    assert_eq!(take(&graph, &mut run, Outcome::Succeeded(item(0, 1))), Err(Unfit::Stale));
    take(&graph, &mut run, Outcome::Failed(item(0, 2), Failure::Failed, Again::May)).unwrap();
    take(&graph, &mut run, Outcome::Succeeded(item(1, 1))).unwrap();
    assert_eq!(run.head.state, State::Failed);
}

// D22: a thousand stages: one step touches what depends on it, not the run.
#[test]
fn d22_a_thousand_stages() {
    let nodes = (0..1_000_u32).map(|stage| needs(&stage.checked_sub(10).into_iter().collect::<Vec<u32>>()));
    let graph = graph(nodes.collect());
    let mut run = Run::new(&graph);
    let begun = step(&graph, &run, Outcome::Begin).unwrap();
    assert_eq!(begun.changes.stages.len(), 10);
    run.apply(&begun.changes);
    let one = step(&graph, &run, Outcome::Succeeded(part(&run, 3))).unwrap();
    assert_eq!(one.changes.stages.len(), 2, "the stage and the one behind it");
    let mut run = Run::new(&graph);
    assert_eq!(drive(&graph, &mut run, 0, |_| false).0, 1_000);
    assert_eq!(run.head.state, State::Succeeded);
}

/// Any graph, as its needs, its lists and its gates.
fn any_graph() -> impl Strategy<Value = Graph> {
    let node = (proptest::collection::vec(any::<u32>(), 0..4), any::<(bool, u8)>(), 1..3_u32);
    (proptest::collection::vec(node, 1..60), any::<bool>()).prop_map(|(nodes, turn)| {
        let nodes = nodes.into_iter().enumerate().map(|(stage, (wanted, (judges, sort), attempts))| {
            let stage = u32::try_from(stage).unwrap();
            let mut list: Vec<u32> =
                wanted.into_iter().filter(|_| stage > 0).map(|need| need % stage).collect();
            list.sort_unstable();
            list.dedup();
            let back = list.first().filter(|_| sort % 4 == 1).map(|to| Back { stage: *to, rounds: 2 });
            let concurrency = sort.is_multiple_of(4).then_some(3);
            let judges = if judges { list.clone() } else { Vec::new() };
            Node { needs: list, judges, attempts, back, concurrency, ..Node::default() }
        });
        // Little room, so that lists wait for each other.
        (if turn { turned(nodes.collect()) } else { graph(nodes.collect()) }).with_room(4)
    })
}

/// An answer of something that is stopping, or of nothing.
fn answer(run: &Run, which: u32, stop: Stop) -> Outcome {
    let stopping: Vec<Part> = run.stopping().keys().copied().collect();
    let nobody = Part { stage: 0, attempt: 0, item: None };
    Outcome::Stopped(stopping.get(which as usize % stopping.len().max(1)).copied().unwrap_or(nobody), stop)
}

/// One of the outcomes that fit, by a number.
fn any_outcome(graph: &Graph, run: &Run, (which, how): (u32, u8)) -> Outcome {
    let active: Vec<u32> = (0..graph.len()).filter(|stage| run.stage(*stage).state.is_active()).collect();
    let Some(stage) = active.get(which as usize % active.len().max(1)) else {
        return match how % 3 {
            0 => Outcome::Rerun(None),
            1 => Outcome::Rerun(Some(which % graph.len())),
            _ => answer(run, which, Stop::Stopped),
        };
    };
    let at = part(run, *stage);
    let items = run.window(*stage).into_iter().flat_map(|window| &window.open);
    let item = items.map(|(index, open)| Item { index: *index, attempt: open.attempt }).next_back();
    let list = graph.node(*stage).concurrency.is_some() && run.window(*stage).is_none();
    let at = Part { item: item.filter(|_| how % 16 != 15), ..at };
    match how {
        _ if list && how % 8 != 7 => Outcome::Listed(at, u32::from(how % 9)),
        0..100 => Outcome::Succeeded(at),
        100..140 => Outcome::Failed(at, Failure::Failed, Again::May),
        140..145 => Outcome::Failed(at, Failure::TimedOut, Again::Never),
        145..150 => Outcome::Failed(at, Failure::TimedOut, Again::May),
        150..170 => Outcome::RetryDue(at),
        170..190 => Outcome::Moved(at, Going::Waiting),
        190..200 => Outcome::Moved(at, Going::Running),
        200..220 => Outcome::Rejected(at, Rejection::AsDefined),
        220..230 => Outcome::Skipped(at),
        230..236 => Outcome::Cancelled(at),
        236..250 => answer(run, which, if how % 2 == 0 { Stop::Stopped } else { Stop::Unconfirmed }),
        _ => Outcome::Cancel,
    }
}

proptest! {
    // D22: on any graph and any story the near step is the whole one, each can be taken back, and the numbers of lists
    // are those of what was begun and what became of it.
    #[test]
    fn d22_near_is_whole_on_any_graph(
        graph in any_graph(),
        story in proptest::collection::vec(any::<(u32, u8)>(), 0..200),
    ) {
        let mut run = begun(&graph);
        let mut items = Items::default();
        for number in story {
            let outcome = any_outcome(&graph, &run, number);
            if let Ok(taken) = take(&graph, &mut run, outcome) {
                items.hear(&graph, &run, outcome, &taken);
            }
        }
        let kept: Run = serde_json::from_value(serde_json::to_value(&run).unwrap()).unwrap();
        prop_assert_eq!(kept, run);
    }
}
