//! What goes on record of refused calls, and what health says of the record and of dead letters.

use crate::support::{STRANGER, claim, raw, server, task};
use tiltyard_client::{Client, Request};
use tiltyard_model::role::Role;
use tiltyard_testkit::FakeAgent;
use tiltyard_wire::audit::{Entry, Filter};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::health::Status;
use tiltyard_wire::task::work::{Reported, Settle, SettleItem};
use tiltyard_wire::task::{Submit, SubmitBatch, View};
use tiltyard_wire::token::Mint;

/// Refused calls on record, newest first, when there are as many: nobody waits for them to be written.
pub(crate) async fn refused(client: &Client, count: usize) -> Vec<Entry> {
    let filter = || Filter { action: Some("call.refused".into()), ..Filter::default() };
    loop {
        let page = client.call(Request::<call::AuditList>::new().query(filter())).await.unwrap();
        if page.items.len() >= count {
            return page.items;
        }
        tokio::task::yield_now().await;
    }
}

// SEC21: refused calls are on record with who, whence, where and why.
#[tokio::test]
async fn sec21_refused_calls_are_on_record() {
    let server = server().await;
    assert_eq!(raw(&server, "GET /api/v1/tasks", &[STRANGER], "").await.status, 401);
    let entry = refused(&server.client(), 1).await.remove(0);
    assert_eq!((&*entry.scope, &*entry.actor, &*entry.target), ("system", "anonymous", "GET /tasks"));
    assert_eq!(
        (entry.client.as_deref(), &entry.detail["code"]),
        (Some("127.0.0.1"), &"unauthenticated".into())
    );
    assert!(entry.request_id.is_some());
    let viewer = Mint {
        label: "eve".into(),
        role: Role::Viewer,
        scopes: vec!["default".into()],
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: None,
    };
    let minted = server.client().call(Request::<call::TokenMint>::new().body(viewer)).await.unwrap();
    let eve = server.client_of(&minted.token);
    assert!(eve.call(Request::<call::TaskSubmit>::new().body(task("no right"))).await.is_err());
    let entry = refused(&server.client(), 2).await.remove(0);
    assert_eq!((&*entry.scope, &*entry.actor, &*entry.target), ("default", "eve", "POST /tasks"));
    assert_eq!(entry.detail["code"], "forbidden");
}

// SEC21: a socket that is let in only to be told why not is on record too.
#[tokio::test]
async fn sec21_refused_sockets_are_on_record() {
    let server = server().await;
    let mut fake = FakeAgent::connect(&server.client_of("nobody-knows-this-token")).await.unwrap();
    assert_eq!(fake.closed().await.unwrap(), 4401);
    let entry = refused(&server.client(), 1).await.remove(0);
    assert_eq!((&*entry.target, &entry.detail["code"]), ("GET /agents/connect", &"unauthenticated".into()));
}

/// So many tasks die.
async fn die(client: &Client, count: usize) {
    let mortal = || Submit { max_attempts: Some(1), ..task("mortal") };
    let tasks = (0..count).map(|_| mortal()).collect();
    client
        .call(Request::<call::TaskSubmitBatch>::new().body(SubmitBatch { scope: None, tasks }))
        .await
        .unwrap();
    let held = claim(client, "me", count).await;
    let failed = |held: View| SettleItem {
        id: held.id,
        generation: held.generation,
        outcome: Reported::Failed,
        result: None,
        error: Some("it broke".into()),
        retryable: None,
    };
    let items: Vec<SettleItem> = held.into_iter().map(failed).collect();
    assert_eq!(items.len(), count);
    client.call(Request::<call::TaskSettle>::new().body(Settle { items, claim: None })).await.unwrap();
}

// D11: more letters than are meant to be kept, and nobody has dealt with them: health is degraded.
#[tokio::test]
async fn d11_too_many_dead_letters_degrade_health() {
    let server = server().await;
    let client = server.client();
    for (count, status) in [(500, Status::Ok), (1, Status::Degraded)] {
        die(&client, count).await;
        let health = client.call(Request::<call::HealthGet>::new()).await.unwrap();
        assert_eq!(health.components["queue"].status, status, "{count} more");
    }
}
