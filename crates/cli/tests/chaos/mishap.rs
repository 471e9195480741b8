//! What befalls an agent and its server while work runs: killed, both at once, cut off. The task is done once, and the
//! log tells the story.

use crate::agent::{Job, Scene, is_over, lines, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Leases that outlive every story but one.
const LONG: Duration = Duration::from_secs(120);
/// A lease that is meant to run out.
const SHORT: Duration = Duration::from_secs(2);
/// Tasks of the batch in whose middle the server is killed.
const BATCH: usize = 40;
/// The server is killed when so many of them have had their effect.
const KILLED_AT: [usize; 2] = [8, 24];

/// One attempt after the other: generation, agent, outcome.
fn attempts(all: &[(i64, &str, &str)]) -> Vec<(i64, String, String)> {
    all.iter().map(|(generation, agent, end)| (*generation, (*agent).to_owned(), (*end).to_owned())).collect()
}

// C3, C6, D1, D3: kill -9 of the agent in mid-task: all that it had started ends, and then the task runs again, as a
// new generation of the agent's next process; the attempt counts as lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_d3_a_killed_agents_task_runs_again_once_its_programs_have_ended() {
    let mut scene = Scene::set(LONG).await;
    let job = Job::new(&scene.yard);
    let agent = scene.agent("forge").await;
    let task = scene.submit(&job.script()).await;
    job.has_begun(1).await;
    agent.kill().await;
    let agent = scene.agent("forge").await;
    job.has_begun(2).await;
    for process in [&job.begun()[0], &job.beside()[0]] {
        assert!(is_over(process), "{process} of the first run is alive beside the second");
    }
    job.go().await;
    scene.succeeds(&task).await;
    assert_eq!(job.effects(), job.begun()[1..], "only the second run had its effect");
    assert_eq!(
        scene.story(&task).await,
        [
            "submitted ready",
            "leased 1 forge",
            "lease_lost 1 forge new_instance",
            "leased 2 forge",
            "succeeded 2"
        ]
    );
    let told = attempts(&[(1, "forge", "lease_lost"), (2, "forge", "succeeded")]);
    assert_eq!(scene.attempts(&task).await, told);
    assert_eq!(scene.read(&format!("/tasks/{task}")).await["attempts"], 2);
    until("the outbox is empty", || agent.outcomes() == 0).await;
}

// E4, C3, D31: kill -9 of the server while an agent works: the lease lives on with its generation, no attempt is
// counted, and the agent goes on as if nothing had been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_a_killed_server_costs_no_attempt() {
    let mut scene = Scene::set(LONG).await;
    let job = Job::new(&scene.yard);
    let agent = scene.agent("forge").await;
    let task = scene.submit(&job.script()).await;
    job.has_begun(1).await;
    scene.kill_server().await;
    scene.start_server().await;
    scene.until_told("the agent is back", |events| Scene::times_online(events, "forge") == 2).await;
    let now = scene.read(&format!("/tasks/{task}")).await;
    assert_eq!((&now["state"], &now["generation"]), (&json!("running"), &json!(1)));
    job.go().await;
    scene.succeeds(&task).await;
    assert_eq!(scene.story(&task).await, ["submitted ready", "leased 1 forge", "succeeded 1"]);
    assert_eq!((job.begun(), scene.attempts(&task).await.len()), (job.effects(), 1));
    assert_eq!(scene.read(&format!("/tasks/{task}")).await["attempts"], 1);
    until("the outbox is empty", || agent.outcomes() == 0).await;
}

// C3, E4, E8: kill -9 of the server in mid-batch, twice: every task has its effect once. An assignment that was
// lost on its way goes back uncounted, and no lease is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_e4_a_batch_is_done_once_whenever_the_server_is_killed() {
    let mut scene = Scene::set(LONG).await;
    let effects = scene.yard.beside("effects");
    let task = |number: usize| {
        let script = format!("echo {number} >> '{}'", effects.display());
        json!({"kind": "command", "title": number.to_string(), "payload": {"argv": script, "shell": true}})
    };
    let tasks: Vec<Value> = (0..BATCH).map(task).collect();
    let answer = scene.server().line().post("/tasks/batch", &json!({ "tasks": tasks })).await;
    let answer = answer.expect("it answers").body;
    let ids: Vec<String> = answer["tasks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| task["id"].as_str().expect("an id").to_owned())
        .collect();
    let agent = scene.agent("forge").await;
    for count in KILLED_AT {
        until("the batch goes on", || lines(&effects).len() >= count).await;
        scene.kill_server().await;
        scene.start_server().await;
    }
    for id in &ids {
        scene.succeeds(id).await;
    }
    let mut times = BTreeMap::new();
    lines(&effects).into_iter().for_each(|line| *times.entry(line).or_insert(0) += 1);
    assert!(times.len() == BATCH && times.values().all(|times| *times == 1), "{times:?}");
    for id in &ids {
        let story = scene.story(id).await;
        let odd = |said: &&String| !said.starts_with("leased") && !said.ends_with("dropped");
        let rest: Vec<&str> = story.iter().filter(odd).map(String::as_str).collect();
        let last = format!("succeeded {}", story.iter().filter(|said| said.starts_with("leased")).count());
        assert_eq!(rest, ["submitted ready", last.as_str()], "{story:?}");
        assert_eq!(scene.read(&format!("/tasks/{id}")).await["attempts"], 1, "{story:?}");
    }
    until("the outbox is empty", || agent.outcomes() == 0).await;
}

// C3, D3, E4: both killed at once in mid-task: the programs end, and the task runs again as the next generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_e4_both_killed_at_once_in_mid_task() {
    let mut scene = Scene::set(LONG).await;
    let job = Job::new(&scene.yard);
    let agent = scene.agent("forge").await;
    let task = scene.submit(&job.script()).await;
    job.has_begun(1).await;
    tokio::join!(scene.kill_server(), agent.kill());
    scene.start_server().await;
    let _agent = scene.agent("forge").await;
    job.has_begun(2).await;
    assert!(is_over(&job.begun()[0]) && is_over(&job.beside()[0]));
    job.go().await;
    scene.succeeds(&task).await;
    assert_eq!(job.effects(), job.begun()[1..]);
    assert_eq!(
        scene.story(&task).await,
        [
            "submitted ready",
            "leased 1 forge",
            "lease_lost 1 forge new_instance",
            "leased 2 forge",
            "succeeded 2"
        ]
    );
    assert_eq!(scene.read(&format!("/tasks/{task}")).await["attempts"], 2);
}

// C3, E4, D31: both killed at once after the work was done and before anybody heard of it: the outcome was on disk, so
// the agent's next process tells it, under the same lease, and nothing runs twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_both_killed_at_once_with_an_outcome_that_nobody_heard() {
    let mut scene = Scene::set(LONG).await;
    let job = Job::new(&scene.yard);
    let agent = scene.agent("forge").await;
    let task = scene.submit(&job.script()).await;
    job.has_begun(1).await;
    scene.proxy.cut();
    job.go().await;
    until("the outcome is on disk", || agent.outcomes() == 1).await;
    tokio::join!(scene.kill_server(), agent.kill());
    scene.start_server().await;
    let agent = scene.agent("forge").await;
    scene.succeeds(&task).await;
    until("the outbox is empty", || agent.outcomes() == 0).await;
    assert_eq!(scene.story(&task).await, ["submitted ready", "leased 1 forge", "succeeded 1"]);
    assert_eq!((job.begun().len(), job.effects()), (1, job.begun()));
    assert_eq!(scene.read(&format!("/tasks/{task}")).await["attempts"], 1);
}

// C3, D3, E8: an agent that is cut off while it finishes keeps the outcome and tells it once it is back. When only the
// answer was lost, it tells it again, and that changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_e8_an_agent_that_was_cut_off_tells_its_outcome_once() {
    let mut scene = Scene::set(LONG).await;
    let job = Job::new(&scene.yard);
    let agent = scene.agent("forge").await;
    let first = scene.submit(&job.script()).await;
    job.has_begun(1).await;
    scene.proxy.cut();
    job.go().await;
    until("the outcome is on disk", || agent.outcomes() == 1).await;
    assert_eq!(scene.read(&format!("/tasks/{first}")).await["state"], "running", "nobody has heard of it");
    scene.mend();
    scene.succeeds(&first).await;
    until("the outbox is empty", || agent.outcomes() == 0).await;

    let second = scene.submit(&job.script()).await;
    job.has_begun(2).await;
    scene.proxy.deafen();
    job.go().await;
    scene.succeeds(&second).await;
    assert_eq!(agent.outcomes(), 1, "the agent has not heard that it was taken");
    scene.proxy.cut();
    scene.mend();
    until("the outbox is empty", || agent.outcomes() == 0).await;
    for task in [&first, &second] {
        assert_eq!(scene.story(task).await, ["submitted ready", "leased 1 forge", "succeeded 1"]);
        assert_eq!(scene.read(&format!("/tasks/{task}")).await["attempts"], 1);
    }
    assert_eq!(job.effects(), job.begun());
    assert!(!scene.said_by("forge").contains("does not take an outcome"), "{}", scene.said_by("forge"));
}

// C3, D1, D9: cut off so long that its lease ran out and another agent did the task: what the first one tells then is
// refused as stale, and on record as that; what the second one said stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_d1_an_outcome_that_comes_too_late_is_refused_and_recorded() {
    let mut scene = Scene::set(SHORT).await;
    let job = Job::new(&scene.yard);
    let late = scene.agent("late").await;
    let task = scene.submit(&job.script()).await;
    job.has_begun(1).await;
    scene.proxy.cut();
    job.go().await;
    until("the outcome is on disk", || late.outcomes() == 1).await;
    let url = format!("http://{}", scene.server().address);
    let _other = scene.agent_at("other", &url).await;
    job.has_begun(2).await;
    job.go().await;
    scene.succeeds(&task).await;
    scene.mend();
    until("the outbox is empty", || late.outcomes() == 0).await;
    assert_eq!(
        scene.story(&task).await,
        ["submitted ready", "leased 1 late", "lease_lost 1 late expired", "leased 2 other", "succeeded 2"]
    );
    let told = attempts(&[(1, "late", "lease_lost"), (2, "other", "succeeded")]);
    assert_eq!(scene.attempts(&task).await, told);
    let now = scene.read(&format!("/tasks/{task}")).await;
    assert_eq!(now["result"], json!(format!("done by {}", job.begun()[1])));
    let (agent, server) = (scene.said_by("late"), scene.yard.log());
    assert!(agent.contains("does not take an outcome") && agent.contains("stale_generation"), "{agent}");
    assert!(server.contains("an outcome was refused") && server.contains(&task), "{server}");
}
