//! Bodies that are wrong: everything that is, at once, and each with its place (API2).

use crate::support::{Raw, raw, server, submit, task};
use serde_json::Value;
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;

fn fields(answer: &Raw, code: &str) -> Vec<String> {
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, problem["code"].as_str()), (422, Some(code)), "{answer:?}");
    let details = problem["details"].as_array().unwrap();
    assert_eq!(details[0]["field"], problem["field"], "the first one is told in the problem itself");
    let mut fields: Vec<String> =
        details.iter().map(|detail| detail["field"].as_str().unwrap().to_owned()).collect();
    fields.sort();
    fields
}

// API2: `details` holds every failure: unknown fields, wrong types and values out of bounds.
#[tokio::test]
async fn api2_every_failure_is_told_at_once() {
    let server = server().await;
    let task = submit(&server.client(), task("t")).await;
    let line = format!("PATCH /api/v1/tasks/{}", task.id);
    let answer = raw(&server, &line, &[], r#"{"priority":11,"title":"","bogus":1,"other":2}"#).await;
    assert_eq!(fields(&answer, "unknown_field"), ["/bogus", "/other", "/priority", "/title"]);
    let answer = raw(&server, &line, &[], r#"{"priority":"5","labels":"x"}"#).await;
    assert_eq!(fields(&answer, "invalid"), ["/labels", "/priority"]);
}

// API2: the field is the one that is meant, also for times, ids in lists and the name of an agent.
#[tokio::test]
async fn api2_the_field_is_the_one_that_is_meant() {
    let server = server().await;
    let wrong = |line: &str, body: &str| {
        let (line, body, server) = (line.to_owned(), body.to_owned(), &server);
        async move { fields(&raw(server, &format!("POST /api/v1{line}"), &[], &body).await, "invalid") }
    };
    let body = r#"{"kind":"a","title":"t","run_at":"tomorrow","deadline":"later"}"#;
    assert_eq!(wrong("/tasks", body).await, ["/deadline", "/run_at"]);
    assert_eq!(
        wrong("/tasks", r#"{"kind":"a","title":"t","depends_on":["task_x"]}"#).await,
        ["/depends_on/0"]
    );
    assert_eq!(wrong("/tasks/bulk", r#"{"action":"cancel","ids":["task_x"]}"#).await, ["/ids/0"]);
    assert_eq!(wrong("/tasks/claim", r#"{"agent":"W 1"}"#).await, ["/agent"]);
    let token = r#"{"label":"x","role":"viewer","scopes":["default"],"expires":"soon"}"#;
    assert_eq!(wrong("/auth/tokens", token).await, ["/expires"]);
}

// API2: the payloads of the kinds that are known here are looked at when they come, and told by their members.
#[tokio::test]
async fn api2_a_payload_is_looked_at_when_it_comes() {
    let server = server().await;
    let wrong = async |kind: &str, payload: &str| {
        let body = format!(r#"{{"kind":"{kind}","title":"t","payload":{payload}}}"#);
        fields(&raw(&server, "POST /api/v1/tasks", &[], &body).await, "invalid")
    };
    let idea = r#"{"repository":"app","argv":["x"],"criteria":"c","given":{}}"#;
    assert_eq!(wrong("change", idea).await, ["/payload/argv", "/payload/criteria"]);
    assert_eq!(wrong("change", "[]").await, ["/payload"]);
    assert_eq!(
        wrong("command", r#"{"argv":["x",5],"env":{"A":1}}"#).await,
        ["/payload/argv/1", "/payload/env/A"]
    );
    assert_eq!(wrong("command", r#"{"argv":"make test"}"#).await, ["/payload/argv"]);
    for fine in [r#"{"argv":"make test","shell":true}"#, "{}", r#"{"cmd":"for a worker"}"#, r#"["\"argv\""]"#]
    {
        let body = format!(r#"{{"kind":"command","title":"t","payload":{fine}}}"#);
        assert_eq!(raw(&server, "POST /api/v1/tasks", &[], &body).await.status, 201, "{fine}");
    }
}

// API7: a body where none is taken would silently do nothing.
#[tokio::test]
async fn api7_a_body_stands_only_where_one_is_taken() {
    let server = server().await;
    let task = submit(&server.client(), task("t")).await;
    for line in
        [format!("PUT /tasks/{}/dependencies/{}", task.id, task.id), "POST /queues/default/drain".into()]
    {
        let (method, path) = line.split_once(' ').unwrap();
        let answer = raw(&server, &format!("{method} /api/v1{path}"), &[], r#"{"x":1}"#).await;
        assert_eq!(fields(&answer, "invalid"), [""]);
    }
    let queues = server.client().call(Request::<call::QueueList>::new()).await.unwrap();
    assert!(!queues.items[0].draining);
}

// API7: a filter without a criterion means nothing, unless all are meant.
#[tokio::test]
async fn api7_an_empty_filter_has_to_be_meant() {
    let server = server().await;
    submit(&server.client(), task("t")).await;
    let body = r#"{"action":"cancel","filter":{}}"#;
    assert_eq!(fields(&raw(&server, "POST /api/v1/tasks/bulk", &[], body).await, "invalid"), ["/filter"]);
    let body = r#"{"action":"cancel","filter":{},"all":true}"#;
    let answer = raw(&server, "POST /api/v1/tasks/bulk", &[], body).await;
    assert_eq!(answer.body, r#"{"matched":1,"changed":1}"#);
}

// API2: a template is judged when it is stored, and a title is more than blanks.
#[tokio::test]
async fn api2_a_template_is_judged_when_it_is_stored() {
    let server = server().await;
    let body = r#"{"task":{"kind":"command","priority":70,"labels":"x","nonsense":1}}"#;
    let answer = raw(&server, "PUT /api/v1/templates/t", &[], body).await;
    assert_eq!(fields(&answer, "invalid"), ["/task/labels", "/task/nonsense", "/task/priority"]);
    let answer = raw(&server, "POST /api/v1/tasks", &[], r#"{"kind":"a","title":"  "}"#).await;
    assert_eq!(fields(&answer, "invalid"), ["/title"]);
}

// API3: the cursor of another list leads nowhere, and says so.
#[tokio::test]
async fn api3_a_cursor_of_another_list_is_refused() {
    let server = server().await;
    let task = submit(&server.client(), task("t")).await;
    for path in [
        format!("/agents?cursor={}", task.id),
        format!("/queues?cursor={}", task.id),
        "/scopes?cursor=a/b".into(),
    ] {
        let answer = raw(&server, &format!("GET /api/v1{path}"), &[], "").await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
}

// API20: a cursor ahead of the log is told as that, not as one of a restore that never was.
#[tokio::test]
async fn api20_a_cursor_ahead_of_the_log_is_told_so() {
    let server = server().await;
    let answer = raw(&server, "GET /api/v1/events?after=1-999999", &[], "").await;
    assert!(answer.status == 410 && answer.body.contains("ahead of the log"), "{answer:?}");
    assert!(!answer.body.contains("restore"), "{answer:?}");
}

// Text with U+0000 is refused with its place; JSON that is carried as text has it escaped, and so may a log.
#[tokio::test]
async fn u0000_is_in_no_stored_text() {
    let server = server().await;
    let post = async |line: &str, body: &str| raw(&server, &format!("POST /api/v1{line}"), &[], body).await;
    let answer = post("/tasks", r#"{"kind":"a","title":"a\u0000b","labels":["x","\u0000"]}"#).await;
    assert_eq!(fields(&answer, "invalid"), ["/labels/1", "/title"]);
    let payload = r#"{"kind":"a","title":"t","payload":{"bytes":"\u0000"}}"#;
    let made = post("/tasks", payload).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.body.contains(r#""payload":{"bytes":"\u0000"}"#), "{made:?}");
    let claimed = post("/tasks/claim", r#"{"agent":"w"}"#).await;
    let claimed: Value = serde_json::from_str(&claimed.body).unwrap();
    let place = format!("/tasks/{}", claimed["tasks"][0]["id"].as_str().unwrap());
    let log = post(&format!("{place}/log"), r#"{"generation":1,"offset":0,"text":"a\u0000b"}"#).await;
    assert_eq!(log.status, 200, "{log:?}");
    let settle = post(&format!("{place}/fail"), r#"{"generation":1,"error":"a\u0000b"}"#).await;
    assert_eq!(fields(&settle, "invalid"), ["/error"]);
    for line in ["GET /api/v1/tasks?q=a%00b", "GET /api/v1/tasks?label=%00"] {
        assert_eq!(raw(&server, line, &[], "").await.status, 400, "{line}");
    }
    assert_eq!(raw(&server, "GET /api/v1/repositories/a%00b", &[], "").await.status, 404);
}
