//! Scopes and names in calls: where they may stand, and that what is misspelt is told.

use crate::right::{done, is, mint, refused, say, send};
use crate::support::{make_scope, server, token};
use serde_json::{Value, json};
use tiltyard_model::role::Role;
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};

const UNKNOWN: (u16, &str) = (422, "unknown_scope");
const INVALID: (u16, &str) = (422, "invalid");
const BAD: (u16, &str) = (400, "bad_parameter");

async fn server_with(scopes: &[&str]) -> TestServer {
    let server = server().await;
    for scope in scopes {
        make_scope(&server.client(), scope).await;
    }
    server
}

fn task() -> Value {
    json!({"kind": "command", "title": "t"})
}

// A request names a scope by `scope` in the body or by `?scope=`; where both differ it is refused.
#[tokio::test]
async fn a_scope_is_named_in_the_body_or_as_a_parameter() {
    let server = server_with(&["red", "blue"]).await;
    let both = mint(&server, token(Role::Operator, &["red", "blue"])).await;
    is(&refused(&server, &both, "POST /tasks", task()).await, (422, "scope_required"));
    for scope in ["red", "blue"] {
        let made = done(&server, &both, &format!("POST /tasks?scope={scope}"), task()).await;
        assert_eq!(made["scope"], scope);
        let batch =
            done(&server, &both, "POST /tasks/batch", json!({"scope": scope, "tasks": [task()]})).await;
        let line = format!("GET /tasks/{}", batch["tasks"][0]["id"].as_str().unwrap());
        assert_eq!(done(&server, &both, &line, Value::Null).await["scope"], scope);
        let paused = json!({"scope": scope, "paused": true});
        assert_eq!(done(&server, &both, "PATCH /queues/default", paused).await["scope"], scope);
        let going = json!({"paused": false});
        done(&server, &both, &format!("PATCH /queues/default?scope={scope}"), going).await;
        let claim = json!({"agent": "w", "max": 10});
        let claimed = done(&server, &both, &format!("POST /tasks/claim?scope={scope}"), claim).await;
        let scopes: Vec<_> = claimed["tasks"].as_array().unwrap().iter().map(|task| &task["scope"]).collect();
        assert_eq!(scopes, [scope, scope]);
    }
    let mut two = task();
    two["scope"] = json!("red");
    is(&refused(&server, &both, "POST /tasks?scope=blue", two.clone()).await, INVALID);
    done(&server, &both, "POST /tasks?scope=red", two).await;
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks?scope=nope", task()).await, UNKNOWN);
}

// API7: what is misspelt does not look like peace: scopes that are not there, names that can be those of nothing.
#[tokio::test]
async fn api7_what_is_misspelt_is_told() {
    let server = server_with(&["red"]).await;
    for line in [
        "/tasks",
        "/board",
        "/events",
        "/events/stream",
        "/changes",
        "/gates",
        "/inbox",
        "/queues",
        "/dead-letters",
        "/dead-letters/stats",
        "/templates",
        "/pipelines",
        "/runs",
        "/schedules",
        "/repositories",
        "/agents",
        "/audit",
        "/audit/stats",
        "/audit/export",
    ] {
        let unknown = refused(&server, ADMIN_TOKEN, &format!("GET {line}?scope=nope"), Value::Null).await;
        assert_eq!((unknown.0, unknown.1.as_str()), UNKNOWN, "{line}");
        is(&refused(&server, ADMIN_TOKEN, &format!("GET {line}?scope=Bad"), Value::Null).await, BAD);
        if line != "/events/stream" {
            let (status, _) = send(&server, ADMIN_TOKEN, &format!("GET {line}?scope=red"), "").await;
            assert_eq!(status, 200, "{line}");
        }
    }
    for line in [
        "GET /tasks?queue=Bad%20Q",
        "GET /tasks?agent=No%20One",
        "GET /tasks?run=nightly",
        "GET /changes?repository=No%2FWay",
        "GET /scopes/default?limit=1",
        "GET /system/info?x=1",
        "POST /tasks?bogus=1",
        "GET /tasks/task_x?z=1",
    ] {
        is(&refused(&server, ADMIN_TOKEN, line, Value::Null).await, BAD);
    }
    done(&server, ADMIN_TOKEN, "GET /events?scope=system", Value::Null).await;
    done(&server, ADMIN_TOKEN, "GET /audit?scope=system", Value::Null).await;
    for line in ["POST /tasks/bulk", "POST /dead-letters/bulk"] {
        let bulk = json!({"action": "retry", "filter": {"scope": "nope"}});
        is(&refused(&server, ADMIN_TOKEN, line, bulk).await, UNKNOWN);
    }
}

// `system` is reserved: nothing is made in it, and nothing is claimed from it.
#[tokio::test]
async fn the_reserved_scope_takes_no_tasks() {
    let server = server_with(&[]).await;
    let mut named = task();
    named["scope"] = json!("system");
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks", named.clone()).await, INVALID);
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks?scope=system", task()).await, INVALID);
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks/batch", json!({"tasks": [named]})).await, INVALID);
    let template = json!({"scope": "system", "task": {}});
    is(&refused(&server, ADMIN_TOKEN, "PUT /templates/t", template).await, INVALID);
    let claim = json!({"agent": "w", "scope": "system"});
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks/claim", claim).await, INVALID);
    is(&refused(&server, ADMIN_TOKEN, "GET /tasks?scope=system", Value::Null).await, INVALID);
}

// API7: a claim that names what cannot be is refused, and does not wait for ever.
#[tokio::test]
async fn api7_a_claim_names_what_there_can_be() {
    let server = server_with(&[]).await;
    let long = "x".repeat(300);
    for (field, value) in [
        ("queues", json!(["default", "Bad Q"])),
        ("capabilities", json!(["a\nb"])),
        ("capabilities", json!([""])),
        ("claim_id", json!("")),
        ("claim_id", json!(long)),
        ("instance", json!("")),
    ] {
        let mut claim = json!({"agent": "w"});
        claim[field] = value.clone();
        let (status, problem) = say(&server, ADMIN_TOKEN, "POST /tasks/claim", claim).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid")), "{field} {value}");
        assert!(problem["field"].as_str().unwrap().starts_with(&format!("/{field}")), "{problem}");
    }
    let claim = json!({"agent": "w", "scope": "nope"});
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks/claim", claim).await, UNKNOWN);
}

// API7: an array is no body where an object is meant, whatever its items are.
#[tokio::test]
async fn api7_an_array_is_no_request() {
    let server = server_with(&[]).await;
    let made = done(&server, ADMIN_TOKEN, "POST /tasks", task()).await;
    let id = made["id"].as_str().unwrap();
    let positional = json!(["default", "default", "command", "positional", {}]);
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks", positional).await, INVALID);
    is(&refused(&server, ADMIN_TOKEN, "POST /tasks/claim", json!(["w1"])).await, INVALID);
    is(&refused(&server, ADMIN_TOKEN, &format!("POST /tasks/{id}/cancel"), json!([])).await, INVALID);
    let beat = json!({"leases": [[id, 1]]});
    let (_, problem) = say(&server, ADMIN_TOKEN, "POST /agents/w/heartbeat", beat).await;
    assert_eq!((&problem["code"], &problem["field"]), (&json!("invalid"), &json!("/leases/0")), "{problem}");
    assert_eq!(done(&server, ADMIN_TOKEN, &format!("GET /tasks/{id}"), Value::Null).await["state"], "ready");
}
