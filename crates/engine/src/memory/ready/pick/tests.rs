//! The order of claims on a bare ready order.

use super::super::{Known, RateStep};
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

fn know_queue(ready: &mut Ready, key: i64, scope: i64, name: &str, settings: &Settings) {
    let scope_name = format!("s{scope}");
    ready.know_queue(Known { key, scope: (scope, &scope_name), name: &Arc::from(name), settings });
}

/// A ready order of queues `(scope, queue)` with one plain lane each; lane and queue have the same key, from 1.
fn order(queues: &[(i64, &str)]) -> Ready {
    let mut ready = Ready::default();
    for (index, (scope, name)) in queues.iter().enumerate() {
        let key = index as i64 + 1;
        know_queue(&mut ready, key, *scope, name, &Settings::default());
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
        know_queue(&mut ready, 1, 1, "q", &Settings { flow, ..Settings::default() });
        assert_eq!(ready.next(&want(), 0), None);
    }
    let one = Settings { concurrency_limit: Some(1), ..Settings::default() };
    know_queue(&mut ready, 1, 1, "q", &one);
    ready.take(1);
    assert_eq!(ready.next(&want(), 0), None);
    assert_eq!(ready.block_of(1, 0), Some(Block::QueueLimit));
    ready.free(1);
    assert_eq!(ready.next(&want(), 0).map(|pick| pick.task), Some(1));
    assert_eq!(ready.before(1, (1, 1), 10), 1);
}

// D5: nothing starves behind what is blocked or for others, however much that is.
#[test]
fn d5_any_number_of_blocked_lanes_hides_nothing() {
    const BLOCKED: i64 = 20_000;
    let mut ready = order(&[(1, "q")]);
    for number in 0..BLOCKED {
        let (name, plain) = (format!("n{number}"), lane("s1", "q"));
        let lanes = [
            Lane { concurrency: Some(Concurrency { key: name.clone(), limit: 1 }), ..plain.clone() },
            Lane { rate: Some(Rate { key: name.clone(), per_minute: 1 }), ..plain.clone() },
            Lane { assign_to: Some(name.clone()), ..plain.clone() },
            Lane { capabilities: vec!["linux".into(), name.clone()], ..plain.clone() },
            Lane { kind: Some(name.clone()), ..plain },
        ];
        ready.rates_mut().count(1, &name, 0, 1);
        for (sort, terms) in lanes.into_iter().enumerate() {
            let key = 100 + number * 5 + sort as i64;
            ready.know_lane(key, 1, Arc::new(terms));
            ready.insert(key, (number, key));
            if sort == 0 {
                ready.take(key);
            }
        }
    }
    ready.insert(1, (BLOCKED, 7));
    let able = Want { capabilities: vec!["linux".into()], kinds: Some(vec!["none".into()]), ..want() };
    assert_eq!(take(&mut ready, &able), Some(7));
    ready.free(100 + 5 * 777);
    assert_eq!(take(&mut ready, &able), Some(100 + 5 * 777), "what frees a lane puts it back");
    assert_eq!(take(&mut ready, &able), None);
    assert_eq!(ready.next(&able, 60_000).map(|pick| pick.place.0), Some(0), "so does the minute");
    assert_eq!(ready.len(), 5 * BLOCKED as usize - 1);
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % limit
    }

    fn some(&mut self, words: &[&str]) -> Vec<String> {
        words.iter().filter(|_| self.below(2) == 0).map(|word| (*word).to_owned()).collect()
    }

    fn one(&mut self, words: &[&str]) -> String {
        words[self.below(words.len() as u64) as usize].to_owned()
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) == 0).then(|| some(self))
    }

    fn lane(&mut self, scope: i64, queue: i64) -> Lane {
        Lane {
            capabilities: self.maybe(|dice| dice.some(&["a", "b", "c"])).unwrap_or_default(),
            assign_to: self.maybe(|dice| dice.one(&["a", "b"])),
            concurrency: self
                .maybe(|dice| Concurrency { key: dice.one(&["k", "l"]), limit: 1 + dice.below(2) as u32 }),
            rate: self
                .maybe(|dice| Rate { key: dice.one(&["r", "s"]), per_minute: 1 + dice.below(3) as u32 }),
            kind: Some(self.one(&["x", "y"])),
            ..lane(&format!("s{scope}"), &format!("q{queue}"))
        }
    }

    fn want(&mut self) -> Want {
        Want {
            agent: self.one(&["a", "b", "c"]),
            capabilities: self.some(&["a", "b", "c", "d"]),
            kinds: self.maybe(|dice| dice.some(&["x", "y", "z"])),
            queues: self.maybe(|dice| dice.some(&["q1", "q2", "q3", "none"])).unwrap_or_default(),
            reach: self.maybe(|dice| Reach::Only(dice.some(&["s1", "s2"]))).unwrap_or(Reach::All),
            allowed: self.maybe(|dice| dice.some(&["q1", "q2", "q3"])),
        }
    }
}

/// What the order must do, by looking at everything each time.
#[derive(Default)]
struct Naive {
    lanes: Vec<(i64, i64, Lane)>,
    settings: std::collections::BTreeMap<i64, (i64, Settings)>,
    ready: std::collections::BTreeSet<(Place, i64)>,
    running: Vec<i64>,
    starts: Vec<(i64, String, i64)>,
    served: Vec<(i64, i64)>,
}

impl Naive {
    fn lane(&self, key: i64) -> &(i64, i64, Lane) {
        self.lanes.iter().find(|(other, ..)| *other == key).expect("is known")
    }

    fn started(&self, scope: i64, key: &str, second: i64) -> u32 {
        let counts = |(of, name, at): &&(i64, String, i64)| {
            (*of, name.as_str()) == (scope, key) && *at > second - 60 && *at <= second
        };
        self.starts.iter().filter(counts).count() as u32
    }

    fn fits(&self, key: i64, want: &Want, second: i64) -> bool {
        let (_, queue, lane) = self.lane(key);
        let (scope, settings) = &self.settings[queue];
        let runs = |same: &dyn Fn(&(i64, i64, Lane)) -> bool| {
            self.running.iter().filter(|key| same(self.lane(**key))).count() as u32
        };
        let slot = |limit: &Concurrency| {
            runs(&|(_, _, other)| {
                other.scope == lane.scope && other.concurrency.as_ref().is_some_and(|of| of.key == limit.key)
            }) < limit.limit
        };
        want.names(&lane.scope, &lane.queue)
            && lane.fits(&want.agent, &want.capabilities)
            && lane.is_done_by(want.kinds.as_deref())
            && settings.flow == Flow::Open
            && settings.concurrency_limit.is_none_or(|limit| runs(&|(_, other, _)| other == queue) < limit)
            && settings
                .rate_per_minute
                .is_none_or(|limit| self.started(*scope, &super::queue_key(*queue), second) < limit)
            && lane.concurrency.as_ref().is_none_or(slot)
            && lane.rate.as_ref().is_none_or(|rate| self.started(*scope, &rate.key, second) < rate.per_minute)
    }

    /// How long ago a queue and its scope were served: never is longest.
    fn turn(&self, queue: i64) -> (usize, usize) {
        let scope = self.settings[&queue].0;
        let last = |is: &dyn Fn(&(i64, i64)) -> bool| self.served.iter().rposition(is).map_or(0, |at| at + 1);
        (last(&|(other, _)| *other == scope), last(&|(_, other)| *other == queue))
    }

    fn next(&self, want: &Want, second: i64) -> Option<i64> {
        let fitting = self.ready.iter().filter(|(_, lane)| self.fits(*lane, want, second));
        fitting.min_by_key(|(place, lane)| (self.turn(self.lane(*lane).1), *place)).map(|(place, _)| place.1)
    }
}

/// One world: what is kept by steps gives the same next task as a look at everything.
fn walk(seed: u64) {
    let (mut dice, mut ready, mut naive) = (Dice(seed), Ready::default(), Naive::default());
    let (mut second, mut tasks) = (1_000, 0);
    for queue in 1..=6 {
        let scope = (queue + 1) / 2;
        know_queue(&mut ready, queue, scope, &format!("q{queue}"), &Settings::default());
        naive.settings.insert(queue, (scope, Settings::default()));
        naive.served.push((scope, queue));
        for number in 0..5 {
            let (key, lane) = (queue * 10 + number, dice.lane(scope, queue));
            ready.know_lane(key, queue, Arc::new(lane.clone()));
            naive.lanes.push((key, queue, lane));
        }
    }
    for step in 0..1_500 {
        match dice.below(10) {
            0..=3 => {
                let lane = naive.lanes[dice.below(30) as usize].0;
                tasks += 1;
                let place = (dice.below(50) as i64, tasks);
                ready.insert(lane, place);
                naive.ready.insert((place, lane));
            }
            4 if !naive.running.is_empty() => {
                let lane = naive.running.swap_remove(dice.below(naive.running.len() as u64) as usize);
                ready.free(lane);
            }
            5 => {
                // Sometimes the clock goes back.
                second += if dice.below(5) == 0 { -40 } else { dice.below(20) as i64 };
            }
            6 => {
                let queue = 1 + dice.below(6) as i64;
                let settings = Settings {
                    flow: if dice.below(4) == 0 { Flow::Paused } else { Flow::Open },
                    concurrency_limit: dice.maybe(|dice| 1 + dice.below(3) as u32),
                    rate_per_minute: dice.maybe(|dice| 1 + dice.below(3) as u32),
                    ..Settings::default()
                };
                let known = naive.settings.get_mut(&queue).expect("is known");
                known.1 = settings.clone();
                know_queue(&mut ready, queue, known.0, &format!("q{queue}"), &settings);
            }
            7 if !naive.starts.is_empty() => {
                let undone = naive.starts.swap_remove(dice.below(naive.starts.len() as u64) as usize);
                let (scope, key, at) = undone;
                ready.apply_rate(RateStep::Uncount { scope, key: key.into(), second: at });
            }
            _ => {
                let want = dice.want();
                let expected = naive.next(&want, second);
                let pick = ready.next(&want, second * 1_000);
                assert_eq!(pick.map(|pick| pick.task), expected, "seed {seed}, step {step}");
                pick.into_iter().for_each(|pick| start(&mut ready, &mut naive, pick, second));
            }
        }
    }
}

/// A task that was picked starts.
fn start(ready: &mut Ready, naive: &mut Naive, pick: Pick, second: i64) {
    naive.served.push((pick.scope, pick.queue));
    assert!(ready.remove(pick.lane, pick.place) && naive.ready.remove(&(pick.place, pick.lane)));
    ready.take(pick.lane);
    naive.running.push(pick.lane);
    for (scope, key) in ready.rates_of(pick.lane) {
        ready.apply_rate(RateStep::Count { scope, key: key.as_str().into(), second });
        // Older starts of the key are let go; a clock that goes back does not find them again.
        naive.starts.retain(|(of, name, at)| (*of, name) != (scope, &key) || *at > second - 60);
        naive.starts.push((scope, key, second));
    }
}

// D5, D6: what is kept by steps gives the same next task as a look at everything.
#[test]
fn d5_the_next_task_is_that_of_a_look_at_everything() {
    (1..=60).for_each(walk);
}
