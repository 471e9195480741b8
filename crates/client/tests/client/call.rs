//! Typed calls.

use crate::server::{Server, client, problem};
use axum::Router;
use axum::extract::{Path, Request as Incoming};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tiltyard_client::{Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::{scope, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SCOPE: &str =
    r#"{"name":"default","description":"d","created_at":"2026-11-20T07:14:00.123Z","later":1}"#;

fn json(status: StatusCode, body: impl Into<String>) -> Response {
    (status, [("content-type", "application/json"), ("x-request-id", "r-9")], body.into()).into_response()
}

fn refuse(status: u16, code: &str) -> Response {
    let headers = [("content-type", "application/problem+json"), ("retry-after", "1")];
    (StatusCode::from_u16(status).expect("a status"), headers, problem(status, code)).into_response()
}

#[tokio::test]
async fn api2_api4_a_call_carries_token_and_id_and_gives_the_typed_answer() {
    let routes = Router::new().route(
        "/api/v1/scopes/{name}",
        get(|Path(name): Path<String>, request: Incoming| async move {
            let header = |name: &str| request.headers()[name].to_str().expect("is text").to_owned();
            assert_eq!((name.as_str(), header("authorization").as_str()), ("my scope", "Bearer jst_hush"));
            assert_eq!(header("x-request-id"), "mine");
            assert!(request.uri().query().unwrap_or_default().is_empty());
            json(StatusCode::OK, SCOPE)
        }),
    );
    let server = Server::start(routes).await;
    let request = Request::<call::ScopeGet>::new().place("my scope").request_id("mine");
    let answered = server.client().exchange(request).await.expect("answers");
    assert_eq!((answered.status, answered.request_id.as_deref()), (200, Some("r-9")));
    assert_eq!(answered.value.name, "default");
}

#[tokio::test]
async fn api2_a_problem_document_becomes_a_typed_refusal() {
    let routes =
        Router::new().route("/api/v1/tasks/{id}/cancel", post(|| async { refuse(409, "already_final") }));
    let server = Server::start(routes).await;
    let request = Request::<call::TaskCancel>::new().place("task_1").body(task::Cancel::default());
    let error = server.client().call(request).await.expect_err("is refused");
    assert_eq!(
        (error.code(), error.status(), error.to_string().as_str()),
        (Some("already_final"), Some(409), "What happened.")
    );
    let refused = error.refused().expect("is a refusal");
    assert_eq!(
        (refused.retry_after_ms, &refused.extra["now"], refused.request_id.as_str()),
        (Some(1_000), &7.into(), "r-1")
    );
    assert!(!error.is_passing());
}

#[tokio::test]
async fn what_is_no_tiltyard_server_is_told_apart() {
    let page = || async { (StatusCode::NOT_FOUND, [("content-type", "text/html")], "<h1>nginx</h1>") };
    let server = Server::start(Router::new().fallback(any(page))).await;
    let error = server.client().call(Request::<call::ScopeList>::new()).await.expect_err("is no answer");
    assert!(matches!(error, Error::Unreadable { status: 404, .. }), "{error}");
    let server = Server::start(Router::new().fallback(any(|| async { json(StatusCode::OK, "{}") }))).await;
    let error = server.client().call(Request::<call::ScopeList>::new()).await.expect_err("is no answer");
    assert!(error.to_string().contains("missing field `items`"), "{error}");
}

#[tokio::test]
async fn o3_nobody_there_is_told_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = client(&format!("http://{address}")).call(Request::<call::ScopeList>::new()).await;
    let error = error.expect_err("nobody is there");
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_passing(), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

/// A server that breaks the first connection after the request, and answers the next ones.
async fn breaking(body: &'static str) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut bytes = [0; 4096];
            let read = connection.read(&mut bytes).await.unwrap_or(0);
            if read == 0 || counted.fetch_add(1, Ordering::SeqCst) == 0 {
                continue;
            }
            let head =
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ";
            let answer = format!("{head}{}\r\n\r\n{body}", body.len());
            drop(connection.write_all(answer.as_bytes()).await);
        }
    });
    (address, requests)
}

// API5: only what a key, a generation or the method guards is sent twice.
#[tokio::test]
async fn api5_a_broken_call_is_repeated_only_where_that_does_no_harm() {
    let (address, requests) = breaking(SCOPE).await;
    let answer =
        client(&format!("http://{address}")).call(Request::<call::ScopeGet>::new().place("default")).await;
    assert_eq!(
        (answer.expect("the second try answers").name, requests.load(Ordering::SeqCst)),
        ("default".into(), 2)
    );

    let (address, requests) = breaking("{}").await;
    let cancel = || Request::<call::TaskCancel>::new().place("task_1").body(task::Cancel::default());
    let error = client(&format!("http://{address}")).call(cancel()).await.expect_err("is not tried again");
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);

    let (address, requests) = breaking("{}").await;
    drop(client(&format!("http://{address}")).call(cancel().idempotent("k")).await);
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn e7_a_busy_server_is_asked_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let answer = move || {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { refuse(503, "overloaded") } else { json(StatusCode::OK, SCOPE) } }
    };
    let server =
        Server::start(Router::new().route("/api/v1/scopes/{name}", axum::routing::put(answer))).await;
    let request = Request::<call::ScopePut>::new().place("default").body(scope::Put::default());
    server.client().call(request).await.expect("the second try answers");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_is_never_carried_to_another_server() {
    let elsewhere =
        Server::start(Router::new().fallback(any(|| async { json(StatusCode::OK, SCOPE) }))).await;
    let target = format!("http://{}/api/v1/scopes/x", elsewhere.address);
    let redirect = move || async move { (StatusCode::TEMPORARY_REDIRECT, [("location", target)]) };
    let server = Server::start(Router::new().fallback(any(redirect))).await;
    let error =
        server.client().call(Request::<call::ScopeGet>::new().place("x")).await.expect_err("is not followed");
    assert_eq!(error.status(), Some(307));
}

#[tokio::test]
async fn answers_without_content_and_texts_are_taken_as_they_are() {
    let routes = Router::new()
        .route("/api/v1/scopes/{name}", axum::routing::delete(|| async { StatusCode::NO_CONTENT }))
        .route("/api/v1/changes/{id}/diff", get(|| async { "diff --git a/x b/x\n" }));
    let server = Server::start(routes).await;
    server.client().call(Request::<call::ScopeDelete>::new().place("x")).await.expect("is done");
    let diff =
        server.client().text(Request::<call::ChangeDiff>::new().place("chg_1")).await.expect("answers");
    assert_eq!(diff, "diff --git a/x b/x\n");
}

#[tokio::test]
async fn a_file_is_uploaded_with_its_length_and_its_attempt() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bundle");
    std::fs::write(&path, vec![7u8; 200_000]).expect("writes");
    let put = |request: Incoming| async move {
        assert_eq!(request.headers()["content-length"], "200000");
        assert_eq!(request.uri().query(), Some("generation=3&name=b"));
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("arrives");
        assert_eq!(body.len(), 200_000);
        let view = r#"{"id":"art_01h2xcejqtf2nbrexx3vqjhp41","sha256":"00","size":200000,"media_type":"x/y","name":null}"#;
        json(StatusCode::CREATED, view)
    };
    let server =
        Server::start(Router::new().route("/api/v1/artifacts/sha256/{hex}", axum::routing::put(put))).await;
    let query = tiltyard_wire::artifact::PutQuery {
        generation: Some(3),
        name: Some("b".into()),
        ..Default::default()
    };
    let request = Request::<call::ArtifactPut>::new().place("00").query(query).file(path, "x/y");
    assert_eq!(server.client().call(request).await.expect("is stored").size, 200_000);
}
