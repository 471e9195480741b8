//! Events, followed as they happen.

use crate::rig::{Rig, spec};
use std::future::{poll_fn, ready};
use std::pin::pin;
use tiltyard_engine::event::{Filter, Follower, Slow, Start, Step, tail};
use tiltyard_engine::task::submit::submit_batch;
use tiltyard_model::event::Type;
use tiltyard_model::event::cursor::Cursor;
use tiltyard_model::refusal::Code;
use tiltyard_model::task::Spec;

async fn follow(rig: &Rig, start: Start) -> Follower {
    rig.engine.follow(start, vec![Filter::default()], Slow::CatchUp).await.expect("follows")
}

async fn seq(follower: &mut Follower) -> i64 {
    let step = follower.next().await.expect("goes on");
    let Step::Event(event) = &step else { unreachable!("{step:?}") };
    event.seq
}

/// Whether the follower has something at once; asks without waiting, and drops the question.
async fn has_more(follower: &mut Follower) -> bool {
    let mut next = pin!(follower.next());
    poll_fn(|context| std::task::Poll::Ready(next.as_mut().poll(context).is_ready())).await
}

async fn submit_many(rig: &Rig, count: usize) {
    let specs: Vec<Spec> = (0..count).map(|number| spec(&format!("task {number}"))).collect();
    rig.act(move |act| submit_batch(act, &specs)).await.expect("are taken in");
}

fn types(kind: Type) -> Filter {
    Filter { types: Some(vec![kind]), ..Filter::default() }
}

// API20, E5: from the store into the live stream without gap or repeat, while more comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api20_a_stream_resumes_without_gap_or_repeat() {
    let rig = Rig::new().await;
    submit_many(&rig, 700).await;
    let mut follower = follow(&rig, Start::After(Cursor::Oldest)).await;
    let reading = tokio::spawn(async move {
        let mut last = 0;
        while last < 1_200 {
            let next = seq(&mut follower).await;
            assert_eq!(next, last + 1);
            last = next;
        }
        follower
    });
    for _ in 0..500 {
        rig.submit(spec("live")).await;
    }
    let follower = reading.await.expect("reads all");
    assert_eq!(follower.cursor(), "1-1200");
    let mut again = follow(&rig, Start::After(Cursor::parse("1-1198").expect("a cursor"))).await;
    assert_eq!((seq(&mut again).await, seq(&mut again).await), (1_199, 1_200));
}

// API20: without a cursor a stream begins now.
#[tokio::test]
async fn api20_a_stream_without_a_cursor_begins_now() {
    let rig = Rig::new().await;
    submit_many(&rig, 3).await;
    let mut follower = follow(&rig, Start::Now).await;
    assert!(!has_more(&mut follower).await);
    rig.submit(spec("live")).await;
    assert_eq!(seq(&mut follower).await, 4);
}

// A question that was dropped while it waited loses nothing.
#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let rig = Rig::new().await;
    let mut follower = follow(&rig, Start::Now).await;
    for number in 1..=50 {
        assert!(!has_more(&mut follower).await);
        rig.submit(spec("live")).await;
        assert_eq!(seq(&mut follower).await, number);
        tokio::select! { biased; _ = ready(()) => {} _ = follower.next() => panic!("was not asked") }
    }
}

// API21: a reader that is too slow costs no memory: it gets what it missed from the store, or is told where to resume.
#[tokio::test]
async fn api21_a_slow_reader_falls_back_to_the_store() {
    let rig = Rig::new().await;
    let missed = tail::MAX_RING_EVENTS as i64 + 500;
    let mut patient = follow(&rig, Start::Now).await;
    let told = vec![Filter::default()];
    let mut told = rig.engine.follow(Start::Now, told, Slow::Tell).await.expect("follows");
    for follower in [&mut patient, &mut told] {
        assert!(!has_more(follower).await);
    }
    submit_many(&rig, missed as usize).await;
    // The newest follower hears when the tail has read all of it.
    while rig.engine.tail().seen() < missed {
        tokio::task::yield_now().await;
    }
    for number in 1..=missed {
        assert_eq!(seq(&mut patient).await, number);
    }
    assert_eq!(told.next().await.expect("is told"), Step::Lagged("1-0".into()));
    let resumed = Start::After(Cursor::parse("1-0").expect("a cursor"));
    let mut resumed = rig.engine.follow(resumed, vec![Filter::default()], Slow::Tell).await.expect("follows");
    for number in 1..=missed {
        assert_eq!(seq(&mut resumed).await, number);
    }
    rig.submit(spec("live")).await;
    assert_eq!((seq(&mut resumed).await, seq(&mut patient).await), (missed + 1, missed + 1));
}

// API22: who has nothing to do with what happens is not woken, and does not fall behind by it.
#[tokio::test]
async fn api22_a_follower_of_other_things_is_not_lagging() {
    let rig = Rig::new().await;
    let filters = vec![types(Type::ScopeSaved), types(Type::TaskCancelled)];
    let mut follower = rig.engine.follow(Start::Now, filters, Slow::Tell).await.expect("follows");
    assert!(!has_more(&mut follower).await);
    let many = tail::MAX_RING_EVENTS + 500;
    submit_many(&rig, many).await;
    while rig.engine.tail().seen() < many as i64 {
        tokio::task::yield_now().await;
    }
    rig.act(|act| tiltyard_engine::scope::put(act, "team", "")).await.expect("makes");
    assert_eq!(seq(&mut follower).await, many as i64 + 1);
}

// API21: filters change at run time.
#[tokio::test]
async fn api21_filters_change_while_following() {
    let rig = Rig::new().await;
    let mut follower = rig.engine.follow(Start::Now, Vec::new(), Slow::Tell).await.expect("follows");
    rig.submit(spec("unseen")).await;
    follower.refilter(vec![types(Type::ScopeSaved)]);
    rig.submit(spec("unseen")).await;
    rig.act(|act| tiltyard_engine::scope::put(act, "team", "")).await.expect("makes");
    assert_eq!(seq(&mut follower).await, 3);
    assert_eq!(rig.engine.tail().followers(), 1);
    drop(follower);
    assert_eq!(rig.engine.tail().followers(), 0);
}

// SEC4: a follower gets the events of its scopes only.
#[tokio::test]
async fn sec4_a_follower_sees_its_scopes_only() {
    let rig = Rig::new().await;
    rig.act(|act| tiltyard_engine::scope::put(act, "a", "")).await.expect("makes");
    let own = Filter { scopes: Some(vec!["a".into()]), ..Filter::default() };
    for start in [Start::After(Cursor::Oldest), Start::Now] {
        let mut follower = rig.engine.follow(start, vec![own.clone()], Slow::CatchUp).await.expect("follows");
        for scope in ["default", "a", "default"] {
            rig.submit(Spec { scope: scope.into(), ..spec("one") }).await;
        }
        for _ in 0..2 - usize::from(start == Start::Now) {
            let Step::Event(event) = follower.next().await.expect("goes on") else { panic!("lagged") };
            assert_eq!(event.scope, "a");
        }
        let held = has_more(&mut follower).await;
        assert!(!held);
    }
}

// API22: many followers share one read of the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api22_many_followers_hear_the_same() {
    let rig = Rig::new().await;
    let mut readers = Vec::new();
    for number in 0..300 {
        let filter = if number % 3 == 0 { types(Type::TaskSubmitted) } else { types(Type::TaskDead) };
        let mut follower = rig.engine.follow(Start::Now, vec![filter], Slow::Tell).await.expect("follows");
        if number % 3 == 0 {
            readers.push(tokio::spawn(async move {
                let mut seqs = Vec::new();
                while seqs.len() < 40 {
                    seqs.push(seq(&mut follower).await);
                }
                seqs
            }));
        } else {
            readers.push(tokio::spawn(async move {
                assert!(!has_more(&mut follower).await);
                Vec::new()
            }));
        }
    }
    for _ in 0..40 {
        rig.submit(spec("one")).await;
    }
    let all: Vec<i64> = (1..=40).collect();
    for reader in readers {
        let seqs = reader.await.expect("reads all");
        assert!(seqs.is_empty() || seqs == all);
    }
}

#[tokio::test]
async fn a_cursor_that_cannot_be_followed_is_refused() {
    let rig = Rig::new().await;
    let start = Start::After(Cursor::parse("1-7").expect("a cursor"));
    let refused = rig.engine.follow(start, vec![Filter::default()], Slow::CatchUp).await;
    assert_eq!(refused.err().map(|refusal| refusal.code), Some(Code::EpochChanged));
    assert_eq!(rig.engine.tail().followers(), 0);
}
