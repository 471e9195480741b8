//! What a restart finds again, and what the log tells.

use crate::rig::{Rig, request, spec};
use std::pin::pin;
use tiltyard_engine::task::claim::{Request, claim, give_back, wait};
use tiltyard_engine::task::submit::submit;
use tiltyard_engine::{Engine, Options, Pass};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Spec, State};
use tiltyard_store::event;
use tokio::time::Duration;

async fn log(rig: &Rig) -> Vec<event::Event> {
    let read = |rows: &tiltyard_store::Rows| {
        event::after(rows, 0, &event::Filter::default(), 100_000).map_err(tiltyard_engine::act::refusal_of)
    };
    rig.engine.read(read).await.expect("reads")
}

// D50, D51, E5: gap-free in the store and in the scope, also across refusals and restarts.
#[tokio::test]
async fn d51_the_log_is_gap_free_across_refusals_and_restarts() {
    let mut rig = Rig::new().await;
    for round in 0..20 {
        let id = rig.submit(spec("x")).await;
        rig.try_submit(Spec { priority: 0, ..spec("bad") }).await.expect_err("is refused");
        let broken: Result<(), Refusal> = rig
            .act(move |act| {
                submit(act, &spec("taken back"))?;
                Err(Refusal::new(Code::Invalid, "after all, no"))
            })
            .await;
        assert!(broken.is_err());
        rig.claim("a").await.expect("is ready");
        rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
        if round % 7 == 6 {
            rig.restart().await;
        }
    }
    let events = log(&rig).await;
    assert!(events.iter().enumerate().all(|(index, event)| event.seq == index as i64 + 1));
    let scoped: Vec<i64> =
        events.iter().filter(|event| event.scope == "default").map(|event| event.scope_seq).collect();
    assert_eq!(scoped, (1..=scoped.len() as i64).collect::<Vec<_>>());
    assert_eq!(scoped.len(), 60, "one event a move, none for what was taken back");
}

// A panic inside a deed is an answer, and takes its own work back only.
#[tokio::test]
async fn a_panic_in_a_deed_takes_only_its_own_work_back() {
    let rig = Rig::new().await;
    let broken: Result<(), Refusal> = rig
        .act(|act| {
            submit(act, &spec("taken back"))?;
            panic!("a fault of ours")
        })
        .await;
    assert_eq!(broken.expect_err("is refused").code, Code::Internal);
    let id = rig.submit(spec("after")).await;
    assert_eq!(rig.claim("a").await.expect("is ready").found.task.id, id);
    assert!(rig.claim("a").await.is_none());
}

// E10: one data folder, one server.
#[tokio::test]
async fn e10_a_second_server_is_turned_away_embedded() {
    let rig = Rig::new().await;
    let second = Engine::open(Options::new(rig.folder.path())).await.err().expect("is turned away");
    assert!(second.to_string().contains("another tiltyard server is using"), "{second}");
    rig.submit(spec("the first works on")).await;
}

// A parked claim is fed by the submission that comes after it.
#[tokio::test]
async fn a_waiting_claim_is_fed_by_the_next_submission() {
    let rig = Rig::new().await;
    let wanted = request("a");
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        let taken = claim(act, &wanted)?;
        Ok((!taken.is_empty()).then_some(taken))
    };
    let waiting = rig.engine.wait(Pass::system(), deed, |_, _| Ok(())).expect("waits");
    let id = rig.submit(spec("x")).await;
    let taken = waiting.at_most(Duration::from_secs(30)).await.expect("answers").expect("is fed");
    assert_eq!(taken[0].found.task.id, id);
}

// A claim whose caller is gone takes nothing, or gives it back uncounted.
#[tokio::test]
async fn a_claim_whose_caller_is_gone_takes_nothing() {
    let rig = Rig::new().await;
    let wanted = request("gone");
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        let taken = claim(act, &wanted)?;
        Ok((!taken.is_empty()).then_some(taken))
    };
    drop(rig.engine.wait(Pass::system(), deed, |act, taken| give_back(act, &taken)).expect("waits"));
    let id = rig.submit(spec("x")).await;
    assert_eq!(rig.claim("here").await.expect("is ready").found.task.id, id);
}

// D3: who asks again for a lost answer gets it from a door that has no time for anybody, too: "nothing" is said by
// somebody who has looked.
#[tokio::test]
async fn d3_a_claim_asked_again_is_answered_however_busy_the_door_is() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    let asked = Request { claim_id: Some("c1".into()), ..request("a") };
    assert_eq!(rig.claim_as(asked.clone()).await.len(), 1);
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let busy = rig.act(move |_| {
        begun.send(()).expect("the test lives");
        held.recv().expect("the test lives");
        Ok(())
    });
    let again = async {
        has_begun.await.expect("the door works");
        let waiting = wait(&rig.engine, Pass::system(), asked).expect("waits");
        let mut answer = pin!(waiting.until(std::future::ready(())));
        tokio::select! {
            biased;
            answer = &mut answer => panic!("nobody can have looked: {answer:?}"),
            () = tokio::task::yield_now() => {}
        }
        release.send(()).expect("the door waits");
        answer.await.expect("answers").expect("the same comes back")
    };
    let (busy, again) = tokio::join!(busy, again);
    busy.expect("is done");
    assert_eq!((again[0].found.task.id, again[0].found.task.generation), (id, 1));
}

// E7: beyond its line the door turns work away, and what was acknowledged stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_a_full_line_is_turned_away_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let engine = Engine::open(Options { max_queued: 4, ..Options::new(folder.path()) }).await.expect("opens");
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..400 {
        let engine = std::sync::Arc::clone(&engine);
        let deed = |act: &mut tiltyard_engine::Act<'_>| submit(act, &spec("x")).map(|submitted| submitted.id);
        asked
            .spawn(async move { engine.enter(Pass::system(), tiltyard_engine::Urgency::Normal, deed).await });
    }
    let answers = asked.join_all().await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let shed = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(shed.clone().all(|refusal| refusal.code == Code::Overloaded && refusal.retry_after_ms.is_some()));
    assert!(shed.count() > 0, "the line was never full");
    let all = Request { max: 1_000, ..request("a") };
    let found =
        engine.enter(Pass::system(), tiltyard_engine::Urgency::Urgent, move |act| claim(act, &all)).await;
    assert_eq!(found.expect("claims").len(), taken);
}

// The counts on screens are what is in the store, before and after a restart.
#[tokio::test]
async fn counts_are_kept_and_found_again() {
    let mut rig = Rig::new().await;
    let id = rig.submit(spec("one")).await;
    rig.submit(spec("two")).await;
    rig.claim("a").await.expect("is ready");
    rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
    async fn counts(rig: &Rig) -> Result<[i64; 8], Refusal> {
        let deed = |act: &mut tiltyard_engine::Act<'_>| {
            let scope = act.scope_key("default")?;
            let queue = act.queue_key(scope, "default")?;
            Ok(act.memory.counts.of(queue))
        };
        rig.act(deed).await
    }
    let before = counts(&rig).await.expect("counts");
    assert_eq!((before[State::Ready as usize], before[State::Succeeded as usize]), (1, 1));
    rig.restart().await;
    assert_eq!(counts(&rig).await, Ok(before));
}

// O21: what is counted is counted once, after its commit; what is taken back is not.
#[tokio::test]
async fn o21_the_door_counts_what_was_committed() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("one")).await;
    rig.try_submit(Spec { priority: 0, ..spec("bad") }).await.expect_err("is refused");
    let _: Result<(), Refusal> = rig
        .act(|act| {
            submit(act, &spec("taken back"))?;
            Err(Refusal::new(Code::Invalid, "after all, no"))
        })
        .await;
    rig.clock.advance(250);
    rig.claim("a").await.expect("is ready");
    assert!(rig.claim("a").await.is_none());
    rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
    // A further deed waits until the counts of the one before are made.
    rig.act(|_| Ok(())).await.expect("passes");
    let metrics = rig.engine.door().metrics();
    let counts =
        [&metrics.submitted, &metrics.started, &metrics.finished, &metrics.idle_claims].map(|one| one.get());
    assert_eq!(counts, [1, 1, 1, 1]);
    let start = metrics.start_us.shot();
    assert_eq!((start.count, start.sum), (1, 250_000));
    assert_eq!(metrics.claim_us.shot().count, 1);
}
