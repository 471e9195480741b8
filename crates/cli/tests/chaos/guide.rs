//! The worker of `docs/guide/worker.md`: taken out of the page as it stands, and run.

use crate::fault::until;
use crate::line::Line;
use crate::seen::read;
use crate::server::{Server, Yard};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// Tasks that the worker finds.
const TASKS: usize = 3;

/// The script in the page.
fn script(yard: &Yard) -> PathBuf {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/worker.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let script = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a script");
    let lines = script.lines().filter(|line| !line.starts_with('#')).count();
    assert!(lines <= 10, "a worker in ten lines has {lines}");
    let path = yard.beside("worker.sh");
    std::fs::write(&path, script).expect("the disk has room");
    path
}

/// A token that may work and nothing else.
async fn token(line: &mut Line) -> String {
    let mint = json!({"label": "sh-worker", "role": "worker", "scopes": ["default"], "queues": ["shell"]});
    let minted = line.post("/auth/tokens", &mint).await.unwrap();
    assert_eq!(minted.status, 201, "{}", minted.body);
    minted.body["token"].as_str().unwrap().to_owned()
}

fn worker(yard: &Yard, server: &Server, token: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg(script(yard)).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TILTYARD_URL", format!("http://{}", server.address)).env("TILTYARD_TOKEN", token);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn submit(line: &mut Line, title: &str) -> String {
    let answer =
        line.post("/tasks", &json!({"kind": "chaos", "queue": "shell", "title": title})).await.unwrap();
    answer.body["id"].as_str().unwrap().to_owned()
}

// D1, D3, O44: ten lines of shell and curl claim, heartbeat and complete; with ONCE=1 they end when nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o44_the_worker_of_the_guide_works() {
    let yard = Yard::new();
    let server = yard.start().await;
    let mut line = server.line();
    let token = token(&mut line).await;
    let mut ids = Vec::new();
    for number in 0..TASKS {
        ids.push(submit(&mut line, &format!("for the shell {number}")).await);
    }
    // What is meant for an agent is not the worker's, though it asks for anything.
    let command =
        json!({"kind": "command", "title": "not for the shell", "payload": {"argv": ["touch", "x"]}});
    let command = line.post("/tasks", &command).await.unwrap().body["id"].as_str().unwrap().to_owned();
    let ended = worker(&yard, &server, &token).env("ONCE", "1").output().await.expect("sh is there");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), &*said), (Some(0), ""));
    for id in ids {
        let task = read(&mut line, &format!("/tasks/{id}")).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        assert_eq!(
            (&task["result"], &task["message"]),
            (&json!({"done_by": "sh-worker"}), &json!("half way"))
        );
    }
    assert_eq!(read(&mut line, &format!("/tasks/{command}")).await["state"], "ready");
}

// O44: a worker that is not let in says so and does not end as if all were done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o44_a_worker_that_is_not_let_in_does_not_end_well() {
    let yard = Yard::new();
    let server = yard.start().await;
    let bad = format!("jst_{}", "0".repeat(64));
    let ended = worker(&yard, &server, &bad).env("ONCE", "1").output().await.expect("sh is there");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(1) && said.contains(r#""code":"unauthenticated""#), "{said}");
}

// D3: without ONCE it waits for work, and takes it when it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_the_worker_of_the_guide_waits_for_work() {
    let yard = Yard::new();
    let server = yard.start().await;
    let mut line = server.line();
    let token = token(&mut line).await;
    let mut worker = worker(&yard, &server, &token).spawn().expect("sh is there");
    // It has asked and waits once the server knows its name.
    let mut agents = Value::Null;
    while !agents.to_string().contains("sh-worker") {
        agents = read(&mut line, "/agents").await;
    }
    let id = submit(&mut line, "later").await;
    let mut state = Value::Null;
    while state != "succeeded" {
        state = read(&mut line, &format!("/tasks/{id}")).await["state"].clone();
    }
    worker.start_kill().expect("it is ours");
    until("the worker ends", || worker.try_wait().is_ok_and(|ended| ended.is_some())).await;
}
