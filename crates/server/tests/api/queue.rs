//! Queues: stopped, drained, limited.

use crate::support::{
    claim, claim_of, client_with, complete, die, get, make_scope, raw, refusal, server, submit, task, token,
};
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::queue::Assignment;
use tiltyard_model::role::Role;
use tiltyard_model::task::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::queue::{Patch, View};
use tiltyard_wire::task::Submit;

async fn queues(client: &Client) -> Vec<View> {
    client.call(Request::<call::QueueList>::new()).await.unwrap().items
}

fn patching(name: &str, patch: Patch) -> Request<call::QueuePatch> {
    Request::<call::QueuePatch>::new().place(name).body(patch)
}

async fn patch(client: &Client, patch: Patch) -> View {
    client.call(patching("default", patch)).await.unwrap()
}

fn in_scope(scope: &str) -> ScopeQuery {
    ScopeQuery { scope: Some(scope.into()) }
}

async fn why(client: &Client, task: &tiltyard_wire::task::View) -> String {
    let why = client.call(Request::<call::TaskWhy>::new().place(task.id)).await.unwrap();
    why.reasons[0].code.clone()
}

// D5: a paused queue starts nothing, and says how long its next task has waited.
#[tokio::test]
async fn d5_a_paused_queue_starts_nothing() {
    let server = server().await;
    let client = server.client();
    let waiting = submit(&client, task("waits")).await;
    let paused = patch(&client, Patch { paused: Some(true), ..Patch::default() }).await;
    assert!(paused.paused && !paused.draining);
    assert_eq!(claim(&client, "me", 5).await.len(), 0);
    assert_eq!(why(&client, &waiting).await, "queue_paused");
    let all = queues(&client).await;
    assert_eq!((all.len(), &*all[0].scope, &*all[0].name), (1, "default", "default"));
    assert_eq!((all[0].counts.ready, all[0].next_ready_ms.is_some()), (1, true));
    let open = patch(&client, Patch { paused: Some(false), ..Patch::default() }).await;
    assert!(!open.paused);
    assert_eq!(claim(&client, "me", 5).await.len(), 1);
}

// A queue can be stopped before its first task.
#[tokio::test]
async fn a_queue_is_paused_before_its_first_task() {
    let server = server().await;
    let client = server.client();
    let early = patching("nightly", Patch { paused: Some(true), ..Patch::default() });
    assert!(client.call(early).await.unwrap().paused);
    let task = submit(&client, Submit { queue: Some("nightly".into()), ..task("later") }).await;
    assert_eq!(why(&client, &task).await, "queue_paused");
}

// D6: drain finishes what runs and starts nothing.
#[tokio::test]
async fn d6_a_drained_queue_finishes_what_runs() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("runs")).await;
    let second = submit(&client, task("stays")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let drain = || client.call(Request::<call::QueueDrain>::new().place("default"));
    let draining = drain().await.unwrap();
    assert_eq!((draining.draining, draining.counts.running, draining.counts.ready), (true, 1, 1));
    assert_eq!(claim(&client, "me", 1).await.len(), 0);
    assert_eq!(why(&client, &second).await, "queue_draining");
    complete(&client, &held, json!(null)).await;
    assert_eq!(get(&client, &held).await.state, State::Succeeded);
    assert_eq!(claim(&client, "me", 1).await.len(), 0);
    assert_eq!((drain().await.unwrap().counts.running, queues(&client).await[0].draining), (0, true));
    let open = patch(&client, Patch { paused: Some(false), ..Patch::default() }).await;
    assert!(!open.draining && !open.paused);
    assert_eq!(claim(&client, "me", 1).await[0].id, second.id);
}

// A queue's own limit holds until it is lifted.
#[tokio::test]
async fn a_queues_concurrency_limit_holds() {
    let server = server().await;
    let client = server.client();
    for number in 0..3 {
        submit(&client, task(&format!("number {number}"))).await;
    }
    let limited = patch(&client, Patch { concurrency_limit: Some(Some(1)), ..Patch::default() }).await;
    assert_eq!(limited.concurrency_limit, Some(1));
    let held = claim(&client, "me", 5).await;
    assert_eq!((held.len(), claim(&client, "you", 5).await.len()), (1, 0));
    complete(&client, &held[0], json!(null)).await;
    assert_eq!(claim(&client, "me", 5).await.len(), 1);
    let lifted = patch(&client, Patch { concurrency_limit: Some(None), ..Patch::default() }).await;
    assert_eq!(lifted.concurrency_limit, None);
    assert_eq!(claim(&client, "me", 5).await.len(), 1);
}

#[tokio::test]
async fn a_queues_rate_holds() {
    let server = server().await;
    let client = server.client();
    let tasks = [submit(&client, task("first")).await, submit(&client, task("second")).await];
    patch(&client, Patch { rate_per_minute: Some(Some(1)), ..Patch::default() }).await;
    let held = claim(&client, "me", 5).await;
    assert_eq!((held.len(), held[0].id), (1, tasks[0].id));
    complete(&client, &held[0], json!(null)).await;
    assert_eq!(claim(&client, "me", 5).await.len(), 0);
    assert_eq!(why(&client, &tasks[1]).await, "queue_rate");
}

// D10: a queue may say that its dead tasks leave no letters.
#[tokio::test]
async fn d10_a_queue_without_dead_letters_keeps_none() {
    let server = server().await;
    let client = server.client();
    let quiet =
        Patch { dead_letters: Some(false), assignment: Some(Assignment::RoundRobin), ..Patch::default() };
    let quiet = patch(&client, quiet).await;
    assert_eq!((quiet.dead_letters, quiet.assignment), (false, Assignment::RoundRobin));
    assert_eq!(die(&client, task("dies"), "no").await.state, State::Dead);
    let stats = client.call(Request::<call::DeadLetterStats>::new()).await.unwrap();
    assert_eq!(stats.pending, 0);
}

// SEC3, SEC4: who may not is told so, and nothing changes.
#[tokio::test]
async fn sec4_queues_of_other_scopes_are_out_of_reach() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    submit(&client, Submit { scope: Some("other".into()), ..task("theirs") }).await;
    submit(&client, task("ours")).await;
    let operator = client_with(&server, token(Role::Operator, &["default"])).await;
    let seen: Vec<String> = queues(&operator).await.into_iter().map(|queue| queue.scope).collect();
    assert_eq!(seen, ["default"]);
    let pause = || Patch { paused: Some(true), ..Patch::default() };
    let theirs = patching("default", pause()).query(in_scope("other"));
    assert_eq!(refusal(operator.call(theirs).await), (403, "scope_forbidden".into()));
    let listed = PageQuery { scope: Some("other".into()), ..PageQuery::default() };
    let listed = Request::<call::QueueList>::new().query(listed);
    assert_eq!(refusal(operator.call(listed).await), (403, "scope_forbidden".into()));
    let viewer = client_with(&server, token(Role::Viewer, &["*"])).await;
    assert_eq!(queues(&viewer).await.len(), 2);
    assert_eq!(refusal(viewer.call(patching("default", pause())).await), (403, "forbidden".into()));
    assert!(queues(&client).await.iter().all(|queue| !queue.paused));
}

#[tokio::test]
async fn what_a_queue_cannot_be_is_refused() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    let refused = |name: &'static str, patch: Patch| {
        let client = client.clone();
        async move { refusal(client.call(patching(name, patch)).await) }
    };
    let zero = Patch { concurrency_limit: Some(Some(0)), rate_per_minute: Some(Some(0)), ..Patch::default() };
    assert_eq!(refused("default", zero.clone()).await, (422, "invalid".into()));
    let Err(Error::Refused(faults)) = client.call(patching("default", zero)).await else { panic!() };
    assert_eq!(faults.problem.details.len(), 2);
    assert_eq!(refused("No Slug", Patch::default()).await, (422, "invalid".into()));
    let nowhere = patching("default", Patch::default()).query(in_scope("nowhere"));
    assert_eq!(refusal(client.call(nowhere).await), (422, "unknown_scope".into()));
    let two = client_with(&server, token(Role::Operator, &["default", "other"])).await;
    let unsaid = two.call(patching("default", Patch::default())).await;
    assert_eq!(refusal(unsaid), (422, "scope_required".into()));
    let typo = raw(&server, "PATCH /api/v1/queues/default", &[], r#"{"pausd": true}"#).await;
    let said: Value = serde_json::from_str(&typo.body).unwrap();
    assert_eq!(
        (typo.status, &said["code"], &said["field"]),
        (422, &json!("unknown_field"), &json!("/pausd"))
    );
    assert_eq!(queues(&client).await.len(), 0);
}

// API8: a change can demand the settings that were seen; counts that move by themselves do not matter.
#[tokio::test]
async fn api8_a_queue_is_changed_as_it_was_seen() {
    let server = server().await;
    let client = server.client();
    let pause = r#"{"paused": true}"#;
    let first = raw(&server, "PATCH /api/v1/queues/default", &[], pause).await;
    let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    submit(&client, task("counts")).await;
    let demand = format!("If-Match: {tag}");
    let open = raw(&server, "PATCH /api/v1/queues/default", &[&demand], r#"{"paused": false}"#).await;
    assert_eq!(open.status, 200);
    let late = raw(&server, "PATCH /api/v1/queues/default", &[&demand], pause).await;
    assert_eq!(late.status, 412, "{}", late.body);
    let absent = raw(&server, "PATCH /api/v1/queues/new", &["If-Match: *"], pause).await;
    assert_eq!(absent.status, 412, "{}", absent.body);
    let all = queues(&client).await;
    assert_eq!((all.len(), all[0].paused), (1, false));
}

// SEC3: a worker's token reaches the queues that it names, and no others.
#[tokio::test]
async fn sec3_a_worker_keeps_to_its_queues() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("not its own")).await;
    let own = submit(&client, Submit { queue: Some("builds".into()), ..task("its own") }).await;
    let mint = tiltyard_wire::token::Mint {
        queues: Some(vec!["builds".into()]),
        ..token(Role::Worker, &["default"])
    };
    let worker = client_with(&server, mint).await;
    let taken = worker.call(Request::<call::TaskClaim>::new().body(claim_of("w", 5))).await.unwrap().tasks;
    assert_eq!(taken.iter().map(|task| task.id).collect::<Vec<_>>(), [own.id]);
    let named = tiltyard_wire::task::work::Claim { queues: Some(vec!["default".into()]), ..claim_of("w", 1) };
    let refused = worker.call(Request::<call::TaskClaim>::new().body(named)).await;
    assert_eq!(refusal(refused), (403, "queue_forbidden".into()));
    let refused = worker.call(Request::<call::TaskSubmit>::new().body(task("elsewhere"))).await;
    assert_eq!(refusal(refused), (403, "queue_forbidden".into()));
    assert_eq!(refusal(worker.call(Request::<call::QueueList>::new()).await), (403, "forbidden".into()));
}
