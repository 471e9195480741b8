//! Runs from rows, and graphs from JSON.

use super::large::step_into;
use super::*;
use crate::run::rows::{Rows, Torn};
use crate::run::window::MAX_OPEN_ITEMS;
use serde_json::json;

fn of(graph: &Graph, run: &Run, change: impl Fn(&mut Rows)) -> Result<Run, Torn> {
    let mut rows = run.to_rows();
    change(&mut rows);
    Run::of_rows(graph, rows)
}

/// A list of five with two under way and one ended, and a stage behind it.
fn listed() -> (Graph, Run) {
    let list = Node { concurrency: Some(2), ..needs(&[]) };
    let graph = graph(vec![list, needs(&[0])]);
    let mut run = begun(&graph);
    let stage = part(&run, 0);
    take(&graph, &mut run, Outcome::Listed(stage, 5)).unwrap();
    let item = |index| Part { item: Some(Item { index, attempt: 1 }), ..stage };
    take(&graph, &mut run, Outcome::Succeeded(item(0))).unwrap();
    take(&graph, &mut run, Outcome::Moved(item(1), Going::Waiting)).unwrap();
    (graph, run)
}

// D22: whatever can be counted is counted from rows, whatever they say of it.
#[test]
fn d22_numbers_of_rows_are_counted_anew() {
    let (graph, run) = listed();
    let again = of(&graph, &run, |rows| {
        rows.stages.reverse();
        rows.stages.iter_mut().for_each(|(_, stage)| stage.unmet = 77);
        rows.head.counts = [9; 8];
        rows.head.items = 9;
        let tally = &mut rows.windows.get_mut(&0).unwrap().tally;
        (tally.open, tally.waiting) = (0, 0);
    });
    let again = again.unwrap();
    assert_eq!(again.head, run.head);
    assert_eq!((again.window(0), again.stage(1).unmet), (run.window(0), 1));
}

// D22: a run whose rows are not all there is told, in place of one that hangs without a word.
#[test]
fn d22_missing_rows_are_told() {
    let (graph, run) = listed();
    assert_eq!(of(&graph, &run, |rows| rows.stages.truncate(0)), Err(Torn::Stage(0)));
    assert_eq!(of(&graph, &run, |rows| rows.stages.truncate(1)), Err(Torn::Stage(1)));
    assert_eq!(of(&graph, &run, |rows| rows.stages.push(rows.stages[1].clone())), Err(Torn::Stage(2)));
    let open = |rows: &mut Rows| {
        rows.windows.get_mut(&0).unwrap().open.remove(&1);
    };
    assert_eq!(of(&graph, &run, open), Err(Torn::List(0)));
    let pending = |rows: &mut Rows| {
        rows.windows.clear();
        rows.stages[0].1.state = Stage::Pending;
    };
    assert_eq!(of(&graph, &run, pending), Err(Torn::Stuck(0)));
    let mut cancelled = run;
    take(&graph, &mut cancelled, Outcome::Cancel).unwrap();
    let stops = of(&graph, &cancelled, |rows| {
        rows.stopping.pop_first();
    });
    assert_eq!(stops, Err(Torn::Stops { have: 1, said: 2 }));
    assert!(stops.unwrap_err().to_string().contains("1 parts are stopping, and 2 are counted"));
}

// D22: a join of many needs that counts one less is no other row.
#[test]
fn d22_a_stage_that_only_counts_is_kept_alike() {
    let graph = graph(vec![needs(&[]), needs(&[]), needs(&[0, 1])]);
    let mut run = begun(&graph);
    let before = run.stage(2).clone();
    succeed(&graph, &mut run, 0);
    assert_ne!(*run.stage(2), before);
    assert!(run.stage(2).is_kept_alike(&before));
    succeed(&graph, &mut run, 1);
    assert!(!run.stage(2).is_kept_alike(&before));
}

// D22: a graph as versions before wrote it; it is read for as long as a run may be under way with it.
const KEPT: &str = r#"{"nodes":[
  {"id":"draft","uses":"command","each":null,"judged":true,"outputs":["notes"],"needs":[],"judges":[],"attempts":1,
   "backoff":{"kind":"exponential","base_ms":1000,"max_ms":300000,"jitter":"full"},"back":null,"concurrency":null},
  {"id":"ask","uses":"gate","each":null,"judged":false,"outputs":["subject"],"needs":[0],"judges":[],"attempts":1,
   "backoff":{"kind":"exponential","base_ms":1000,"max_ms":300000,"jitter":"full"},"back":{"stage":0,"rounds":2},"concurrency":null},
  {"id":"each","uses":"foreach","each":"http","judged":false,"outputs":[],"needs":[0],"judges":[0],"attempts":4,
   "backoff":{"kind":"fixed","base_ms":5,"max_ms":6,"jitter":"none"},"back":null,"concurrency":7}
 ],"order":[0,1,2]}"#;

#[test]
fn d22_a_kept_graph_is_read_without_its_definition() {
    let graph: Graph = serde_json::from_str(KEPT).unwrap();
    assert_eq!((graph.find("ask"), graph.find("none")), (Some(1), None));
    assert_eq!(graph.node(1).back, Some(Back { stage: 0, rounds: 2 }));
    assert_eq!((graph.node(2).uses, graph.node(2).each), (Sort::Foreach, Some(Sort::Http)));
    assert_eq!((graph.node(2).concurrency, graph.node(2).attempts), (Some(7), 4));
    assert_eq!((graph.node(2).backoff.base_ms, graph.node(0).outputs[0].as_str()), (5, "notes"));
    assert!(graph.node(0).judged && !graph.node(1).judged);
    assert_eq!([0, 1, 2].map(|stage| graph.behind(stage)), [2, 0, 0]);
    let kept: serde_json::Value = serde_json::from_str(KEPT).unwrap();
    assert_eq!(serde_json::to_value(&graph).unwrap(), kept, "and is written the same");
    let later = r#"{"nodes":[{"needs":[],"attempts":2,"later":[1]},{"needs":[0]}],"order":[0,1],"more":{}}"#;
    let later: Graph = serde_json::from_str(later).unwrap();
    assert_eq!((later.node(0).attempts, later.node(1).attempts), (2, 1));
}

#[test]
fn d22_what_is_no_graph_is_refused() {
    let read = |nodes: serde_json::Value, order: serde_json::Value| {
        let graph = serde_json::from_value::<Graph>(json!({"nodes": nodes, "order": order}));
        graph.unwrap_err().to_string()
    };
    assert_eq!(read(json!([{}, {}]), json!([0, 0])), "the order has not every stage once");
    assert_eq!(read(json!([{}, {}]), json!([0])), "the order has not every stage once");
    assert_eq!(read(json!([{}]), json!([1])), "the order has not every stage once");
    let behind = "stage 0 names a stage that is not before it";
    assert_eq!(read(json!([{"needs": [1]}, {}]), json!([0, 1])), behind);
    assert_eq!(read(json!([{"needs": [7]}, {}]), json!([0, 1])), behind);
    assert_eq!(read(json!([{"back": {"stage": 0, "rounds": 1}}]), json!([0])), behind);
}

// D20: a run has a bounded number of parts under way, so a cancel is a bounded step; whoever found no room goes on as
// others end, and all of it is done at last.
#[test]
fn d20_a_run_has_so_many_parts_under_way_at_once() {
    let list = || Node { concurrency: Some(900), ..needs(&[]) };
    let graph = graph(vec![list(), list(), list()]);
    let mut run = begun(&graph);
    for stage in 0..3 {
        let listed = Outcome::Listed(part(&run, stage), 2_000);
        take(&graph, &mut run, listed).unwrap();
    }
    let open = |run: &Run| [0, 1, 2].map(|stage| run.window(stage).unwrap().open.len());
    assert_eq!(open(&run), [900, 100, 0]);
    assert_eq!(run.stage(2).state, Stage::Waiting, "it waits for room");
    let mut cancelled = run.clone();
    let effects = take(&graph, &mut cancelled, Outcome::Cancel).unwrap().effects;
    let stops = effects.iter().filter(|effect| matches!(effect, Effect::Stop(_))).count();
    assert_eq!(stops, MAX_OPEN_ITEMS as usize);
    let item = |stage, index| Part { item: Some(Item { index, attempt: 1 }), stage, attempt: 1 };
    let effects = take(&graph, &mut run, Outcome::Succeeded(item(1, 0))).unwrap().effects;
    assert_eq!(effects, [Effect::Start(item(1, 100))]);
    for index in 0..2_000 {
        step_into(&graph, &mut run, Outcome::Succeeded(item(0, index)));
    }
    assert_eq!(open(&run), [0, 900, 100], "the room of a list that has ended is for the others");
    for (stage, from) in [(1, 1), (2, 0)] {
        for index in from..2_000 {
            step_into(&graph, &mut run, Outcome::Succeeded(item(stage, index)));
        }
    }
    assert_eq!(run.head.state, State::Succeeded);
}
