//! The life of tasks.

use crate::support::{claim, claim_of, complete, get, raw, refusal, server, submit, task};
use serde_json::json;
use tiltyard_client::Request;
use tiltyard_model::task::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::work::{
    Complete, Fail, Heartbeat, Release, Reported, Settle, SettleItem, VerdictStatus,
};
use tiltyard_wire::task::{Cancel, Filter, SubmitBatch};

#[tokio::test]
async fn a_task_lives_from_submission_to_success() {
    let server = server().await;
    let client = server.client();
    let submitted = submit(&client, task("first")).await;
    assert_eq!((submitted.state, submitted.generation, &*submitted.scope), (State::Ready, 0, "default"));
    let claimed = claim(&client, "me", 5).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].id, claimed[0].generation), (submitted.id, 1));
    assert!(claimed[0].lease_expires_in_ms.unwrap() > 29_000);
    complete(&client, &claimed[0], json!({"n": 1})).await;
    let done = get(&client, &submitted).await;
    assert_eq!((done.state, done.result.unwrap().get()), (State::Succeeded, r#"{"n":1}"#));
}

// E8: the same settle again gets the same verdict; D1: another generation is refused.
#[tokio::test]
async fn e8_a_repeated_settle_is_replayed() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("once")).await;
    let claimed = claim(&client, "me", 1).await.remove(0);
    let settle = |generation| {
        let body = Complete { generation, result: None };
        client.call(Request::<call::TaskComplete>::new().place(claimed.id).body(body))
    };
    assert!(!settle(1).await.unwrap().replayed);
    assert!(settle(1).await.unwrap().replayed);
    assert_eq!(refusal(settle(2).await), (409, "stale_generation".into()));
    let fail = Fail { generation: 1, error: "no".into(), retryable: None };
    let failed = client.call(Request::<call::TaskFail>::new().place(claimed.id).body(fail)).await;
    assert_eq!(refusal(failed), (409, "already_settled".into()));
    let beat = Heartbeat { generation: 1, lease_ms: None, progress: None, message: None };
    let beaten = client.call(Request::<call::TaskHeartbeat>::new().place(claimed.id).body(beat)).await;
    assert_eq!(refusal(beaten), (409, "already_settled".into()));
}

// A settle of many answers in order, refuses only what must be, and brings the next tasks along.
#[tokio::test]
async fn a_settle_takes_the_next_ones_along() {
    let server = server().await;
    let client = server.client();
    let tasks: Vec<_> = (0..4).map(|number| task(&format!("number {number}"))).collect();
    let batch = Request::<call::TaskSubmitBatch>::new().body(SubmitBatch { scope: None, tasks });
    assert_eq!(client.call(batch).await.unwrap().tasks.len(), 4);
    let held = claim(&client, "me", 2).await;
    let item = |index: usize, generation| SettleItem {
        id: held[index].id,
        generation,
        outcome: Reported::Succeeded,
        result: None,
        error: None,
        retryable: None,
    };
    let settle = Settle { items: vec![item(0, 1), item(1, 7)], claim: Some(claim_of("me", 10)) };
    let answer = client.call(Request::<call::TaskSettle>::new().body(settle)).await.unwrap();
    let verdicts: Vec<_> = answer.verdicts.iter().map(|verdict| (verdict.id, verdict.status)).collect();
    assert_eq!(verdicts, [(held[0].id, VerdictStatus::Accepted), (held[1].id, VerdictStatus::Refused)]);
    assert_eq!(answer.verdicts[1].code.as_deref(), Some("stale_generation"));
    assert_eq!(answer.tasks.len(), 2);
    assert!(answer.claim_refused.is_none());
}

#[tokio::test]
async fn a_released_task_is_ready_again_and_not_counted() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("hot potato")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let release = Request::<call::TaskRelease>::new().place(held.id).body(Release { generation: 1 });
    client.call(release).await.unwrap();
    let now = get(&client, &held).await;
    assert_eq!((now.state, now.attempts, now.generation), (State::Ready, 0, 1));
}

// D4: a cancelled attempt is told by its refused heartbeat, which counts as acknowledged; its release as stopped.
#[tokio::test]
async fn d4_a_cancelled_attempt_stops_step_by_step() {
    use tiltyard_model::task::attempt::Stop;
    let server = server().await;
    let client = server.client();
    submit(&client, task("long")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let cancel =
        Request::<call::TaskCancel>::new().place(held.id).body(Cancel { reason: Some("enough".into()) });
    let cancelled = client.call(cancel).await.unwrap();
    assert_eq!((cancelled.state, cancelled.stop), (State::Cancelled, Some(Stop::Requested)));
    let beat = Heartbeat { generation: 1, lease_ms: None, progress: None, message: None };
    let beaten = client.call(Request::<call::TaskHeartbeat>::new().place(held.id).body(beat)).await;
    assert_eq!(refusal(beaten), (409, "stale_generation".into()));
    assert_eq!(get(&client, &held).await.stop, Some(Stop::Acknowledged));
    let release = Request::<call::TaskRelease>::new().place(held.id).body(Release { generation: 1 });
    client.call(release).await.unwrap();
    let stopped = get(&client, &held).await;
    assert_eq!((stopped.state, stopped.stop), (State::Cancelled, Some(Stop::Stopped)));
}

// API3: pages follow each other by cursor, without gap or repeat.
#[tokio::test]
async fn api3_pages_follow_each_other() {
    let server = server().await;
    let client = server.client();
    for number in 0..5 {
        submit(&client, task(&format!("number {number}"))).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = Filter { limit: Some(2), cursor: cursor.clone(), ..Filter::default() };
        let page = client.call(Request::<call::TaskList>::new().query(query)).await.unwrap();
        assert_eq!((page.total, page.total_is), (5, None));
        seen.extend(page.items.into_iter().map(|task| task.title));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["number 4", "number 3", "number 2", "number 1", "number 0"]);
}

// API1: without a token nothing is told, with a wrong one neither.
#[tokio::test]
async fn api1_a_token_is_needed() {
    let server = server().await;
    let list = || Request::<call::TaskList>::new();
    assert_eq!(refusal(server.stranger().call(list()).await), (401, "unauthenticated".into()));
    let wrong = server.client_of("not-the-token-of-anybody");
    assert_eq!(refusal(wrong.call(list()).await), (401, "unauthenticated".into()));
}

// API8, D3: a running task tells what is left of its lease; that is no change of it, so its tag stays.
#[tokio::test]
async fn d3_a_running_task_tells_what_is_left_of_its_lease() {
    let server = server().await;
    let client = server.client();
    let one = submit(&client, task("one")).await;
    assert_eq!(get(&client, &one).await.lease_expires_in_ms, None);
    let held = claim(&client, "me", 1).await.remove(0);
    let left = get(&client, &one).await.lease_expires_in_ms.expect("it runs");
    assert!((1..=30_000).contains(&left), "{left}");
    let line = format!("GET /api/v1/tasks/{}", one.id);
    let first = raw(&server, &line, &[], "").await;
    let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("has a tag").to_owned();
    let again = raw(&server, &line, &[&format!("If-None-Match: {tag}")], "").await;
    assert_eq!(again.status, 304);
    let (line, demand) = (format!("PATCH /api/v1/tasks/{}", one.id), format!("If-Match: {tag}"));
    let patched = raw(&server, &line, &[&demand], r#"{"title":"two"}"#).await;
    assert_eq!(patched.status, 200, "the tag of a look is the one that a change demands");
    complete(&client, &held, json!(1)).await;
    assert_eq!(get(&client, &one).await.lease_expires_in_ms, None);
}
