//! Scopes: made, described, deleted when they are empty.

use crate::support::{claim_of, client_with, make_scope, raw, refusal, server, submit, task, token};
use tiltyard_client::{Client, Request};
use tiltyard_model::role::Role;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::scope::Put;
use tiltyard_wire::task::Submit;
use tiltyard_wire::task::work::{Claim, Complete};

async fn names(client: &Client) -> Vec<String> {
    let list = client.call(Request::<call::ScopeList>::new()).await.unwrap();
    list.items.into_iter().map(|scope| scope.name).collect()
}

fn putting(name: &str, description: &str) -> Request<call::ScopePut> {
    Request::<call::ScopePut>::new().place(name).body(Put { description: description.into() })
}

async fn delete(client: &Client, name: &str) -> Result<(), tiltyard_client::Error> {
    client.call(Request::<call::ScopeDelete>::new().place(name)).await
}

#[tokio::test]
async fn a_scope_is_made_described_and_deleted() {
    let server = server().await;
    let client = server.client();
    assert_eq!(names(&client).await, ["default"]);
    let made = client.call(putting("web", "the site")).await.unwrap();
    assert_eq!((&*made.name, &*made.description), ("web", "the site"));
    let anew = client.call(putting("web", "the shop")).await.unwrap();
    assert_eq!((&*anew.description, anew.created_at), ("the shop", made.created_at));
    let read = client.call(Request::<call::ScopeGet>::new().place("web")).await.unwrap();
    assert_eq!(read, anew);
    assert_eq!(names(&client).await, ["default", "web"]);
    delete(&client, "web").await.unwrap();
    assert_eq!(names(&client).await, ["default"]);
    let gone = client.call(Request::<call::ScopeGet>::new().place("web")).await;
    assert_eq!(refusal(gone), (404, "not_found".into()));
    assert_eq!(refusal(delete(&client, "web").await), (404, "not_found".into()));
}

#[tokio::test]
async fn what_a_scope_cannot_be_is_refused() {
    let server = server().await;
    let client = server.client();
    for name in ["system", "No Slug"] {
        assert_eq!(refusal(client.call(putting(name, "")).await), (422, "invalid".into()), "{name}");
    }
    let long = client.call(putting("web", &"x".repeat(201))).await;
    assert_eq!(refusal(long), (422, "invalid".into()));
    for name in ["default", "system"] {
        assert_eq!(refusal(delete(&client, name).await), (422, "invalid".into()), "{name}");
    }
    assert_eq!(names(&client).await, ["default"]);
}

// A scope with something in it stays, and says with what.
#[tokio::test]
async fn a_scope_in_use_stays() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    submit(&client, Submit { scope: Some("web".into()), ..task("in it") }).await;
    let refused = delete(&client, "web").await.unwrap_err();
    let problem = &refused.refused().unwrap().problem;
    assert_eq!((problem.status, &*problem.code), (409, "in_use"));
    assert!(problem.error.contains("1 tasks"), "{}", problem.error);
    make_scope(&client, "named").await;
    client_with(&server, token(Role::Viewer, &["named"])).await;
    assert_eq!(refusal(delete(&client, "named").await), (409, "in_use".into()));
}

// SEC4: who does not have a scope is told so where it names it, and does not see it in lists.
#[tokio::test]
async fn sec4_a_scope_is_named_by_who_has_it() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    let small = client_with(&server, token(Role::Admin, &["default"])).await;
    assert_eq!(names(&small).await, ["default"]);
    for refused in [
        refusal(small.call(Request::<call::ScopeGet>::new().place("web")).await),
        refusal(small.call(putting("web", "mine now")).await),
        refusal(delete(&small, "web").await),
        refusal(small.call(putting("new", "")).await),
    ] {
        assert_eq!(refused, (403, "scope_forbidden".into()));
    }
    let operator = client_with(&server, token(Role::Operator, &["*"])).await;
    assert_eq!(names(&operator).await, ["default", "web"]);
    assert_eq!(refusal(operator.call(putting("new", "")).await), (403, "forbidden".into()));
}

// SEC4: a claim without a scope takes from the token's scopes only; what is done in one is 404 from another.
#[tokio::test]
async fn sec4_work_keeps_to_its_scope() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "web").await;
    let theirs = submit(&client, Submit { scope: Some("web".into()), ..task("theirs") }).await;
    let worker = client_with(&server, token(Role::Worker, &["default"])).await;
    let taken = worker.call(Request::<call::TaskClaim>::new().body(claim_of("w", 5))).await.unwrap();
    assert_eq!(taken.tasks.len(), 0);
    let named = Claim { scope: Some("web".into()), ..claim_of("w", 5) };
    let refused = worker.call(Request::<call::TaskClaim>::new().body(named)).await;
    assert_eq!(refusal(refused), (403, "scope_forbidden".into()));
    let body = Complete { generation: 1, result: None };
    let refused = worker.call(Request::<call::TaskComplete>::new().place(theirs.id).body(body)).await;
    assert_eq!(refusal(refused), (404, "not_found".into()));
}

// API8: If-Match on PUT and DELETE.
#[tokio::test]
async fn api8_a_scope_is_changed_as_it_was_seen() {
    let server = server().await;
    make_scope(&server.client(), "web").await;
    let read = raw(&server, "GET /api/v1/scopes/web", &[], "").await;
    let tag = read.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let demand = format!("If-Match: {tag}");
    let body = r#"{"description": "new"}"#;
    assert_eq!(raw(&server, "PUT /api/v1/scopes/web", &[&demand], body).await.status, 200);
    assert_eq!(raw(&server, "PUT /api/v1/scopes/web", &[&demand], body).await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/scopes/web", &[&demand], "").await.status, 412);
    assert_eq!(raw(&server, "PUT /api/v1/scopes/none", &["If-Match: *"], body).await.status, 412);
}
