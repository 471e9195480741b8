//! The program itself: health, metrics, what runs, its contract and its pages.

use crate::support::{STRANGER, claim, complete, raw, refusal, server, submit, task};
use serde_json::{Value, json};
use tiltyard_client::Request;
use tiltyard_server::Door;
use tiltyard_testkit::agent::hello;
use tiltyard_testkit::{FakeAgent, TestServer};
use tiltyard_wire::endpoint::{Endpoint, call};
use tiltyard_wire::event::Query;
use tiltyard_wire::health::Status;
use tiltyard_wire::system::LogLevel;

// API1: alive, ready and health are open; a stranger hears words only.
#[tokio::test]
async fn api1_health_is_open_and_says_little_to_strangers() {
    let server = server().await;
    assert_eq!(raw(&server, "GET /healthz", &[STRANGER], "").await.status, 200);
    assert_eq!(raw(&server, "GET /readyz", &[STRANGER], "").await.status, 200);
    let words = server.stranger().call(Request::<call::HealthGet>::new()).await.unwrap();
    assert_eq!(words.status, Status::Ok);
    for part in ["store", "queue", "agents", "streams", "security", "disk"] {
        let component = &words.components[part];
        assert_eq!(
            (component.status, &component.reason, component.since),
            (Status::Ok, &None, None),
            "{part}"
        );
    }
    let known = server.client().call(Request::<call::HealthGet>::new()).await.unwrap();
    assert!(known.components.values().all(|component| component.since.is_some()));
}

// O23, SEC2: a server that lets everybody in says so.
#[tokio::test]
async fn o23_an_open_door_degrades_health() {
    let server = TestServer::start_with(|options| options.door = Door::Open).await.unwrap();
    let health = server.stranger().call(Request::<call::HealthGet>::new()).await.unwrap();
    assert_eq!((health.status, health.components["security"].status), (Status::Degraded, Status::Degraded));
    let info = server.stranger().call(Request::<call::SystemInfo>::new()).await.unwrap();
    assert!(info.no_auth);
}

// O21: tasks by state and queue, histograms, and HTTP by route and code, for who may read.
#[tokio::test]
async fn o21_metrics_tell_what_happened() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("one")).await;
    submit(&client, task("two")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    complete(&client, &held, json!(null)).await;
    let text = raw(&server, "GET /metrics", &[], "").await;
    assert_eq!(text.status, 200);
    assert!(text.head.contains("content-type: text/plain; version=0.0.4"), "{}", text.head);
    for line in [
        "tiltyard_tasks{scope=\"default\",queue=\"default\",state=\"ready\"} 1",
        "tiltyard_tasks{scope=\"default\",queue=\"default\",state=\"succeeded\"} 1",
        "tiltyard_http_requests_total{route=\"POST /api/v1/tasks\",code=\"201\"} 2",
        "tiltyard_agents{state=\"idle\"} 1",
        "# TYPE tiltyard_commit_seconds histogram",
    ] {
        assert!(text.body.lines().any(|own| own == line), "{line} is not in\n{}", text.body);
    }
    let map = client.call(Request::<call::MetricsGet>::new()).await.unwrap().metrics;
    assert!(map["tiltyard_commit_seconds_count"] >= 4.0);
    assert_eq!(raw(&server, "GET /metrics", &[STRANGER], "").await.status, 401);
}

#[tokio::test]
async fn the_store_and_its_schema_are_told() {
    let server = server().await;
    let client = server.client();
    let store = client.call(Request::<call::SystemStore>::new()).await.unwrap();
    let kind = if tiltyard_testkit::postgres::is_chosen() { "postgres" } else { "sqlite" };
    assert_eq!((&*store.kind, &*store.durability, store.epoch), (kind, "full", 1));
    assert!(store.bytes > 0 && store.last_seq > 0 && store.disk_free_bytes > 0);
    let steps = client.call(Request::<call::SystemMigrations>::new()).await.unwrap().items;
    assert!(!steps.is_empty() && steps.iter().all(|step| step.applied_at.is_some()));
    assert_eq!(steps.last().unwrap().version, store.schema);
}

// O20: the level changes at run time, and the change is on record.
#[tokio::test]
async fn o20_the_log_level_can_be_changed() {
    let server = server().await;
    let client = server.client();
    let put = |level: &str| Request::<call::LogLevelPut>::new().body(LogLevel { level: level.into() });
    assert_eq!(client.call(put("debug")).await.unwrap().level, "debug");
    assert_eq!(client.call(Request::<call::LogLevelGet>::new()).await.unwrap().level, "debug");
    assert_eq!(refusal(client.call(put("loud")).await), (422, "invalid".into()));
    let query = tiltyard_wire::event::Query { types: Some("settings.changed".into()), ..Default::default() };
    let events = client.call(Request::<call::EventList>::new().query(query)).await;
    assert!(events.is_ok_and(|page| page.items.len() == 1));
}

// API1: the contract that is served is the one that handlers are made of.
#[tokio::test]
async fn the_contract_is_served_to_anybody() {
    let server = server().await;
    let client = server.stranger();
    let document: Value = client.call(Request::<call::OpenApi>::new()).await.unwrap();
    assert_eq!(document["paths"].as_object().unwrap()["/api/v1/tasks"]["post"]["operationId"], "TaskSubmit");
    let names = client.call(Request::<call::SchemaList>::new()).await.unwrap();
    for name in &names {
        let schema = client.call(Request::<call::SchemaGet>::new().place(name)).await.unwrap();
        assert!(schema.is_object(), "{name}");
    }
    let missing = client.call(Request::<call::SchemaGet>::new().place("nothing")).await;
    assert_eq!(refusal(missing), (404, "not_found".into()));
}

// API2: the `type` of a problem is a page that is there.
#[tokio::test]
async fn api2_a_problem_leads_to_its_page() {
    let server = server().await;
    let problem = raw(&server, "GET /api/v1/tasks/none", &[], "").await;
    let problem: Value = serde_json::from_str(&problem.body).unwrap();
    let page = raw(&server, &format!("GET {}", problem["type"].as_str().unwrap()), &[STRANGER], "").await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("not_found") && page.head.contains("content-security-policy: default-src 'none'")
    );
    let docs = raw(&server, "GET /docs", &[STRANGER], "").await;
    // SEC2: the link that opens the console leads to a page that says what is there, without scripts.
    let front = raw(&server, "GET /", &[STRANGER], "").await;
    assert!(
        front.status == 200 && front.body.contains("The web console is not part of this version"),
        "{}",
        front.body
    );
    assert!(front.head.contains("content-security-policy: default-src 'none'"));
    for endpoint in Endpoint::ALL {
        assert!(docs.body.contains(&endpoint.full_path()), "{endpoint:?}");
    }
    assert_eq!(raw(&server, "GET /docs/nothing", &[STRANGER], "").await.status, 404);
}

// API8: what a reader has already is not sent again, and a change can demand what was seen.
#[tokio::test]
async fn api8_entity_tags_guard_single_things() {
    let server = server().await;
    let held = submit(&server.client(), task("tagged")).await;
    let path = format!("/api/v1/tasks/{}", held.id);
    let got = raw(&server, &format!("GET {path}"), &[], "").await;
    let tag = got.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let again = raw(&server, &format!("GET {path}"), &[&format!("If-None-Match: {tag}")], "").await;
    assert_eq!((again.status, &*again.body), (304, ""));
    let patch = async |tag: &str, title: &str| {
        let body = json!({"title": title}).to_string();
        raw(&server, &format!("PATCH {path}"), &[&format!("If-Match: {tag}")], &body).await
    };
    assert_eq!(patch(&tag, "renamed").await.status, 200);
    let stale = patch(&tag, "again").await;
    assert_eq!(stale.status, 412);
    assert!(stale.body.contains("precondition_failed"));
}

// O21: sockets and connections of agents, readers of events, and how far they are behind.
#[tokio::test]
async fn o21_sockets_and_connections_are_counted() {
    let server = server().await;
    let client = server.client();
    let figures = || async { client.call(Request::<call::MetricsGet>::new()).await.unwrap().metrics };
    let before = figures().await;
    let agents = "tiltyard_sockets{of=\"agents\"}";
    let readers = "tiltyard_sockets{of=\"readers\"}";
    assert_eq!((before[agents], before[readers]), (0.0, 0.0));
    // The server that keeps the files of runs follows by itself.
    let own = before["tiltyard_followers"];
    let (agent, _) = FakeAgent::welcome(&client, hello("ant", 1)).await.unwrap();
    let (_sender, _receiver) = client.connect_events(&Query::default()).await.unwrap();
    let _stream = client.download(Request::<call::EventStream>::new()).await.unwrap();
    // A reader's socket answers before it follows.
    let open = loop {
        let open = figures().await;
        if open["tiltyard_followers"] >= own + 2.0 {
            break open;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((open[agents], open[readers]), (1.0, 1.0));
    assert_eq!(
        (open["tiltyard_agent_connections_total"], open["tiltyard_agent_disconnections_total"]),
        (1.0, 0.0)
    );
    assert!(open["tiltyard_followers_behind_events"] >= 0.0 && open["tiltyard_readers_lagged_total"] == 0.0);
    drop(agent);
    while figures().await["tiltyard_agent_disconnections_total"] < 1.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(figures().await[agents], 0.0);
}
