//! Who may do what beyond the table of rights: agent names, the queue of internal tasks, scopes of agents.

use crate::support::{make_scope, raw, server, token};
use serde_json::{Value, json};
use tiltyard_client::Request;
use tiltyard_model::role::Role;
use tiltyard_testkit::agent::hello;
use tiltyard_testkit::{ADMIN_TOKEN, FakeAgent, TestServer};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::token::Mint;

/// The text of a new token.
pub(crate) async fn mint(server: &TestServer, mint: Mint) -> String {
    server.client().call(Request::<call::TokenMint>::new().body(mint)).await.unwrap().token
}

/// What a caller hears: status and body.
pub(crate) async fn say(server: &TestServer, token: &str, line: &str, body: Value) -> (u16, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let (status, body) = send(server, token, line, &text).await;
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
    (status, body)
}

/// The same of a text, which is answered with a text.
pub(crate) async fn send(server: &TestServer, token: &str, line: &str, text: &str) -> (u16, String) {
    let bearer = format!("Authorization: Bearer {token}");
    let (method, path) = line.split_once(' ').unwrap();
    let answer = raw(server, &format!("{method} /api/v1{path}"), &[&bearer], text).await;
    (answer.status, answer.body)
}

/// Says something that is to be refused, and how: status and code.
pub(crate) async fn refused(server: &TestServer, token: &str, line: &str, body: Value) -> (u16, String) {
    let (status, problem) = say(server, token, line, body).await;
    (status, problem["code"].as_str().unwrap_or_else(|| panic!("{line}: {problem}")).to_owned())
}

/// Says something that is done.
pub(crate) async fn done(server: &TestServer, token: &str, line: &str, body: Value) -> Value {
    let (status, answer) = say(server, token, line, body).await;
    assert!((200..300).contains(&status), "{line}: {status} {answer}");
    answer
}

async fn register(server: &TestServer, name: &str) -> String {
    let made = done(server, ADMIN_TOKEN, "POST /agents", json!({"name": name})).await;
    made["token"].as_str().unwrap().to_owned()
}

/// Submits a task into a scope; its id.
async fn submit(server: &TestServer, scope: &str) -> String {
    let task = json!({"kind": "command", "title": "work", "scope": scope});
    done(server, ADMIN_TOKEN, "POST /tasks", task).await["id"].as_str().unwrap().to_owned()
}

const FORBIDDEN: (u16, &str) = (403, "forbidden");
const MISSING: (u16, &str) = (404, "not_found");

pub(crate) fn is(heard: &(u16, String), expected: (u16, &str)) {
    assert_eq!((heard.0, heard.1.as_str()), expected);
}

// SEC3: an agent that has a token is spoken for by that token only, whoever else asks; a name without one is anybody's.
#[tokio::test]
async fn sec3_an_agent_with_a_token_is_spoken_for_by_no_other() {
    let server = server().await;
    let own = register(&server, "demo").await;
    let others = [
        mint(&server, token(Role::Worker, &["default"])).await,
        mint(&server, token(Role::Operator, &["*"])).await,
        mint(&server, token(Role::Agent, &["default"])).await,
        ADMIN_TOKEN.to_owned(),
    ];
    let task = submit(&server, "default").await;
    let claim = json!({"agent": "demo", "instance": "one"});
    for other in &others {
        is(&refused(&server, other, "POST /tasks/claim", claim.clone()).await, FORBIDDEN);
        let beat = json!({"instance": "evil", "leases": []});
        is(&refused(&server, other, "POST /agents/demo/heartbeat", beat).await, FORBIDDEN);
    }
    let claimed = done(&server, &own, "POST /tasks/claim", claim).await;
    assert_eq!(claimed["tasks"][0]["id"], *task);
    for other in &others {
        for deed in ["heartbeat", "complete", "release"] {
            let line = format!("POST /tasks/{task}/{deed}");
            is(&refused(&server, other, &line, json!({"generation": 1})).await, MISSING);
        }
    }
    done(&server, &own, &format!("POST /tasks/{task}/complete"), json!({"generation": 1})).await;
    submit(&server, "default").await;
    let nobody = json!({"agent": "nobody-s"});
    assert_eq!(
        done(&server, &others[0], "POST /tasks/claim", nobody).await["tasks"].as_array().unwrap().len(),
        1
    );
}

// C19: internal tasks go to agents, and only what their agent says of a repository is believed.
#[tokio::test]
async fn c19_what_a_repository_is_like_is_said_by_its_agent() {
    let server = server().await;
    let own = register(&server, "demo").await;
    let worker = mint(&server, token(Role::Worker, &["default"])).await;
    let operator = mint(&server, token(Role::Operator, &["*"])).await;
    for other in [&worker, &operator] {
        let claim = json!({"agent": "other", "queues": ["git"]});
        is(&refused(&server, other, "POST /tasks/claim", claim).await, (403, "queue_forbidden"));
    }
    let named = json!({"label": "sly", "role": "worker", "scopes": ["default"], "queues": ["git"]});
    is(&refused(&server, ADMIN_TOKEN, "POST /auth/tokens", named).await, (422, "invalid"));

    done(&server, &own, "POST /tasks/claim", json!({"agent": "demo", "queues": ["nil"]})).await;
    let put = json!({"path": "/does/not/matter", "branch": "main", "agent": "demo"});
    let put = say(&server, ADMIN_TOKEN, "PUT /repositories/app", put);
    let look = async {
        let claim = json!({"agent": "demo", "queues": ["git"], "wait_ms": 10_000});
        let probe = done(&server, &own, "POST /tasks/claim", claim).await["tasks"][0].clone();
        let id = probe["id"].as_str().unwrap();
        let result = json!({"outcome": "found", "head": "a".repeat(40), "tree": "b".repeat(40), "target": "bare",
            "rules": null});
        let complete = json!({"generation": 1, "result": result});
        for other in [&worker, &operator, &ADMIN_TOKEN.to_owned()] {
            let heard =
                refused(&server, other, &format!("POST /tasks/{id}/complete"), complete.clone()).await;
            is(&heard, MISSING);
        }
        let moved = json!({"assign_to": "other"});
        is(&refused(&server, &operator, &format!("PATCH /tasks/{id}"), moved).await, (422, "invalid"));
        done(&server, &own, &format!("POST /tasks/{id}/complete"), complete).await
    };
    let ((status, repository), _) = tokio::join!(put, look);
    assert_eq!((status, repository["state"].as_str()), (200, Some("ready")), "{repository}");
}

// C19: an agent without a token of its own answers for a repository only where an agent or an admin speaks for it.
#[tokio::test]
async fn c19_no_worker_answers_for_an_agent_without_a_token() {
    let server = server().await;
    let operator = mint(&server, token(Role::Operator, &["*"])).await;
    let said = tiltyard_wire::frame::Hello { queues: vec!["none".into()], ..hello("loose", 1) };
    drop(FakeAgent::welcome(&server.client(), said).await.unwrap());
    let put = json!({"path": "/does/not/matter", "branch": "main", "agent": "loose"});
    let put = say(&server, ADMIN_TOKEN, "PUT /repositories/app", put);
    let look = async {
        let claim = json!({"agent": "loose", "queues": ["git"], "wait_ms": 10_000});
        let probe = done(&server, ADMIN_TOKEN, "POST /tasks/claim", claim).await["tasks"][0].clone();
        let id = probe["id"].as_str().unwrap();
        let fail = json!({"generation": 1, "error": "it is gone"});
        let heard = refused(&server, &operator, &format!("POST /tasks/{id}/fail"), fail.clone()).await;
        is(&heard, MISSING);
        let fail = json!({"generation": 1, "error": "it is gone", "retryable": false});
        done(&server, ADMIN_TOKEN, &format!("POST /tasks/{id}/fail"), fail).await
    };
    let ((status, _), _) = tokio::join!(put, look);
    assert_eq!(status, 422);
}

// SEC4: a token of another scope ends no lease of an agent, gets none of its tasks again, and sees nothing of it.
#[tokio::test]
async fn sec4_an_agent_is_out_of_reach_of_other_scopes() {
    let server = server().await;
    make_scope(&server.client(), "blue").await;
    make_scope(&server.client(), "red").await;
    let blue = mint(&server, token(Role::Worker, &["blue"])).await;
    let red = mint(&server, token(Role::Worker, &["red"])).await;
    let task = submit(&server, "blue").await;
    let claim = json!({"agent": "victim", "instance": "i1", "claim_id": "again", "lease_ms": 600_000});
    done(&server, &blue, "POST /tasks/claim", claim.clone()).await;
    let stolen = done(&server, &red, "POST /tasks/claim", claim).await;
    assert_eq!(stolen["tasks"], json!([]), "a task of another scope");
    let beat = json!({"instance": "evil", "leases": []});
    done(&server, &red, "POST /agents/victim/heartbeat", beat).await;
    let attempts = done(&server, ADMIN_TOKEN, &format!("GET /tasks/{task}/attempts"), Value::Null).await;
    assert_eq!(attempts["items"][0]["outcome"], Value::Null, "{attempts}");
    done(&server, &blue, &format!("POST /tasks/{task}/complete"), json!({"generation": 1})).await;
}

// SEC4: agents are listed, drained and deleted by who covers the scopes that they serve.
#[tokio::test]
async fn sec4_orders_to_agents_stay_within_reach() {
    let server = server().await;
    make_scope(&server.client(), "blue").await;
    make_scope(&server.client(), "red").await;
    let worker = mint(&server, token(Role::Worker, &["blue"])).await;
    done(&server, &worker, "POST /tasks/claim", json!({"agent": "wb"})).await;
    let register = json!({"name": "own", "scopes": ["blue"]});
    done(&server, ADMIN_TOKEN, "POST /agents", register).await;
    let both = json!({"name": "both", "scopes": ["blue", "red"]});
    done(&server, ADMIN_TOKEN, "POST /agents", both).await;
    let admin = mint(&server, token(Role::Admin, &["red"])).await;
    for name in ["wb", "own"] {
        for line in [
            "POST /agents/NAME/drain",
            "POST /agents/NAME/resume",
            "GET /agents/NAME",
            "GET /agents/NAME/violations",
            "GET /agents/NAME/disconnects",
            "DELETE /agents/NAME",
        ] {
            is(&refused(&server, &admin, &line.replace("NAME", name), Value::Null).await, MISSING);
        }
    }
    let seen = done(&server, &admin, "GET /agents", Value::Null).await;
    assert_eq!((&seen["total"], &seen["items"][0]["name"]), (&json!(1), &json!("both")));
    let outside = (403, "scope_forbidden");
    is(&refused(&server, &admin, "POST /agents/both/drain", Value::Null).await, outside);
    is(&refused(&server, &admin, "DELETE /agents/both", Value::Null).await, outside);
    let blue = mint(&server, token(Role::Admin, &["blue"])).await;
    for name in ["wb", "own"] {
        let drained = done(&server, &blue, &format!("POST /agents/{name}/drain"), Value::Null).await;
        assert_eq!(drained["name"], name);
        done(&server, &blue, &format!("DELETE /agents/{name}"), Value::Null).await;
    }
}

// SEC3: a worker works on the queues that its token names; one that names none, on `default`.
#[tokio::test]
async fn sec3_a_worker_without_queues_works_on_default() {
    let server = server().await;
    let made = json!({"label": "x", "role": "worker", "scopes": ["default"]});
    let made = done(&server, ADMIN_TOKEN, "POST /auth/tokens", made).await;
    assert_eq!(made["queues"], json!(["default"]));
    let worker = made["token"].as_str().unwrap();
    let other = (403, "queue_forbidden");
    let claim = json!({"agent": "w", "queues": ["builds"]});
    is(&refused(&server, worker, "POST /tasks/claim", claim).await, other);
    let task = json!({"kind": "command", "title": "t", "queue": "builds"});
    is(&refused(&server, worker, "POST /tasks", task.clone()).await, other);
    let hidden = done(&server, ADMIN_TOKEN, "POST /tasks", task).await;
    let line = format!("GET /tasks/{}", hidden["id"].as_str().unwrap());
    is(&refused(&server, worker, &line, Value::Null).await, MISSING);
    let none = json!({"label": "x", "role": "worker", "scopes": ["default"], "queues": []});
    is(&refused(&server, ADMIN_TOKEN, "POST /auth/tokens", none).await, (422, "invalid"));
}

// SEC3: the token of an agent reads its own tasks: what it holds or held, what is for it, what it submitted.
#[tokio::test]
async fn sec3_an_agent_reads_its_own_tasks() {
    let server = server().await;
    let (bot, other) = (register(&server, "bot").await, register(&server, "other").await);
    let task = submit(&server, "default").await;
    done(&server, &other, "POST /tasks/claim", json!({"agent": "other"})).await;
    for part in ["", "/attempts", "/log", "/why"] {
        let line = format!("GET /tasks/{task}{part}");
        is(&refused(&server, &bot, &line, Value::Null).await, MISSING);
        if part != "/log" {
            done(&server, &other, &line, Value::Null).await;
        }
    }
    done(&server, &other, &format!("POST /tasks/{task}/release"), json!({"generation": 1})).await;
    done(&server, &bot, "POST /tasks/claim", json!({"agent": "bot"})).await;
    for reader in [&bot, &other] {
        done(&server, reader, &format!("GET /tasks/{task}"), Value::Null).await;
    }
    let given = json!({"kind": "command", "title": "t", "assign_to": "bot"});
    let given = done(&server, &other, "POST /tasks", given).await;
    for reader in [&bot, &other] {
        done(&server, reader, &format!("GET /tasks/{}", given["id"].as_str().unwrap()), Value::Null).await;
    }
}

// SEC4: metrics that are not counted by scope are for who covers every scope.
#[tokio::test]
async fn sec4_metrics_tell_nothing_of_other_scopes() {
    let server = server().await;
    make_scope(&server.client(), "red").await;
    submit(&server, "default").await;
    let viewer = mint(&server, token(Role::Viewer, &["red"])).await;
    let bearer = format!("Authorization: Bearer {viewer}");
    for path in ["GET /metrics", "GET /api/v1/metrics"] {
        let seen = raw(&server, path, &[&bearer], "").await;
        assert_eq!(seen.status, 200, "{seen:?}");
        for family in [
            "_submitted_total",
            "_events_total",
            "_commit_seconds",
            "_http_requests_total",
            "_store_bytes",
            "\"default\"",
        ] {
            assert!(!seen.body.contains(family), "{family}: {}", seen.body);
        }
        assert!(seen.body.contains("tiltyard_agents"), "{seen:?}");
        let whole = raw(&server, path, &[], "").await;
        assert!(whole.body.contains("tiltyard_tasks_submitted_total"), "{whole:?}");
    }
}

// SEC3, SEC4: what is the whole server's is done and seen by admins of every scope.
#[tokio::test]
async fn sec4_a_scope_s_admin_does_not_rule_the_server() {
    let server = server().await;
    make_scope(&server.client(), "red").await;
    let admin = mint(&server, token(Role::Admin, &["red"])).await;
    let outside = (403, "scope_forbidden");
    for line in
        ["GET /system/settings", "GET /system/store", "GET /system/migrations", "GET /system/log-level"]
    {
        is(&refused(&server, &admin, line, Value::Null).await, outside);
        done(&server, ADMIN_TOKEN, line, Value::Null).await;
    }
    let louder = json!({"level": "debug"});
    is(&refused(&server, &admin, "PUT /system/log-level", louder).await, outside);
    is(&refused(&server, &admin, "GET /audit?scope=system", Value::Null).await, outside);
    done(&server, &admin, "GET /system/info", Value::Null).await;
}
