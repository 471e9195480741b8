//! C1, O2: it connects, works, survives its server, and ends in order.

use crate::machine::{Machine, ended, submit, succeeds, terminate, until};
use serde_json::Value;
use tiltyard_model::task::State;
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};

#[tokio::test]
async fn c1_it_connects_and_does_what_it_is_given() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    let arguments = ["--server", &server.url(), "--token", ADMIN_TOKEN, "--name", "builder"];
    let agent = machine.agent(&arguments).await;
    let ready: Value =
        serde_json::from_slice(&std::fs::read(machine.path("ready")).expect("is there")).expect("is JSON");
    assert_eq!((&ready["agent"], &ready["server"]), (&"builder".into(), &server.url().into()));
    assert_eq!(ready["pid"], agent.id().expect("is alive"));
    let client = server.client();
    // C6: what it runs sees neither its token nor its folders.
    let script =
        "test -z \"$TILTYARD_TOKEN\"; ls ~/.local/share/tiltyard/agent/outbox && exit 1; echo '{\"n\": 1}'";
    let task = succeeds(&client, submit(&client, script).await.id).await;
    assert_eq!(task.result.expect("has a result").get(), "{\"n\": 1}");
    assert_eq!(task.agent.as_deref(), Some("builder"));
    terminate(&agent);
    assert_eq!(ended(agent).await, Some(0));
}

// SIGTERM: what runs goes back without counting, and nothing of it stays.
#[tokio::test]
async fn o2_it_gives_back_what_it_cannot_finish() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    let arguments = [
        "--server",
        &server.url(),
        "--token",
        ADMIN_TOKEN,
        "--name",
        "builder",
        "--set",
        "agent.grace_ms=100",
    ];
    let agent = machine.agent(&arguments).await;
    let (client, begun) = (server.client(), machine.path("begun"));
    let task = submit(&client, &format!("touch '{}'; sleep 1000", begun.display())).await;
    machine.appears(&begun).await;
    terminate(&agent);
    let task = until(&client, task.id, |task| task.state == State::Ready).await;
    assert_eq!((task.generation, task.attempts), (1, 0));
    assert_eq!(ended(agent).await, Some(0));
}

#[tokio::test]
async fn o2_a_second_signal_ends_it_at_once() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    let arguments = ["--server", &server.url(), "--token", ADMIN_TOKEN];
    let agent = machine.agent(&arguments).await;
    let (client, begun) = (server.client(), machine.path("begun"));
    submit(&client, &format!("trap '' TERM; touch '{}'; sleep 1000; sleep 1000", begun.display())).await;
    machine.appears(&begun).await;
    terminate(&agent);
    terminate(&agent);
    assert_eq!(ended(agent).await, Some(0));
}

#[tokio::test]
async fn c1_two_agents_do_not_share_a_folder() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    let url = server.url();
    let _agent = machine.agent(&["--server", &url, "--token", ADMIN_TOKEN]).await;
    let second = machine.run(&["agent", "--server", &url, "--token", ADMIN_TOKEN, "--name", "second"]).await;
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another agent"), "{}", second.stderr);
}

// The shim is for agents: by hand it refuses, and says so.
#[tokio::test]
async fn c6_the_shim_is_not_for_people() {
    let machine = Machine::new();
    let run = machine.run(&["exec-shim"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (70, ""));
    let run = machine.run(&["agent", "--tied"]).await;
    assert_eq!(run.code, 2, "{}", run.stderr);
}
