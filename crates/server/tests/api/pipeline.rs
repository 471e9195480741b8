//! Pipelines: published, looked at, numbered, deleted.

use crate::support::{client_with, make_scope, raw, refusal, server, token};
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::pipeline::{Query, Validation, View};

const NOTES: &str = "\
# Notes of a release.
input:
  type: object
  properties:
    tag: {type: string}
stages:
  - id: notes
    uses: command
    with: {argv: [git, log, \"${{ input.tag }}..\"]}
    outputs: {titles: {stdout: text}}
  - id: review
    uses: gate
    needs: notes
    with: {subject: \"${{ stages.notes.outputs.titles }}\"}
";

fn putting(name: &str, text: &str) -> Request<call::PipelinePut> {
    Request::<call::PipelinePut>::new().place(name).bytes(text.to_owned(), "application/yaml")
}

async fn put(client: &Client, name: &str, text: &str) -> (u16, View) {
    let answered = client.exchange(putting(name, text)).await.unwrap();
    (answered.status, answered.value)
}

async fn validate(client: &Client, text: &str) -> Validation {
    let look = Request::<call::PipelineValidate>::new().bytes(text.to_owned(), "text/plain; charset=utf-8");
    client.call(look).await.unwrap()
}

fn in_scope(scope: &str) -> ScopeQuery {
    ScopeQuery { scope: Some(scope.into()) }
}

// D20: publishing gives a definition its name; another content is another number, the same one changes nothing.
#[tokio::test]
async fn d20_a_pipeline_is_published_read_and_deleted() {
    let server = server().await;
    let client = server.client();
    let (status, made) = put(&client, "notes", NOTES).await;
    assert_eq!((status, made.number, made.stages, &*made.scope), (201, 1, 2, "default"));
    assert_eq!((made.definition.as_deref(), &*made.published_by), (Some(NOTES), "admin"));
    assert_eq!(made.input.as_ref().map(|input| &input["type"]), Some(&json!("object")));
    assert_eq!(put(&client, "notes", &format!("{NOTES}# the same\n")).await, (200, made.clone()));
    let other = NOTES.replace("git, log", "git, log, --oneline");
    let (status, second) = put(&client, "notes", &other).await;
    assert_eq!((status, second.number, second.definition.as_deref()), (200, 2, Some(other.as_str())));
    let get = |number| {
        let query = Query { number, ..Query::default() };
        client.call(Request::<call::PipelineGet>::new().place("notes").query(query))
    };
    assert_eq!(get(None).await.unwrap(), second);
    assert_eq!(get(Some(1)).await.unwrap(), made);
    assert_eq!(refusal(get(Some(9)).await), (404, "not_found".into()));
    let listed = client.call(Request::<call::PipelineList>::new()).await.unwrap();
    assert_eq!((listed.total, listed.items[0].number, &listed.items[0].definition), (1, 2, &None));
    let delete = || client.call(Request::<call::PipelineDelete>::new().place("notes"));
    delete().await.unwrap();
    assert_eq!(refusal(delete().await), (404, "not_found".into()));
    assert_eq!(refusal(get(Some(1)).await), (404, "not_found".into()));
    assert_eq!(put(&client, "notes", NOTES).await.1.number, 3, "a number never means two contents");
}

// D21: every mistake is told at once with line and column; looking changes nothing.
#[tokio::test]
async fn d21_every_mistake_is_told_with_its_line_and_column() {
    let server = server().await;
    let client = server.client();
    let bad = NOTES.replace("needs: notes", "needs: note").replace("input.tag", "input.tga");
    let found = validate(&client, &bad).await;
    assert!(!found.ok && found.sha256.is_none());
    let places: Vec<(u32, u32, &str)> =
        found.mistakes.iter().map(|one| (one.line, one.column, one.field.as_str())).collect();
    assert_eq!(places[0], (9, 40, "/stages/0/with/argv/2"));
    assert!(places.iter().any(|(line, _, field)| (*line, *field) == (13, "/stages/1/needs")), "{places:?}");
    let Err(Error::Refused(refused)) = client.exchange(putting("notes", &bad)).await else { panic!() };
    assert_eq!((refused.problem.status, &*refused.problem.code), (422, "pipeline_invalid"));
    let told = refused.problem.details.iter();
    let told =
        told.map(|one| (one.line.unwrap(), one.column.unwrap(), one.field.as_str())).collect::<Vec<_>>();
    assert_eq!(told, places);
    let good = validate(&client, NOTES).await;
    assert!(good.ok && good.mistakes.is_empty() && good.stages == Some(2), "{good:?}");
    assert_eq!(client.call(Request::<call::PipelineList>::new()).await.unwrap().total, 0);
    let (_, made) = put(&client, "notes", NOTES).await;
    assert_eq!(good.sha256, Some(made.sha256));
}

// D21: a pipeline or repository that the scope does not have is found before anything runs.
#[tokio::test]
async fn d21_names_of_other_things_are_looked_up() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    let text = "stages:\n  - {id: a, uses: pipeline, with: {name: notes, input: {}}}\n  \
                - id: b\n    uses: change\n    with: {repository: app, title: t, program: x}\n";
    let found = validate(&client, text).await;
    let told: Vec<(u32, u32, &str)> =
        found.mistakes.iter().map(|one| (one.line, one.column, one.field.as_str())).collect();
    assert_eq!(told, [(2, 42, "/stages/0/with/name"), (5, 24, "/stages/1/with/repository")]);
    assert!(found.mistakes[1].error.contains("no repository `app`"), "{found:?}");
    assert_eq!(refusal(client.exchange(putting("caller", text)).await), (422, "pipeline_invalid".into()));
    put(&client, "notes", NOTES).await;
    assert_eq!(validate(&client, text).await.mistakes.len(), 1);
    let look = Request::<call::PipelineValidate>::new().query(in_scope("other"));
    let there = client.call(look.bytes(text, "text/plain")).await.unwrap();
    assert_eq!(there.mistakes.len(), 2, "the other scope has no pipeline of that name");
    let own = "stages:\n  - {id: a, uses: pipeline, with: {name: loops}}\n";
    assert_eq!(put(&client, "loops", own).await.0, 201, "its own name is known");
}

// API2, API7, API9: a definition is a text in UTF-8 of a type that is read, up to 256 KiB.
#[tokio::test]
async fn api9_a_definition_is_a_text_of_a_known_type() {
    let server = server().await;
    let client = server.client();
    let send = |media: &str, bytes: Vec<u8>| {
        client.exchange(Request::<call::PipelinePut>::new().place("x").bytes(bytes, media))
    };
    let unread = (415, "unsupported_media_type".to_owned());
    assert_eq!(refusal(send("application/xml", NOTES.into()).await), unread);
    assert_eq!(refusal(send("text/plain; charset=latin1", NOTES.into()).await), unread);
    assert_eq!(refusal(send("text/plain", vec![0xff, 0xfe]).await), (400, "malformed".into()));
    assert_eq!(refusal(send("text/plain", vec![b' '; 300 * 1024]).await), (422, "pipeline_invalid".into()));
    assert_eq!(refusal(send("text/plain", Vec::new()).await), (422, "pipeline_invalid".into()));
    let json = br#"{"stages": [{"id": "a", "uses": "gate", "with": {"subject": "Go on?"}}]}"#;
    assert_eq!(send("application/json", json.to_vec()).await.unwrap().status, 201);
    assert_eq!(refusal(client.exchange(putting("No Slug", NOTES)).await), (422, "invalid".into()));
}

// API8: an entity tag of what was read, honoured on PUT and DELETE.
#[tokio::test]
async fn api8_a_pipeline_is_changed_as_it_was_seen() {
    let server = server().await;
    let client = server.client();
    put(&client, "notes", NOTES).await;
    let read = raw(&server, "GET /api/v1/pipelines/notes", &[], "").await;
    let tag = read.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let known = raw(&server, "GET /api/v1/pipelines/notes", &[&format!("If-None-Match: {tag}")], "").await;
    assert_eq!((known.status, &*known.body), (304, ""));
    let demand = format!("If-Match: {tag}");
    let body = r#"{"stages":[{"id":"a","uses":"gate","with":{"subject":"Go on?"}}]}"#;
    assert_eq!(raw(&server, "PUT /api/v1/pipelines/notes", &[&demand], body).await.status, 200);
    assert_eq!(raw(&server, "PUT /api/v1/pipelines/notes", &[&demand], body).await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/pipelines/notes", &[&demand], "").await.status, 412);
    assert_eq!(raw(&server, "DELETE /api/v1/pipelines/notes", &[], "").await.status, 204);
}

// SEC3, SEC4, D52: operators publish in their own scopes, and it is on record.
#[tokio::test]
async fn sec4_pipelines_keep_to_their_scope() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    client.call(putting("theirs", NOTES).query(in_scope("other"))).await.unwrap();
    let operator = client_with(&server, token(Role::Operator, &["default"])).await;
    assert_eq!(operator.call(Request::<call::PipelineList>::new()).await.unwrap().total, 0);
    let get = || Request::<call::PipelineGet>::new().place("theirs");
    let there = Query { scope: Some("other".into()), number: None };
    assert_eq!(refusal(operator.call(get().query(there)).await), (403, "scope_forbidden".into()));
    assert_eq!(refusal(operator.call(get()).await), (404, "not_found".into()));
    let foreign = putting("mine", NOTES).query(in_scope("other"));
    assert_eq!(refusal(operator.call(foreign).await), (403, "scope_forbidden".into()));
    assert_eq!(operator.call(putting("mine", NOTES)).await.unwrap().scope, "default");
    let viewer = client_with(&server, token(Role::Viewer, &["default"])).await;
    assert_eq!(refusal(viewer.call(putting("v", NOTES)).await), (403, "forbidden".into()));
    assert!(validate(&viewer, NOTES).await.ok);
    let query = PageQuery { scope: Some("other".into()), ..PageQuery::default() };
    assert_eq!(client.call(Request::<call::PipelineList>::new().query(query)).await.unwrap().total, 1);
    let audit = raw(&server, "GET /api/v1/audit?action=pipeline.published", &[], "").await;
    let entries: Value = serde_json::from_str(&audit.body).unwrap();
    assert_eq!(entries["total"], 2, "{entries}");
    assert_eq!(entries["items"][0]["target"], "mine", "{entries}");
}

// D20: the JSON Schema of a definition is served without a token.
#[tokio::test]
async fn d20_the_schema_of_a_definition_is_served() {
    let server = server().await;
    let answer = raw(&server, "GET /api/v1/schemas/pipeline", &[crate::support::STRANGER], "").await;
    let schema: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &schema["title"]), (200, &json!("Pipeline")));
}
