//! Two memories and the pages between them.

use super::*;
use crate::clock::Now;
use crate::journal;
use crate::memory::connection::Heard;
use crate::memory::lease::{Lease, Sort};
use crate::memory::name::Queue;
use crate::memory::ready::Want;
use crate::memory::redo::HEARD_EVERY_MS;
use std::sync::Arc;
use tiltyard_model::agent::Resources;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Settings;
use tiltyard_model::role::Reach;
use tiltyard_model::scope::Scope;
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::Stop;
use tiltyard_model::task::lease::STOP_CONFIRM_MS;

/// A memory that writes down, with scopes 1 and 2, each with a queue and a lane of its own number.
fn writer() -> Memory {
    let mut memory = Memory::default();
    memory.write_down();
    for key in [1, 2] {
        let name = format!("s{key}");
        let lane = Lane {
            scope: name.clone(),
            queue: "q".into(),
            capabilities: Vec::new(),
            assign_to: None,
            concurrency: None,
            rate: None,
            category: None,
            kind: None,
        };
        memory.know_scope(key, Scope { name, description: String::new(), created_at: 0 }, 0);
        memory.know_queue(Queue { key, scope: key, name: "q".into(), settings: Settings::default() });
        memory.know_lane(key, key, Arc::new(lane));
    }
    memory
}

/// Commits, and lets the other one read of it.
fn commit(memory: &mut Memory, other: &mut Memory) -> Option<CaughtUp> {
    let page = memory.page(&[]).expect("has a form");
    memory.commit();
    page.map(|page| other.catch_up(journal::read(&page).expect("is whole")).expect("follows on"))
}

fn both() -> (Memory, Memory) {
    let (mut one, mut other) = (writer(), Memory::default());
    other.write_down();
    commit(&mut one, &mut other).expect("a page");
    (one, other)
}

fn lease(task: i64, lane: i64) -> Lease {
    Lease {
        task,
        generation: 1,
        lane,
        agent: 9,
        instance: None,
        claim: None,
        lease_ms: 30_000,
        expires: 30_000,
        times_out: 40_000,
        used: 0,
        sort: Sort::Plain,
        stop: None,
    }
}

fn want() -> Want {
    Want {
        agent: "a".into(),
        capabilities: Vec::new(),
        kinds: None,
        queues: Vec::new(),
        reach: Reach::All,
        allowed: None,
    }
}

// Decision 5: what was taken back is told to nobody, and what stood before and after it is.
#[test]
fn a_deed_that_was_taken_back_is_on_no_page() {
    let (mut one, mut other) = both();
    one.make_ready(1, 10, 0, 5);
    let mark = one.mark();
    one.make_ready(1, 11, 0, 5);
    one.count_move(1, None, Some(State::Ready));
    one.rollback_to(mark);
    one.make_ready(1, 12, 0, 5);
    assert!(commit(&mut one, &mut other).expect("a page").claimable);
    assert_eq!(one.shared_summary(), other.shared_summary());
    assert_eq!(other.ready.len(), 2);
    one.make_ready(1, 13, 0, 5);
    one.rollback();
    assert_eq!(commit(&mut one, &mut other), None, "nothing happened");
}

// E9: without anybody who wants the journal, none is written.
#[test]
fn nobody_pays_for_a_journal_that_nobody_reads() {
    let mut memory = Memory::default();
    memory.count_move(1, None, Some(State::Ready));
    assert_eq!(memory.page(&[]), Ok(None));
}

// E11: whether a claim that waits here is worth another try.
#[test]
fn e11_only_what_can_be_claimed_wakes_a_claim() {
    let (mut one, mut other) = both();
    one.make_ready(1, 10, 0, 5);
    one.put_lease(lease(20, 2));
    assert!(commit(&mut one, &mut other).expect("a page").claimable);
    one.prolong_lease(20, 30_000, 60_000);
    one.count_move(1, None, Some(State::Waiting));
    assert!(!commit(&mut one, &mut other).expect("a page").claimable, "a heartbeat wakes nobody");
    one.end_lease(20);
    assert!(commit(&mut one, &mut other).expect("a page").claimable, "a slot is free");
}

// D6: scopes take turns, whichever server they are served by.
#[test]
fn d6_a_turn_that_was_taken_elsewhere_has_passed_here() {
    let (mut one, mut other) = both();
    for task in 0..4 {
        one.make_ready(1, 10 + task, 0, 5);
        one.make_ready(2, 20 + task, 0, 5);
    }
    commit(&mut one, &mut other);
    let (mut here, mut there) = (&mut one, &mut other);
    let mut scopes = Vec::new();
    for _ in 0..6 {
        let pick = here.hints().ready.next(&want(), 0).expect("is ready");
        here.take_out(pick.lane, pick.place);
        here.put_lease(lease(pick.task, pick.lane));
        scopes.push(pick.scope);
        commit(here, there);
        std::mem::swap(&mut here, &mut there);
    }
    assert_eq!(scopes, [1, 2, 1, 2, 1, 2]);
}

// D30: an agent that goes on speaking is told of now and then, also when a transaction was lost in between.
#[test]
fn d30_others_hear_of_an_agent_now_and_then() {
    let (mut one, mut other) = both();
    let mut speak = |at: i64, commits: bool| {
        one.hear(9, Now { wall: 1_000_000 + at, steady: at });
        if commits {
            commit(&mut one, &mut other);
        } else {
            one.page(&[]).expect("has a form");
            one.rollback();
        }
        other.presence.get(&9).map(|(_, steady)| *steady)
    };
    assert_eq!(speak(0, true), Some(0));
    assert_eq!(speak(HEARD_EVERY_MS - 1, true), Some(0));
    assert_eq!(speak(HEARD_EVERY_MS, false), Some(0), "nobody was told");
    assert_eq!(speak(HEARD_EVERY_MS + 1, true), Some(HEARD_EVERY_MS + 1));
    assert_eq!(speak(HEARD_EVERY_MS + 2, true), Some(HEARD_EVERY_MS + 1));
}

// E4: after an outage every lease has its full length again, and nobody was silent meanwhile.
#[test]
fn e4_leases_begin_anew_and_can_be_taken_back() {
    let (mut one, mut other) = both();
    one.put_lease(lease(10, 1));
    one.put_lease(Lease { stop: Some(Stop::Requested), times_out: i64::MAX, ..lease(11, 1) });
    one.online(9);
    one.hear(9, Now { wall: 0, steady: 0 });
    commit(&mut one, &mut other);
    let before = one.shared_summary();
    one.leases_anew(600_000, 0);
    let ends = |memory: &Memory, task| memory.leases.get(task).map(|lease| (lease.expires, lease.times_out));
    assert_eq!(ends(&one, 10), Some((630_000, 630_000)));
    assert_eq!(ends(&one, 11), Some((600_000 + STOP_CONFIRM_MS, i64::MAX)));
    assert!(one.leases.due(629_999, 10).iter().all(|lease| lease.task == 11));
    one.rollback();
    assert_eq!((one.shared_summary(), one.presence[&9]), (before, (0, 0)));
    one.leases_anew(600_000, 0);
    commit(&mut one, &mut other);
    assert_eq!(one.shared_summary(), other.shared_summary());
    assert_eq!(other.presence[&9], (0, 600_000));
}

// E4, decision 5: what is left of an attempt's time is left of it on a database's clock that was set, whichever way; and who spoke last
// before it was set back is not taken for there until it comes to that moment again.
#[test]
fn e4_a_clock_that_was_set_takes_no_attempts_time_and_gives_it_none() {
    const HOUR_MS: i64 = 3_600_000;
    for jumped_ms in [HOUR_MS, -HOUR_MS] {
        let (mut one, mut other) = both();
        let now = 2 * HOUR_MS;
        one.put_lease(Lease { expires: now + 30_000, times_out: now + 50_000, ..lease(10, 1) });
        one.put_lease(Lease { stop: Some(Stop::Requested), times_out: i64::MAX, ..lease(11, 1) });
        one.put_lease(Lease { expires: now + 20_000, times_out: now + 20_000, ..lease(12, 1) });
        one.online(9);
        [8, 9].into_iter().for_each(|agent| one.hear(agent, Now { wall: now, steady: now }));
        commit(&mut one, &mut other);
        let (before, then) = (one.shared_summary(), now + jumped_ms);
        one.leases_anew(then, jumped_ms);
        let ends =
            |memory: &Memory, task| memory.leases.get(task).map(|lease| (lease.expires, lease.times_out));
        assert_eq!(ends(&one, 10), Some((then + 30_000, then + 50_000)));
        assert_eq!(ends(&one, 11), Some((then + STOP_CONFIRM_MS, i64::MAX)));
        assert_eq!(
            ends(&one, 12),
            Some((then + 30_000, then + 30_000)),
            "it has as long to say how it ended"
        );
        let heard = |memory: &Memory| [8, 9].map(|agent| memory.presence[&agent].1);
        assert_eq!(heard(&one), [now.min(then), then]);
        one.rollback();
        assert_eq!((one.shared_summary(), heard(&one)), (before, [now, now]));
        one.leases_anew(then, jumped_ms);
        commit(&mut one, &mut other);
        assert_eq!((one.shared_summary(), heard(&one)), (other.shared_summary(), heard(&other)));
    }
}

// D30, D31: memory that is made anew brings back neither who was found silent nor who was removed meanwhile, takes no older
// connection for newer, and has everybody who is connected begin anew.
#[test]
fn d31_memory_made_anew_brings_nobody_back() {
    let (mut one, _) = both();
    let agent = |key: i64, last_seen| Agent {
        name: format!("a{key}"),
        instance: Some("i".into()),
        profile: Default::default(),
        draining: false,
        created_at: 0,
        last_seen,
        record: Default::default(),
    };
    for key in 1..=3 {
        one.know_agent(key, agent(key, None));
        one.know_connection(key, 7);
        one.online(key);
        one.hear(key, Now { wall: 10, steady: 10 });
    }
    one.commit();
    // Meanwhile the second was found silent and the third deleted.
    let mut parts = Parts::default();
    parts.put_agent(1, agent(1, None));
    parts.put_agent(2, agent(2, Some(20)));
    parts.presence.insert(1, (50, 50));
    parts.connections.insert(1, Link { number: 9, is_open: true });
    assert_eq!(one.begin_anew(Memory::new(parts)), [Effect::LostTrack]);
    assert_eq!(one.online, [1].into());
    assert_eq!((one.presence.get(&1), one.presence.get(&3)), (Some(&(50, 50)), None));
    let links = [1, 2, 3].map(|key| one.connections.get(&key).map(|link| (link.number, link.is_open)));
    assert_eq!(links, [Some((9, true)), Some((7, false)), None]);
}

// E11: a server that comes after the one that an agent was connected to was killed knows of the agent what those know that heard of it.
#[test]
fn e11_who_has_only_heard_of_an_agent_tells_of_it_too() {
    let (mut one, mut other) = both();
    one.know_connection(9, 7);
    one.online(9);
    one.serve(9, Some(&Reach::All));
    one.hear(9, Now { wall: 10, steady: 10 });
    commit(&mut one, &mut other);
    drop(one);
    let mut late = Memory::default();
    late.write_down();
    late.hints().presence.insert(9, (50, 50));
    late.ask_others();
    commit(&mut late, &mut other).expect("it asks");
    commit(&mut other, &mut late).expect("it is answered");
    assert!(late.is_connected(9) && late.online.contains(&9));
    let served = |memory: &Memory| memory.served.get(&9).map(Reach::to_list);
    assert_eq!(served(&late), served(&other));
    assert_eq!(late.shown(9), other.shown(9));
    assert_eq!(late.shown(9).map(|heard| heard.wall), Some(10), "not when the late one started");
    late.end_connection(9);
    commit(&mut late, &mut other).expect("a page");
    assert!(!other.is_connected(9), "who leads ends it everywhere");
}

// E11: the same word, told again by who knows less of it, takes nothing away.
#[test]
fn e11_an_answer_takes_nothing_away() {
    let (mut one, mut other) = both();
    let resources = Resources { slots_used: 4, ..Resources::default() };
    one.know_connection(9, 7);
    one.hints().machines.insert(9, resources);
    one.hear(9, Now { wall: 10, steady: 10 });
    commit(&mut one, &mut other);
    let heard = other.shown(9).expect("is known");
    assert_eq!(heard.resources, Some(resources));
    other.hints().tell(9, Heard { resources: None, ..heard });
    assert_eq!(other.shown(9), Some(heard));
    other.hints().tell(9, Heard { resources: None, steady: 11, ..heard });
    assert_eq!(other.shown(9).and_then(|heard| heard.resources), None, "a later word is another");
    // One that has missed its next connection tells of the one before.
    other.know_connection(9, 8);
    one.know_connection(9, 7);
    commit(&mut one, &mut other);
    assert_eq!(other.connections.get(&9).map(|link| link.number), Some(8));
}

// Keys: no two servers give one key to two things.
#[test]
fn keys_go_on_where_the_other_server_stopped() {
    let (mut one, mut other) = both();
    one.hints().last_key = 500;
    commit(&mut one, &mut other);
    assert_eq!(other.last_key, 500);
    assert_eq!(commit(&mut other, &mut one), None, "what was heard is not told again");
}

#[test]
fn a_page_that_is_missing_is_noticed() {
    let (mut one, mut other) = both();
    one.next_seq(1);
    one.page(&[]).expect("has a form");
    one.commit();
    one.next_seq(1);
    let page = one.page(&[]).expect("has a form").expect("a page");
    let page = journal::read(&page).expect("is whole");
    assert_eq!(other.catch_up(page), Err(OutOfStep { told: 2, here: 1 }));
}
