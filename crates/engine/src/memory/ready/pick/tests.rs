//! The order of claims on a bare ready order.

use super::*;
use std::sync::Arc;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::{Flow, Settings};
use tiltyard_model::task::{Concurrency, Rate, sort_key};

fn lane(scope: &str, queue: &str) -> Lane {
    Lane {
        scope: scope.into(),
        queue: queue.into(),
        capabilities: Vec::new(),
        assign_to: None,
        concurrency: None,
        rate: None,
        category: None,
        kind: None,
    }
}

fn want() -> Want {
    Want {
        agent: "a".into(),
        capabilities: Vec::new(),
        kinds: None,
        queues: Vec::new(),
        reach: Reach::All,
        allowed: None,
    }
}

/// A ready order of queues `(scope, queue)` with one plain lane each; lane and queue have the same key, from 1.
fn order(queues: &[(i64, &str)]) -> Ready {
    let mut ready = Ready::default();
    for (index, (scope, name)) in queues.iter().enumerate() {
        let key = index as i64 + 1;
        ready.know_queue(key, *scope, &Settings::default());
        ready.know_lane(key, key, Arc::new(lane(&format!("s{scope}"), name)));
    }
    ready
}

fn take(ready: &mut Ready, want: &Want) -> Option<i64> {
    let pick = ready.next(want, 0)?;
    assert!(ready.remove(pick.lane, pick.place));
    Some(pick.task)
}

// D5: the higher priority first, then the one ready longer; ten minutes weigh as one step.
#[test]
fn d5_priority_then_waiting_then_ageing() {
    let mut ready = order(&[(1, "q")]);
    for (task, ready_at, priority) in [(1, 1_000, 5), (2, 0, 5), (3, 2_000, 6), (4, 0, 4), (5, 599_999, 6)] {
        ready.insert(1, (sort_key(ready_at, priority), task));
    }
    let taken: Vec<_> = std::iter::from_fn(|| take(&mut ready, &want())).collect();
    assert_eq!(taken, [3, 5, 2, 1, 4]);
}

// D6: one flooded scope does not starve another, one flooded queue not its sister.
#[test]
fn d6_scopes_and_queues_take_turns() {
    let mut ready = order(&[(1, "a"), (1, "b"), (2, "a")]);
    for task in 0..100 {
        ready.insert(1, (task, task));
    }
    ready.insert(2, (0, 200));
    ready.insert(3, (0, 300));
    ready.insert(3, (1, 301));
    let first: Vec<_> = (0..5).filter_map(|_| take(&mut ready, &want())).collect();
    assert!(first.contains(&200) && first.contains(&300) && first.contains(&301), "{first:?}");
}

#[test]
fn capabilities_names_queues_and_scopes_limit_who_gets_what() {
    let mut ready = order(&[(1, "q")]);
    let gpu = Lane { capabilities: vec!["gpu".into()], ..lane("s1", "q") };
    let named = Lane { assign_to: Some("b".into()), ..lane("s1", "q") };
    ready.know_lane(8, 1, Arc::new(gpu));
    ready.know_lane(9, 1, Arc::new(named));
    ready.insert(8, (0, 80));
    ready.insert(9, (1, 90));
    assert_eq!(ready.next(&want(), 0), None);
    let able = Want { capabilities: vec!["gpu".into()], ..want() };
    assert_eq!(ready.next(&able, 0).map(|pick| pick.task), Some(80));
    assert_eq!(ready.next(&Want { agent: "b".into(), ..want() }, 0).map(|pick| pick.task), Some(90));
    assert_eq!(ready.next(&Want { queues: vec!["other".into()], ..able.clone() }, 0), None);
    assert_eq!(ready.next(&Want { reach: Reach::Only(vec!["s2".into()]), ..able.clone() }, 0), None);
    assert_eq!(ready.next(&Want { allowed: Some(vec!["x".into()]), ..able }, 0), None);
}

#[test]
fn a_concurrency_key_blocks_its_lane_only() {
    let mut ready = order(&[(1, "q")]);
    let limited = Lane { concurrency: Some(Concurrency { key: "k".into(), limit: 1 }), ..lane("s1", "q") };
    ready.know_lane(7, 1, Arc::new(limited));
    ready.insert(7, (0, 70));
    ready.insert(7, (1, 71));
    ready.insert(1, (2, 10));
    assert_eq!(take(&mut ready, &want()), Some(70));
    ready.take(7);
    assert_eq!(ready.block_of(7, 0), Some(Block::Concurrency));
    assert_eq!(take(&mut ready, &want()), Some(10));
    assert_eq!(take(&mut ready, &want()), None);
    ready.free(7);
    assert_eq!(take(&mut ready, &want()), Some(71));
}

#[test]
fn a_rate_blocks_until_its_minute_has_gone_on() {
    let mut ready = order(&[(1, "q")]);
    let limited = Lane { rate: Some(Rate { key: "r".into(), per_minute: 2 }), ..lane("s1", "q") };
    ready.know_lane(7, 1, Arc::new(limited));
    ready.insert(7, (0, 70));
    assert_eq!(ready.rates_of(7), [(1, "r".to_owned())]);
    ready.rates_mut().count(1, "r", 10, 2);
    assert_eq!(ready.next(&want(), 69_999), None);
    assert_eq!(ready.block_of(7, 69_999), Some(Block::Rate));
    assert!(ready.next(&want(), 70_000).is_some());
}

#[test]
fn a_queue_that_is_stopped_or_full_starts_nothing() {
    let mut ready = order(&[(1, "q")]);
    ready.insert(1, (0, 1));
    for flow in [Flow::Paused, Flow::Draining] {
        ready.know_queue(1, 1, &Settings { flow, ..Settings::default() });
        assert_eq!(ready.next(&want(), 0), None);
    }
    ready.know_queue(1, 1, &Settings { concurrency_limit: Some(1), ..Settings::default() });
    ready.take(1);
    assert_eq!(ready.next(&want(), 0), None);
    assert_eq!(ready.block_of(1, 0), Some(Block::QueueLimit));
    ready.free(1);
    assert_eq!(ready.next(&want(), 0).map(|pick| pick.task), Some(1));
    assert_eq!(ready.before(1, (1, 1), 10), 1);
}
