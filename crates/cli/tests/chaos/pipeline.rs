//! A run with everything in it that must happen once, and a server that is killed after each of its events in turn: drafted,
//! rejected with a better draft, drafted again, approved with another title, written. Whenever the server dies, it ends the same.

use crate::agent::{Scene, until};
use crate::fleet::{cluster, short_or_long};
use crate::fold::fold;
use crate::line::{Answer, Line, Silence};
use crate::seen::Log;
use crate::server::Yard;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tiltyard_testkit::postgres::Sync;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The pipeline.
const NOTES: &str = include_str!("../../../../pipelines/release-notes.yaml");
/// Stories that are told beside each other.
const AT_ONCE: usize = 4;
/// Over a shared store one event in so many is enough for `make test`.
const SHARED_EVERY: usize = 5;
/// Longer than a server is away: a lease that is lost is another story.
const LEASE: Duration = Duration::from_secs(60);
/// Bounds the failure of a run that does not end.
const MAX_STORY: Duration = Duration::from_secs(120);
/// The pause of the person between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// What says that a run is over.
const ENDS: [&str; 3] = ["tiltyard.run.succeeded", "tiltyard.run.failed", "tiltyard.run.cancelled"];

/// What is the same, whenever the server died.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Of the run.
    state: String,
    /// Stage, its state, its attempts.
    stages: Vec<(String, String, i64)>,
    /// Stage, attempt, output and digest.
    artifacts: BTreeSet<(String, i64, String, String)>,
    /// Attempt, state and votes of each gate.
    gates: BTreeSet<(i64, String, usize)>,
    /// How many tasks were made.
    tasks: usize,
    /// What the log tells of stages and gates, in order.
    told: Vec<String>,
}

// D20, D22, D24, D25, E1: the server killed (`kill -9`) after each event of a run: one end, one task an attempt of a stage, one
// decision a gate, a log without holes, and a file that is the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_a_run_ends_the_same_after_a_kill_at_any_event() {
    let (plain, events) = story(Yard::new(), None).await;
    assert_told(&plain);
    let all = told_again((1..=events).map(|at| (at, Yard::new())).collect()).await;
    println!("{events} events, {} kills", all.len());
    assert_same(&plain, &all);
}

// The same over a shared store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_e11_a_run_over_a_shared_store_ends_the_same_after_a_kill() {
    let cluster = cluster(Sync::Off, &[]);
    let yard = |number: usize| {
        let name = format!("run_{number}");
        cluster.ask("postgres", &format!("CREATE DATABASE {name}")).expect("a database");
        Yard::at(&cluster.tcp_url(&name))
    };
    let (plain, events) = story(yard(0), None).await;
    assert_told(&plain);
    let each = (1..=events).step_by(short_or_long(SHARED_EVERY, 1));
    let all = told_again(each.map(|at| (at, yard(at))).collect()).await;
    println!("{events} events, {} kills", all.len());
    assert_same(&plain, &all);
}

/// What the story is about did happen.
fn assert_told(end: &End) {
    let stages = [("draft", 2), ("review", 2), ("write", 1)];
    let stages = stages.map(|(stage, attempt)| (stage.to_owned(), "succeeded".to_owned(), attempt));
    assert_eq!((end.state.as_str(), end.stages.as_slice()), ("succeeded", stages.as_slice()), "{end:#?}");
    assert_eq!(end.tasks, 3, "one an attempt of a stage that is a command");
    let gates = [(1, "rejected".to_owned(), 1), (2, "approved".to_owned(), 1)];
    assert_eq!(end.gates, gates.into());
}

fn assert_same(plain: &End, all: &BTreeMap<usize, End>) {
    let others: Vec<_> = all.iter().filter(|(_, end)| *end != plain).collect();
    assert!(others.is_empty(), "without a kill: {plain:#?}\nafter a kill at these events: {others:#?}");
}

/// The story once for each of these events, several at once.
async fn told_again(stories: Vec<(usize, Yard)>) -> BTreeMap<usize, End> {
    let (mut under_way, mut ends) = (JoinSet::new(), BTreeMap::new());
    let mut left = stories.into_iter();
    loop {
        while under_way.len() < AT_ONCE
            && let Some((at, yard)) = left.next()
        {
            under_way.spawn(async move { (at, story(yard, Some(at)).await.0) });
        }
        let Some(ended) = under_way.join_next().await else { return ends };
        let (at, end) = ended.expect("a story comes to its end");
        ends.insert(at, end);
    }
}

/// From the start to the end, with the server killed once so many events of the run were heard; how many there were in the end.
async fn story(yard: Yard, kill_at: Option<usize>) -> (End, usize) {
    let mut scene = Scene::set_in(yard, LEASE).await;
    let _agent = scene.agent("forge").await;
    let run = start(&mut scene.server().line()).await;
    let (moved, address) = watch::channel(scene.server().address);
    let person = tokio::spawn(decide(run.clone(), address));
    if kill_at.is_some() {
        hear(&scene, &run, kill_at).await;
        scene.kill_server().await;
        scene.start_server().await;
        moved.send_replace(scene.server().address);
    }
    let events = hear(&scene, &run, None).await;
    person.abort();
    (end(&scene, &run).await, events)
}

async fn start(line: &mut Line) -> String {
    let body = json!({"definition": NOTES, "input": {"tag": "v1"}});
    let answer = line.post("/runs", &body).await.expect("it answers");
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["id"].as_str().expect("has an id").to_owned()
}

/// Hears so many events of the run, or all to its end; how many they were.
async fn hear(scene: &Scene, run: &str, upto: Option<usize>) -> usize {
    let mut stream = scene.server().line().listen(&format!("/events/stream?run={run}&after=0")).await;
    let (mut text, mut heard, mut last) = (Vec::new(), 0, String::new());
    let all = tokio::time::timeout(MAX_STORY, async {
        while let Some(piece) = stream.next().await {
            text.extend_from_slice(&piece);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                let event: Value = serde_json::from_slice(data).expect("an event is JSON");
                last = event["type"].as_str().unwrap_or_default().to_owned();
                heard += usize::from(event["runid"] == run);
                if upto == Some(heard) || ENDS.contains(&last.as_str()) {
                    return;
                }
            }
        }
        panic!("the stream ended after {last}");
    });
    let in_time = all.await.is_ok();
    assert!(
        in_time,
        "{run} stands still after {heard} events, the last is {last}: {}",
        view(scene, run).await
    );
    heard
}

async fn view(scene: &Scene, run: &str) -> Value {
    scene.read(&format!("/runs/{run}")).await
}

/// A person who decides whatever gate is open, and asks again where no answer came.
async fn decide(run: String, address: watch::Receiver<SocketAddr>) {
    loop {
        let mut line = Line::to(*address.borrow());
        let open = line.get(&format!("/gates?run={run}&state=open")).await;
        // Nobody may be there just now, and a server that starts answers with a refusal.
        let open = open.ok().and_then(|page| page.body["items"].as_array().cloned()).unwrap_or_default();
        for gate in open {
            let (act, body) = vote(&gate);
            let id = gate["id"].as_str().expect("has an id");
            assert_answered(&line.post(&format!("/gates/{id}/{act}"), &body).await);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn vote(gate: &Value) -> (&'static str, Value) {
    let digest = &gate["subject_sha256"];
    if gate["attempt"] == 1 {
        let patch = json!([{"op": "add", "path": "/changes/-", "value": "It says hello"}]);
        return ("reject", json!({"subject_sha256": digest, "reason": "one is missing", "patch": patch}));
    }
    let patch = json!([{"op": "replace", "path": "/title", "value": "The first release"}]);
    ("approve", json!({"subject_sha256": digest, "patch": patch}))
}

fn assert_answered(answer: &Result<Answer, Silence>) {
    let fits = answer.as_ref().is_ok_and(|answer| !answer.is_done() && answer.status < 500);
    assert!(!fits, "a vote is refused: {answer:?}");
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_default().to_owned()
}

fn number(of: &Value, field: &str) -> i64 {
    of[field].as_i64().unwrap_or_default()
}

async fn items(scene: &Scene, path: &str) -> Vec<Value> {
    scene.read(path).await["items"].as_array().expect("a page has items").clone()
}

/// Where everything stands in the end; the log is whole, and the run's file is the log.
async fn end(scene: &Scene, run: &str) -> End {
    let mut log = Log::default();
    log.follow(&mut scene.server().line()).await;
    assert_eq!(fold(&log.events).1, Vec::<String>::new());
    let own: Vec<Value> = log.events.into_iter().filter(|event| event["runid"] == run).collect();
    assert_filed(scene, run, &own).await;
    let view = view(scene, run).await;
    let stages = view["stages"].as_array().expect("has stages").iter();
    let artifacts = items(scene, &format!("/runs/{run}/artifacts")).await;
    let gates = items(scene, &format!("/gates?run={run}")).await;
    End {
        state: text(&view, "state"),
        stages: stages.map(|one| (text(one, "id"), text(one, "state"), number(one, "attempt"))).collect(),
        artifacts: artifacts
            .iter()
            .map(|one| (text(one, "stage"), number(one, "attempt"), text(one, "output"), text(one, "sha256")))
            .collect(),
        gates: gates
            .iter()
            .map(|one| {
                (number(one, "attempt"), text(one, "state"), one["votes"].as_array().map_or(0, Vec::len))
            })
            .collect(),
        tasks: items(scene, &format!("/tasks?run={run}")).await.len(),
        told: own.iter().filter_map(in_short).collect(),
    }
}

/// D25: `runs/<id>/events.jsonl` becomes what the log says of the run.
async fn assert_filed(scene: &Scene, run: &str, events: &[Value]) {
    let file = scene.yard.data().join("runs").join(run).join("events.jsonl");
    until(&format!("{} is the log", file.display()), || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        lines.is_ok_and(|lines| lines == events)
    })
    .await;
}

/// What is told of stages and gates; a task may be told of more than once where its agent was left alone.
fn in_short(event: &Value) -> Option<String> {
    let kind = event["type"].as_str()?.strip_prefix("tiltyard.")?;
    let is_meant = kind.starts_with("stage.") || kind.starts_with("gate.");
    let data = &event["data"];
    is_meant.then(|| format!("{kind} {} {}", text(data, "stage"), number(data, "attempt")))
}
