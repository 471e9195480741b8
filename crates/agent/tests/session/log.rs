//! C10, C3: a log arrives whole and once, whatever happens to the connection.

use crate::hub::{Hub, Peer};
use crate::rig::{Agent, Pipe, assign, lease, settled};
use serde_json::json;
use tiltyard_wire::frame::FromAgent;

async fn settle(peer: &mut Peer) {
    peer.hear(|frame| matches!(frame, FromAgent::Settle(_)).then_some(())).await;
}

/// What a shell prints for `seq FIRST LAST`.
fn lines(first: u32, last: u32) -> String {
    (first..=last).map(|number| format!("{number}\n")).collect()
}

// The hub refuses a gap; what it has already it drops.
#[tokio::test]
async fn c3_a_log_is_whole_after_a_cut_without_gap_or_repeat() {
    let mut hub = Hub::start().await;
    let (agent, meanwhile, on) = (Agent::start(hub.client()).await, Pipe::new(), Pipe::new());
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    let script =
        format!("seq 1 50000; {}; seq 50001 60000; {}; seq 60001 100000", meanwhile.wait(), on.wait());
    peer.say(assign(task, &script)).await;
    // In the middle of the first part.
    peer.hear(|frame| matches!(frame, FromAgent::Log(chunk) if chunk.offset > 0).then_some(())).await;
    peer.cut().await;
    let cut = hub.peer().await;
    meanwhile.open().await;
    cut.cut().await;
    let mut peer = hub.welcome().await;
    on.open().await;
    settle(&mut peer).await;
    assert!(hub.log(task) == lines(1, 100_000), "the log is whole");
    peer.say(settled(task, "accepted")).await;
    agent.holds_nothing().await;
}

// The server has more than it could acknowledge: what it has is not sent again.
#[tokio::test]
async fn c3_a_log_goes_on_from_what_the_server_has() {
    let mut hub = Hub::start().await;
    let (_agent, on) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    peer.say(assign(task, &format!("echo first; {}; echo second", on.wait()))).await;
    peer.hear(|frame| matches!(frame, FromAgent::Log(_)).then_some(())).await;
    peer.cut().await;
    let mut peer = hub.welcome().await;
    on.open().await;
    let chunk = peer.hear(|frame| if let FromAgent::Log(chunk) = frame { Some(chunk) } else { None }).await;
    assert_eq!((chunk.offset, chunk.text.as_str()), (6, "second\n"));
}

// Several logs at once, each in its order, none held up by another.
#[tokio::test]
async fn c1_logs_of_several_tasks_are_streamed_side_by_side() {
    let mut hub = Hub::start().await;
    let (_agent, pipe) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    peer.say(assign(lease(1, 1), &format!("echo waits; {}; seq 1 20000", pipe.wait()))).await;
    peer.say(assign(lease(2, 1), "seq 1 50000")).await;
    settle(&mut peer).await;
    assert!(hub.log(lease(2, 1)) == lines(1, 50_000));
    pipe.open().await;
    settle(&mut peer).await;
    assert!(hub.log(lease(1, 1)) == format!("waits\n{}", lines(1, 20_000)));
}

// A frame was not taken; it may have been one of a log, so the agent asks how much has arrived.
#[tokio::test]
async fn c3_a_refused_frame_leaves_no_gap() {
    let mut hub = Hub::start().await;
    let (_agent, on) = (Agent::start(hub.client()).await, Pipe::new());
    let mut peer = hub.welcome().await;
    let task = lease(1, 1);
    peer.say(assign(task, &format!("echo first; {}; echo second", on.wait()))).await;
    peer.hear(|frame| matches!(frame, FromAgent::Log(_)).then_some(())).await;
    hub.lose(task);
    let error = json!({ "type": "error", "code": "overloaded", "detail": "busy", "request_id": "r-1" });
    peer.say(error).await;
    let again = peer.hear(|frame| if let FromAgent::Log(chunk) = frame { Some(chunk) } else { None }).await;
    assert_eq!((again.offset, again.text.as_str()), (0, "first\n"));
    on.open().await;
    settle(&mut peer).await;
    assert_eq!(hub.log(task), "first\nsecond\n");
}
