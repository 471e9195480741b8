//! Processes of one agent: which of them holds a lease, which of them has been replaced, and who may speak for either.

use crate::rig::{Rig, request, spec};
use tiltyard_engine::agent::{Hello, hello, notice_silence};
use tiltyard_engine::task::cancel::{cancel, report_stop};
use tiltyard_engine::task::claim::Request;
use tiltyard_engine::task::heartbeat::{Held, Standing, acknowledge_if_cancelled, renew_all};
use tiltyard_engine::{Act, Pass, Urgency};
use tiltyard_model::agent::Profile;
use tiltyard_model::event::Type;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_model::task::attempt::Stop;
use tiltyard_model::task::{Spec, State};
use tiltyard_store::event;

fn of(instance: &str) -> Request {
    Request { instance: Some(instance.into()), ..request("a") }
}

async fn says_hello(rig: &Rig, instance: &str, holds: &[Held]) -> Standing {
    let word = Hello {
        name: "a".into(),
        instance: instance.into(),
        profile: Profile::default(),
        holds: holds.to_vec(),
    };
    rig.act(move |act| hello(act, &word)).await.expect("is welcome")
}

async fn renews(rig: &Rig, instance: &'static str, holds: &[Held]) -> Standing {
    let held = holds.to_vec();
    rig.act(move |act| renew_all(act, "a", Some(instance), None, &held)).await.expect("is taken")
}

/// By the token of an agent that reaches these scopes.
async fn act_as<T: Send + 'static>(
    rig: &Rig,
    agent: &str,
    scope: &str,
    deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let reach = Reach::Only(vec![scope.to_owned()]);
    let caller = Caller { role: Role::Agent, agent: Some(agent.to_owned()), reach, ..Caller::system() };
    rig.engine.enter(Pass { caller, ..Pass::system() }, Urgency::Urgent, deed).await
}

fn held(id: Id) -> Held {
    Held { id, generation: 1 }
}

// D31, D3: a lease that a new process was told to keep is its own, now and after a restart.
#[tokio::test]
async fn d31_a_lease_that_is_kept_belongs_to_the_new_process() {
    let mut rig = Rig::new().await;
    let (greeted, named) = (rig.submit(spec("greeted")).await, rig.submit(spec("named")).await);
    rig.claim_as(Request { max: 2, ..of("i1") }).await;
    let both = [held(greeted), held(named)];
    assert_eq!(says_hello(&rig, "i2", &both).await.keep, both);
    renews(&rig, "i2", &[]).await;
    assert_eq!((rig.state(greeted).await, rig.state(named).await), (State::Running, State::Running));
    assert_eq!(renews(&rig, "i3", &both[1..]).await.keep, both[1..]);
    rig.restart().await;
    renews(&rig, "i3", &[]).await;
    assert_eq!(rig.state(named).await, State::Running, "it is i3's, also after a restart");
    assert_eq!(rig.state(greeted).await, State::Ready, "i2 is no more");
}

// D3: the late word of a process that another has replaced says nothing of what the new one holds.
#[tokio::test]
async fn d3_a_process_that_was_replaced_ends_nothing() {
    let mut rig = Rig::new().await;
    let id = rig.submit(spec("greeted")).await;
    says_hello(&rig, "i1", &[]).await;
    says_hello(&rig, "i2", &[]).await;
    rig.claim_as(of("i2")).await;
    renews(&rig, "i1", &[]).await;
    assert_eq!(rig.state(id).await, State::Running);
    assert_eq!(renews(&rig, "i1", &[held(id)]).await.keep, [held(id)], "whoever names a lease prolongs it");
    renews(&rig, "i2", &[]).await;
    assert_eq!(rig.state(id).await, State::Running, "and it stays with the process that holds it");
    rig.restart().await;
    renews(&rig, "i2", &[]).await;
    renews(&rig, "i1", &[]).await;
    assert_eq!(rig.state(id).await, State::Ready, "after a restart i1 is as new as any");
}

// D3: also where no process ever said hello, as over HTTP.
#[tokio::test]
async fn d3_a_replaced_process_without_a_socket_ends_nothing() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    renews(&rig, "i1", &[]).await;
    rig.claim_as(of("i2")).await;
    renews(&rig, "i1", &[]).await;
    assert_eq!(rig.state(id).await, State::Running);
    renews(&rig, "i3", &[]).await;
    assert_eq!(rig.state(id).await, State::Ready, "a new process still does");
}

// D9, SEC4: a stopping attempt out of the caller's reach is dropped, and the other leases live on.
#[tokio::test]
async fn d9_a_stop_out_of_reach_keeps_no_lease_from_living_on() {
    let rig = Rig::new().await;
    rig.act(|act| tiltyard_engine::scope::put(act, "other", "another")).await.expect("is made");
    let gone = rig.submit(Spec { scope: "other".into(), ..spec("gone") }).await;
    let kept = rig.submit(spec("kept")).await;
    rig.claim_as(Request { max: 2, ..of("i1") }).await;
    rig.act(move |act| cancel(act, gone, "requested")).await.expect("is cancelled");
    let names = [held(gone), held(kept)];
    let word = move |act: &mut Act<'_>| renew_all(act, "a", Some("i1"), None, &names);
    let standing = act_as(&rig, "a", "default", word).await.expect("is renewed");
    assert_eq!((standing.keep, standing.drop), (vec![names[1]], vec![(names[0], Code::NotFound)]));
}

// SEC3, D4: only its own agent says that an attempt has stopped.
#[tokio::test]
async fn sec3_another_agent_does_not_say_that_an_attempt_has_stopped() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    rig.claim("a").await.expect("is ready");
    rig.act(move |act| cancel(act, id, "requested")).await.expect("is cancelled");
    let stop = async |rig: &Rig| rig.get(id).await.task.attempt.and_then(|attempt| attempt.stop);
    let code = |result: Result<(), Refusal>| result.map_err(|refusal| refusal.code);
    let stopped = move |act: &mut Act<'_>| report_stop(act, id, 1, Stop::Stopped);
    assert_eq!(code(act_as(&rig, "b", "default", stopped).await), Err(Code::NotFound));
    act_as(&rig, "b", "default", move |act| acknowledge_if_cancelled(act, id, 1)).await.expect("is no word");
    rig.act(move |act| renew_all(act, "b", None, None, &[held(id)])).await.expect("is taken");
    assert_eq!(stop(&rig).await, Some(Stop::Requested));
    act_as(&rig, "a", "default", move |act| acknowledge_if_cancelled(act, id, 1)).await.expect("is taken");
    assert_eq!(stop(&rig).await, Some(Stop::Acknowledged));
    assert_eq!(code(act_as(&rig, "a", "default", stopped).await), Ok(()));
    assert_eq!(stop(&rig).await, Some(Stop::Stopped));
}

// D30: who follows the events knows who is there: an agent that comes back is told of, also the same process, and one
// that died with the server too.
#[tokio::test]
async fn d30_silence_and_return_are_told_also_across_a_restart() {
    let mut rig = Rig::new().await;
    let told = async |rig: &Rig| {
        let read = |rows: &tiltyard_store::Rows| {
            event::after(rows, 0, &event::Filter::default(), 1_000).map_err(tiltyard_engine::act::refusal_of)
        };
        let events = rig.engine.read(read).await.expect("reads");
        let kinds = events.into_iter().map(|event| event.kind);
        kinds.filter(|kind| matches!(kind, Type::AgentOnline | Type::AgentOffline)).collect::<Vec<_>>()
    };
    let passes = async |rig: &Rig, by_ms: i64| {
        rig.clock.advance(by_ms);
        rig.act(notice_silence).await.expect("is noticed")
    };
    says_hello(&rig, "i1", &[]).await;
    says_hello(&rig, "i1", &[]).await;
    assert_eq!(told(&rig).await, [Type::AgentOnline]);
    assert_eq!(passes(&rig, 30_000).await, 1);
    says_hello(&rig, "i1", &[]).await;
    assert_eq!(told(&rig).await[1..], [Type::AgentOffline, Type::AgentOnline]);
    rig.restart().await;
    assert_eq!(passes(&rig, 29_999).await, 0, "it may yet come back");
    assert_eq!(passes(&rig, 1).await, 1);
    rig.restart().await;
    assert_eq!(passes(&rig, 30_000).await, 0, "that is told once");
    assert_eq!(told(&rig).await[3..], [Type::AgentOffline]);
}
