//! The agent protocol, with a fake agent on a real socket.

use crate::support::{get, refusal, server, submit, task};
use tiltyard_client::{Client, Request};
use tiltyard_model::agent::State as AgentState;
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::Stop;
use tiltyard_testkit::FakeAgent;
use tiltyard_testkit::agent::{hello, lease_of};
use tiltyard_wire::agent::{Register, Registered, View as AgentView};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::frame::{FromAgent, Hello, Refuse, Renew, ToAgent};
use tiltyard_wire::task::Cancel;
use tiltyard_wire::task::work::VerdictStatus;

async fn welcome(client: &Client, hello: Hello) -> FakeAgent {
    FakeAgent::welcome(client, hello).await.unwrap().0
}

async fn agent(client: &Client, name: &str) -> AgentView {
    client.call(Request::<call::AgentGet>::new().place(name)).await.unwrap()
}

async fn register(client: &Client, name: &str) -> Registered {
    let body = Register { name: name.into(), ..Register::default() };
    client.call(Request::<call::AgentRegister>::new().body(body)).await.unwrap()
}

// C2: hello, welcome, assign, settle, settled; never more tasks than slots.
#[tokio::test]
async fn c2_an_agent_gets_what_it_has_slots_for() {
    let server = server().await;
    let client = server.client();
    let (first, second) = (submit(&client, task("first")).await, submit(&client, task("second")).await);
    let (mut fake, welcome) = FakeAgent::welcome(&client, hello("fake", 1)).await.unwrap();
    assert_eq!((welcome.protocol, welcome.lease_ms, welcome.renew_every_ms), (1, 30_000, 10_000));
    let assign = fake.assigned().await.unwrap();
    assert_eq!((assign.task.id, assign.task.generation), (first.id, 1));
    let busy = agent(&client, "fake").await;
    assert_eq!((busy.state, busy.connected, busy.slots), (AgentState::Busy, true, 1));
    assert_eq!(get(&client, &second).await.state, State::Ready);
    fake.settle(lease_of(&assign)).await.unwrap();
    let mut heard = [fake.hear().await.unwrap(), fake.hear().await.unwrap()];
    heard.sort_by_key(|frame| matches!(frame, ToAgent::Assign(_)));
    assert!(matches!(&heard[0], ToAgent::Settled(settled) if settled.status == VerdictStatus::Accepted));
    assert!(matches!(&heard[1], ToAgent::Assign(assign) if assign.task.id == second.id));
    assert_eq!(get(&client, &first).await.state, State::Succeeded);
}

// C3: an outcome that is told again is answered again; a stale one is refused, and answered too.
#[tokio::test]
async fn c3_every_outcome_is_answered() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("once")).await;
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    for expected in [VerdictStatus::Accepted, VerdictStatus::Replayed] {
        fake.settle(lease).await.unwrap();
        let frame = fake.hear().await.unwrap();
        assert!(matches!(&frame, ToAgent::Settled(settled) if settled.status == expected), "{frame:?}");
    }
    fake.settle(tiltyard_wire::task::work::Lease { generation: 9, ..lease }).await.unwrap();
    let frame = fake.hear().await.unwrap();
    let code = |frame: &ToAgent| match frame {
        ToAgent::Settled(settled) => settled.code.clone(),
        _ => None,
    };
    assert_eq!(code(&frame).as_deref(), Some("stale_generation"));
}

// D4: the agent is told at once, and the stop goes from requested over acknowledged to stopped.
#[tokio::test]
async fn d4_a_cancel_reaches_the_agent() {
    let server = server().await;
    let client = server.client();
    let long = submit(&client, task("long")).await;
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    let cancel =
        Request::<call::TaskCancel>::new().place(long.id).body(Cancel { reason: Some("enough".into()) });
    assert_eq!(client.call(cancel).await.unwrap().stop, Some(Stop::Requested));
    let frame = fake.hear().await.unwrap();
    assert!(matches!(&frame, ToAgent::Cancel(cancel) if cancel.id == long.id && cancel.reason == "enough"));
    for (say, stop) in
        [(FromAgent::Stopping(lease), Stop::Acknowledged), (FromAgent::Stopped(lease), Stop::Stopped)]
    {
        fake.say(say).await.unwrap();
        // The answer to a renewal comes after everything that was said before it.
        fake.say(FromAgent::Renew(Renew { leases: vec![lease], draining: false })).await.unwrap();
        assert!(matches!(fake.hear().await.unwrap(), ToAgent::Drop(_)));
        assert_eq!(get(&client, &long).await.stop, Some(stop));
    }
}

// D31: an agent that comes back says what it holds and is told keep or drop for each, by generation.
#[tokio::test]
async fn d31_a_lease_lives_through_a_broken_connection() {
    let server = server().await;
    let client = server.client();
    let long = submit(&client, task("long")).await;
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    drop(fake);
    let stale = tiltyard_wire::task::work::Lease { generation: 7, ..lease };
    let mut again = welcome(&client, Hello { holds: vec![lease, stale], ..hello("fake", 1) }).await;
    let kept = again.hear().await.unwrap();
    assert!(matches!(&kept, ToAgent::Keep(keep) if keep.leases == [lease]), "{kept:?}");
    let dropped = again.hear().await.unwrap();
    assert!(matches!(&dropped, ToAgent::Drop(drop) if drop.leases[0].generation == 7), "{dropped:?}");
    assert_eq!(get(&client, &long).await.generation, 1);
    let ends = client.call(Request::<call::AgentDisconnects>::new().place("fake")).await.unwrap();
    assert_eq!(ends.items.len(), 1);
}

// D3: a new process that holds nothing ends the old leases at once as lost.
#[tokio::test]
async fn d3_a_new_process_gets_the_task_anew() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("long")).await;
    let mut fake = welcome(&client, hello("fake", 1)).await;
    fake.assigned().await.unwrap();
    let mut fresh = welcome(&client, Hello { instance: "two".into(), ..hello("fake", 1) }).await;
    let assign = fresh.assigned().await.unwrap();
    assert_eq!((assign.task.generation, assign.task.attempts), (2, 1));
    // API23: the connection that was there before is superseded.
    assert_eq!(fake.closed().await.unwrap(), 4409);
}

// A refused task goes back uncounted, for another agent.
#[tokio::test]
async fn a_refused_task_goes_to_another_agent() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("hot potato")).await;
    let mut fake = welcome(&client, hello("picky", 1)).await;
    let assign = fake.assigned().await.unwrap();
    let mut other = welcome(&client, hello("other", 1)).await;
    let (id, generation) = (assign.task.id, assign.task.generation);
    fake.say(FromAgent::Refuse(Refuse { id, generation, reason: "no such program".into() })).await.unwrap();
    let again = other.assigned().await.unwrap();
    assert_eq!((again.task.id, again.task.generation, again.task.attempts), (id, 2, 0));
}

#[tokio::test]
async fn a_draining_agent_gets_nothing_until_it_resumes() {
    let server = server().await;
    let client = server.client();
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let drained = client.call(Request::<call::AgentDrain>::new().place("fake")).await.unwrap();
    assert_eq!((drained.state, drained.draining), (AgentState::Draining, true));
    assert!(matches!(fake.hear().await.unwrap(), ToAgent::Drain(drain) if drain.draining));
    let waiting = submit(&client, task("waits")).await;
    let resumed = client.call(Request::<call::AgentResume>::new().place("fake")).await.unwrap();
    assert_eq!((resumed.leases, resumed.draining), (vec![], false));
    assert!(matches!(fake.hear().await.unwrap(), ToAgent::Drain(drain) if !drain.draining));
    assert_eq!(fake.assigned().await.unwrap().task.id, waiting.id);
}

// C2: what is not understood is answered, and can be looked up.
#[tokio::test]
async fn c2_violations_are_told_and_kept() {
    let server = server().await;
    let client = server.client();
    let mut fake = welcome(&client, hello("fake", 1)).await;
    fake.say(FromAgent::Hello(hello("fake", 1))).await.unwrap();
    let frame = fake.hear().await.unwrap();
    assert!(
        matches!(&frame, ToAgent::Error(error) if error.code == "invalid" && !error.request_id.is_empty())
    );
    let kept = client.call(Request::<call::AgentViolations>::new().place("fake")).await.unwrap();
    assert_eq!((kept.items.len(), &*kept.items[0].action), (1, "warned"));
}

// SEC3: an agent's token speaks for that agent only; API23 says so by its close codes.
#[tokio::test]
async fn sec3_an_agent_speaks_for_itself_only() {
    let server = server().await;
    let client = server.client();
    let registered = register(&client, "mine").await;
    assert_eq!((&*registered.agent.name, registered.agent.state), ("mine", AgentState::Offline));
    let own = server.client_of(&registered.token);
    welcome(&own, hello("mine", 1)).await;
    let mut foreign = FakeAgent::connect(&own).await.unwrap();
    foreign.say(FromAgent::Hello(hello("other", 1))).await.unwrap();
    assert_eq!(foreign.closed().await.unwrap(), 4403);
    let mut stranger = FakeAgent::connect(&server.client_of("nobody-knows-this-token")).await.unwrap();
    assert_eq!(stranger.closed().await.unwrap(), 4401);
    let unknown = client.call(Request::<call::AgentGet>::new().place("other")).await;
    assert_eq!(refusal(unknown), (404, "not_found".into()));
}

// O2, API23: agents are told when the server ends.
#[tokio::test]
async fn o2_a_stop_is_told_to_agents() {
    let server = server().await;
    let client = server.client();
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let (end, code) = tokio::join!(server.stop(), fake.closed());
    assert_eq!((end, code.unwrap()), (tiltyard_server::End::Stopped, 1001));
}

// SEC19: deleting an agent ends its token, and with it its connection.
#[tokio::test]
async fn sec19_a_connection_ends_with_its_token() {
    let server = server().await;
    let client = server.client();
    let registered = register(&client, "mine").await;
    let mut fake = welcome(&server.client_of(&registered.token), hello("mine", 1)).await;
    let begin = std::time::Instant::now();
    client.call(Request::<call::AgentDelete>::new().place("mine")).await.unwrap();
    assert_eq!(fake.closed().await.unwrap(), 4401);
    assert!(begin.elapsed().as_millis() < 1_000);
}
