//! Leases: lost, prolonged, told apart by process.

use crate::rig::{Rig, request, spec};
use tiltyard_engine::agent::{
    Hello, LinkStanding, get, hello, is_superseded, notice_silence, present, supersede,
};
use tiltyard_engine::task::claim::Request;
use tiltyard_engine::task::heartbeat::{Beat, Held, beat, renew_all};
use tiltyard_model::agent::Profile;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Spec, State};

fn of(instance: &str) -> Request {
    Request { instance: Some(instance.into()), ..request("a") }
}

// D3, D9: a lease ends `lease_ms` after its last renewal; one message renews all.
#[tokio::test]
async fn d9_one_message_renews_all_leases() {
    let rig = Rig::new().await;
    let (kept, lost) = (rig.submit(spec("kept")).await, rig.submit(spec("lost")).await);
    rig.claim_as(Request { max: 2, ..of("i1") }).await;
    rig.pass_ms(20_000).await;
    let held = [Held { id: kept, generation: 1 }, Held { id: lost, generation: 7 }];
    let standing =
        rig.act(move |act| renew_all(act, "a", Some("i1"), None, &held)).await.expect("is renewed");
    assert_eq!(standing.keep, [held[0]]);
    assert_eq!(standing.drop, [(held[1], Code::StaleGeneration)]);
    rig.pass_ms(10_000).await;
    assert_eq!((rig.state(kept).await, rig.state(lost).await), (State::Running, State::Ready));
    assert_eq!(rig.story(lost).await, ["submitted", "leased", "lease_lost"]);
    assert_eq!(rig.get(lost).await.task.used, 1, "a lost lease counts");
    assert_eq!(rig.settle(lost, 1, Outcome::Succeeded).await, Err(Code::StaleGeneration));
}

#[tokio::test]
async fn a_lost_last_attempt_is_death() {
    let rig = Rig::new().await;
    let id = rig.submit(Spec { max_attempts: 1, ..spec("x") }).await;
    rig.claim("a").await.expect("is ready");
    rig.pass_ms(30_000).await;
    assert_eq!(rig.state(id).await, State::Dead);
}

// D3: a new process that says it holds nothing ends the old leases at once; the same process does not.
#[tokio::test]
async fn d3_a_new_process_ends_the_old_leases() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    rig.claim_as(of("i1")).await;
    rig.act(|act| renew_all(act, "a", Some("i1"), None, &[])).await.expect("is taken");
    assert_eq!(rig.state(id).await, State::Running);
    rig.act(|act| renew_all(act, "a", Some("i2"), None, &[])).await.expect("is taken");
    assert_eq!(rig.state(id).await, State::Ready);
    assert_eq!(rig.get(id).await.task.used, 1);
}

// D31: on reconnect each lease that is named is kept or dropped by generation; one that the same process never got
// goes back uncounted.
#[tokio::test]
async fn d31_hello_sorts_the_leases_out() {
    let rig = Rig::new().await;
    let (held, missed) = (rig.submit(spec("held")).await, rig.submit(spec("missed")).await);
    rig.claim_as(Request { max: 2, ..of("i1") }).await;
    let names = [Held { id: held, generation: 1 }, Held { id: missed, generation: 9 }];
    let word =
        Hello { name: "a".into(), instance: "i1".into(), profile: Profile::default(), holds: names.to_vec() };
    let standing = rig.act(move |act| hello(act, &word)).await.expect("is welcome");
    assert_eq!((standing.keep.len(), standing.drop.len()), (1, 1));
    assert_eq!((rig.state(held).await, rig.state(missed).await), (State::Running, State::Ready));
    assert_eq!(rig.get(missed).await.task.used, 0);
    assert_eq!(rig.story(missed).await, ["submitted", "leased", "released"]);
}

// D30: the log tells each coming and going of an agent once, whether its process is the same or not.
#[tokio::test]
async fn d30_the_log_tells_when_an_agent_comes_and_goes() {
    let mut rig = Rig::new().await;
    let says = |instance: &str| Hello {
        name: "a".into(),
        instance: instance.into(),
        profile: Profile::default(),
        holds: Vec::new(),
    };
    for (instance, silence_ms) in [("i1", 0), ("i1", 30_000), ("i1", 0), ("i2", 0)] {
        let word = says(instance);
        rig.act(move |act| hello(act, &word)).await.expect("is welcome");
        rig.pass_ms(silence_ms).await;
        rig.act(notice_silence).await.expect("is noticed");
    }
    let told = ["registered", "online", "offline", "online", "online"];
    assert_eq!(rig.story("a").await, told);
    rig.restart().await;
    let word = says("i2");
    rig.act(move |act| hello(act, &word)).await.expect("is welcome");
    assert_eq!(rig.story("a").await, [&told[..], &["online"]].concat(), "it speaks with a new server");
}

// API23: of two connections of one process the newer is the agent's, whichever says hello first; a hello that is refused
// changes nothing.
#[tokio::test]
async fn api23_the_newer_connection_is_the_agent() {
    let rig = Rig::new().await;
    let newest = |number| rig.act(move |act| supersede(act, "a", number));
    assert_eq!(newest(2).await, Ok(true));
    assert_eq!(newest(1).await, Ok(false));
    let refused = rig.act(|act| {
        supersede(act, "a", 3)?;
        Err::<(), _>(Refusal::missing("agent", "a"))
    });
    assert!(refused.await.is_err());
    let old = rig.act(|act| Ok([1, 2, 3].map(|number| is_superseded(act, "a", number)))).await;
    assert_eq!(old, Ok([true, false, true]));
}

// D30: a socket whose agent has said hello on a newer one does not keep it heard, though it answers pings.
#[tokio::test]
async fn d30_a_superseded_connection_keeps_nobody_heard() {
    let rig = Rig::new().await;
    let word =
        || Hello { name: "a".into(), instance: "i".into(), profile: Profile::default(), holds: vec![] };
    let comes = |number| {
        rig.act(move |act| {
            supersede(act, "a", number)?;
            hello(act, &word())
        })
    };
    comes(1).await.expect("is welcome");
    comes(2).await.expect("is welcome");
    rig.pass_ms(29_000).await;
    assert_eq!(rig.act(|act| present(act, "a", 1, None)).await, Ok(LinkStanding::Superseded));
    rig.pass_ms(1_000).await;
    assert_eq!(rig.act(notice_silence).await, Ok(1), "nobody has spoken on the newer one");
    let over = rig.act(|act| Ok((present(act, "a", 2, None)?, get(act, "a")?.connected))).await;
    assert_eq!(over, Ok((LinkStanding::Over, false)), "it has to say hello again, which is told");
}

// The server's own watch ends an attempt that its agent does not end.
#[tokio::test]
async fn an_attempt_that_outlives_its_time_is_timed_out() {
    let rig = Rig::new().await;
    let id = rig.submit(Spec { timeout_ms: 5_000, ..spec("x") }).await;
    rig.claim("a").await.expect("is ready");
    rig.pass_ms(4_999).await;
    assert_eq!(rig.state(id).await, State::Running);
    rig.pass_ms(2_001).await;
    assert_eq!(rig.state(id).await, State::Scheduled);
    assert_eq!(rig.settle(id, 1, Outcome::Succeeded).await, Err(Code::StaleGeneration));
    assert_eq!(rig.settle(id, 1, Outcome::TimedOut).await, Err(Code::StaleGeneration));
}

// E4: a jump of the wall clock neither ends nor prolongs a lease.
#[tokio::test]
async fn e4_a_jump_of_the_wall_clock_changes_no_lease() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    rig.claim("a").await.expect("is ready");
    rig.clock.jump(86_400_000);
    rig.pass_ms(29_999).await;
    assert_eq!(rig.state(id).await, State::Running);
    rig.clock.jump(-2 * 86_400_000);
    rig.pass_ms(1).await;
    assert_eq!(rig.state(id).await, State::Ready);
}

// E4: after a restart every live lease lives on with its full length, and no attempt is counted.
#[tokio::test]
async fn e4_a_restart_gives_every_lease_its_full_length() {
    let mut rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    rig.claim("a").await.expect("is ready");
    rig.pass_ms(29_000).await;
    rig.restart().await;
    rig.pass_ms(29_000).await;
    let found = rig.get(id).await;
    assert_eq!((found.task.state, found.task.generation, found.task.used), (State::Running, 1, 0));
    rig.settle(id, 1, Outcome::Succeeded).await.expect("its agent finishes it");
}

// E4, D3: the length that a heartbeat gave is the full length that a restart gives again.
#[tokio::test]
async fn e4_a_length_that_a_heartbeat_gave_outlives_a_restart() {
    let mut rig = Rig::new().await;
    let (one, all) = (rig.submit(spec("one")).await, rig.submit(spec("all")).await);
    rig.claim_as(Request { max: 2, lease_ms: 1_000, ..of("i1") }).await;
    let word = Beat { id: one, generation: 1, lease_ms: Some(600_000), progress: None, message: None };
    rig.act(move |act| beat(act, &word)).await.expect("lives on");
    let held = [Held { id: all, generation: 1 }];
    rig.act(move |act| renew_all(act, "a", Some("i1"), Some(600_000), &held)).await.expect("lives on");
    assert_eq!(rig.get(one).await.task.lease_ms, Some(600_000));
    rig.restart().await;
    rig.pass_ms(599_999).await;
    assert_eq!((rig.state(one).await, rig.state(all).await), (State::Running, State::Running));
    rig.pass_ms(1).await;
    assert_eq!((rig.state(one).await, rig.state(all).await), (State::Ready, State::Ready));
}

// E4: after a restart, too, an agent that ends its program in time has a moment to say so; and who comes later than
// that hears the same from a heartbeat as from a settle.
#[tokio::test]
async fn e4_an_attempt_has_its_whole_time_after_a_restart() {
    let mut rig = Rig::new().await;
    let id = rig.submit(Spec { timeout_ms: 5_000, ..spec("x") }).await;
    rig.claim("a").await.expect("is ready");
    rig.restart().await;
    rig.pass_ms(6_999).await;
    assert_eq!(rig.state(id).await, State::Running);
    rig.pass_ms(1).await;
    assert_eq!(rig.state(id).await, State::Scheduled);
    let word = Beat { id, generation: 1, lease_ms: None, progress: None, message: None };
    let late = rig.act(move |act| beat(act, &word)).await.expect_err("is over");
    assert_eq!(late.code, Code::StaleGeneration);
    assert_eq!(rig.settle(id, 1, Outcome::TimedOut).await, Err(Code::StaleGeneration));
}

// D4: nor does a restart shorten the time in which a stop may be confirmed.
#[tokio::test]
async fn d4_a_stop_has_its_time_after_a_restart() {
    let mut rig = Rig::new().await;
    let id = rig.submit(Spec { timeout_ms: 5_000, ..spec("x") }).await;
    rig.claim("a").await.expect("is ready");
    rig.act(move |act| tiltyard_engine::task::cancel::cancel(act, id, "requested"))
        .await
        .expect("is cancelled");
    rig.restart().await;
    rig.pass_ms(29_999).await;
    let stop = rig.get(id).await.task.attempt.and_then(|attempt| attempt.stop);
    assert_eq!(stop, Some(tiltyard_model::task::attempt::Stop::Requested));
}
