//! Parity (E11): the same requests to a server on each store, made by chance from the contract that is served, get the same
//! answers. What must differ (ids, digests of ids, secrets) is named by the order in which it came up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

#[path = "parity/chance.rs"]
mod chance;
#[path = "parity/maker.rs"]
mod maker;
#[path = "parity/plain.rs"]
mod plain;
#[path = "parity/side.rs"]
mod side;

use maker::{Asked, Maker};
use side::Side;
use std::sync::Arc;
use tiltyard_engine::clock::VirtualClock;

/// When it begins.
const START: i64 = 1_790_000_000_000;
/// How far the clock goes on when it does.
const STEP_MS: i64 = 45_000;
/// Requests between two steps of the clock.
const REQUESTS_A_STEP: usize = 100;

/// So many requests a seed: a variable says otherwise, for long runs.
fn requests() -> usize {
    std::env::var("PARITY_REQUESTS").map_or(1_500, |text| text.parse().unwrap())
}

fn seeds() -> std::ops::Range<u64> {
    let text = std::env::var("PARITY_SEEDS").unwrap_or_else(|_| "0..2".to_owned());
    let (from, to) = text.split_once("..").unwrap();
    from.parse().unwrap()..to.parse().unwrap()
}

// E11, O16: status and body of several thousand requests are the same on both stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_both_stores_answer_alike() {
    for seed in seeds() {
        one_world(seed).await;
    }
}

async fn one_world(seed: u64) {
    let clock = VirtualClock::at(START);
    let embedded = Side::start(&clock, None).await;
    let database = tiltyard_testkit::postgres::Cluster::shared().database().unwrap();
    let shared = Side::start(&clock, Some(database.url.clone())).await;
    let mut sides = [embedded, shared];
    let contract = sides[0].get("/api/v1/openapi.json").await;
    let mut maker = Maker::new(seed, START, &contract);
    let mut seen = std::collections::BTreeMap::<(String, u16), usize>::new();
    for number in 0..requests() {
        if number % REQUESTS_A_STEP == REQUESTS_A_STEP - 1 {
            pass(&clock, &sides).await;
            maker.now += STEP_MS;
        }
        let asked = maker.make();
        let status = compare(&mut sides, &asked, seed, number).await;
        *seen.entry((asked.operation.clone(), status)).or_default() += 1;
        maker.learn(&sides[0].names);
    }
    let done = seen.iter().filter(|((_, status), _)| *status < 300).map(|(_, count)| count).sum::<usize>();
    assert!(done * 4 > requests(), "too few requests did anything: {seen:#?}");
}

/// Lets time pass on both, at a moment when nothing else happens.
async fn pass(clock: &Arc<VirtualClock>, sides: &[Side; 2]) {
    for side in sides {
        side.pass(STEP_MS).await;
    }
    clock.advance(STEP_MS);
}

async fn compare(sides: &mut [Side; 2], asked: &Asked, seed: u64, number: usize) -> u16 {
    let [embedded, shared] = sides;
    let (first, second) = (embedded.ask(asked).await, shared.ask(asked).await);
    if first != second {
        panic!(
            "request {number} of seed {seed} (PARITY_SEEDS={seed}..{}):\n{asked:#?}\n{}",
            seed + 1,
            differences(&first.text(), &second.text())
        );
    }
    first.status
}

/// The lines from a little before the first that differs.
fn differences(embedded: &str, shared: &str) -> String {
    let same = embedded.lines().zip(shared.lines()).take_while(|(first, second)| first == second).count();
    let around = |text: &str| {
        let lines: Vec<&str> = text.lines().skip(same.saturating_sub(6)).take(16).collect();
        lines.join("\n")
    };
    let (status, other) = (embedded.lines().next(), shared.lines().next());
    format!("embedded {status:?}\n{}\nshared {other:?}\n{}", around(embedded), around(shared))
}
