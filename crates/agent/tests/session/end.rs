//! C1, O2: the end in order: nothing new, what runs finishes or goes back, outcomes are told.

use crate::hub::{Hub, Peer};
use crate::rig::{Agent, Pipe, assign, lease, settled, times};
use std::time::Duration;
use tiltyard_agent::session::{Shutdown, Times};
use tiltyard_wire::frame::{FromAgent, Settle};
use tiltyard_wire::task::work::Reported;

async fn settle(peer: &mut Peer) -> Settle {
    peer.hear(|frame| if let FromAgent::Settle(settle) = frame { Some(settle) } else { None }).await
}

async fn begun(peer: &mut Peer, number: u32, script: &str) {
    peer.say(assign(lease(number, 1), script)).await;
    peer.hear(|frame| matches!(frame, FromAgent::Accept(_)).then_some(())).await;
}

#[tokio::test]
async fn o2_what_runs_may_finish_and_is_told() {
    let mut hub = Hub::start().await;
    let (mut agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    begun(&mut peer, 1, &pipe.wait()).await;
    agent.shutdown.send_replace(Shutdown::Orderly);
    let renew = peer.hear(|frame| match frame {
        FromAgent::Renew(renew) if renew.draining => Some(renew.leases),
        _ => None,
    });
    assert_eq!(renew.await, [lease(1, 1)], "the server hears at once that it takes nothing new");
    peer.say(assign(lease(2, 1), "true")).await;
    peer.hear(|frame| matches!(frame, FromAgent::Refuse(_)).then_some(())).await;
    pipe.open().await;
    assert_eq!(settle(&mut peer).await.outcome, Reported::Succeeded);
    peer.say(settled(lease(1, 1), "accepted")).await;
    agent.ended().await;
    assert!(peer.rest().await.iter().all(|frame| !matches!(frame, FromAgent::Settle(_))));
}

#[tokio::test]
async fn o2_what_does_not_finish_in_time_is_ended_and_goes_back() {
    let mut hub = Hub::start().await;
    let times = Times { finish: Duration::from_millis(50), ..times() };
    let (mut agent, life) = (Agent::start_with(hub.client(), times).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let gone = life.all_gone();
    begun(&mut peer, 1, &format!("{}; sleep 1000", life.hold())).await;
    agent.shutdown.send_replace(Shutdown::Orderly);
    assert_eq!(settle(&mut peer).await.outcome, Reported::Released);
    gone.await.expect("reads");
    peer.say(settled(lease(1, 1), "accepted")).await;
    agent.ended().await;
    assert_eq!(agent.host.outbox().waiting(), []);
}

// Nobody answers: it does not wait for ever, and the next process tells what is left.
#[tokio::test]
async fn o2_what_nobody_answers_waits_for_the_next_process() {
    let mut hub = Hub::start().await;
    let times = Times { flush: Duration::from_millis(50), ..times() };
    let mut agent = Agent::start_with(hub.client(), times).await;
    let mut peer = hub.welcome().await;
    peer.say(assign(lease(1, 1), "true")).await;
    settle(&mut peer).await;
    agent.shutdown.send_replace(Shutdown::Orderly);
    agent.ended().await;
    assert_eq!(agent.host.outbox().waiting().len(), 1);
}

#[tokio::test]
async fn o2_a_second_wish_ends_at_once_with_or_without_a_server() {
    let mut hub = Hub::start().await;
    let (mut agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    begun(&mut peer, 1, &pipe.wait()).await;
    agent.shutdown.send_replace(Shutdown::Orderly);
    agent.shutdown.send_replace(Shutdown::AtOnce);
    agent.ended().await;
    drop(hub);
    let mut lonely = Agent::start(crate::hub::client("127.0.0.1:1".parse().expect("an address"))).await;
    lonely.shutdown.send_replace(Shutdown::Orderly);
    lonely.ended().await;
}
