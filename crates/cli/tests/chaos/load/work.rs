//! Work: claims, heartbeats and settles, one by one, many at once, and without the care that a claim's id takes.

use super::{Ask, Hand, Phase};
use crate::ledger::{Attempt, Kind, Verdict};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A lease that outlives every pause of these stories.
const LONG_LEASE_MS: u64 = 120_000;
/// The shortest there is.
const SHORT_LEASE_MS: u64 = 1_000;
/// How long a claim waits.
const WAIT_MS: u64 = 100;
/// Tasks of one claim of those that settle many.
const MANY: u64 = 40;

/// A task in a worker's hands.
struct Held {
    attempt: Attempt,
    title: String,
}

/// What becomes of an attempt: settled by its title and generation alone, so that whoever says it says the same.
fn fate(held: &Held) -> (&'static str, Value) {
    let mut hash = DefaultHasher::new();
    held.title.hash(&mut hash);
    let error = || json!(format!("{} fails at {}", held.title, held.attempt.1));
    match (hash.finish() % 24, held.attempt.1) {
        (0, _) => ("failed", error()),
        (1..4, 1) => ("failed", error()),
        (4..7, 1) => ("released", Value::Null),
        _ => ("succeeded", json!({"of": held.title, "generation": held.attempt.1})),
    }
}

/// Whether its failure is the last one.
fn is_hopeless(held: &Held) -> bool {
    let mut hash = DefaultHasher::new();
    held.title.hash(&mut hash);
    hash.finish().is_multiple_of(24)
}

fn claim(hand: &Hand, claim_id: Option<&str>, max: u64, lease_ms: u64) -> Value {
    let mut claim = json!({"agent": hand.name, "max": max, "lease_ms": lease_ms, "wait_ms": WAIT_MS});
    if let Some(claim_id) = claim_id {
        claim["claim_id"] = json!(claim_id);
    }
    claim
}

/// The answer to a claim, said until somebody has an ear for it.
async fn claimed(hand: &mut Hand, ask: &Ask) -> Vec<Held> {
    let answer = hand.again_and_again(ask).await;
    if !answer.is_done() {
        hand.ledger.fault(Kind::Answer, format!("a claim: {} {}", answer.status, answer.body));
    }
    taken(hand, &answer.body)
}

/// Takes down what was handed out.
fn taken(hand: &Hand, answer: &Value) -> Vec<Held> {
    // The settle stands all the same, where the store could not be reached for the claim.
    let is_busy = answer["claim_refused"]["status"] == 503;
    if !answer["claim_refused"].is_null() && !is_busy {
        hand.ledger.fault(Kind::Answer, format!("the claim of a settle: {}", answer["claim_refused"]));
    }
    let tasks = answer["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let held = tasks.iter().map(|task| Held {
        attempt: (text(&task["id"]), task["generation"].as_i64().unwrap_or_default()),
        title: text(&task["title"]),
    });
    let held: Vec<Held> = held.collect();
    held.iter().for_each(|held| hand.ledger.handed(&hand.name, &held.attempt));
    held
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Claims a few and settles each.
pub(super) async fn one_by_one(mut hand: Hand) {
    while hand.phase() < Phase::Stop {
        let claim_id = hand.next("claim");
        let ask = Ask::new("/tasks/claim", claim(&hand, Some(&claim_id), 4, LONG_LEASE_MS));
        for held in claimed(&mut hand, &ask).await {
            if hand.chance.once_in(3) {
                beat(&mut hand, &held).await;
            }
            settle(&mut hand, &held).await;
            if hand.chance.once_in(6) {
                settle_again(&mut hand).await;
            }
        }
    }
}

/// A heartbeat of a lease that nobody may have ended.
async fn beat(hand: &mut Hand, held: &Held) {
    let body = json!({"generation": held.attempt.1, "progress": 0.5, "message": "half way"});
    let answer = hand.again_and_again(&Ask::new(format!("/tasks/{}/heartbeat", held.attempt.0), body)).await;
    if !answer.is_done() {
        let text = format!("the heartbeat of {:?}: {} {}", held.attempt, answer.status, answer.body);
        hand.ledger.fault(Kind::Lost, text);
    }
}

/// The request that settles one.
fn word_of(held: &Held) -> Ask {
    let (outcome, said) = fate(held);
    let (id, generation) = &held.attempt;
    match outcome {
        "failed" => {
            let body = json!({"generation": generation, "error": said, "retryable": !is_hopeless(held)});
            Ask::new(format!("/tasks/{id}/fail"), body)
        }
        "released" => Ask::new(format!("/tasks/{id}/release"), json!({ "generation": generation })),
        _ => Ask::new(format!("/tasks/{id}/complete"), json!({"generation": generation, "result": said})),
    }
}

/// Settles one, as often as it takes to hear of it.
async fn settle(hand: &mut Hand, held: &Held) -> Verdict {
    let (outcome, said) = fate(held);
    let ask = word_of(held);
    loop {
        hand.ledger.will_settle(&held.attempt, outcome, &said);
        match hand.once(&ask).await {
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => {
                let verdict = match (answer.is_done(), answer.body["replayed"].as_bool()) {
                    (true, Some(true)) => Verdict::Replayed,
                    (true, _) => Verdict::Accepted,
                    (false, _) => Verdict::Refused(answer.code().to_owned()),
                };
                heard(hand, &held.attempt, &verdict);
                return verdict;
            }
            Err(_) => {}
        }
    }
}

/// Takes down a verdict. Only a careless worker's lease can have been lost.
fn heard(hand: &Hand, attempt: &Attempt, verdict: &Verdict) {
    hand.ledger.settled(attempt, verdict);
    let careless = hand.name.starts_with("careless");
    match verdict {
        Verdict::Refused(code) if careless && code == "stale_generation" => {}
        Verdict::Refused(code) => {
            hand.ledger.fault(Kind::Lost, format!("{} lost {attempt:?}: {code}", hand.name));
        }
        _ => {}
    }
}

/// Says an old settle again, and then says another one for the same generation (E8).
async fn settle_again(hand: &mut Hand) {
    let count = hand.ledger.book().answered.len() as u64;
    if count == 0 {
        return;
    }
    let place = hand.chance.below(count) as usize;
    let (attempt, outcome, said) = {
        let book = hand.ledger.book();
        let attempt = book.answered[place].clone();
        let settle = &book.settles[&attempt];
        (attempt, settle.outcome, settle.said.clone())
    };
    let item = |outcome, said: &Value| {
        let field = if outcome == "failed" { "error" } else { "result" };
        let mut item = json!({"id": attempt.0, "generation": attempt.1, "outcome": outcome});
        if !said.is_null() {
            item[field] = said.clone();
        }
        item
    };
    let items = [item(outcome, &said), item("succeeded", &json!("another result"))];
    hand.ledger.will_settle(&attempt, outcome, &said);
    let answer = hand.again_and_again(&Ask::new("/tasks/settle", json!({ "items": items }))).await;
    let verdicts = &answer.body["verdicts"];
    if verdicts[0]["status"] != "replayed" || verdicts[1]["code"] != "already_settled" {
        hand.ledger.fault(Kind::Twice, format!("{attempt:?} said again, and otherwise: {verdicts}"));
    }
}

/// Settles many at once, and takes the next ones along.
pub(super) async fn in_batches(mut hand: Hand) {
    let mut held: Vec<Held> = Vec::new();
    while hand.phase() < Phase::Stop || !held.is_empty() {
        let items: Vec<Value> = held.iter().map(item_of).collect();
        let claim_id = hand.next("claim");
        let mut body = json!({ "items": items });
        if hand.phase() < Phase::Stop {
            body["claim"] = claim(&hand, Some(&claim_id), MANY, LONG_LEASE_MS);
        }
        let answer = loop {
            for held in &held {
                let (outcome, said) = fate(held);
                hand.ledger.will_settle(&held.attempt, outcome, &said);
            }
            match hand.once(&Ask::new("/tasks/settle", body.clone())).await {
                Ok(answer) if answer.is_done() => break answer,
                Ok(answer) if answer.status != 503 => {
                    hand.ledger.fault(Kind::Answer, format!("a settle: {} {}", answer.status, answer.body));
                    return;
                }
                _ => {}
            }
        };
        for (held, verdict) in held.iter().zip(answer.body["verdicts"].as_array().into_iter().flatten()) {
            heard(&hand, &held.attempt, &verdict_of(verdict));
        }
        held = taken(&hand, &answer.body);
    }
}

fn item_of(held: &Held) -> Value {
    let (outcome, said) = fate(held);
    let mut item = json!({"id": held.attempt.0, "generation": held.attempt.1, "outcome": outcome});
    match outcome {
        "failed" => {
            item["error"] = said;
            item["retryable"] = json!(!is_hopeless(held));
        }
        "succeeded" => item["result"] = said,
        _ => {}
    }
    item
}

fn verdict_of(verdict: &Value) -> Verdict {
    match verdict["status"].as_str() {
        Some("accepted") => Verdict::Accepted,
        Some("replayed") => Verdict::Replayed,
        _ => Verdict::Refused(text(&verdict["code"])),
    }
}

/// Claims without a `claim_id`, so that a lost answer loses leases, and renews all it holds at once (D9).
pub(super) async fn carelessly(mut hand: Hand) {
    while hand.phase() < Phase::Stop {
        let ask = Ask::new("/tasks/claim", claim(&hand, None, 6, SHORT_LEASE_MS));
        let Ok(answer) = hand.once(&ask).await else { continue };
        let held = taken(&hand, &answer.body);
        let lease = |held: &Held| json!({"id": held.attempt.0, "generation": held.attempt.1});
        let leases: Vec<Value> = held.iter().map(lease).collect();
        let renew = Ask::new(format!("/agents/{}/heartbeat", hand.name), json!({ "leases": leases }));
        if !held.is_empty() && hand.once(&renew).await.is_err() {
            continue;
        }
        for held in held {
            settle(&mut hand, &held).await;
        }
    }
}
