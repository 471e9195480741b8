//! The agent's socket when things go wrong: deaf agents, bad frames, busy doors, connections that overtake each other.

use crate::door::{Bolt, fill_urgent, next_transaction, stand};
use crate::proxy::{Cut, Proxy};
use crate::support::{get, mint, polled, refusal, server, soon, submit, task};
use std::time::{Duration, Instant};
use tiltyard_client::{Client, Request};
use tiltyard_engine::Effect;
use tiltyard_engine::task::retry::Edit;
use tiltyard_engine::task::{cancel, retry};
use tiltyard_model::role::Role;
use tiltyard_model::task::State;
use tiltyard_testkit::agent::{hello, lease_of};
use tiltyard_testkit::{FakeAgent, TestServer};
use tiltyard_wire::audit::Filter;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::Query;
use tiltyard_wire::frame::{FromAgent, Hello, LogChunk, Renew, ToAgent};
use tiltyard_wire::task::work::{AgentHeartbeat, Claim, Complete, Lease, VerdictStatus};
use tiltyard_wire::task::{Submit, View};

/// How soon the end of a token or of the server reaches a socket.
const LIMIT: Duration = Duration::from_secs(1);

async fn welcome(client: &Client, hello: Hello) -> FakeAgent {
    FakeAgent::welcome(client, hello).await.unwrap().0
}

async fn renew(fake: &mut FakeAgent, leases: &[Lease]) {
    fake.say(FromAgent::Renew(Renew { leases: leases.to_vec(), draining: false })).await.unwrap();
}

async fn until(reached: impl Fn() -> bool) {
    while !reached() {
        tokio::task::yield_now().await;
    }
}

/// Says something invalid so many times.
async fn err(fake: &mut FakeAgent, times: usize) {
    for _ in 0..times {
        fake.say(FromAgent::Hello(hello("again", 1))).await.unwrap();
    }
}

// C2: an agent that never says `accept` does not sit on the work until the lease ends. What it did accept stays.
#[tokio::test]
async fn c2_what_nobody_accepts_goes_elsewhere_uncounted() {
    let server = TestServer::start_with(|options| options.accept_within = Duration::from_millis(300)).await;
    let server = server.unwrap();
    let client = server.client();
    let mut deaf = welcome(&client, hello("deaf", 2)).await;
    let kept = submit(&client, task("accepted")).await;
    let lease = lease_of(&deaf.assigned().await.unwrap());
    deaf.say(FromAgent::Accept(lease)).await.unwrap();
    let lost = submit(&client, task("not accepted")).await;
    let unaccepted = lease_of(&deaf.assigned().await.unwrap());
    // To renew it is not to begin it.
    renew(&mut deaf, &[lease, unaccepted]).await;
    assert!(matches!(deaf.hear().await.unwrap(), ToAgent::Keep(keep) if keep.leases.len() == 2));
    let mut other = welcome(&client, hello("other", 1)).await;
    let again = other.assigned().await.unwrap();
    assert_eq!((again.task.id, again.task.generation, again.task.attempts), (lost.id, 2, 0));
    let frame = deaf.hear().await.unwrap();
    assert!(
        matches!(&frame, ToAgent::Drop(drop) if drop.leases.len() == 1 && drop.leases[0].id == lost.id),
        "{frame:?}"
    );
    let now = get(&client, &kept).await;
    assert_eq!((now.state, now.generation), (State::Running, 1));
}

// D3: a closed socket ends nothing early, but what never left the server is nobody's: it goes back at once, uncounted.
#[tokio::test]
async fn d3_what_was_never_sent_goes_back_when_the_connection_breaks() {
    const TASKS: usize = 100;
    let proxy = Proxy::start(Cut::Never).await;
    let server = proxy.server().await;
    let client = server.client();
    let payload = format!("\"{}\"", "x".repeat(200 * 1024));
    for number in 0..TASKS {
        let payload = Some(serde_json::value::RawValue::from_string(payload.clone()).unwrap());
        submit(&client, Submit { payload, ..task(&format!("large {number}")) }).await;
    }
    let fake = welcome(&proxy.client(), hello("far", 1_000)).await;
    // Until the network takes no more, and the server gives the connection up.
    proxy.held.send_replace(true);
    let reason = soon(ended(&client, "far")).await;
    assert!(reason.starts_with("1013"), "{reason}");
    let types = |name: &str| Query { types: Some(name.into()), ..Query::default() };
    let released = soon(async {
        loop {
            let released = polled(&client, &types("task.released")).await;
            if !released.is_empty() {
                return released.len();
            }
        }
    })
    .await;
    let leased = polled(&client, &types("task.leased")).await.len();
    // All of them, when the connection was given up before the first one left.
    assert!(released <= leased && leased < TASKS, "of {leased} that were assigned, {released} were not sent");
    drop(fake);
}

/// How an agent's last connection ended, once it has.
async fn ended(client: &Client, agent: &str) -> String {
    loop {
        let ends = client.call(Request::<call::AgentDisconnects>::new().place(agent)).await.unwrap();
        if let Some(end) = ends.items.first() {
            return end.reason.clone();
        }
        tokio::task::yield_now().await;
    }
}

// C2: slowing holds up no valid frame: a lease is not lost for a slip beside it.
#[tokio::test]
async fn c2_a_slowed_agent_renews_and_settles() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("long")).await;
    let mut fake = welcome(&client, hello("clumsy", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    err(&mut fake, 15).await;
    let begin = Instant::now();
    renew(&mut fake, &[lease]).await;
    fake.settle(lease).await.unwrap();
    // Ten are warned of, and the eleventh is the first that slows: the next answer is a second away.
    for _ in 0..11 {
        assert!(matches!(fake.hear().await.unwrap(), ToAgent::Error(_)));
    }
    assert!(matches!(fake.hear().await.unwrap(), ToAgent::Keep(_)));
    assert!(
        matches!(fake.hear().await.unwrap(), ToAgent::Settled(settled) if settled.status == VerdictStatus::Accepted)
    );
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    assert!(matches!(fake.hear().await.unwrap(), ToAgent::Error(_)));
    assert!(begin.elapsed() >= LIMIT, "the twelfth is answered a second later");
}

// C2, API23: the twentieth closes with 4422; a new connection is no new beginning.
#[tokio::test]
async fn c2_the_count_of_violations_survives_a_reconnect() {
    let server = server().await;
    let client = server.client();
    let mut fake = welcome(&client, hello("clumsy", 1)).await;
    err(&mut fake, 12).await;
    renew(&mut fake, &[]).await;
    drop(fake);
    let mut again = welcome(&client, hello("clumsy", 1)).await;
    err(&mut again, 8).await;
    assert_eq!(again.closed().await.unwrap(), 4422);
    let kept = client.call(Request::<call::AgentViolations>::new().place("clumsy")).await.unwrap().items;
    let actions: Vec<_> = kept.iter().rev().map(|violation| &*violation.action).collect();
    assert_eq!(actions, [["warned"; 10].as_slice(), &["slowed"; 9], &["closed"]].concat());
    // Other agents have their own count.
    let mut other = welcome(&client, hello("tidy", 1)).await;
    err(&mut other, 1).await;
    assert!(matches!(other.hear().await.unwrap(), ToAgent::Error(_)));
}

// API23, C2: what cannot be let in is closed with 4422 and takes nobody's place.
#[tokio::test]
async fn c2_a_bad_hello_sends_nobody_away() {
    let server = server().await;
    let client = server.client();
    let mut good = welcome(&client, hello("only", 1)).await;
    let capabilities = vec!["two\nlines".to_owned()];
    for bad in [
        hello("only", 5_000),
        Hello { capabilities, ..hello("only", 1) },
        Hello { protocol: 99, ..hello("only", 1) },
        Hello { instance: String::new(), ..hello("only", 1) },
    ] {
        let mut other = FakeAgent::connect(&client).await.unwrap();
        other.say(FromAgent::Hello(bad)).await.unwrap();
        assert_eq!(other.closed().await.unwrap(), 4422);
    }
    let task = submit(&client, task("still there")).await;
    assert_eq!(good.assigned().await.unwrap().task.id, task.id);
}

// D4: a task is said before its cancel, whatever the session was about meanwhile.
#[tokio::test]
async fn d4_a_cancel_never_overtakes_its_task() {
    let server = server().await;
    let client = server.client();
    let engine = server.running().engine();
    let id = submit(&client, task("on and off")).await.id;
    let cancelled = Request::<call::TaskCancel>::new().place(id).body(tiltyard_wire::task::Cancel::default());
    client.call(cancelled).await.unwrap();
    let mut fake = welcome(&client, hello("fake", 1)).await;
    soon(until(|| engine.door().metrics().idle_claims.get() > 0)).await;
    for _ in 0..8 {
        // Sentences and orders pile up in the door while the session waits for its answer to a renewal.
        let bolt = Bolt::shut(engine).await;
        stand(engine, move |act| retry::retry(act, id, &Edit::default()).map(drop));
        next_transaction(engine);
        stand(engine, move |act| cancel::cancel(act, id, "enough").map(drop));
        next_transaction(engine);
        let waiting = engine.door().queued();
        renew(&mut fake, &[]).await;
        soon(until(|| engine.door().queued() > waiting)).await;
        bolt.open();
        let assign = fake.assigned().await.expect("the task comes first");
        let frame = fake.hear().await.unwrap();
        assert!(
            matches!(&frame, ToAgent::Cancel(cancel) if cancel.generation == assign.task.generation),
            "{frame:?}"
        );
        fake.say(FromAgent::Stopped(lease_of(&assign))).await.unwrap();
        renew(&mut fake, &[lease_of(&assign)]).await;
        let frame = fake.hear().await.unwrap();
        assert!(matches!(&frame, ToAgent::Drop(_)), "{frame:?}");
    }
}

// E7: a door that is too busy for a word of the agent says when to say it again; the connection stays.
#[tokio::test]
async fn e7_an_overloaded_door_costs_no_connection() {
    let server = server().await;
    let client = server.client();
    let engine = server.running().engine();
    submit(&client, task("done")).await;
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    let bolt = Bolt::shut(engine).await;
    fill_urgent(engine);
    let text = "first".to_owned();
    fake.say(FromAgent::Log(LogChunk { text, offset: 0, ..chunk(lease) })).await.unwrap();
    fake.settle(lease).await.unwrap();
    renew(&mut fake, &[lease]).await;
    for _ in 0..3 {
        let frame = fake.hear().await.unwrap();
        let again = |error: &tiltyard_wire::frame::Error| {
            error.code == "overloaded" && error.retry_after_ms == Some(1_000)
        };
        assert!(matches!(&frame, ToAgent::Error(error) if again(error)), "{frame:?}");
    }
    bolt.open();
    soon(until(|| engine.door().queued() == 0)).await;
    // A gap that comes of it is no violation.
    for _ in 0..25 {
        fake.say(FromAgent::Log(LogChunk { text: "second".into(), offset: 5, ..chunk(lease) }))
            .await
            .unwrap();
        let frame = fake.hear().await.unwrap();
        assert!(
            matches!(&frame, ToAgent::Error(error) if error.code == "range_not_satisfiable"),
            "{frame:?}"
        );
    }
    let violations = client.call(Request::<call::AgentViolations>::new().place("fake")).await.unwrap();
    assert_eq!(violations.items, []);
    fake.settle(lease).await.unwrap();
    assert!(
        matches!(fake.hear().await.unwrap(), ToAgent::Settled(settled) if settled.status == VerdictStatus::Accepted)
    );
}

fn chunk(Lease { id, generation }: Lease) -> LogChunk {
    LogChunk { id, generation, offset: 0, text: String::new() }
}

// API23, O2: the end of the server is told at once, also while the door works on a frame.
#[tokio::test]
async fn api23_a_stop_is_told_while_a_frame_is_worked_on() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("done")).await;
    let mut fake = welcome(&client, hello("fake", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    let bolt = Bolt::shut(server.running().engine()).await;
    fake.settle(lease).await.unwrap();
    soon(until(|| server.running().engine().door().queued() > 0)).await;
    let begin = Instant::now();
    server.running().stop();
    assert_eq!(fake.closed().await.unwrap(), 1001);
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    bolt.open();
    assert_eq!(server.stop().await, tiltyard_server::End::Stopped);
}

// SEC19, API23: the end of a token reaches a slowed agent within a second, with 4401.
#[tokio::test]
async fn sec19_a_slowed_agent_goes_with_its_token() {
    let server = server().await;
    let admin = server.client();
    let minted = mint(&admin, Role::Admin, &["*"]).await;
    let mut fake = welcome(&server.client_of(&minted.token), hello("clumsy", 1)).await;
    err(&mut fake, 14).await;
    for _ in 0..11 {
        fake.hear().await.unwrap();
    }
    let begin = Instant::now();
    admin.call(Request::<call::TokenRevoke>::new().place(minted.view.id)).await.unwrap();
    assert_eq!(fake.closed().await.unwrap(), 4401);
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
}

// API23: 4401 without a token, 4403 with one that may not, 4409 for the older of two connections.
#[tokio::test]
async fn api23_each_end_has_its_code() {
    let server = server().await;
    let admin = server.client();
    let mut stranger = FakeAgent::connect(&server.stranger()).await.unwrap();
    assert_eq!(stranger.closed().await.unwrap(), 4401);
    let viewer = mint(&admin, Role::Viewer, &["*"]).await;
    let mut viewer = FakeAgent::connect(&server.client_of(&viewer.token)).await.unwrap();
    assert_eq!(viewer.closed().await.unwrap(), 4403);
    let mut older = welcome(&admin, hello("fake", 1)).await;
    let mut newer = welcome(&admin, hello("fake", 1)).await;
    assert_eq!(older.closed().await.unwrap(), 4409);
    let task = submit(&admin, task("for the newer")).await;
    assert_eq!(newer.assigned().await.unwrap().task.id, task.id);
}

// SEC19, D31, API23: where orders were lost, agents connect again (1013) and hear what they missed; whoever lived by a
// token that has ended meanwhile goes with it.
#[tokio::test]
async fn d31_lost_orders_are_heard_on_the_next_connection() {
    let server = server().await;
    let admin = server.client();
    let engine = server.running().engine();
    let task = submit(&admin, task("long")).await;
    let mut fake = welcome(&admin, hello("fake", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    fake.say(FromAgent::Accept(lease)).await.unwrap();
    let minted = mint(&admin, Role::Admin, &["*"]).await;
    let mut other = welcome(&server.client_of(&minted.token), hello("other", 1)).await;
    let (tell, told) = std::sync::mpsc::channel();
    stand(engine, move |act| {
        tiltyard_engine::token::revoke(act, minted.view.id)?;
        tiltyard_engine::agent::drain(act, "fake", true)?;
        cancel::cancel(act, task.id, "enough")?;
        let nobody = Effect::AgentDrain { agent: "nobody".into(), draining: false };
        act.effects.extend(std::iter::repeat_n(nobody, 10_000));
        Ok(())
    });
    next_transaction(engine);
    stand(engine, move |_| {
        let _ = tell.send(());
        Ok(())
    });
    // Nothing of the server runs on this thread until all of them have been sent.
    told.recv().unwrap();
    let begin = Instant::now();
    let (first, second) = tokio::join!(fake.closed(), other.closed());
    assert_eq!((first.unwrap(), second.unwrap()), (1013, 4401));
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    let again = Hello { holds: vec![lease], ..hello("fake", 1) };
    let (mut again, welcome) = FakeAgent::welcome(&admin, again).await.unwrap();
    assert!(welcome.draining);
    assert!(matches!(again.hear().await.unwrap(), ToAgent::Drop(drop) if drop.leases[0].id == lease.id));
}

// API23: a connection that does not read is told to come back, with 1013, and nothing of the agent's is lost.
#[tokio::test]
async fn api23_who_does_not_read_is_told_to_come_back() {
    let proxy = Proxy::start(Cut::Never).await;
    let server = proxy.server().await;
    let client = server.client();
    submit(&client, task("long")).await;
    let mut fake = welcome(&proxy.client(), hello("slow", 1)).await;
    let lease = lease_of(&fake.assigned().await.unwrap());
    fake.say(FromAgent::Accept(lease)).await.unwrap();
    proxy.held.send_replace(true);
    // Each answer names all of them: it does not take many to fill every buffer on the way.
    let many: Vec<Lease> =
        (0..4_000).map(|generation| Lease { generation: 1_000 + generation, ..lease }).collect();
    let flood = async {
        loop {
            let frame = FromAgent::Renew(Renew { leases: many.clone(), draining: false });
            if fake.say(frame).await.is_err() {
                return;
            }
        }
    };
    let reason = soon(async {
        tokio::select! { reason = ended(&client, "slow") => reason, () = flood => String::new() }
    })
    .await;
    assert!(reason.starts_with("1013"), "{reason}");
    let mut again = welcome(&client, Hello { holds: vec![lease], ..hello("slow", 1) }).await;
    assert!(matches!(again.hear().await.unwrap(), ToAgent::Keep(keep) if keep.leases == [lease]));
}

// C2, D8: an agent gets no task of a kind that it does not do, and `why` says that nobody does it. What agents say of
// themselves only when they claim over HTTP counts too.
#[tokio::test]
async fn d8_an_agent_gets_only_what_it_does() {
    let server = server().await;
    let client = server.client();
    let kinds = Some(vec!["command".to_owned()]);
    let mut fake = welcome(&client, Hello { kinds, ..hello("fake", 2) }).await;
    let odd = submit(&client, Submit { kind: "odd".into(), ..task("odd") }).await;
    let plain = submit(&client, task("plain")).await;
    assert_eq!(fake.assigned().await.unwrap().task.id, plain.id);
    assert_eq!(why(&client, &odd).await, "kind");
    let gpu = Submit { capabilities: vec!["gpu".into()], ..task("gpu") };
    let gpu = submit(&client, Submit { priority: Some(1), ..gpu }).await;
    assert_eq!(why(&client, &gpu).await, "capability");
    let claim = Claim { agent: "worker".into(), capabilities: vec!["gpu".into()], ..Claim::default() };
    let got = client.call(Request::<call::TaskClaim>::new().body(claim)).await.unwrap().tasks;
    assert_eq!(got[0].id, odd.id, "who names no kinds does all of them");
    assert_ne!(why(&client, &gpu).await, "capability");
}

async fn why(client: &Client, task: &View) -> String {
    let why = client.call(Request::<call::TaskWhy>::new().place(task.id)).await.unwrap();
    why.reasons[0].code.clone()
}

// SEC3: an agent's token that was made for no agent is the first one's that it speaks for, also after a restart; before
// that it speaks for none. Who tries another is refused, and that is on record.
#[tokio::test]
async fn sec3_a_token_is_of_the_first_agent_that_it_speaks_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let admin = server.client();
    let minted = mint(&admin, Role::Agent, &["*"]).await;
    let own = server.client_of(&minted.token);
    submit(&admin, task("theirs")).await;
    let mut theirs = welcome(&admin, hello("theirs", 1)).await;
    let lease = lease_of(&theirs.assigned().await.unwrap());
    let complete = Complete { generation: lease.generation, result: None };
    let complete = Request::<call::TaskComplete>::new().place(lease.id).body(complete);
    assert_eq!(refusal(own.call(complete).await).0, 404);
    drop(welcome(&own, hello("mine", 1)).await);
    let mut foreign = FakeAgent::connect(&own).await.unwrap();
    foreign.say(FromAgent::Hello(hello("theirs", 1))).await.unwrap();
    assert_eq!(foreign.closed().await.unwrap(), 4403);
    let claim = |agent: &str| {
        Request::<call::TaskClaim>::new().body(Claim { agent: agent.into(), ..Claim::default() })
    };
    assert_eq!(refusal(own.call(claim("other")).await), (403, "forbidden".into()));
    own.call(claim("mine")).await.unwrap();
    let beat = Request::<call::AgentHeartbeat>::new().place("theirs").body(AgentHeartbeat::default());
    assert_eq!(refusal(own.call(beat).await).0, 403);
    renew(&mut theirs, &[lease]).await;
    assert!(matches!(theirs.hear().await.unwrap(), ToAgent::Keep(_)), "nothing was taken from it");
    for (action, target) in
        [("token.bound", minted.view.id.to_string()), ("scope_violation", "theirs".into())]
    {
        let query = Filter { action: Some(action.into()), ..Filter::default() };
        let entries = admin.call(Request::<call::AuditList>::new().query(query)).await.unwrap().items;
        assert_eq!(entries.iter().map(|entry| &entry.target).collect::<Vec<_>>(), [&target], "{action}");
    }
    drop(theirs);
    server.stop().await;
    let server = TestServer::start_in(folder.path(), |_| {}).await.unwrap();
    let mut foreign = FakeAgent::connect(&server.client_of(&minted.token)).await.unwrap();
    foreign.say(FromAgent::Hello(hello("other", 1))).await.unwrap();
    assert_eq!(foreign.closed().await.unwrap(), 4403);
}
