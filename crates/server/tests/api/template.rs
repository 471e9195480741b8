//! Templates: kept, listed, and taken by submissions.

use crate::support::{client_with, make_scope, raw, refusal, server, task, token};
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::task::{Submit, SubmitBatch};
use tiltyard_wire::template::{Put, View};
use tiltyard_wire::token::Mint;

fn putting(name: &str, task: &Value) -> Request<call::TemplatePut> {
    let task = task.as_object().cloned().unwrap();
    let body = Put { description: format!("what {name} does"), task, ..Put::default() };
    Request::<call::TemplatePut>::new().place(name).body(body)
}

async fn put(client: &Client, name: &str, task: Value) -> View {
    client.call(putting(name, &task)).await.unwrap()
}

fn by(template: &str) -> Submit {
    Submit { template: Some(template.into()), ..Submit::default() }
}

fn in_scope(scope: &str) -> ScopeQuery {
    ScopeQuery { scope: Some(scope.into()) }
}

fn submitting(task: Submit) -> Request<call::TaskSubmit> {
    Request::<call::TaskSubmit>::new().body(task)
}

#[tokio::test]
async fn a_template_is_saved_read_and_deleted() {
    let server = server().await;
    let client = server.client();
    let saved = put(&client, "docs", json!({"kind": "change", "priority": 7})).await;
    assert_eq!((&*saved.scope, &*saved.name, &*saved.description), ("default", "docs", "what docs does"));
    let get = || client.call(Request::<call::TemplateGet>::new().place("docs"));
    assert_eq!(Value::Object(get().await.unwrap().task), json!({"kind": "change", "priority": 7}));
    put(&client, "docs", json!({"kind": "note"})).await;
    assert_eq!(Value::Object(get().await.unwrap().task), json!({"kind": "note"}));
    let delete = || client.call(Request::<call::TemplateDelete>::new().place("docs"));
    delete().await.unwrap();
    assert_eq!(refusal(get().await), (404, "not_found".into()));
    assert_eq!(refusal(delete().await), (404, "not_found".into()));
}

// API3: by scope and name, page by page.
#[tokio::test]
async fn api3_templates_come_page_by_page() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "alpha").await;
    for name in ["c", "a", "b"] {
        put(&client, name, json!({})).await;
    }
    client.call(putting("z", &json!({})).query(in_scope("alpha"))).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = PageQuery { limit: Some(3), cursor, ..PageQuery::default() };
        let page = client.call(Request::<call::TemplateList>::new().query(query)).await.unwrap();
        assert_eq!((page.total, page.total_is), (4, None));
        seen.extend(page.items.into_iter().map(|kept| format!("{}/{}", kept.scope, kept.name)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["alpha/z", "default/a", "default/b", "default/c"]);
    let query = PageQuery { scope: Some("alpha".into()), ..PageQuery::default() };
    let only = client.call(Request::<call::TemplateList>::new().query(query)).await.unwrap();
    assert_eq!(only.total, 1);
    let query = PageQuery { cursor: Some("no cursor".into()), ..PageQuery::default() };
    let bad = client.call(Request::<call::TemplateList>::new().query(query)).await;
    assert_eq!(refusal(bad), (400, "bad_parameter".into()));
}

// A submission takes from its template what it does not say itself; kind and title too.
#[tokio::test]
async fn a_submission_takes_from_its_template() {
    let server = server().await;
    let client = server.client();
    let fields = json!({
        "kind": "lint", "title": "Lint it", "queue": "checks", "priority": 8, "labels": ["l"],
        "payload": {"deep": true}, "max_attempts": 1, "rate_key": "r", "rate_per_minute": 5,
    });
    put(&client, "lint", fields).await;
    let whole = client.call(submitting(by("lint"))).await.unwrap();
    assert_eq!(
        (&*whole.kind, &*whole.title, &*whole.queue, whole.priority),
        ("lint", "Lint it", "checks", 8)
    );
    assert_eq!(
        (whole.payload.get(), whole.max_attempts, whole.rate_per_minute),
        (r#"{"deep":true}"#, 1, Some(5))
    );
    let own = Submit { title: "Mine".into(), priority: Some(2), labels: vec!["m".into()], ..by("lint") };
    let mixed = client.call(submitting(own)).await.unwrap();
    assert_eq!((&*mixed.kind, &*mixed.title, mixed.priority), ("lint", "Mine", 2));
    assert_eq!((mixed.labels, &*mixed.queue), (vec!["m".to_owned()], "checks"));
}

#[tokio::test]
async fn a_batch_takes_from_templates_too() {
    let server = server().await;
    let client = server.client();
    put(&client, "lint", json!({"kind": "lint", "title": "Lint it"})).await;
    let batch =
        |tasks| client.call(Request::<call::TaskSubmitBatch>::new().body(SubmitBatch { scope: None, tasks }));
    let done = batch(vec![task("plain"), by("lint"), by("lint")]).await.unwrap();
    let kinds: Vec<_> = done.tasks.iter().map(|task| &*task.kind).collect();
    assert_eq!(kinds, ["command", "lint", "lint"]);
    let Err(Error::Refused(refused)) = batch(vec![task("plain"), by("gone")]).await else { panic!() };
    assert_eq!((refused.problem.status, refused.problem.field.as_deref()), (422, Some("/tasks/1/template")));
    let all = client.call(Request::<call::TaskList>::new()).await.unwrap();
    assert_eq!(all.total, 3, "all or nothing");
}

#[tokio::test]
async fn a_submission_that_no_template_completes_is_refused() {
    let server = server().await;
    let client = server.client();
    put(&client, "bare", json!({"priority": 3})).await;
    put(&client, "odd", json!({"kind": "note", "title": "t", "queue": "No Slug"})).await;
    let field = |submit: Submit| {
        let client = client.clone();
        async move {
            let Err(Error::Refused(refused)) = client.call(submitting(submit)).await else { panic!() };
            assert_eq!((refused.problem.status, &*refused.problem.code), (422, "invalid"));
            let faults = refused.problem.details.iter().map(|fault| fault.field.clone());
            faults.collect::<Vec<_>>()
        }
    };
    assert_eq!(field(Submit::default()).await, ["/kind", "/title"]);
    assert_eq!(field(by("bare")).await, ["/kind", "/title"]);
    assert_eq!(field(by("gone")).await, ["/template"]);
    assert_eq!(field(by("odd")).await, ["/queue"]);
    let typo = raw(&server, "PUT /api/v1/templates/t", &[], r#"{"task": {"titel": "x"}}"#).await;
    let said: Value = serde_json::from_str(&typo.body).unwrap();
    assert_eq!((typo.status, &said["field"]), (422, &json!("/task/titel")));
    let long = putting("t", &json!({})).query(in_scope("nowhere"));
    assert_eq!(refusal(client.call(long).await), (422, "unknown_scope".into()));
}

// SEC3: a template does not lead a worker to a queue that is not its own.
#[tokio::test]
async fn sec3_a_template_opens_no_queue() {
    let server = server().await;
    let client = server.client();
    put(&client, "lint", json!({"kind": "lint", "title": "Lint it", "queue": "checks"})).await;
    let mint = Mint { queues: Some(vec!["builds".into()]), ..token(Role::Worker, &["default"]) };
    let worker = client_with(&server, mint).await;
    assert_eq!(refusal(worker.call(submitting(by("lint"))).await), (403, "queue_forbidden".into()));
    let own = Submit { queue: Some("builds".into()), ..by("lint") };
    assert_eq!(worker.call(submitting(own)).await.unwrap().queue, "builds");
}

// SEC4: a template of another scope is neither seen nor taken.
#[tokio::test]
async fn sec4_templates_keep_to_their_scope() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    client
        .call(putting("theirs", &json!({"kind": "x", "title": "x"})).query(in_scope("other")))
        .await
        .unwrap();
    let operator = client_with(&server, token(Role::Operator, &["default"])).await;
    let list = operator.call(Request::<call::TemplateList>::new()).await.unwrap();
    assert_eq!(list.total, 0);
    let get = || Request::<call::TemplateGet>::new().place("theirs");
    assert_eq!(refusal(operator.call(get().query(in_scope("other"))).await), (403, "scope_forbidden".into()));
    assert_eq!(refusal(operator.call(get()).await), (404, "not_found".into()));
    assert_eq!(refusal(operator.call(submitting(by("theirs"))).await), (422, "invalid".into()));
    let put = putting("mine", &json!({})).query(in_scope("other"));
    assert_eq!(refusal(operator.call(put).await), (403, "scope_forbidden".into()));
    let viewer = client_with(&server, token(Role::Viewer, &["default"])).await;
    assert_eq!(refusal(viewer.call(putting("v", &json!({}))).await), (403, "forbidden".into()));
}

// API8: an entity tag of what was read, honoured on PUT and DELETE.
#[tokio::test]
async fn api8_a_template_is_changed_as_it_was_seen() {
    let server = server().await;
    put(&server.client(), "docs", json!({"kind": "note"})).await;
    let read = raw(&server, "GET /api/v1/templates/docs", &[], "").await;
    let tag = read.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let known = raw(&server, "GET /api/v1/templates/docs", &[&format!("If-None-Match: {tag}")], "").await;
    assert_eq!((known.status, &*known.body), (304, ""));
    let demand = format!("If-Match: {tag}");
    let body = r#"{"task": {"kind": "other"}}"#;
    assert_eq!(raw(&server, "PUT /api/v1/templates/docs", &[&demand], body).await.status, 200);
    assert_eq!(raw(&server, "PUT /api/v1/templates/docs", &[&demand], body).await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/templates/docs", &[&demand], "").await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/templates/docs", &[], "").await.status, 204);
}
