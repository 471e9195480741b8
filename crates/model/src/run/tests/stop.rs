//! Stops that are answered by name, and what waits for them.

use super::*;
use crate::run::window::{Open, Rest};

fn answer(graph: &Graph, run: &mut Run, part: Part, stop: Stop) -> Result<Vec<Effect>, Unfit> {
    take(graph, run, Outcome::Stopped(part, stop)).map(|step| step.effects)
}

/// Three stages side by side, cancelled.
fn cancelled() -> (Graph, Run, Vec<Part>) {
    let graph = graph(vec![needs(&[]), needs(&[]), needs(&[])]);
    let mut run = begun(&graph);
    take(&graph, &mut run, Outcome::Cancel).unwrap();
    let parts = (0..3).map(|stage| part(&run, stage)).collect();
    (graph, run, parts)
}

// E8, D4: the same answer twice is counted once, so a rerun is not let in beside what is still under way.
#[test]
fn e8_a_stop_is_answered_by_its_part_once() {
    let (graph, mut run, parts) = cancelled();
    assert_eq!(answer(&graph, &mut run, parts[0], Stop::Stopped), Ok(vec![]));
    for stop in [Stop::Stopped, Stop::Unconfirmed] {
        assert_eq!(answer(&graph, &mut run, parts[0], stop), Err(Unfit::Stale));
    }
    let other = Part { attempt: 9, ..parts[1] };
    assert_eq!(answer(&graph, &mut run, other, Stop::Stopped), Err(Unfit::Stale), "of another attempt");
    assert_eq!(run.head.stops.left(), 2);
    assert_eq!(take(&graph, &mut run, Outcome::Rerun(None)), Err(Unfit::Stopping(2)));
}

// D4: who stops after nobody had confirmed it puts the number right, once, and it is told again.
#[test]
fn d4_a_late_word_puts_the_number_right() {
    let (graph, mut run, parts) = cancelled();
    answer(&graph, &mut run, parts[0], Stop::Unconfirmed).unwrap();
    assert_eq!(answer(&graph, &mut run, parts[0], Stop::Unconfirmed), Err(Unfit::Stale));
    answer(&graph, &mut run, parts[1], Stop::Unconfirmed).unwrap();
    let all = answer(&graph, &mut run, parts[2], Stop::Stopped).unwrap();
    assert_eq!(all, [Effect::Stopped(Stops { asked: 3, stopped: 1, unconfirmed: 2 })]);
    let late = answer(&graph, &mut run, parts[0], Stop::Stopped).unwrap();
    assert_eq!(late, [Effect::Stopped(Stops { asked: 3, stopped: 2, unconfirmed: 1 })]);
    assert_eq!(answer(&graph, &mut run, parts[0], Stop::Stopped), Err(Unfit::Stale));
    take(&graph, &mut run, Outcome::Rerun(None)).unwrap();
    assert_eq!(run.head.stops, Stops::default());
    assert_eq!(answer(&graph, &mut run, parts[1], Stop::Stopped), Err(Unfit::Stale), "of before the rerun");
    assert!(run.stopping().is_empty());
}

/// draft → gate that may send back, with a branch that is under way meanwhile.
fn sent_back() -> (Graph, Run, Part) {
    let gate = Node { back: Some(Back { stage: 0, rounds: 9 }), ..needs(&[0]) };
    let graph = graph(vec![needs(&[]), gate, needs(&[0])]);
    let mut run = begun(&graph);
    succeed(&graph, &mut run, 0);
    let side = part(&run, 2);
    let reject = Outcome::Rejected(part(&run, 1), Rejection::AsDefined);
    take(&graph, &mut run, reject).unwrap();
    (graph, run, side)
}

// D4, D23: an attempt never begins beside an earlier one of the same stage that is still stopping; the answer frees it.
#[test]
fn d4_a_stage_waits_for_its_earlier_attempt_to_stop() {
    for stop in [Stop::Stopped, Stop::Unconfirmed] {
        let (graph, mut run, side) = sent_back();
        let begun = succeed(&graph, &mut run, 0);
        assert!(!begun.iter().any(|effect| matches!(effect, Effect::Start(part) if part.stage == 2)));
        assert_eq!((run.stage(2).state, run.stage(2).why), (Stage::Pending, Some(Why::Stopping)));
        succeed(&graph, &mut run, 1);
        assert_eq!(run.head.state, State::Running, "what is held back is not forgotten");
        assert_eq!(take(&graph, &mut run, Outcome::Succeeded(side)), Err(Unfit::Stale));
        let next = Part { attempt: 2, ..side };
        assert_eq!(answer(&graph, &mut run, side, stop), Ok(vec![Effect::Start(next)]));
        assert_eq!(run.head.stops, Stops::default(), "numbers are of cancels only");
        succeed(&graph, &mut run, 2);
        assert_eq!(run.head.state, State::Succeeded);
    }
}

// D23: a second way back while the first one's stop is open holds the stage all the same, and a stop before its turn
// frees nothing.
#[test]
fn d4_what_is_held_back_can_be_reset_and_cancelled() {
    let (graph, mut run, side) = sent_back();
    succeed(&graph, &mut run, 0);
    let reject = Outcome::Rejected(part(&run, 1), Rejection::AsDefined);
    let again = take(&graph, &mut run, reject).unwrap();
    assert!(!again.effects.contains(&Effect::Stop(side)), "it was told already");
    let mut early = run.clone();
    assert_eq!(answer(&graph, &mut early, side, Stop::Stopped), Ok(vec![]), "what it needs has not ended");
    succeed(&graph, &mut run, 0);
    assert_eq!(run.stage(2).why, Some(Why::Stopping));
    let effects = take(&graph, &mut run, Outcome::Cancel).unwrap().effects;
    assert!(!effects.contains(&Effect::Stop(side)));
    assert_eq!(run.head.stops.asked, 2, "the gate, and what was told before");
    assert_eq!(run.stage(2).state, Stage::Cancelled);
}

// D4: the next attempt after a time-out waits for the one before it to stop, of a stage and of an item.
#[test]
fn d4_a_retry_waits_for_the_attempt_that_took_too_long() {
    let list = Node { attempts: 3, concurrency: Some(2), ..needs(&[]) };
    let graph = graph(vec![Node { attempts: 3, ..needs(&[]) }, list]);
    let mut run = begun(&graph);
    let first = part(&run, 0);
    take(&graph, &mut run, Outcome::Failed(first, Failure::TimedOut, Again::May)).unwrap();
    let due = take(&graph, &mut run, Outcome::RetryDue(first)).unwrap();
    assert_eq!(due.effects, []);
    let next = Part { attempt: 2, ..first };
    assert_eq!(answer(&graph, &mut run, first, Stop::Stopped), Ok(vec![Effect::Start(next)]));
    assert_eq!(run.stage(0).failures, 1, "it is the same row of attempts");

    let stage = part(&run, 1);
    take(&graph, &mut run, Outcome::Listed(stage, 3)).unwrap();
    let item = |index, attempt| Part { item: Some(Item { index, attempt }), ..stage };
    take(&graph, &mut run, Outcome::Failed(item(0, 1), Failure::TimedOut, Again::May)).unwrap();
    assert_eq!(take(&graph, &mut run, Outcome::RetryDue(item(0, 1))).unwrap().effects, []);
    let held = Open { attempt: 1, going: Going::Waiting, rest: Rest::Stopping };
    assert_eq!(run.window(1).unwrap().open[&0], held);
    assert_eq!(take(&graph, &mut run, Outcome::RetryDue(item(0, 1))), Err(Unfit::Stale));
    let others = take(&graph, &mut run, Outcome::Succeeded(item(1, 1))).unwrap().effects;
    assert_eq!(others, [Effect::Start(item(2, 1))], "the other items go on");
    assert_eq!(answer(&graph, &mut run, item(0, 1), Stop::Unconfirmed), Ok(vec![Effect::Start(item(0, 2))]));
}

// D4: a whole run is not run again while what took too long is still stopping, though nothing was cancelled.
#[test]
fn d4_a_failed_run_waits_for_its_stops() {
    let graph = graph(vec![needs(&[])]);
    let mut run = begun(&graph);
    let first = part(&run, 0);
    take(&graph, &mut run, Outcome::Failed(first, Failure::TimedOut, Again::Never)).unwrap();
    assert_eq!(take(&graph, &mut run, Outcome::Rerun(None)), Err(Unfit::Stopping(1)));
    assert_eq!(answer(&graph, &mut run, first, Stop::Stopped), Ok(vec![]), "numbers are of cancels only");
    take(&graph, &mut run, Outcome::Rerun(None)).unwrap();
}

// D20: a list ends with its last item, or with all of them told to stop: none is left behind.
#[test]
fn d20_a_list_leaves_no_item_behind() {
    let graph = graph(vec![Node { concurrency: Some(2), ..needs(&[]) }]);
    let mut run = begun(&graph);
    let stage = part(&run, 0);
    take(&graph, &mut run, Outcome::Listed(stage, 3)).unwrap();
    let rejected = Outcome::Rejected(stage, Rejection::AsDefined);
    for outcome in
        [Outcome::Succeeded(stage), Outcome::Skipped(stage), Outcome::Moved(stage, Going::Ready), rejected]
    {
        assert_eq!(take(&graph, &mut run, outcome), Err(Unfit::Stale));
    }
    take(&graph, &mut run, Outcome::Failed(stage, Failure::Failed, Again::May)).unwrap();
    assert_eq!((run.head.stops.left(), run.head.items), (2, 0));
}
