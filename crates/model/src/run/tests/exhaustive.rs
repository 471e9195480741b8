//! Every graph of a few stages, every state that it can come to, every outcome there.

use super::*;
use std::collections::HashSet;

/// Every graph of `count` stages in which a stage needs earlier ones only: all there are, but for names.
fn graphs(count: u32, make: impl Fn(u32, Vec<u32>) -> Node) -> Vec<Graph> {
    let pairs: Vec<(u32, u32)> = (0..count).flat_map(|to| (0..to).map(move |from| (from, to))).collect();
    let all = (0..1_u32 << pairs.len()).map(|edges| {
        let nodes = (0..count).map(|stage| {
            let needs = pairs.iter().enumerate();
            let needs = needs.filter(|(bit, (_, to))| *to == stage && edges & (1 << bit) != 0);
            make(stage, needs.map(|(_, (from, _))| *from).collect())
        });
        graph(nodes.collect())
    });
    all.collect()
}

/// What can happen next; `depth` bounds attempts, so that the walk ends.
fn outcomes(graph: &Graph, run: &Run, most: u32, ends: &[fn(Part) -> Outcome]) -> Vec<Outcome> {
    let mut next = Vec::new();
    for stage in 0..graph.len() {
        let at = part(run, stage);
        if run.stage(stage).state.is_active() {
            next.extend(ends.iter().map(|end| end(at)));
            if run.stage(stage).attempt < most {
                next.push(Outcome::RetryDue(at));
                next.push(Outcome::Rejected(at, Rejection::AsDefined));
            }
        }
        if run.stages().iter().all(|stage| stage.attempt < most) {
            next.push(Outcome::Rerun(Some(stage)));
        }
    }
    if most > 1 {
        next.push(Outcome::Cancel);
        for part in run.stopping().keys() {
            next.extend([Stop::Stopped, Stop::Unconfirmed].map(|stop| Outcome::Stopped(*part, stop)));
        }
    }
    next
}

fn walk(graph: &Graph, most: u32, ends: &[fn(Part) -> Outcome]) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![begun(graph)];
    while let Some(run) = open.pop() {
        if seen.contains(&run) {
            continue;
        }
        for outcome in outcomes(graph, &run, most, ends) {
            let mut next = run.clone();
            if take(graph, &mut next, outcome).is_ok() && !seen.contains(&next) {
                open.push(next);
            }
        }
        seen.insert(run);
    }
    seen.len()
}

const SUCCEED: fn(Part) -> Outcome = Outcome::Succeeded;
const FAIL: fn(Part) -> Outcome = |part| Outcome::Failed(part, Failure::Failed, Again::May);
const TOO_LONG: fn(Part) -> Outcome = |part| Outcome::Failed(part, Failure::TimedOut, Again::May);
const SKIP: fn(Part) -> Outcome = Outcome::Skipped;
const CALL_OFF: fn(Part) -> Outcome = Outcome::Cancelled;

// D22: on every graph of up to four stages, whatever happens in whatever order, the step that looks at what depends on
// the outcome is the step that looks at everything.
#[test]
fn d22_near_is_whole_on_every_small_graph() {
    let mut seen = 0;
    for count in 0..=4 {
        for graph in graphs(count, |_, list| needs(&list)) {
            seen += walk(&graph, 1, &[SUCCEED, FAIL, SKIP, CALL_OFF]);
        }
    }
    assert!(seen > 10_000, "{seen}");
}

// D22: the same with five stages, of which every other judges what it needs.
#[test]
fn d22_near_is_whole_on_every_graph_of_five() {
    let judging = |stage: u32, list: Vec<u32>| Node {
        judges: if stage.is_multiple_of(2) { list.clone() } else { Vec::new() },
        ..needs(&list)
    };
    let seen: usize = graphs(5, judging).iter().map(|graph| walk(graph, 1, &[SUCCEED, FAIL])).sum();
    assert!(seen > 50_000, "{seen}");
}

// D22, D23: the same with second attempts, gates that send back, cancel, stops and reruns from every stage.
#[test]
fn d22_near_is_whole_when_a_run_goes_back() {
    let both = |_, list: Vec<u32>| {
        let back = list.first().map(|stage| Back { stage: *stage, rounds: 1 });
        Node { attempts: 2, back, ..needs(&list) }
    };
    let mut seen = 0;
    for count in 1..=3 {
        for graph in graphs(count, both) {
            seen += walk(&graph, 2, &[SUCCEED, FAIL, TOO_LONG]);
        }
    }
    assert!(seen > 2_000, "{seen}");
}
