//! Schedules over HTTP: saved, shown with their next slots, fired, changed as they were seen, removed.

use crate::support::{client_with, make_scope, raw, refusal, server, token};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_model::schedule::kept::Became;
use tiltyard_model::schedule::{Missed, Overlap};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::schedule::{Put, View};
use tiltyard_wire::task::Submit;

fn task(title: &str) -> Option<Box<Submit>> {
    Some(Box::new(Submit { kind: "note".into(), title: title.into(), ..Submit::default() }))
}

fn nightly() -> Put {
    Put {
        cron: Some("30 2 * * *".into()),
        timezone: Some("Europe/Berlin".into()),
        task: task("Check"),
        ..Put::default()
    }
}

async fn put(client: &Client, name: &str, body: Put) -> Result<View, Error> {
    client.call(Request::<call::SchedulePut>::new().place(name).body(body)).await
}

async fn get(client: &Client, name: &str) -> Result<View, Error> {
    client.call(Request::<call::ScheduleGet>::new().place(name)).await
}

// D29: a schedule's life.
#[tokio::test]
async fn d29_a_schedule_is_saved_shown_and_removed() {
    let server = server().await;
    let client = server.client();
    let saved = put(&client, "nightly", nightly()).await.unwrap();
    assert_eq!(
        (saved.revision, saved.next.len(), saved.missed, saved.overlap),
        (1, 5, Missed::RunOnce, Overlap::Skip)
    );
    assert_eq!(
        (saved.cron.as_deref(), saved.timezone.as_deref()),
        (Some("30 2 * * *"), Some("Europe/Berlin"))
    );
    assert_eq!(saved.task.as_ref().map(|task| (&*task.kind, &*task.title)), Some(("note", "Check")));
    assert!(saved.last.is_none() && saved.next.is_sorted());
    let shown = get(&client, "nightly").await.unwrap();
    let again = put(&client, "nightly", shown.into()).await.unwrap();
    assert_eq!(again.revision, 1, "what is shown says the same");
    let utc = Put { timezone: None, ..nightly() };
    let utc = put(&client, "nightly", utc).await.unwrap();
    assert_eq!((utc.revision, utc.timezone.as_deref()), (2, Some("UTC")));
    let page = client.call(Request::<call::ScheduleList>::new()).await.unwrap();
    assert_eq!((page.total, &*page.items[0].name), (1, "nightly"));
    let delete = || client.call(Request::<call::ScheduleDelete>::new().place("nightly"));
    delete().await.unwrap();
    assert_eq!(refusal(delete().await), (404, "not_found".into()));
    assert_eq!(refusal(get(&client, "nightly").await), (404, "not_found".into()));
}

// D29: the server starts what is due, within a moment of its slot.
#[tokio::test]
async fn d29_a_schedule_fires_on_time() {
    let server = server().await;
    let client = server.client();
    let often = Put { every_ms: Some(1_000), task: task("Tick"), overlap: Overlap::Allow, ..Put::default() };
    put(&client, "tick", often).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let last = loop {
        if let Some(last) = get(&client, "tick").await.unwrap().last {
            break last;
        }
        assert!(Instant::now() < deadline, "no slot fired");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(last.became, Became::Started);
    let id = last.task.unwrap();
    let task = client.call(Request::<call::TaskGet>::new().place(id)).await.unwrap();
    assert_eq!(&*task.title, "Tick");
}

// API7, D29: what does not belong together is told with its place.
#[tokio::test]
async fn api7_a_schedule_says_when_and_what_once() {
    let server = server().await;
    for (body, fields) in [
        (json!({}), &["/cron", "/pipeline"][..]),
        (
            json!({"cron": "* * * * *", "every_ms": 5_000, "task": {"kind": "note", "title": "x"}}),
            &["/every_ms"],
        ),
        (
            json!({"every_ms": 5_000, "timezone": "UTC", "task": {"kind": "note", "title": "x"}}),
            &["/timezone"],
        ),
        (json!({"cron": "* * * * *", "from": "2026-01-01T00:00:00Z", "pipeline": "p"}), &["/from"]),
        (json!({"cron": "* * * * *", "pipeline": "p", "task": {"kind": "note", "title": "x"}}), &["/task"]),
        (json!({"cron": "* * * * *", "input": {}, "task": {"kind": "note", "title": "x"}}), &["/input"]),
        (json!({"cron": "*/0 * * * *", "task": {"kind": "note", "title": "x"}}), &["/cron"]),
        (json!({"cron": "* * * * *", "task": {"kind": "note", "title": ""}}), &["/task/title"]),
        (
            json!({"cron": "* * * * *", "task": {"kind": "note", "title": "x", "priority": 70}}),
            &["/task/priority"],
        ),
        (
            json!({"cron": "* * * * *", "task": {"kind": "note", "title": "x", "scope": "other"}}),
            &["/task/scope"],
        ),
        (json!({"cron": "* * * * *", "task": {"template": "none"}}), &["/task/template"]),
        (json!({"cron": "* * * * *", "pipeline": "none"}), &["/pipeline"]),
        (json!({"cron": "* * * * *", "zone": "UTC", "pipeline": "p"}), &["/zone"]),
    ] {
        let answer = raw(&server, "PUT /api/v1/schedules/s", &[], &body.to_string()).await;
        assert!(
            answer.status == 422 || (answer.status == 403 && fields == ["/task/scope"]),
            "{body}: {}",
            answer.body
        );
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        let told = problem["details"].as_array().into_iter().flatten();
        let told: Vec<&str> = told.filter_map(|detail| detail["field"].as_str()).collect();
        assert_eq!(told, fields, "{body}");
    }
}

// API8: a schedule is changed as it was seen; what time does to it is no change.
#[tokio::test]
async fn api8_a_schedule_is_changed_as_it_was_seen() {
    let server = server().await;
    let body = r#"{"cron": "0 0 * * *", "task": {"kind": "note", "title": "x"}}"#;
    let put = raw(&server, "PUT /api/v1/schedules/s", &[], body).await;
    let tag = put.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let demand = format!("If-Match: {tag}");
    let other = body.replace("0 0", "0 1");
    assert_eq!(raw(&server, "PUT /api/v1/schedules/s", &[&demand], &other).await.status, 200);
    assert_eq!(raw(&server, "PUT /api/v1/schedules/s", &[&demand], body).await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/schedules/s", &[&demand], "").await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/schedules/s", &[], "").await.status, 204);
}

// SEC3, SEC4: operators of the scope save schedules, nobody else.
#[tokio::test]
async fn sec4_schedules_keep_to_their_scope() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "alpha").await;
    put(&client, "theirs", nightly()).await.unwrap();
    let operator = client_with(&server, token(Role::Operator, &["alpha"])).await;
    assert_eq!(put(&operator, "own", nightly()).await.unwrap().scope, "alpha");
    let list = operator.call(Request::<call::ScheduleList>::new()).await.unwrap();
    assert_eq!(list.total, 1);
    let foreign = ScopeQuery { scope: Some("default".into()) };
    let read = Request::<call::ScheduleGet>::new().place("theirs").query(foreign.clone());
    assert_eq!(refusal(operator.call(read).await), (403, "scope_forbidden".into()));
    let page = PageQuery { scope: Some("default".into()), ..PageQuery::default() };
    let read = Request::<call::ScheduleList>::new().query(page);
    assert_eq!(refusal(operator.call(read).await), (403, "scope_forbidden".into()));
    let viewer = client_with(&server, token(Role::Viewer, &["alpha"])).await;
    assert_eq!(refusal(put(&viewer, "own", nightly()).await).0, 403);
    assert_eq!(get(&viewer, "own").await.unwrap().name, "own");
}
