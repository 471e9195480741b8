//! D4, D31: what is called off ends for real, and that is said.

use crate::hub::{Hub, PATIENCE, Peer};
use crate::rig::{Agent, Pipe, assign, lease};
use serde_json::json;
use tiltyard_wire::frame::FromAgent;
use tiltyard_wire::task::work::Lease;

async fn begun(peer: &mut Peer, task: Lease, script: &str) {
    peer.say(assign(task, script)).await;
    peer.hear(|frame| matches!(frame, FromAgent::Log(_)).then_some(())).await;
}

async fn stopping(peer: &mut Peer) -> Lease {
    peer.hear(|frame| if let FromAgent::Stopping(lease) = frame { Some(lease) } else { None }).await
}

async fn stopped(peer: &mut Peer) -> Lease {
    peer.hear(|frame| if let FromAgent::Stopped(lease) = frame { Some(lease) } else { None }).await
}

fn cancel(task: Lease) -> serde_json::Value {
    json!({ "type": "cancel", "id": task.id, "generation": task.generation, "reason": "not wanted" })
}

// A program that ignores TERM, and its children, are gone when `stopped` is said; no outcome is.
#[tokio::test]
async fn d4_cancel_ends_the_whole_process_group_and_confirms() {
    let mut hub = Hub::start().await;
    let (agent, life) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let (task, gone) = (lease(1, 1), life.all_gone());
    let script =
        format!("trap '' TERM; {}; (setsid sleep 1000 &) ; echo begun; sleep 1000; sleep 1000", life.hold());
    begun(&mut peer, task, &script).await;
    peer.say(cancel(task)).await;
    assert_eq!(stopping(&mut peer).await, task);
    let mut outcomes = 0;
    let confirmed = peer.hear(|frame| match frame {
        FromAgent::Stopped(lease) => Some(lease),
        FromAgent::Settle(_) => {
            outcomes += 1;
            None
        }
        _ => None,
    });
    assert_eq!((confirmed.await, outcomes), (task, 0));
    assert!(gone.is_finished() || tokio::time::timeout(PATIENCE, gone).await.is_ok());
    agent.holds_nothing().await;
}

#[tokio::test]
async fn d4_cancel_of_what_is_not_here_is_confirmed_at_once() {
    let mut hub = Hub::start().await;
    let _agent = Agent::start(hub.client()).await;
    let mut peer = hub.welcome().await;
    peer.say(cancel(lease(9, 4))).await;
    assert_eq!(stopped(&mut peer).await, lease(9, 4));
}

// Called off in the same breath as assigned: it ends, whether it had begun or not.
#[tokio::test]
async fn d4_cancel_may_overtake_the_begin() {
    let mut hub = Hub::start().await;
    let (agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    for generation in 1..10 {
        peer.say(assign(lease(1, generation), &pipe.wait())).await;
        peer.say(cancel(lease(1, generation))).await;
        assert_eq!(stopped(&mut peer).await, lease(1, generation));
    }
    agent.holds_nothing().await;
}

#[tokio::test]
async fn d31_dropped_work_is_stopped_and_kept_work_is_not() {
    let mut hub = Hub::start().await;
    let (agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let (keep, lost) = (lease(1, 1), lease(2, 5));
    begun(&mut peer, keep, &format!("echo begun; {}", pipe.wait())).await;
    begun(&mut peer, lost, "echo begun; sleep 1000").await;
    peer.cut().await;
    let mut peer = hub.welcome().await;
    assert_eq!(peer.hello.holds, [keep, lost]);
    let dropped = json!({ "id": lost.id, "generation": 5, "code": "stale_generation" });
    peer.say(json!({ "type": "keep", "leases": [keep] })).await;
    peer.say(json!({ "type": "drop", "leases": [dropped] })).await;
    assert_eq!(stopping(&mut peer).await, lost);
    assert_eq!(stopped(&mut peer).await, lost);
    pipe.open().await;
    let told =
        peer.hear(|frame| if let FromAgent::Settle(settle) = frame { Some(settle) } else { None }).await;
    assert_eq!((told.id, told.generation), (keep.id, 1));
    assert_eq!(agent.host.slots().free(), 2);
}

// D1, D31: a word about another generation changes nothing.
#[tokio::test]
async fn d31_a_word_about_another_generation_changes_nothing() {
    let mut hub = Hub::start().await;
    let (_agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    begun(&mut peer, lease(1, 5), &format!("echo begun; {}", pipe.wait())).await;
    peer.say(cancel(lease(1, 4))).await;
    assert_eq!(stopped(&mut peer).await, lease(1, 4));
    peer.say(json!({ "type": "settled", "id": lease(1, 5).id, "generation": 5, "status": "accepted" })).await;
    pipe.open().await;
    peer.hear(|frame| matches!(frame, FromAgent::Settle(settle) if settle.generation == 5).then_some(()))
        .await;
}

// The task comes back to the same agent while its earlier attempt still ends: the new one waits for that.
#[tokio::test]
async fn d31_the_next_attempt_waits_for_the_end_of_the_last() {
    let mut hub = Hub::start().await;
    let (_agent, life) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let gone = life.all_gone();
    begun(
        &mut peer,
        lease(1, 1),
        &format!("trap '' TERM; {}; echo begun; sleep 1000; sleep 1000", life.hold()),
    )
    .await;
    peer.say(assign(lease(1, 2), "echo second")).await;
    let told =
        peer.hear(|frame| if let FromAgent::Settle(settle) = frame { Some(settle) } else { None }).await;
    assert_eq!(told.generation, 2);
    tokio::time::timeout(PATIENCE, gone).await.expect("the first is gone").expect("reads");
    assert_eq!(peer.log(lease(1, 2)), "second\n");
}

// D4: a stop that ended while nobody was connected is said on the next connection.
#[tokio::test]
async fn d4_a_stop_is_said_again_after_a_cut() {
    let mut hub = Hub::start().await;
    let (agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    begun(&mut peer, lease(1, 1), &format!("echo begun; {}", pipe.wait())).await;
    peer.say(cancel(lease(1, 1))).await;
    assert_eq!(stopped(&mut peer).await, lease(1, 1));
    agent.holds_nothing().await;
    peer.cut().await;
    assert_eq!(stopped(&mut hub.welcome().await).await, lease(1, 1));
}
