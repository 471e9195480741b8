//! Runs: started, shown, cancelled, run again; their items and events.

use crate::support::{claim, client_with, complete, make_scope, raw, refusal, server, token};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State as StageState;
use tiltyard_testkit::TestServer;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::run::{Cancel, Definition, Filter, ItemQuery, Rerun, Start, View};
use tiltyard_wire::task;
use tiltyard_wire::token::Mint;

const TWO: &str = "\
input:
  type: object
  required: [tag]
  properties: {tag: {type: string}, level: {type: integer, default: 3}}
stages:
  - id: first
    uses: agent
    with: {kind: note, payload: {tag: \"${{ input.tag }}\", level: \"${{ input.level }}\"}}
  - id: second
    uses: agent
    needs: first
    with: {kind: note, payload: \"${{ stages.first.outputs.result }}\"}
";
/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn given(input: &Value) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(input).ok()
}

fn inline(text: &str, input: &Value) -> Start {
    Start { definition: Some(Definition::Text(text.to_owned())), input: given(input), ..Start::default() }
}

async fn start(client: &Client, start: Start) -> View {
    client.call(Request::<call::RunStart>::new().body(start)).await.unwrap()
}

async fn get(client: &Client, run: &View) -> View {
    client.call(Request::<call::RunGet>::new().place(run.id)).await.unwrap()
}

/// The run once it is as wanted: each look is a request, so that nothing is waited for but the server.
async fn until(client: &Client, run: &View, wanted: impl Fn(&View) -> bool) -> View {
    let look = async {
        loop {
            let now = get(client, run).await;
            if wanted(&now) {
                return now;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("the run becomes as it is wanted")
}

/// The task of a stage, claimed once it is there.
async fn take(client: &Client, run: &View, stage: usize) -> task::View {
    let now = until(client, run, |run| run.stages.as_ref().unwrap()[stage].task.is_some()).await;
    let wanted = now.stages.unwrap()[stage].task.unwrap();
    claim(client, "worker", 1).await.into_iter().find(|task| task.id == wanted).expect("is the next one")
}

// D20, D22: a run goes through its stages, and tells how far it is, what carries each stage out, and what happened.
#[tokio::test]
async fn d22_a_run_goes_through_its_stages() {
    let server = server().await;
    let client = server.client();
    let put = Request::<call::PipelinePut>::new().place("two").bytes(TWO, "application/yaml");
    client.call(put).await.unwrap();
    let named =
        Start { pipeline: Some("two".into()), input: given(&json!({"tag": "v1"})), ..Start::default() };
    let run = start(&client, named).await;
    assert_eq!((run.pipeline.as_deref(), run.number, &*run.started_by), (Some("two"), Some(1), "admin"));
    let input: Value = serde_json::from_str(run.input.as_ref().unwrap().get()).unwrap();
    assert_eq!(input, json!({"tag": "v1", "level": 3}), "defaults are filled in");
    let task = take(&client, &run, 0).await;
    assert_eq!(serde_json::from_str::<Value>(task.payload.get()).unwrap(), json!({"tag": "v1", "level": 3}));
    let now = get(&client, &run).await;
    let stages = now.stages.unwrap();
    assert_eq!(
        (now.state, stages[0].state, stages[1].state),
        (State::Running, StageState::Running, StageState::Pending)
    );
    assert_eq!(stages[0].next, Some(format!("tiltyard logs {}", task.id)));
    complete(&client, &task, json!({"said": "hello"})).await;
    let task = take(&client, &run, 1).await;
    assert_eq!(serde_json::from_str::<Value>(task.payload.get()).unwrap(), json!({"said": "hello"}));
    complete(&client, &task, json!(null)).await;
    let done = until(&client, &run, |run| run.state.is_final()).await;
    assert_eq!((done.state, done.progress.ended, done.progress.stages), (State::Succeeded, 2, 2));
    let listed = client.call(Request::<call::RunList>::new()).await.unwrap();
    assert_eq!((listed.total, listed.items[0].progress.ended), (1, 2));
    let none = Filter { state: Some("failed,running".into()), ..Filter::default() };
    assert_eq!(client.call(Request::<call::RunList>::new().query(none)).await.unwrap().total, 0);
    let tasks = task::Filter { run: Some(run.id.to_string()), ..task::Filter::default() };
    assert_eq!(client.call(Request::<call::TaskList>::new().query(tasks)).await.unwrap().total, 2);
    assert_its_events(&server, &run).await;
}

// D25: the lines of a run are its events, as the log has them.
async fn assert_its_events(server: &TestServer, run: &View) {
    let lines = raw(server, &format!("GET /api/v1/runs/{}/events.jsonl", run.id), &[], "").await;
    assert!(lines.head.contains("content-type: application/x-ndjson"), "{}", lines.head);
    let page = raw(server, &format!("GET /api/v1/events?run={}&limit=1000", run.id), &[], "").await;
    let page: Value = serde_json::from_str(&page.body).unwrap();
    let is_event = |line: &&str| line.starts_with('{');
    let own: Vec<Value> =
        lines.body.lines().filter(is_event).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&Value::Array(own.clone()), &page["items"]);
    let of_run = |event: &Value| event["subject"] == run.id.to_string();
    let kinds: Vec<&str> =
        own.iter().filter(|event| of_run(event)).map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("tiltyard.run.created", "tiltyard.run.succeeded"));
    assert!(own.iter().all(|event| event["runid"] == run.id.to_string()), "{own:?}");
}

// D21, API2: what is wrong is told before anything runs, with its place.
#[tokio::test]
async fn d21_what_is_wrong_is_told_before_anything_runs() {
    let server = server().await;
    let client = server.client();
    let asked = |start: Start| {
        let client = client.clone();
        async move {
            let Err(Error::Refused(refused)) =
                client.call(Request::<call::RunStart>::new().body(start)).await
            else {
                panic!()
            };
            (refused.problem.code.clone(), refused.problem.details)
        }
    };
    let (code, _) = asked(Start { pipeline: Some("nobody".into()), ..Start::default() }).await;
    assert_eq!(code, "unknown_pipeline");
    let (code, told) = asked(inline(&TWO.replace("needs: first", "needs: fist"), &json!({"tag": "x"}))).await;
    assert_eq!((&*code, &*told[0].field), ("pipeline_invalid", "/definition/stages/1/needs"));
    assert_eq!(told[0].line, Some(11));
    let (code, told) = asked(inline(TWO, &json!({"tag": 7}))).await;
    assert_eq!((&*code, &*told[0].field), ("invalid", "/input/tag"));
    for (start, field) in [
        (Start::default(), "/pipeline"),
        (Start { pipeline: Some("x".into()), ..inline(TWO, &json!({})) }, "/definition"),
        (Start { number: Some(1), ..inline(TWO, &json!({})) }, "/number"),
    ] {
        let (code, told) = asked(start).await;
        assert_eq!((&*code, &*told[0].field), ("invalid", field));
    }
    assert_eq!(client.call(Request::<call::RunList>::new()).await.unwrap().total, 0);
}

// API5: under one key one run is started.
#[tokio::test]
async fn api5_a_run_is_started_once() {
    let server = server().await;
    let client = server.client();
    let once = || Request::<call::RunStart>::new().body(inline(TWO, &json!({"tag": "x"}))).idempotent("k");
    let (first, second) = (client.call(once()).await.unwrap(), client.call(once()).await.unwrap());
    assert_eq!(first.id, second.id);
    assert_eq!(client.call(Request::<call::RunList>::new()).await.unwrap().total, 1);
}

// SEC3, SEC4: who submits everywhere may start a run; runs of other scopes are not there.
#[tokio::test]
async fn sec3_runs_are_for_those_who_submit_everywhere() {
    let server = server().await;
    let client = server.client();
    make_scope(&client, "other").await;
    let run = start(&client, inline(TWO, &json!({"tag": "x"}))).await;
    let starting = || Request::<call::RunStart>::new().body(inline(TWO, &json!({"tag": "x"})));
    let mint = Mint { queues: Some(vec!["q".into()]), ..token(Role::Worker, &["default"]) };
    let bound = client_with(&server, mint).await;
    assert_eq!(refusal(bound.call(starting()).await), (403, "queue_forbidden".into()));
    let look = || Request::<call::RunGet>::new().place(run.id);
    assert_eq!(refusal(bound.call(look()).await), (404, "not_found".into()));
    let operator = client_with(&server, token(Role::Operator, &["default"])).await;
    let own = operator.call(starting()).await.unwrap();
    assert_eq!(operator.call(look()).await.unwrap().id, run.id);
    let cancel = || Request::<call::RunCancel>::new().place(own.id).body(Cancel::default());
    let viewer = client_with(&server, token(Role::Viewer, &["default"])).await;
    assert_eq!(refusal(viewer.call(starting()).await), (403, "forbidden".into()));
    assert_eq!(refusal(viewer.call(cancel()).await), (403, "forbidden".into()));
    let foreign = client_with(&server, token(Role::Operator, &["other"])).await;
    assert_eq!(refusal(foreign.call(look()).await), (404, "not_found".into()));
    assert_eq!(foreign.call(Request::<call::RunList>::new()).await.unwrap().total, 0);
    assert_eq!(refusal(foreign.call(cancel()).await), (404, "not_found".into()));
}

// D4, D22: a cancelled run stops what it has started, and goes on from a stage when it is run again.
#[tokio::test]
async fn d22_a_run_is_cancelled_and_run_again() {
    let server = server().await;
    let client = server.client();
    let run = start(&client, inline(TWO, &json!({"tag": "x"}))).await;
    let task = take(&client, &run, 0).await;
    complete(&client, &task, json!({"n": 1})).await;
    until(&client, &run, |run| run.stages.as_ref().unwrap()[1].task.is_some()).await;
    let cancel =
        || Request::<call::RunCancel>::new().place(run.id).body(Cancel { reason: Some("enough".into()) });
    let rerun = |from: Option<&str>| {
        let body = Rerun { from_stage: from.map(str::to_owned) };
        Request::<call::RunRerun>::new().place(run.id).body(body)
    };
    assert_eq!(refusal(client.call(rerun(None)).await), (409, "wrong_state".into()));
    let cancelled = client.call(cancel()).await.unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    assert_eq!(client.call(cancel()).await.unwrap().state, State::Cancelled, "once more is no error");
    let stages = cancelled.stages.unwrap();
    assert_eq!((stages[0].state, stages[1].state), (StageState::Succeeded, StageState::Cancelled));
    assert_eq!(refusal(client.call(rerun(Some("third"))).await), (422, "invalid".into()));
    until(&client, &run, |run| {
        run.stopping.is_none_or(|stops| stops.asked == stops.stopped + stops.unconfirmed)
    })
    .await;
    let again = client.call(rerun(None)).await.unwrap();
    assert_eq!((again.state, again.reruns), (State::Running, 1));
    let task = take(&client, &run, 1).await;
    assert_eq!(
        serde_json::from_str::<Value>(task.payload.get()).unwrap(),
        json!({"n": 1}),
        "the first one counts"
    );
    complete(&client, &task, json!(2)).await;
    let done = until(&client, &run, |run| run.state.is_final()).await;
    assert_eq!((done.state, done.stages.unwrap()[1].attempt), (State::Succeeded, 2));
    assert_eq!(refusal(client.call(cancel()).await), (409, "already_final".into()));
}

// D20: the items of a list, page by page and by state.
#[tokio::test]
async fn d20_the_items_of_a_list_are_shown() {
    let server = server().await;
    let client = server.client();
    let text = "stages:\n  - id: each\n    uses: foreach\n    with:\n      in: [a, b, c]\n      concurrency: 1\n      \
                do: {uses: agent, with: {kind: note, payload: {what: \"${{ item }}\"}}}\n";
    let run = start(&client, inline(text, &json!({}))).await;
    let items = |query: ItemQuery| {
        let request = Request::<call::RunItems>::new().place(run.id).place("each").query(query);
        client.call(request)
    };
    let listed = until(&client, &run, |run| {
        run.stages.as_ref().unwrap()[0].items.is_some_and(|items| items.open == 1)
    });
    assert_eq!(listed.await.progress.items, 3);
    let page = items(ItemQuery { limit: Some(2), ..ItemQuery::default() }).await.unwrap();
    assert_eq!((page.total, page.items.len(), page.items[0].value.get()), (3, 2, "\"a\""));
    let rest = items(ItemQuery { cursor: page.next_cursor, ..ItemQuery::default() }).await.unwrap();
    assert_eq!((rest.items[0].index, rest.items.len(), rest.next_cursor), (2, 1, None));
    let skipped = items(ItemQuery { offset: Some(1), ..ItemQuery::default() }).await.unwrap();
    assert_eq!(skipped.items.iter().map(|item| item.index).collect::<Vec<_>>(), [1, 2]);
    let pending = ItemQuery { state: Some("pending".into()), ..ItemQuery::default() };
    assert_eq!(items(pending).await.unwrap().total, 2);
    let elsewhere = Request::<call::RunItems>::new().place(run.id).place("nowhere");
    assert_eq!(refusal(client.call(elsewhere).await), (404, "not_found".into()));
    let none = client.call(Request::<call::RunArtifacts>::new().place(run.id)).await.unwrap();
    assert_eq!(none.total, 0);
}
