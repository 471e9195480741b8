//! C5: one command adds a machine.

use crate::machine::{Machine, ended, submit, succeeds, terminate};
use std::os::unix::fs::PermissionsExt;
use tiltyard_client::Request;
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::token::Mint;

const CONFIG: &str = ".config/tiltyard/tiltyard.toml";

async fn agent_token(server: &TestServer) -> String {
    let body = Mint {
        label: "builder".to_owned(),
        role: tiltyard_model::role::Role::Agent,
        scopes: vec!["*".to_owned()],
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: None,
    };
    server.client().call(Request::<call::TokenMint>::new().body(body)).await.expect("is minted").token
}

// With an admin's token: the agent gets one of its own, and only that is kept.
#[tokio::test]
async fn c5_join_verifies_proves_and_writes_the_settings() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    let url = server.url();
    let run = machine
        .run(&["agent", "join", &url, "--token", ADMIN_TOKEN, "--name", "builder", "--slots", "2", "--json"])
        .await;
    let joined = run.json();
    assert_eq!((&joined["agent"], &joined["server"]), (&"builder".into(), &url.as_str().into()));
    let (client, id) =
        (server.client(), joined["task"].as_str().expect("is an id").parse().expect("is an id"));
    let proof = succeeds(&client, id).await;
    assert_eq!((proof.queue.as_str(), proof.agent.as_deref()), ("join", Some("builder")));
    let config = machine.path(CONFIG);
    assert_eq!(std::fs::metadata(&config).expect("is there").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&config).expect("is there");
    assert!(
        text.contains("token = \"jst_") && !text.contains(ADMIN_TOKEN) && text.contains("slots = 2"),
        "{text}"
    );
    // And from now on it needs no word more.
    let agent = machine.agent(&[]).await;
    let task = succeeds(&client, submit(&client, "true").await.id).await;
    assert_eq!(task.agent.as_deref(), Some("builder"));
    terminate(&agent);
    assert_eq!(ended(agent).await, Some(0));
    let again = machine.run(&["agent", "join", &url, "--token", ADMIN_TOKEN, "--name", "other"]).await;
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("has settings of an agent already"), "{}", again.stderr);
}

#[tokio::test]
async fn c5_join_with_the_agents_own_token_and_a_unit() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    machine.program("systemctl", "echo \"$*\" >> \"$HOME/systemctl\"");
    let token = agent_token(&server).await;
    let run = machine
        .run(&["agent", "join", &server.url(), "--token", &token, "--name", "builder", "--systemd"])
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("builder has joined"), "{}", run.stdout);
    let unit = std::fs::read_to_string(machine.path(".config/systemd/user/tiltyard-agent.service"))
        .expect("is there");
    assert!(unit.contains("agent --config") && !unit.contains("jst_"), "{unit}");
    let asked = std::fs::read_to_string(machine.path("systemctl")).expect("was asked");
    assert_eq!(asked, "--user daemon-reload\n--user enable --now tiltyard-agent.service\n");
    let config = std::fs::read_to_string(machine.path(CONFIG)).expect("is there");
    assert!(config.contains(&token));
}

// What is wrong is said with its exit code, and nothing is written.
#[tokio::test]
async fn c5_a_join_that_fails_leaves_nothing_behind() {
    let (server, machine) = (TestServer::start().await.expect("starts"), Machine::new());
    let url = server.url();
    for (arguments, code, word) in [
        (&["agent", "join", &url, "--token", "jst_wrong"][..], 4, "token"),
        (&["agent", "join", "http://127.0.0.1:1", "--token", "x"], 3, "not reachable"),
        (&["agent", "join", "nonsense", "--token", "x"], 2, "agent.server"),
        (&["agent", "join", &url, "--token", ADMIN_TOKEN, "--user", "no such user"], 2, "no user"),
    ] {
        let run = machine.run(arguments).await;
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
    assert!(!machine.path(CONFIG).exists());
}
