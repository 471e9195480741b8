//! C1, C2, D9: connecting, saying who it is, taking work, and staying in touch.

use crate::hub::Hub;
use crate::rig::{Agent, Pipe, assign, assign_kind, lease, settled, times};
use serde_json::json;
use std::time::Duration;
use tiltyard_agent::session::Times;
use tiltyard_wire::frame::{FromAgent, PROTOCOL, Ping};
use tiltyard_wire::task::work::Reported;

fn settle_of(frame: FromAgent) -> Option<tiltyard_wire::frame::Settle> {
    if let FromAgent::Settle(settle) = frame { Some(settle) } else { None }
}

#[tokio::test]
async fn c1_hello_says_who_it_is_and_a_task_is_done() {
    let mut hub = Hub::start().await;
    let agent = Agent::start(hub.client()).await;
    let mut peer = hub.welcome().await;
    let hello = &peer.hello;
    assert_eq!((hello.protocol, hello.name.as_str(), hello.slots), (PROTOCOL, "builder", 2));
    assert_eq!((hello.version.as_str(), hello.host.as_str()), ("1.2.3", "workbench"));
    assert_eq!(
        (&hello.capabilities[..], &hello.queues[..]),
        (&["rust".into()][..], &["default".into(), "git".into()][..])
    );
    assert_eq!((hello.instance.len(), hello.holds.len()), (32, 0));
    let task = lease(1, 1);
    peer.say(assign(task, "echo working; echo '{\"a\": 1}'")).await;
    let accepted =
        peer.hear(|frame| if let FromAgent::Accept(lease) = frame { Some(lease) } else { None }).await;
    assert_eq!(accepted, task);
    let told = peer.hear(settle_of).await;
    assert_eq!((told.id, told.generation, told.outcome), (task.id, 1, Reported::Succeeded));
    assert_eq!(told.result.expect("has a result").get(), "{\"a\": 1}");
    assert_eq!(peer.log(task), "working\n{\"a\": 1}\n", "the log comes before the outcome");
    peer.say(settled(task, "accepted")).await;
    agent.holds_nothing().await;
}

#[tokio::test]
async fn c1_it_reports_resources_and_answers_pings() {
    let mut hub = Hub::start().await;
    let _agent = Agent::start(hub.client()).await;
    let mut peer = hub.welcome().await;
    let resources =
        peer.hear(|frame| if let FromAgent::Resources(found) = frame { Some(found) } else { None }).await;
    assert!(
        resources.memory_total_bytes > resources.memory_used_bytes && resources.disk_free_bytes > 0,
        "{resources:?}"
    );
    peer.say(json!({ "type": "ping", "nonce": 42, "unknown": [1] })).await;
    let pong = peer.hear(|frame| if let FromAgent::Pong(pong) = frame { Some(pong) } else { None }).await;
    assert_eq!(pong, Ping { nonce: 42 });
}

// D9: an agent renews all its leases with one message. C2: what cannot be read is passed over.
#[tokio::test]
async fn d9_one_frame_renews_everything_it_holds() {
    let mut hub = Hub::start().await;
    let (_agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.peer().await;
    peer.welcome_with(json!({ "renew_every_ms": 100, "later": true })).await;
    peer.say_text(r#"{"type":"from_the_future"}"#).await;
    peer.say_text("no JSON").await;
    for number in [1, 2] {
        peer.say(assign(lease(number, 1), &pipe.wait())).await;
    }
    let both = peer.hear(|frame| match frame {
        FromAgent::Renew(renew) if renew.leases.len() == 2 => Some(renew),
        _ => None,
    });
    let both = both.await;
    assert_eq!((both.leases, both.draining), (vec![lease(1, 1), lease(2, 1)], false));
    // And again, without being asked.
    peer.hear(|frame| matches!(frame, FromAgent::Renew(renew) if renew.leases.len() == 2).then_some(()))
        .await;
}

#[tokio::test]
async fn c2_what_it_cannot_take_goes_back_with_a_reason() {
    let mut hub = Hub::start().await;
    let (_agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let refused = |frame| if let FromAgent::Refuse(refuse) = frame { Some(refuse) } else { None };
    peer.say(assign_kind(lease(1, 1), "paint", &json!({}))).await;
    let refuse = peer.hear(refused).await;
    assert_eq!((refuse.id, refuse.generation), (lease(1, 1).id, 1));
    assert!(refuse.reason.contains("no tasks of the kind `paint`"), "{}", refuse.reason);
    for number in [2, 3] {
        peer.say(assign(lease(number, 1), &pipe.wait())).await;
        peer.hear(|frame| matches!(frame, FromAgent::Accept(_)).then_some(())).await;
    }
    peer.say(assign(lease(4, 1), "true")).await;
    assert!(peer.hear(refused).await.reason.contains("all 2 slots"), "C1: no more than it has slots");
}

// The server may not know that its assignment arrived, and repeats it.
#[tokio::test]
async fn c3_an_assignment_that_comes_twice_runs_once() {
    let mut hub = Hub::start().await;
    let (agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    let script = format!("echo once; {}", pipe.wait());
    for _ in 0..2 {
        peer.say(assign(task, &script)).await;
        let accepted =
            peer.hear(|frame| if let FromAgent::Accept(lease) = frame { Some(lease) } else { None });
        assert_eq!(accepted.await, task);
    }
    pipe.open().await;
    peer.hear(settle_of).await;
    assert_eq!(peer.log(task), "once\n");
    peer.say(settled(task, "accepted")).await;
    agent.holds_nothing().await;
}

#[tokio::test]
async fn c1_it_reconnects_for_as_long_as_it_lives_and_as_the_same_process() {
    let mut hub = Hub::start().await;
    let agent = Agent::start(hub.client()).await;
    let first = hub.welcome().await;
    let instance = first.hello.instance.clone();
    first.cut().await;
    // Without a word, with a word, before the welcome, and refused for good: it comes again all the same.
    hub.peer().await.cut().await;
    hub.peer().await.close(4401).await;
    hub.welcome().await.close(1012).await;
    let last = hub.welcome().await;
    assert_eq!(last.hello.instance, instance);
    let mut status = agent.status.clone();
    status.wait_for(|status| status.connected && status.welcomes == 3).await.expect("lives");
    assert_eq!(status.borrow().trouble, None);
}

// A cut network says nothing by itself.
#[tokio::test]
async fn c1_a_connection_that_falls_silent_is_given_up() {
    let mut hub = Hub::start().await;
    let times = Times { silence: Duration::from_millis(300), ..times() };
    let _agent = Agent::start_with(hub.client(), times).await;
    let silent = hub.welcome().await;
    let _next = hub.welcome().await;
    drop(silent);
}

// D6: a draining agent starts nothing; told to resume, it does.
#[tokio::test]
async fn d6_drain_and_resume() {
    let mut hub = Hub::start().await;
    let _agent = Agent::start(hub.client()).await;
    let mut peer = hub.peer().await;
    peer.welcome_with(json!({ "draining": true })).await;
    peer.say(assign(lease(1, 1), "true")).await;
    let refuse =
        peer.hear(|frame| if let FromAgent::Refuse(refuse) = frame { Some(refuse) } else { None }).await;
    assert!(refuse.reason.contains("draining"), "{}", refuse.reason);
    peer.say(json!({ "type": "drain", "draining": false })).await;
    peer.say(assign(lease(1, 2), "true")).await;
    assert_eq!(peer.hear(settle_of).await.outcome, Reported::Succeeded);
}
