//! Requests that are done once (API5).

use crate::support::{Raw, claim, raw, refusal, server, task};
use tiltyard_client::Request;
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::PageQuery;
use tiltyard_wire::task::{Bulk, BulkAction, Filter};
use tiltyard_wire::token::Mint;

fn submission(title: &str, key: &str) -> Request<call::TaskSubmit> {
    Request::<call::TaskSubmit>::new().body(task(title)).idempotent(key)
}

// API5: the same key and body give the same answer; another body is refused.
#[tokio::test]
async fn api5_a_submission_with_a_key_is_done_once() {
    let server = server().await;
    let client = server.client();
    let first = client.exchange(submission("once", "k-1")).await.unwrap();
    let again = client.exchange(submission("once", "k-1")).await.unwrap();
    assert_eq!((first.status, again.status, first.value.id), (201, 201, again.value.id));
    assert_eq!(
        refusal(client.exchange(submission("other", "k-1")).await),
        (422, "idempotency_mismatch".into())
    );
    let other = client.exchange(submission("once", "k-2")).await.unwrap();
    assert_ne!(other.value.id, first.value.id);
    let all = client.call(Request::<call::TaskList>::new().query(Filter::default())).await.unwrap();
    assert_eq!(all.total, 2);
}

// API5: the same answer is the same answer, its headers included.
#[tokio::test]
async fn api5_a_replay_has_the_headers_of_its_first() {
    let server = server().await;
    let ask = async || {
        let body = r#"{"kind":"a","title":"t"}"#;
        raw(&server, "POST /api/v1/tasks", &["Idempotency-Key: k"], body).await
    };
    let (first, again) = (ask().await, ask().await);
    let header = |answer: &Raw, name: &str| {
        answer.head.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned))
    };
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    for name in ["etag: ", "location: "] {
        assert!(header(&first, name).is_some(), "{name}: {first:?}");
        assert_eq!(header(&first, name), header(&again, name), "{name}");
    }
    assert_eq!(header(&again, "idempotency-replayed: ").as_deref(), Some("true"));
}

// API5: also across restarts.
#[tokio::test]
async fn api5_a_key_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let first = server.client().call(submission("once", "k-1")).await.unwrap();
    server.stop().await;
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let again = server.client().call(submission("once", "k-1")).await.unwrap();
    assert_eq!(first.id, again.id);
}

// SEC1: a secret is shown once, whatever the key; asked again, the caller hears what was made.
#[tokio::test]
async fn sec1_a_kept_answer_holds_no_secret() {
    let server = server().await;
    let client = server.client();
    let mint = || {
        let body = Mint {
            label: "worker".into(),
            role: Role::Worker,
            scopes: vec!["default".into()],
            queues: None,
            owner: None,
            groups: Vec::new(),
            expires: None,
        };
        client.call(Request::<call::TokenMint>::new().body(body).idempotent("k-1"))
    };
    let minted = mint().await.unwrap();
    assert!(minted.token.starts_with("jst_"));
    assert_eq!(refusal(mint().await), (409, "already_exists".into()));
    let tokens = client.call(Request::<call::TokenList>::new().query(PageQuery::default())).await.unwrap();
    assert_eq!(tokens.total, 1);
}

// API5: work of many deeds is done once too.
#[tokio::test]
async fn api5_a_bulk_act_with_a_key_is_done_once() {
    let server = server().await;
    let client = server.client();
    for number in 0..3 {
        client.call(submission(&format!("number {number}"), &format!("s-{number}"))).await.unwrap();
    }
    let cancel = || {
        let filter = Some(Filter { state: Some("ready".into()), ..Filter::default() });
        let body = Bulk { action: BulkAction::Cancel, ids: Vec::new(), filter, all: false, priority: None };
        client.call(Request::<call::TaskBulk>::new().body(body).idempotent("bulk"))
    };
    let first = cancel().await.unwrap();
    assert_eq!((first.matched, first.changed), (3, 3));
    client.call(submission("later", "s-9")).await.unwrap();
    assert_eq!(cancel().await.unwrap(), first);
    assert_eq!(claim(&client, "me", 5).await.len(), 1, "the later one was not cancelled");
}
