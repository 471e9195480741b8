//! `If-Match` on whatever is changed, replaced or deleted (API8).

use crate::support::{Raw, claim, die, raw, server, submit, task, token};
use serde_json::Value;
use tiltyard_client::Request;
use tiltyard_model::role::Role;
use tiltyard_testkit::TestServer;
use tiltyard_wire::agent::Register;
use tiltyard_wire::endpoint::{Endpoint, Method, call};
use tiltyard_wire::task::Submit;

/// An entity tag that nothing has.
const STALE: &str = "If-Match: \"0\"";

/// A line that changes something, and its body.
async fn sample(server: &TestServer, endpoint: Endpoint) -> (String, &'static str) {
    let client = server.client();
    let one = || async { submit(&client, task("one")).await.id };
    let (path, body) = match endpoint {
        Endpoint::TaskPatch => (format!("/tasks/{}", one().await), r#"{"priority":7}"#),
        Endpoint::DependencyPut | Endpoint::DependencyDelete => {
            (format!("/tasks/{}/dependencies/{}", one().await, one().await), "")
        }
        Endpoint::QueuePatch => ("/queues/default".to_owned(), r#"{"paused":true}"#),
        Endpoint::TemplatePut => ("/templates/new".to_owned(), r#"{"task":{"kind":"command","title":"t"}}"#),
        Endpoint::PipelinePut => (
            "/pipelines/new".to_owned(),
            r#"{"stages":[{"id":"a","uses":"gate","with":{"subject":"Go on?"}}]}"#,
        ),
        Endpoint::PipelineDelete => ("/pipelines/none".to_owned(), ""),
        Endpoint::ScopePut => ("/scopes/default".to_owned(), r#"{"description":"mine"}"#),
        Endpoint::SchedulePut => {
            ("/schedules/new".to_owned(), r#"{"cron":"0 0 * * *","task":{"kind":"note","title":"t"}}"#)
        }
        Endpoint::ScheduleDelete => ("/schedules/none".to_owned(), ""),
        Endpoint::TemplateDelete => ("/templates/none".to_owned(), ""),
        Endpoint::ScopeDelete => ("/scopes/default".to_owned(), ""),
        Endpoint::DeadLetterDelete => {
            die(&client, Submit { queue: Some("letters".into()), ..task("dies") }, "no").await;
            let letters = client.call(Request::<call::DeadLetterList>::new()).await.unwrap();
            (format!("/dead-letters/{}", letters.items[0].id), "")
        }
        Endpoint::ArtifactPut => {
            let own = submit(&client, task("stores")).await;
            let held = claim(&client, "me", 100).await.into_iter().find(|held| held.id == own.id).unwrap();
            let hex = "0".repeat(64);
            let generation = held.generation;
            (format!("/artifacts/sha256/{hex}?task={}&generation={generation}", own.id), "")
        }
        Endpoint::AgentDelete => {
            let body = Register { name: "ant".into(), ..Register::default() };
            client.call(Request::<call::AgentRegister>::new().body(body)).await.unwrap();
            ("/agents/ant".to_owned(), "")
        }
        Endpoint::RepositoryPut => ("/repositories/new".to_owned(), r#"{"path":"/nowhere"}"#),
        Endpoint::RepositoryDelete => ("/repositories/new".to_owned(), ""),
        Endpoint::TokenRevoke => {
            let body = token(Role::Viewer, &["default"]);
            let minted = client.call(Request::<call::TokenMint>::new().body(body)).await.unwrap();
            (format!("/auth/tokens/{}", minted.view.id), "")
        }
        Endpoint::SignOut => ("/auth/session".to_owned(), ""),
        Endpoint::LogLevelPut => ("/system/log-level".to_owned(), r#"{"level":"debug"}"#),
        other => panic!("{other:?} changes something: give it a sample"),
    };
    (format!("{} /api/v1{path}", endpoint.row().method.as_str()), body)
}

// API8: If-Match is honoured on every PATCH, PUT and DELETE of the table, and what is refused changes nothing.
#[tokio::test]
async fn api8_whatever_changes_something_honours_if_match() {
    let server = server().await;
    for endpoint in Endpoint::ALL.iter().copied() {
        if !matches!(endpoint.row().method, Method::Patch | Method::Put | Method::Delete) {
            continue;
        }
        let (line, body) = sample(&server, endpoint).await;
        let before = cursor(&server).await;
        let answer = raw(&server, &line, &[STALE], body).await;
        let name = endpoint.row().name;
        assert_eq!((answer.status, code(&answer)), (412, "precondition_failed".into()), "{name}: {answer:?}");
        assert_eq!(cursor(&server).await, before, "{name} was refused, and something happened");
    }
}

// API8: a token's tag comes with its making; the right one lets it end.
#[tokio::test]
async fn api8_a_token_ends_as_it_was_seen() {
    let server = server().await;
    let mint = r#"{"label":"x","role":"viewer","scopes":["default"]}"#;
    let minted = raw(&server, "POST /api/v1/auth/tokens", &[], mint).await;
    let tag = minted.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("has a tag").to_owned();
    let view: Value = serde_json::from_str(&minted.body).unwrap();
    let line = format!("DELETE /api/v1/auth/tokens/{}", view["id"].as_str().unwrap());
    let text = view["token"].as_str().unwrap();
    server.client_of(text).call(Request::<call::ScopeList>::new()).await.unwrap();
    let demand = format!("If-Match: {tag}");
    assert_eq!(raw(&server, &line, &[&demand], "").await.status, 204, "being used is no change");
    assert_eq!(raw(&server, &line, &[&demand], "").await.status, 412, "it was revoked");
    assert_eq!(raw(&server, &line, &[], "").await.status, 204, "nothing is demanded");
}

fn code(answer: &Raw) -> String {
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

/// Where the log ends.
async fn cursor(server: &TestServer) -> i64 {
    server.running().engine().tail().last_seq()
}
