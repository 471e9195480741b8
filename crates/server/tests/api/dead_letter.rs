//! Dead letters (D10 to D12), from death to resolution.

use crate::support::{
    claim, client_with, complete, die, fail, get, make_scope, raw, refusal, server, task, token,
};
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::id::Id;
use tiltyard_model::role::Role;
use tiltyard_model::task::State;
use tiltyard_testkit::TestServer;
use tiltyard_wire::dead_letter::{
    Bulk, BulkAction, Dismiss, Filter, Group, RetryGroup, RetryGroupAnswer, Stats, View,
};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::Query as Events;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::task::work::{Fail, Release};
use tiltyard_wire::task::{BulkAnswer, Retry, Submit};

async fn letters(client: &Client, filter: Filter) -> Vec<View> {
    client.call(Request::<call::DeadLetterList>::new().query(filter)).await.unwrap().items
}

/// The only letter.
async fn letter(client: &Client) -> View {
    let mut all = letters(client, Filter::default()).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn stats(client: &Client) -> Stats {
    client.call(Request::<call::DeadLetterStats>::new()).await.unwrap()
}

async fn groups(client: &Client) -> Vec<Group> {
    client.call(Request::<call::DeadLetterGroups>::new()).await.unwrap().items
}

async fn retry(client: &Client, id: Id, body: Retry) -> Result<View, Error> {
    client.call(Request::<call::DeadLetterRetry>::new().place(id).body(body)).await
}

async fn dismiss(client: &Client, id: Id, reason: &str) -> Result<View, Error> {
    let body = Dismiss { reason: reason.into() };
    client.call(Request::<call::DeadLetterDismiss>::new().place(id).body(body)).await
}

async fn reopen(client: &Client, id: Id) -> Result<View, Error> {
    client.call(Request::<call::DeadLetterReopen>::new().place(id)).await
}

async fn delete(client: &Client, id: Id) -> Result<(), Error> {
    client.call(Request::<call::DeadLetterDelete>::new().place(id)).await
}

async fn bulk(client: &Client, body: Bulk) -> Result<BulkAnswer, Error> {
    client.call(Request::<call::DeadLetterBulk>::new().body(body)).await
}

fn to_all(action: BulkAction, filter: Filter) -> Bulk {
    Bulk { action, ids: Vec::new(), filter: Some(filter), all: false, reason: None }
}

fn done(matched: u64, changed: u64) -> BulkAnswer {
    BulkAnswer { matched, changed }
}

/// What the log tells of dead letters, in order.
async fn told(client: &Client) -> Vec<String> {
    let query = Events { types: Some("dead_letter".into()), ..Events::default() };
    let page = client.call(Request::<call::EventList>::new().query(query)).await.unwrap();
    page.items.into_iter().map(|event| event.kind.replace("tiltyard.dead_letter.", "")).collect()
}

fn payload(json: &Value) -> Option<Box<serde_json::value::RawValue>> {
    Some(serde_json::value::to_raw_value(json).unwrap())
}

// D10: a task that dies appears with its error, agent, category and what else is known of it.
#[tokio::test]
async fn d10_a_dead_task_leaves_a_letter() {
    let server = server().await;
    let client = server.client();
    let asked = Submit {
        category: Some("billing".into()),
        labels: vec!["vip".into()],
        priority: Some(7),
        payload: payload(&json!({"n": 1})),
        ..task("pays")
    };
    let dead = die(&client, asked, "card 4711 refused").await;
    assert_eq!(dead.state, State::Dead);
    let letter = letter(&client).await;
    assert_eq!((letter.task, &*letter.status, &*letter.title), (dead.id, "pending", "pays"));
    assert_eq!((&*letter.scope, &*letter.queue, &*letter.kind), ("default", "default", "command"));
    assert_eq!((&*letter.error, letter.agent.as_deref()), ("card 4711 refused", Some("undertaker")));
    assert_eq!((letter.category.as_deref(), letter.attempts, letter.retries), (Some("billing"), 1, 0));
    assert_eq!((letter.payload.get(), letter.original_payload.is_none()), (r#"{"n":1}"#, true));
    assert_eq!(letter.metadata, json!({"created_by": "admin", "labels": ["vip"], "priority": 7}));
    let alone = client.call(Request::<call::DeadLetterGet>::new().place(letter.id)).await.unwrap();
    assert_eq!((alone.id, alone.failed_at), (letter.id, letter.failed_at));
    assert_eq!(told(&client).await, ["added"]);
}

// D10: only the last of its attempts makes a task a letter.
#[tokio::test]
async fn d10_a_task_with_attempts_left_leaves_none() {
    let server = server().await;
    let client = server.client();
    crate::support::submit(&client, Submit { max_attempts: Some(2), ..task("tries") }).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let body = Fail { generation: 1, error: "no".into(), retryable: None };
    client.call(Request::<call::TaskFail>::new().place(held.id).body(body)).await.unwrap();
    assert_eq!(get(&client, &held).await.state, State::Scheduled);
    assert_eq!(stats(&client).await, Stats { limit: 500, ..Stats::default() });
}

// D10: retry → retrying; it succeeds → resolved.
#[tokio::test]
async fn d10_a_retried_letter_is_resolved_by_success() {
    let server = server().await;
    let client = server.client();
    let dead = die(&client, task("flaky"), "no luck").await;
    let letter = letter(&client).await;
    let edit = Retry { priority: Some(9), assign_to: Some("medic".into()), payload: None };
    let retried = retry(&client, letter.id, edit).await.unwrap();
    assert_eq!((&*retried.status, retried.retries), ("retrying", 1));
    let ready = get(&client, &dead).await;
    assert_eq!((ready.state, ready.priority, ready.assign_to.as_deref()), (State::Ready, 9, Some("medic")));
    assert_eq!(refusal(retry(&client, letter.id, Retry::default()).await), (409, "wrong_state".into()));
    assert_eq!(refusal(delete(&client, letter.id).await), (409, "wrong_state".into()));
    assert_eq!(claim(&client, "quack", 1).await.len(), 0);
    let held = claim(&client, "medic", 1).await.remove(0);
    complete(&client, &held, json!("cured")).await;
    let resolved = self::letter(&client).await;
    assert_eq!((resolved.id, &*resolved.status), (letter.id, "resolved"));
    assert_eq!(refusal(dismiss(&client, letter.id, "why").await), (409, "wrong_state".into()));
    assert_eq!(refusal(reopen(&client, letter.id).await), (409, "wrong_state".into()));
    assert_eq!(told(&client).await, ["added", "retried", "resolved"]);
}

// D10: it dies again → pending, the same letter; D12: both payloads of an edit stay visible.
#[tokio::test]
async fn d12_an_edit_keeps_both_payloads() {
    let server = server().await;
    let client = server.client();
    let dead =
        die(&client, Submit { payload: payload(&json!({"to": "nobody"})), ..task("mail") }, "no such user")
            .await;
    let first = letter(&client).await;
    let edit = Retry { payload: payload(&json!({"to": "ada"})), ..Retry::default() };
    retry(&client, first.id, edit).await.unwrap();
    fail(&client, &dead, "mailbox full").await;
    let again = letter(&client).await;
    assert_eq!(
        (again.id, &*again.status, &*again.error, again.retries),
        (first.id, "pending", "mailbox full", 1)
    );
    assert_ne!(again.fingerprint, first.fingerprint);
    assert_eq!(again.payload.get(), r#"{"to":"ada"}"#);
    assert_eq!(again.original_payload.unwrap().get(), r#"{"to":"nobody"}"#);
    let attempts = client.call(Request::<call::TaskAttempts>::new().place(dead.id)).await.unwrap().items;
    assert_eq!(attempts[0].payload.as_ref().unwrap().get(), r#"{"to":"nobody"}"#);
    assert_eq!(told(&client).await, ["added", "retried", "added"]);
}

// D10: dismiss (reason) → dismissed, reopen → pending.
#[tokio::test]
async fn d10_a_letter_is_dismissed_and_reopened() {
    let server = server().await;
    let client = server.client();
    die(&client, task("old"), "gone").await;
    let id = letter(&client).await.id;
    assert_eq!(refusal(dismiss(&client, id, " ").await), (422, "invalid".into()));
    assert_eq!(refusal(reopen(&client, id).await), (409, "wrong_state".into()));
    let dismissed = dismiss(&client, id, "nobody needs it").await.unwrap();
    assert_eq!((&*dismissed.status, dismissed.reason.as_deref()), ("dismissed", Some("nobody needs it")));
    assert_eq!(refusal(retry(&client, id, Retry::default()).await), (409, "wrong_state".into()));
    let open = reopen(&client, id).await.unwrap();
    assert_eq!((&*open.status, open.reason), ("pending", None));
    assert_eq!(told(&client).await, ["added", "dismissed", "reopened"]);
}

// D10: delete removes letter and payload for good.
#[tokio::test]
async fn d10_a_deleted_letter_takes_its_payload_along() {
    let server = server().await;
    let client = server.client();
    let dead =
        die(&client, Submit { payload: payload(&json!("a secret of ours")), ..task("private") }, "no").await;
    let id = letter(&client).await.id;
    delete(&client, id).await.unwrap();
    assert_eq!(stats(&client).await.pending, 0);
    let read = client.call(Request::<call::DeadLetterGet>::new().place(id)).await;
    assert_eq!(refusal(read), (404, "not_found".into()));
    assert_eq!(refusal(delete(&client, id).await), (404, "not_found".into()));
    let task = raw(&server, &format!("GET /api/v1/tasks/{}", dead.id), &[], "").await;
    assert!(!task.body.contains("secret of ours"), "{}", task.body);
    assert_eq!(told(&client).await, ["added", "deleted"]);
}

// D10: retry, dismiss, reopen and delete also by filter, or by ids.
#[tokio::test]
async fn d10_many_letters_at_once() {
    let server = server().await;
    let client = server.client();
    for category in ["a", "a", "b"] {
        die(&client, Submit { category: Some(category.into()), ..task("one of many") }, "no").await;
    }
    let of = |category: &str| Filter { category: Some(category.into()), ..Filter::default() };
    let status = |status: &str| Filter { status: Some(status.into()), ..Filter::default() };
    let why = Bulk { reason: Some("enough".into()), ..to_all(BulkAction::Dismiss, of("a")) };
    assert_eq!(bulk(&client, why).await.unwrap(), done(2, 2));
    assert_eq!(letters(&client, status("dismissed")).await.len(), 2);
    let all = letters(&client, Filter::default()).await;
    let ids = all.iter().map(|letter| letter.id).collect();
    let reopen = Bulk { action: BulkAction::Reopen, ids, filter: None, all: false, reason: None };
    assert_eq!(bulk(&client, reopen).await.unwrap(), done(3, 2));
    assert_eq!(bulk(&client, to_all(BulkAction::Retry, of("b"))).await.unwrap(), done(1, 1));
    // A filter that a script failed to fill in means nothing; all of them have to be meant.
    let every = to_all(BulkAction::Delete, Filter::default());
    assert_eq!(refusal(bulk(&client, every.clone()).await), (422, "invalid".into()));
    assert_eq!(bulk(&client, Bulk { all: true, ..every }).await.unwrap(), done(3, 2));
    assert_eq!(stats(&client).await, Stats { retrying: 1, limit: 500, ..Stats::default() });
    for wrong in [
        to_all(BulkAction::Dismiss, of("a")),
        Bulk { reason: Some("x".into()), ..to_all(BulkAction::Retry, of("a")) },
        Bulk { filter: None, ..to_all(BulkAction::Retry, of("a")) },
        to_all(BulkAction::Retry, Filter { limit: Some(1), ..of("a") }),
    ] {
        assert_eq!(refusal(bulk(&client, wrong.clone()).await), (422, "invalid".into()), "{wrong:?}");
    }
    let odd = bulk(&client, to_all(BulkAction::Retry, status("lost"))).await;
    assert_eq!(refusal(odd), (400, "bad_parameter".into()));
}

// API5: a bulk act with a key is done once.
#[tokio::test]
async fn api5_a_bulk_retry_with_a_key_is_done_once() {
    let server = server().await;
    let client = server.client();
    let dead = die(&client, task("one"), "no").await;
    let again = || {
        let body = Bulk { all: true, ..to_all(BulkAction::Retry, Filter::default()) };
        client.call(Request::<call::DeadLetterBulk>::new().body(body).idempotent("again"))
    };
    assert_eq!(again().await.unwrap(), done(1, 1));
    fail(&client, &dead, "no").await;
    assert_eq!(again().await.unwrap(), done(1, 1));
    assert_eq!(letter(&client).await.status, "pending");
}

// D11: beyond the limit the oldest dismissed and resolved go, pending ones never; then the log and health say so.
#[tokio::test]
async fn d11_pending_letters_are_never_evicted() {
    let server = server().await;
    server.running().engine().letters().set(2);
    let client = server.client();
    for number in 0..2 {
        die(&client, task(&format!("number {number}")), "no").await;
    }
    assert_eq!(stats(&client).await, Stats { pending: 2, limit: 2, ..Stats::default() });
    let oldest = letters(&client, Filter::default()).await.pop().unwrap();
    dismiss(&client, oldest.id, "old").await.unwrap();
    die(&client, task("number 2"), "no").await;
    let kept: Vec<String> =
        letters(&client, Filter::default()).await.into_iter().map(|one| one.title).collect();
    assert_eq!(kept, ["number 2", "number 1"]);
    assert!(!told(&client).await.contains(&"limit_exceeded".to_owned()));
    die(&client, task("number 3"), "no").await;
    assert_eq!(stats(&client).await.pending, 3);
    assert!(told(&client).await.contains(&"limit_exceeded".to_owned()));
}

/// Five letters of one cause, one of another.
async fn with_groups() -> (TestServer, Client) {
    let server = server().await;
    let client = server.client();
    for number in 0..5 {
        die(&client, task(&format!("number {number}")), &format!("user {number} not found in 0.{number} s"))
            .await;
    }
    die(&client, task("other"), "disk full").await;
    (server, client)
}

// D12: letters are grouped by kind and error, whatever numbers and names differ.
#[tokio::test]
async fn d12_letters_are_grouped_by_cause() {
    let (_server, client) = with_groups().await;
    let groups = groups(&client).await;
    let sizes: Vec<_> = groups.iter().map(|group| (group.pending, group.total)).collect();
    assert_eq!(sizes, [(5, 5), (1, 1)]);
    assert!(groups[0].error.contains("not found") && groups[0].first_at < groups[0].last_at);
    let filter = Filter { fingerprint: Some(groups[0].fingerprint.clone()), ..Filter::default() };
    assert_eq!(letters(&client, filter).await.len(), 5);
}

// D12: a group is retried first one, then some, then the rest at a stated rate.
#[tokio::test]
async fn d12_a_group_is_retried_step_by_step() {
    let (_server, client) = with_groups().await;
    let cause = groups(&client).await[0].fingerprint.clone();
    let go = |first, rate_per_minute| {
        let body = RetryGroup { scope: None, first, rate_per_minute };
        client.call(Request::<call::DeadLetterGroupRetry>::new().place(&cause).body(body))
    };
    let answer = |matched, started, scheduled| RetryGroupAnswer { matched, started, scheduled };
    assert_eq!(go(Some(1), None).await.unwrap(), answer(5, 1, 0));
    let held = claim(&client, "me", 5).await;
    assert_eq!(held.iter().map(|task| &*task.title).collect::<Vec<_>>(), ["number 0"]);
    assert_eq!(go(Some(2), None).await.unwrap(), answer(4, 2, 0));
    assert_eq!(go(None, Some(1)).await.unwrap(), answer(2, 1, 1));
    let rest: Vec<_> = claim(&client, "me", 9).await.into_iter().map(|task| task.title).collect();
    assert_eq!(rest, ["number 1", "number 2", "number 3"]);
    let list = client.call(Request::<call::TaskList>::new().query(tiltyard_wire::task::Filter {
        state: Some("scheduled".into()),
        ..tiltyard_wire::task::Filter::default()
    }));
    let list = list.await.unwrap().items;
    assert_eq!(list.iter().map(|task| &*task.title).collect::<Vec<_>>(), ["number 4"]);
    assert_eq!(stats(&client).await, Stats { pending: 1, retrying: 5, limit: 500, ..Stats::default() });
    assert_eq!(refusal(go(Some(0), None).await), (422, "invalid".into()));
    let unknown = Request::<call::DeadLetterGroupRetry>::new().place("beef").body(RetryGroup::default());
    assert_eq!(refusal(client.call(unknown).await), (404, "not_found".into()));
}

// API3: newest first, page by page.
#[tokio::test]
async fn api3_letters_come_page_by_page() {
    let (_server, client) = with_groups().await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = Filter { limit: Some(4), cursor, ..Filter::default() };
        let page = client.call(Request::<call::DeadLetterList>::new().query(query)).await.unwrap();
        assert_eq!((page.total, page.total_is), (6, None));
        seen.extend(page.items.into_iter().map(|letter| letter.title));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["other", "number 4", "number 3", "number 2", "number 1", "number 0"]);
    let odd = Filter { cursor: Some("x".into()), ..Filter::default() };
    let odd = client.call(Request::<call::DeadLetterList>::new().query(odd)).await;
    assert_eq!(refusal(odd), (400, "bad_parameter".into()));
}

// SEC4: the letters of another scope are neither seen nor touched. SEC3: workers have none, viewers look only.
#[tokio::test]
async fn sec4_letters_keep_to_their_scope() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    die(&client, Submit { scope: Some("web".into()), ..task("theirs") }, "no").await;
    let theirs = letter(&client).await;
    let operator = client_with(&server, token(Role::Operator, &["default"])).await;
    assert_eq!(letters(&operator, Filter::default()).await.len(), 0);
    assert_eq!((stats(&operator).await.pending, groups(&operator).await.len()), (0, 0));
    let missing = (404, "not_found".to_owned());
    let read = operator.call(Request::<call::DeadLetterGet>::new().place(theirs.id)).await;
    assert_eq!(refusal(read), missing);
    assert_eq!(refusal(retry(&operator, theirs.id, Retry::default()).await), missing);
    assert_eq!(refusal(dismiss(&operator, theirs.id, "x").await), missing);
    assert_eq!(refusal(reopen(&operator, theirs.id).await), missing);
    assert_eq!(refusal(delete(&operator, theirs.id).await), missing);
    let ids =
        Bulk { action: BulkAction::Delete, ids: vec![theirs.id], filter: None, all: false, reason: None };
    assert_eq!(bulk(&operator, ids).await.unwrap(), done(0, 0));
    let every = Bulk { all: true, ..to_all(BulkAction::Delete, Filter::default()) };
    assert_eq!(bulk(&operator, every).await.unwrap(), done(0, 0));
    let group = || {
        Request::<call::DeadLetterGroupRetry>::new().place(&theirs.fingerprint).body(RetryGroup::default())
    };
    assert_eq!(refusal(operator.call(group()).await), missing);
    let named = ScopeQuery { scope: Some("web".into()) };
    assert_eq!(refusal(operator.call(group().query(named)).await), (403, "scope_forbidden".into()));
    let viewer = client_with(&server, token(Role::Viewer, &["*"])).await;
    assert_eq!(letter(&viewer).await.id, theirs.id);
    assert_eq!(refusal(dismiss(&viewer, theirs.id, "x").await), (403, "forbidden".into()));
    let worker = client_with(&server, token(Role::Worker, &["*"])).await;
    let listed = worker.call(Request::<call::DeadLetterList>::new()).await;
    assert_eq!(refusal(listed), (403, "forbidden".into()));
    assert_eq!(letter(&client).await.status, "pending");
}

// D10: a letter whose task is retried or cancelled as a task goes with it.
#[tokio::test]
async fn d10_a_letter_follows_its_task() {
    let server = server().await;
    let client = server.client();
    let dead = die(&client, task("followed"), "no").await;
    client.call(Request::<call::TaskRetry>::new().place(dead.id).body(Retry::default())).await.unwrap();
    assert_eq!(letter(&client).await.status, "retrying");
    let held = claim(&client, "me", 1).await.remove(0);
    let release = Release { generation: held.generation };
    client.call(Request::<call::TaskRelease>::new().place(held.id).body(release)).await.unwrap();
    client.call(Request::<call::TaskCancel>::new().place(held.id)).await.unwrap();
    assert_eq!(letter(&client).await.status, "dismissed");
}

// API8: a letter has an entity tag, which its deletion may demand.
#[tokio::test]
async fn api8_a_letter_is_deleted_as_it_was_seen() {
    let server = server().await;
    let client = server.client();
    die(&client, task("seen"), "no").await;
    let id = letter(&client).await.id;
    let path = format!("/api/v1/dead-letters/{id}");
    let read = raw(&server, &format!("GET {path}"), &[], "").await;
    let tag = read.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    dismiss(&client, id, "changed").await.unwrap();
    let demand = format!("If-Match: {tag}");
    assert_eq!(raw(&server, &format!("DELETE {path}"), &[&demand], "").await.status, 412);
    assert_eq!(raw(&server, &format!("DELETE {path}"), &["If-Match: *"], "").await.status, 204);
}
