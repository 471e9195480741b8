//! kill -9 under load, again and again: nothing acknowledged is lost, nothing is taken twice, the log has no holes.

use crate::check::assert_whole;
use crate::fold::fold;
use crate::line::Line;
use crate::load::Load;
use crate::measure::Times;
use crate::seen::{Log, Seen, look, look_closely, read};
use crate::server::{Server, Yard};
use std::time::Duration;

/// Cycles of one run; `CHAOS_CYCLES` sets another number.
const CYCLES: usize = 20;
/// Answers of success between two kills: at least, and how many more by chance.
const HEARD: (u64, u64) = (40, 120);
/// A restart answers within this on a machine that does nothing else.
const MAX_RESTART: Duration = Duration::from_secs(1);
/// Bounds the failure of tasks that are never finished.
const MAX_DRAIN: Duration = Duration::from_secs(60);
/// The states that no task leaves by itself.
const FINALS: [&str; 3] = ["succeeded", "dead", "cancelled"];
/// Unfinished tasks that a failed test shows.
const SHOWN_TASKS: usize = 5;
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
    let began = std::time::Instant::now();
    drained(&server, &mut log, &load).await;
    println!("drained in {} ms", began.elapsed().as_millis());
    let heard = *load.ledger.heard().borrow();
    let ledger = load.stop().await;
    let seen = look_closely(&server, &mut log).await;
    assert_whole(&ledger, &seen);
    assert_followed(&server, &log).await;
    told(&seen, &restarts, heard);
    assert!(restarts.shortest() <= MAX_RESTART, "a restart answers within a second: {restarts}");
}

/// Waits until every task is final. A hand that met what it must not meet leaves its work behind: that is told first.
pub(crate) async fn drained(server: &Server, log: &mut Log, load: &Load) {
    let mut line = server.line();
    let all = tokio::time::timeout(MAX_DRAIN, async {
        loop {
            log.follow(&mut line).await;
            if fold(&log.events).0.values().all(|story| FINALS.contains(&story.state.as_str())) {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    if all.await.is_err() {
        let faults = load.ledger.book().faults.clone();
        let stuck = stuck(&mut line, log, load).await;
        panic!("tasks that do not come to their end: {stuck}\nwhat the hands met: {faults:#?}");
    }
}

/// Where the unfinished tasks stand, and why.
async fn stuck(line: &mut Line, log: &Log, load: &Load) -> String {
    let (stories, _) = fold(&log.events);
    let open = stories.iter().filter(|(_, story)| !FINALS.contains(&story.state.as_str()));
    let mut said = format!("{} of {} tasks; the first are:\n", open.clone().count(), stories.len());
    for (id, story) in open.take(SHOWN_TASKS) {
        let why = read(line, &format!("/tasks/{id}/why")).await;
        let task = read(line, &format!("/tasks/{id}")).await;
        let attempts = read(line, &format!("/tasks/{id}/attempts")).await;
        let handed = load.ledger.book().handed.get(&((*id).to_owned(), story.generation)).cloned();
        said.push_str(&format!("{id} {story:?}, heard of by {handed:?}\n  {why}\n  {task}\n  {attempts}\n"));
        for event in log.events.iter().filter(|event| event["subject"] == *id) {
            said.push_str(&format!("  {event}\n"));
        }
    }
    said
}

/// E5: who followed the log over all those servers has seen what somebody sees who reads it now.
pub(crate) async fn assert_followed(server: &Server, log: &Log) {
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
