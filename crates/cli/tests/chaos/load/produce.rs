//! Submissions: single and in batches, with unique keys and with idempotency keys.

use super::{Ask, Hand, MAX_OPEN, Phase};
use crate::ledger::{Keyed, Kind, Word};
use crate::line::{Answer, Silence};
use serde_json::{Value, json};
use std::time::Duration;

/// The pause of a producer whose workers are behind.
const BEHIND_PAUSE: Duration = Duration::from_millis(5);
/// Sizes of batches.
const BATCHES: [u64; 3] = [3, 20, 80];
/// A key that holds longer than any test.
const HELD_MS: u64 = 86_400_000;

/// Submits until it is told to stop.
pub(super) async fn produce(mut hand: Hand) {
    let mut last = None;
    while hand.phase() == Phase::Produce {
        if hand.ledger.open() > MAX_OPEN {
            tokio::time::sleep(BEHIND_PAUSE).await;
            continue;
        }
        match hand.chance.below(8) {
            0 => unique(&mut hand).await,
            1 | 2 => keyed(&mut hand).await,
            3 => batch(&mut hand).await,
            4 => repeat(&mut hand).await,
            _ => last = single(&mut hand, last).await,
        }
    }
}

/// A task that is tried again soon, as often as this may take.
fn task(title: &str) -> Value {
    let backoff = json!({"kind": "fixed", "base_ms": 10, "max_ms": 10, "jitter": "none"});
    json!({"kind": "chaos", "title": title, "payload": {"of": title}, "max_attempts": 1000, "backoff": backoff})
}

fn id_of(answer: &Answer) -> String {
    answer.body["id"].as_str().unwrap_or_default().to_owned()
}

/// One task, said once; sometimes it waits for the one before.
async fn single(hand: &mut Hand, after: Option<String>) -> Option<String> {
    let title = hand.next("one");
    let mut body = task(&title);
    if let Some(after) = after.filter(|_| hand.chance.once_in(3)) {
        body["depends_on"] = json!([after]);
    }
    hand.ledger.will_submit(&title, None, None);
    let word = match hand.once(&Ask::new("/tasks", body)).await {
        Ok(answer) => word(hand, &title, &answer, 201),
        Err(Silence::Unsent) => Word::Refused,
        Err(Silence::Unknown) => Word::Unknown,
    };
    hand.ledger.submitted(&title, word.clone());
    match word {
        Word::Done(id) => Some(id),
        _ => None,
    }
}

/// What an answer to a submission means.
fn word(hand: &Hand, title: &str, answer: &Answer, wanted: u16) -> Word {
    let refusals = [
        (409, "dependency_failed"),
        (503, "overloaded"),
        (503, "shutting_down"),
        (503, "storage_low"),
        (503, "store_unreachable"),
    ];
    match answer.status {
        status if status == wanted => Word::Done(id_of(answer)),
        // Heard by whoever is in line when a disk has failed, before the server ends: nobody knows (E2).
        503 if answer.code() == "storage_broken" => Word::Unknown,
        status if refusals.contains(&(status, answer.code())) => Word::Refused,
        status => {
            hand.ledger.fault(Kind::Answer, format!("{title}: {status} {}", answer.body));
            Word::Refused
        }
    }
}

/// A task with a unique key, said until it is answered; then a twin of it, which is the first again.
async fn unique(hand: &mut Hand) {
    let (title, key) = (hand.next("unique"), hand.next("key"));
    let mut body = task(&title);
    body["unique_key"] = json!(key);
    body["unique_for_ms"] = json!(HELD_MS);
    hand.ledger.will_submit(&title, None, Some(&key));
    let answer = hand.again_and_again(&Ask::new("/tasks", body.clone())).await;
    // 200 where an earlier try had got through.
    let first = word(hand, &title, &answer, if answer.status == 200 { 200 } else { 201 });
    hand.ledger.submitted(&title, first.clone());
    let Word::Done(first) = first else { return };
    let twin = hand.next("twin");
    body["title"] = json!(twin);
    hand.ledger.will_submit(&twin, None, None);
    let answer = hand.again_and_again(&Ask::new("/tasks", body)).await;
    if answer.status != 200 || id_of(&answer) != first {
        let text = format!("the twin of {first} by {key} is {} {}", answer.status, answer.body);
        hand.ledger.fault(Kind::Twice, text);
    }
    hand.ledger.submitted(&twin, Word::Twin(first));
}

/// A task under an `Idempotency-Key`, said until it is answered.
async fn keyed(hand: &mut Hand) {
    let title = hand.next("keyed");
    let ask = Ask { key: Some(hand.next("once")), ..Ask::new("/tasks", task(&title)) };
    hand.ledger.will_submit(&title, None, None);
    let answer = hand.again_and_again(&ask).await;
    let word = word(hand, &title, &answer, 201);
    hand.ledger.submitted(&title, word);
    keep(hand, "/tasks", ask, answer);
}

fn keep(hand: &Hand, path: &'static str, ask: Ask, answer: Answer) {
    let Some(key) = ask.key else { return };
    let answer = (answer.status, answer.body);
    hand.ledger.book().keyed.push(Keyed { key, path, body: ask.body, answer });
}

/// Says again what was answered before, perhaps by a server that is long dead: the answer is the same (API5).
async fn repeat(hand: &mut Hand) {
    let count = hand.ledger.book().keyed.len() as u64;
    if count == 0 {
        return;
    }
    let place = hand.chance.below(count) as usize;
    let Keyed { key, path, body, answer: before } = hand.ledger.book().keyed[place].clone();
    let ask = Ask { key: Some(key.clone()), ..Ask::new(path, body) };
    let answer = hand.again_and_again(&ask).await;
    let now = (answer.status, answer.body);
    if now != before {
        hand.ledger.fault(Kind::Twice, format!("the answer under {key} was {before:?} and is {now:?}"));
    }
}

/// Many tasks, all or nothing: said once, or under a key until they are answered.
async fn batch(hand: &mut Hand) {
    let name = hand.next("batch");
    let size = BATCHES[hand.chance.below(3) as usize];
    let titles: Vec<String> = (0..size).map(|number| format!("{name}.{number}")).collect();
    let tasks: Vec<Value> = titles.iter().map(|title| task(title)).collect();
    let mut ask = Ask::new("/tasks/batch", json!({ "tasks": tasks }));
    for title in &titles {
        hand.ledger.will_submit(title, Some(&name), None);
    }
    if hand.chance.once_in(2) {
        ask.key = Some(hand.next("once"));
        let answer = hand.again_and_again(&ask).await;
        batch_answered(hand, &titles, &answer);
        return keep(hand, "/tasks/batch", ask, answer);
    }
    match hand.once(&ask).await {
        Ok(answer) => batch_answered(hand, &titles, &answer),
        Err(Silence::Unsent) => titles.iter().for_each(|title| hand.ledger.submitted(title, Word::Refused)),
        Err(Silence::Unknown) => {}
    }
}

fn batch_answered(hand: &Hand, titles: &[String], answer: &Answer) {
    for (place, title) in titles.iter().enumerate() {
        let word = match word(hand, title, answer, 201) {
            Word::Done(_) => {
                Word::Done(answer.body["tasks"][place]["id"].as_str().unwrap_or_default().to_owned())
            }
            other => other,
        };
        hand.ledger.submitted(title, word);
    }
}
