//! kill -9 under load, again and again: nothing acknowledged is lost, nothing is taken twice, the log has no holes.

use crate::check::assert_whole;
use crate::fold::fold;
use crate::load::Load;
use crate::measure::Times;
use crate::seen::{Log, Seen, look, look_closely};
use crate::server::{Server, Yard};
use std::time::Duration;

/// Cycles of one run; `CHAOS_CYCLES` sets another number.
const CYCLES: usize = 20;
/// Answers of success between two kills: at least, and how many more by chance.
const HEARD: (u64, u64) = (40, 120);
/// A restart answers within this on a machine that does nothing else.
const MAX_RESTART: Duration = Duration::from_secs(1);
/// Bounds the failure of tasks that are never finished.
const MAX_DRAIN: Duration = Duration::from_secs(180);
/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn cycles() -> usize {
    std::env::var("CHAOS_CYCLES").ok().map_or(CYCLES, |text| text.parse().expect("CHAOS_CYCLES is a number"))
}

// E1, E3, E4, E5, E8, D50, D51, API5: 20 cycles of kill -9 of the server under load, with a ledger beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_e3_e4_e8_nothing_acknowledged_is_lost_by_kill_9() {
    let (yard, load) = (Yard::new(), Load::new());
    let (mut log, mut restarts) = (Log::default(), Times::default());
    let mut server = yard.start().await;
    for cycle in 0..cycles() as u64 {
        load.go(&server);
        load.heard(HEARD.0 + cycle.wrapping_mul(0x9e37_79b9_7f4a_7c15) % HEARD.1).await;
        server.kill().await;
        server = yard.start().await;
        restarts.add(server.answered_after);
        let seen = look(&server, &mut log).await;
        assert_whole(&load.ledger, &seen);
    }
    load.go(&server);
    load.drain();
    drained(&server, &mut log).await;
    let heard = *load.ledger.heard().borrow();
    let ledger = load.stop().await;
    let seen = look_closely(&server, &mut log).await;
    assert_whole(&ledger, &seen);
    assert_followed(&server, &log).await;
    told(&seen, &restarts, heard);
    assert!(restarts.shortest() <= MAX_RESTART, "a restart answers within a second: {restarts}");
}

/// Waits until every task is final.
async fn drained(server: &Server, log: &mut Log) {
    let mut line = server.line();
    let all = tokio::time::timeout(MAX_DRAIN, async {
        loop {
            log.follow(&mut line).await;
            let finals = ["succeeded", "dead", "cancelled"];
            if fold(&log.events).0.values().all(|story| finals.contains(&story.state.as_str())) {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    all.await.expect("every task comes to its end");
}

/// E5: who followed the log over all those servers has seen what somebody sees who reads it now.
async fn assert_followed(server: &Server, log: &Log) {
    let mut anew = Log::default();
    anew.follow(&mut server.line()).await;
    assert_eq!(anew.events.len(), log.events.len());
    assert!(anew.events == log.events, "an event is not what it was");
}

fn told(seen: &Seen, restarts: &Times, heard: u64) {
    let attempts = seen.attempts.as_ref().map_or(0, |all| all.values().map(Vec::len).sum::<usize>());
    let lost = seen.events.iter().filter(|event| event["type"] == "tiltyard.task.lease_lost").count();
    println!(
        "{} cycles: {heard} answers, {} tasks, {attempts} attempts, {lost} leases lost, {} events; restarts {restarts}",
        cycles(),
        seen.tasks.len(),
        seen.events.len(),
    );
}
