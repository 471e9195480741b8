//! C3, D3, D31: nothing done is lost, whatever breaks.

use crate::hub::{Hub, PATIENCE, Peer};
use crate::rig::{Agent, Pipe, assign, lease, open_host, settled, times};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::outcome::{Outcome, Verdict};
use tiltyard_agent::session::Times;
use tiltyard_wire::frame::{FromAgent, Settle};
use tiltyard_wire::task::work::{Lease, Reported};
use tokio::process::{Child, Command};

async fn settle(peer: &mut Peer) -> Settle {
    peer.hear(|frame| if let FromAgent::Settle(settle) = frame { Some(settle) } else { None }).await
}

async fn accepted(peer: &mut Peer) -> Lease {
    peer.hear(|frame| if let FromAgent::Accept(lease) = frame { Some(lease) } else { None }).await
}

#[tokio::test]
async fn c3_an_outcome_is_told_until_it_is_answered() {
    let mut hub = Hub::start().await;
    let times = Times { resettle: Duration::from_millis(50), ..times() };
    let agent = Agent::start_with(hub.client(), times).await;
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    peer.say(assign(task, "echo '{\"b\": 2}'")).await;
    let first = settle(&mut peer).await;
    let again = settle(&mut peer).await;
    let text = |settle: &Settle| serde_json::to_string(settle).expect("is JSON");
    assert_eq!(text(&first), text(&again), "E8: to the letter");
    peer.cut().await;
    let mut peer = hub.welcome().await;
    assert_eq!(peer.hello.holds, [task], "an outcome in the outbox counts as held");
    assert_eq!(text(&settle(&mut peer).await), text(&first));
    peer.say(settled(task, "replayed")).await;
    agent.holds_nothing().await;
    peer.cut().await;
    assert_eq!(hub.welcome().await.hello.holds, []);
}

// E7: a server that cannot take a frame says when to say it again; it is said again on the same connection.
#[tokio::test]
async fn e7_what_an_overloaded_server_could_not_take_is_said_again() {
    let mut hub = Hub::start().await;
    let times = Times { resettle: Duration::from_secs(3_600), ..times() };
    let agent = Agent::start_with(hub.client(), times).await;
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    peer.say(assign(task, "true")).await;
    settle(&mut peer).await;
    let error = json!({
        "type": "error", "code": "overloaded", "detail": "x", "request_id": "r", "retry_after_ms": 20
    });
    peer.say(error).await;
    let renewed = |frame| if let FromAgent::Renew(renew) = frame { Some(renew.leases) } else { None };
    assert_eq!(peer.hear(renewed).await, [task]);
    settle(&mut peer).await;
    peer.say(settled(task, "accepted")).await;
    agent.holds_nothing().await;
}

// A task that runs through a cut is reported held, and its outcome goes to the next connection.
#[tokio::test]
async fn d31_a_reconnect_says_what_is_held_and_work_goes_on() {
    let mut hub = Hub::start().await;
    let (agent, through, done) = (Agent::start(hub.client()).await, Pipe::new(), Pipe::new());
    let mut peer = hub.welcome().await;
    let (long, short) = (lease(1, 3), lease(2, 1));
    peer.say(assign(long, &through.wait())).await;
    peer.say(assign(short, &format!("{}; echo short", done.wait()))).await;
    let (a, b) = (accepted(&mut peer).await, accepted(&mut peer).await);
    assert!([a, b].contains(&long) && [a, b].contains(&short));
    peer.cut().await;
    // While nobody is there, one of them ends.
    let cut = hub.peer().await;
    done.open().await;
    while agent.host.outbox().waiting().is_empty() {
        tokio::task::yield_now().await;
    }
    cut.cut().await;
    let mut peer = hub.welcome().await;
    assert_eq!(peer.hello.holds, [long, short]);
    peer.say(json!({ "type": "keep", "leases": [long, short] })).await;
    assert_eq!(settle(&mut peer).await.id, short.id);
    assert_eq!(peer.log(short), "short\n");
    peer.say(settled(short, "accepted")).await;
    through.open().await;
    assert_eq!(settle(&mut peer).await.id, long.id);
    peer.say(settled(long, "accepted")).await;
    agent.holds_nothing().await;
}

// An outcome that is stale is told once more, so that the server can put it on record, and then forgotten.
#[tokio::test]
async fn c3_a_stale_outcome_is_refused_and_forgotten() {
    let mut hub = Hub::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let task = lease(1, 1);
    let key = AttemptKey::new(&task.id.to_string(), 1).expect("is a key");
    let verdict = Verdict::Succeeded { result: None };
    open_host(folder.path()).outbox().put(&Outcome { key, verdict }).expect("takes");
    let agent = Agent::start_in(folder.path(), hub.client(), times()).await;
    let mut peer = hub.welcome().await;
    assert_eq!(peer.hello.holds, [task]);
    let dropped = json!({ "id": task.id, "generation": 1, "code": "stale_generation" });
    peer.say(json!({ "type": "drop", "leases": [dropped] })).await;
    assert_eq!(settle(&mut peer).await.outcome, Reported::Succeeded);
    peer.say(settled(task, "refused")).await;
    agent.holds_nothing().await;
}

// C3: a new attempt takes the place of the old one, and not its word.
#[tokio::test]
async fn c3_an_outcome_is_told_though_the_next_attempt_came_here() {
    let mut hub = Hub::start().await;
    let agent = Agent::start(hub.client()).await;
    let mut peer = hub.welcome().await;
    let (first, second) = (lease(1, 1), lease(1, 2));
    peer.say(assign(first, "echo first")).await;
    assert_eq!(settle(&mut peer).await.generation, 1);
    peer.cut().await;
    let mut peer = hub.welcome().await;
    peer.say(assign(second, "echo second")).await;
    let mut told = [settle(&mut peer).await, settle(&mut peer).await];
    told.sort_by_key(|settle| settle.generation);
    assert_eq!((told[0].generation, told[1].generation), (1, 2));
    let waiting: Vec<i64> = agent.host.outbox().waiting().iter().map(|told| told.key.generation()).collect();
    assert_eq!(waiting, [1, 2], "it was forgotten unheard");
    peer.say(settled(first, "refused")).await;
    peer.say(settled(second, "accepted")).await;
    agent.holds_nothing().await;
    while !agent.host.outbox().waiting().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn c3_a_long_backlog_is_told_in_pieces() {
    const COUNT: u32 = 300;
    const WINDOW: u32 = 64;
    let mut hub = Hub::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    {
        let host = open_host(folder.path());
        for number in 0..COUNT {
            let key = AttemptKey::new(&lease(number, 1).id.to_string(), 1).expect("is a key");
            host.outbox().put(&Outcome { key, verdict: Verdict::failed("as before") }).expect("takes");
        }
    }
    let agent = Agent::start_in(folder.path(), hub.client(), times()).await;
    let mut peer = hub.welcome().await;
    assert_eq!(peer.hello.holds.len(), COUNT as usize);
    // Unanswered, a window of them comes and no more.
    let window: Vec<Settle> = {
        let mut window = Vec::new();
        for _ in 0..WINDOW {
            window.push(settle(&mut peer).await);
        }
        window
    };
    for nonce in 0..3 {
        peer.say(json!({ "type": "ping", "nonce": nonce })).await;
        peer.hear(|frame| match frame {
            FromAgent::Settle(_) => panic!("more than {WINDOW} at once"),
            frame => matches!(frame, FromAgent::Pong(_)).then_some(()),
        })
        .await;
    }
    for told in window {
        peer.say(settled(Lease { id: told.id, generation: told.generation }, "accepted")).await;
    }
    for _ in WINDOW..COUNT {
        let told = settle(&mut peer).await;
        peer.say(settled(Lease { id: told.id, generation: told.generation }, "accepted")).await;
    }
    agent.holds_nothing().await;
}

/// A whole agent in a process of its own.
fn agent_process(hub: &Hub, folder: &std::path::Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-stub"));
    command.arg("talk").arg(format!("http://{}", hub.address)).arg(folder);
    command.stdin(Stdio::null()).kill_on_drop(true).spawn().expect("the stub starts")
}

async fn kill(mut child: Child) {
    tokio::time::timeout(PATIENCE, child.kill()).await.expect("dies in time").expect("is killed");
}

// C3, D3: killed -9 in mid-task, the next process holds nothing, and says so once the programs are gone.
#[tokio::test]
async fn c3_an_agent_killed_in_mid_task_comes_back_with_empty_hands() {
    let mut hub = Hub::start().await;
    let (folder, life) = (tempfile::tempdir().expect("a folder"), Pipe::new());
    let child = agent_process(&hub, folder.path());
    let mut peer = hub.welcome().await;
    let instance = peer.hello.instance.clone();
    let gone = life.all_gone();
    peer.say(assign(
        lease(1, 1),
        &format!("trap '' TERM; {}; echo begun; sleep 1000 & wait; sleep 1000", life.hold()),
    ))
    .await;
    peer.hear(|frame| matches!(frame, FromAgent::Log(_)).then_some(())).await;
    kill(child).await;
    let _child = agent_process(&hub, folder.path());
    let mut peer = hub.welcome().await;
    tokio::time::timeout(PATIENCE, gone).await.expect("no program outlives the agent").expect("reads");
    assert_eq!(peer.hello.holds, []);
    assert_ne!(peer.hello.instance, instance);
    peer.say(assign(lease(1, 2), "echo second")).await;
    assert_eq!(settle(&mut peer).await.generation, 2);
    assert_eq!(peer.log(lease(1, 2)), "second\n");
}

// C3: killed -9 with an outcome that nobody has heard, the next process tells it, log and all.
#[tokio::test]
async fn c3_an_agent_killed_before_its_outcome_is_heard_tells_it_after() {
    let mut hub = Hub::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let child = agent_process(&hub, folder.path());
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    peer.say(assign(task, "echo done; echo '{\"n\": 1}'")).await;
    let told = settle(&mut peer).await;
    kill(child).await;
    let _child = agent_process(&hub, folder.path());
    let mut peer = hub.welcome().await;
    assert_eq!(peer.hello.holds, [task]);
    let again = settle(&mut peer).await;
    assert_eq!(again.result.expect("has one").get(), told.result.expect("has one").get());
    assert_eq!(peer.log(task), "done\n{\"n\": 1}\n");
    peer.say(settled(task, "replayed")).await;
    peer.say(json!({ "type": "ping", "nonce": 1 })).await;
    peer.hear(|frame| matches!(frame, FromAgent::Pong(_)).then_some(())).await;
    peer.cut().await;
    assert_eq!(hub.welcome().await.hello.holds, []);
}
