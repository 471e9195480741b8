//! The audit record: what leaves an entry, how it is read, and that an export proves itself (D52, SEC21).

use crate::support::{
    STRANGER, claim, client_with, die, make_scope, raw, refusal, server, submit, task, token,
};
use std::collections::HashSet;
use tiltyard_client::{Client, Request};
use tiltyard_model::audit::verify::verify_chain;
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_wire::agent::Register;
use tiltyard_wire::audit::{Entry, Filter, Stats};
use tiltyard_wire::dead_letter::Dismiss;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::queue::Patch;
use tiltyard_wire::task::{Retry, Submit};

async fn entries(client: &Client, filter: Filter) -> Vec<Entry> {
    client.call(Request::<call::AuditList>::new().query(filter)).await.unwrap().items
}

fn of(action: &str) -> Filter {
    Filter { action: Some(action.into()), ..Filter::default() }
}

fn chain(scope: &str) -> ScopeQuery {
    ScopeQuery { scope: Some(scope.into()) }
}

async fn export(client: &Client, scope: &str) -> String {
    client.text(Request::<call::AuditExport>::new().query(chain(scope))).await.unwrap()
}

/// What people do to letters and tasks.
async fn acts_of_people(client: &Client) {
    let dead = die(client, task("dies"), "no").await;
    let letters = client.call(Request::<call::DeadLetterList>::new()).await.unwrap().items;
    let id = letters[0].id;
    let dismiss = Dismiss { reason: "enough".into() };
    client.call(Request::<call::DeadLetterDismiss>::new().place(id).body(dismiss)).await.unwrap();
    client.call(Request::<call::DeadLetterReopen>::new().place(id)).await.unwrap();
    client.call(Request::<call::DeadLetterRetry>::new().place(id).body(Retry::default())).await.unwrap();
    client.call(Request::<call::TaskCancel>::new().place(dead.id)).await.unwrap();
    client.call(Request::<call::TaskRetry>::new().place(dead.id).body(Retry::default())).await.unwrap();
    client.call(Request::<call::TaskCancel>::new().place(dead.id)).await.unwrap();
    client.call(Request::<call::DeadLetterDelete>::new().place(id)).await.unwrap();
    let pause = Patch { paused: Some(true), ..Patch::default() };
    client.call(Request::<call::QueuePatch>::new().place("default").body(pause)).await.unwrap();
}

/// What admins do to tokens, scopes and agents.
async fn acts_of_admins(client: &Client) {
    make_scope(client, "web").await;
    client.call(Request::<call::ScopeDelete>::new().place("web")).await.unwrap();
    let mint = Request::<call::TokenMint>::new().body(token(Role::Viewer, &["default"]));
    let minted = client.call(mint).await.unwrap();
    let rotated = client.call(Request::<call::TokenRotate>::new().place(minted.view.id)).await.unwrap();
    client.call(Request::<call::TokenRevoke>::new().place(rotated.view.id)).await.unwrap();
    let ant = Register { name: "ant".into(), ..Register::default() };
    client.call(Request::<call::AgentRegister>::new().body(ant)).await.unwrap();
    client.call(Request::<call::AgentDelete>::new().place("ant")).await.unwrap();
}

// SEC21: each act that is covered leaves an entry, with who, what, to what, from where and in which request.
#[tokio::test]
async fn sec21_every_act_leaves_an_entry() {
    let server = server().await;
    let client = server.client();
    acts_of_people(&client).await;
    acts_of_admins(&client).await;
    export(&client, "default").await;
    let stats = client.call(Request::<call::AuditStats>::new()).await.unwrap();
    for (action, count) in [
        ("server.started", 1),
        ("dead_letter.dismissed", 1),
        ("dead_letter.reopened", 1),
        ("dead_letter.retried", 1),
        ("dead_letter.deleted", 1),
        ("task.cancelled", 2),
        ("task.retried", 1),
        ("queue.changed", 1),
        ("scope.put", 1),
        ("scope.deleted", 1),
        ("token.created", 2),
        ("token.rotated", 1),
        ("token.revoked", 1),
        ("agent.created", 1),
        ("agent.deleted", 1),
        ("audit.exported", 1),
    ] {
        assert_eq!(stats.by_action.get(action), Some(&count), "{action} in {:?}", stats.by_action);
    }
    assert_eq!(stats.total, stats.by_action.values().sum::<u64>());
    assert!(stats.first.unwrap() <= stats.last.unwrap());
    let entry = entries(&client, of("dead_letter.dismissed")).await.remove(0);
    assert_eq!((&*entry.actor, &*entry.scope, &*entry.result), ("admin", "default", "ok"));
    assert_eq!(
        (entry.client.as_deref(), entry.detail["reason"].as_str()),
        (Some("127.0.0.1"), Some("enough"))
    );
    assert!(entry.target.starts_with("dlq_") && entry.request_id.is_some());
}

// SEC21: a start and an end in order are on record, across restarts in one chain.
#[tokio::test]
async fn sec21_the_server_tells_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    TestServer::start_in(folder.path(), |_| {}).await.unwrap().stop().await;
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let told: Vec<String> =
        entries(&server.client(), Filter::default()).await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(told, ["server.started", "server.stopped", "server.started"]);
    let lines = export(&server.client(), "system").await;
    assert!(verify_chain(lines.lines()).ok);
}

// D52: an export is one whole chain, entry by entry, and proves itself; a line that is changed or missing shows.
#[tokio::test]
async fn d52_an_export_verifies() {
    let server = server().await;
    let client = server.client();
    acts_of_people(&client).await;
    let text = export(&client, "default").await;
    let lines: Vec<&str> = text.lines().collect();
    let verdict = verify_chain(lines.iter());
    assert!(verdict.ok, "{verdict:?}");
    let last: Entry = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!((&*last.action, last.seq), ("audit.exported", lines.len() as i64));
    let forged = text.replacen("enough", "plenty", 1);
    assert!(!verify_chain(forged.lines()).ok);
    assert!(!verify_chain(lines.iter().skip(1)).ok);
    let answer = raw(&server, "GET /api/v1/audit/export?scope=system", &[], "").await;
    assert!(answer.head.contains("content-type: application/x-ndjson"), "{}", answer.head);
}

// D52: a chain that is longer than what is read together comes whole.
#[tokio::test]
async fn d52_a_long_chain_comes_whole() {
    let server = server().await;
    let client = server.client();
    for number in 0..1_100_u32 {
        let patch = Patch { concurrency_limit: Some(Some(number + 1)), ..Patch::default() };
        client.call(Request::<call::QueuePatch>::new().place("default").body(patch)).await.unwrap();
    }
    let text = export(&client, "default").await;
    assert_eq!(text.lines().count(), 1_101);
    assert!(verify_chain(text.lines()).ok);
}

// SEC21: refusals are on record, who knocked and why; from the eleventh on they are counted.
#[tokio::test]
async fn sec21_refusals_are_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let viewer = client_with(&server, token(Role::Viewer, &["default"])).await;
    assert_eq!(raw(&server, "GET /api/v1/tasks", &[STRANGER], "").await.status, 401);
    assert_eq!(refusal(viewer.call(Request::<call::ScopeDelete>::new().place("x")).await).0, 403);
    for _ in 0..14 {
        assert_eq!(refusal(viewer.call(Request::<call::TaskSubmit>::new().body(task("no"))).await).0, 403);
    }
    server.stop().await;
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let told = entries(&server.client(), of("call.refused")).await;
    let by = |target: &str| told.iter().filter(|entry| entry.target == target).collect::<Vec<_>>();
    let stranger = by("GET /tasks");
    assert_eq!((stranger.len(), &*stranger[0].actor, &*stranger[0].scope), (1, "anonymous", "system"));
    assert_eq!((&stranger[0].detail["code"], &*stranger[0].result), (&"unauthenticated".into(), "refused"));
    let viewers = by("DELETE /scopes/{name}");
    assert_eq!((viewers.len(), &*viewers[0].actor, &*viewers[0].scope), (1, "some viewer", "default"));
    let many = by("POST /tasks");
    let counted: u64 = many.iter().filter_map(|entry| entry.detail["count"].as_u64()).sum();
    let single = many.iter().filter(|entry| entry.detail.get("count").is_none()).count() as u64;
    assert_eq!(counted + single, 14);
    // A minute may turn in the middle, and then has ten of its own.
    assert!((10..=14).contains(&single), "{single}");
}

// API3 and the filters: newest first, page by page, by action, actor, target and time.
#[tokio::test]
async fn api3_entries_come_page_by_page() {
    let server = server().await;
    let client = server.client();
    acts_of_people(&client).await;
    let all = entries(&client, Filter::default()).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = Filter { limit: Some(3), cursor, ..Filter::default() };
        let page = client.call(Request::<call::AuditList>::new().query(query)).await.unwrap();
        assert_eq!((page.total, page.total_is), (all.len() as u64, None));
        seen.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
    let target = Some(all[0].target.clone());
    let of_target = entries(&client, Filter { target: target.clone(), ..Filter::default() }).await;
    assert!(!of_target.is_empty() && of_target.iter().all(|entry| Some(&entry.target) == target.as_ref()));
    assert_eq!(entries(&client, Filter { actor: Some("ghost".into()), ..Filter::default() }).await, []);
    let since = Some(all[2].time.to_string());
    let late = entries(&client, Filter { since: since.clone(), ..Filter::default() }).await;
    let early = entries(&client, Filter { until: since, ..Filter::default() }).await;
    assert_eq!(late.into_iter().chain(early).collect::<Vec<_>>(), all);
    for odd in [
        Filter { since: Some("soon".into()), ..Filter::default() },
        Filter { cursor: Some("x".into()), ..Filter::default() },
    ] {
        let odd = client.call(Request::<call::AuditList>::new().query(odd)).await;
        assert_eq!(refusal(odd), (400, "bad_parameter".into()));
    }
}

// SEC4: a chain is its scope's; the store's own is for admins of the whole store.
#[tokio::test]
async fn sec4_a_chain_is_its_scopes() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    let theirs = submit(&client, Submit { scope: Some("web".into()), ..task("theirs") }).await;
    client.call(Request::<call::TaskCancel>::new().place(theirs.id)).await.unwrap();
    let ours = submit(&client, task("ours")).await;
    client.call(Request::<call::TaskCancel>::new().place(ours.id)).await.unwrap();
    let small = client_with(&server, token(Role::Admin, &["default"])).await;
    let viewer = client_with(&server, token(Role::Viewer, &["*"])).await;
    let chains = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.scope).collect::<HashSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
    assert_eq!(chains(entries(&client, Filter::default()).await), set(&["default", "system", "web"]));
    assert_eq!(chains(entries(&small, Filter::default()).await), set(&["default"]));
    assert_eq!(chains(entries(&viewer, Filter::default()).await), set(&["default", "web"]));
    for (client, scope) in [(&small, "web"), (&small, "system"), (&viewer, "system")] {
        let list = Request::<call::AuditList>::new()
            .query(Filter { scope: Some(scope.into()), ..Filter::default() });
        assert_eq!(refusal(client.call(list).await), (403, "scope_forbidden".into()));
        let stats = client.call(Request::<call::AuditStats>::new().query(chain(scope))).await;
        assert_eq!(refusal::<Stats>(stats), (403, "scope_forbidden".into()));
        let exported = client.text(Request::<call::AuditExport>::new().query(chain(scope))).await;
        assert_eq!(refusal(exported), (403, "scope_forbidden".into()));
    }
    assert!(verify_chain(export(&small, "default").await.lines()).ok);
    let nowhere = client.text(Request::<call::AuditExport>::new().query(chain("nowhere"))).await;
    assert_eq!(refusal(nowhere), (422, "unknown_scope".into()));
    let worker = client_with(&server, token(Role::Worker, &["default"])).await;
    assert_eq!(refusal(worker.call(Request::<call::AuditList>::new()).await), (403, "forbidden".into()));
    assert_eq!(claim(&worker, "w", 1).await.len(), 0);
}
