//! Who gets what, and in which order.

use crate::rig::{Rig, START, report, request, spec};
use tiltyard_engine::act::refusal_of;
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::task::claim::Request;
use tiltyard_engine::task::due::{IDLE_LANES, forget_lanes};
use tiltyard_engine::task::edit::{Patch, edit};
use tiltyard_engine::task::settle::each;
use tiltyard_engine::task::submit::submit;
use tiltyard_engine::task::why::why;
use tiltyard_model::queue::{Flow, Settings};
use tiltyard_model::refusal::Code;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Concurrency, Extras, Rate, Spec, State};

// D1, E3: generation + 1 with every lease.
#[tokio::test]
async fn d1_the_generation_grows_with_every_lease() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    for generation in 1..=3 {
        let claimed = rig.claim("a").await.expect("is ready");
        assert_eq!((claimed.found.task.id, claimed.found.task.generation), (id, generation));
        assert!(rig.claim("b").await.is_none(), "E4: two never hold it");
        rig.settle(id, generation, Outcome::Released).await.expect("is taken");
    }
    assert_eq!(rig.get(id).await.task.used, 0, "a release does not count");
}

// D5 through the door: priority, then age; a change of priority moves a ready task.
#[tokio::test]
async fn d5_order_follows_priority_and_its_changes() {
    let rig = Rig::new().await;
    let low = rig.submit(Spec { priority: 2, ..spec("low") }).await;
    let high = rig.submit(Spec { priority: 9, ..spec("high") }).await;
    let raised = rig.submit(Spec { priority: 1, ..spec("raised") }).await;
    let patch = Patch { priority: Some(10), ..Patch::default() };
    rig.act(move |act| edit(act, raised, &patch)).await.expect("is edited");
    for expected in [raised, high, low] {
        assert_eq!(rig.claim("a").await.expect("is ready").found.task.id, expected);
    }
}

// D3: asked again with the same claim_id within the lease, the same tasks come back.
#[tokio::test]
async fn d3_a_claim_asked_again_burns_no_attempt() {
    let mut rig = Rig::new().await;
    for title in ["one", "two", "three"] {
        rig.submit(spec(title)).await;
    }
    let asked = Request { claim_id: Some("c1".into()), max: 2, ..request("a") };
    let keys = |claimed: Vec<tiltyard_engine::task::claim::Claimed>| {
        let mut keys: Vec<_> = claimed.iter().map(|one| (one.found.key, one.found.task.generation)).collect();
        keys.sort_unstable();
        keys
    };
    let first = keys(rig.claim_as(asked.clone()).await);
    assert_eq!(first.len(), 2);
    rig.restart().await;
    assert_eq!(keys(rig.claim_as(asked.clone()).await), first);
    let other = Request { claim_id: Some("c2".into()), ..asked.clone() };
    assert_eq!(rig.claim_as(other).await.len(), 1);
    rig.pass_ms(30_000).await;
    let after = keys(rig.claim_as(asked).await);
    assert!(after.iter().all(|(_, generation)| *generation == 2), "the leases were over: {after:?}");
}

#[tokio::test]
async fn a_concurrency_key_runs_so_many_at_once_also_after_a_restart() {
    let mut rig = Rig::new().await;
    let limited = |title: &str| {
        let concurrency = Some(Concurrency { key: "db".into(), limit: 1 });
        Spec { extras: Extras { concurrency, ..Extras::default() }, ..spec(title) }
    };
    let (one, two) = (rig.submit(limited("one")).await, rig.submit(limited("two")).await);
    assert_eq!(rig.claim("a").await.expect("is ready").found.task.id, one);
    assert!(rig.claim("a").await.is_none());
    rig.restart().await;
    assert!(rig.claim("a").await.is_none());
    let reasons = rig.act(move |act| why(act, two)).await.expect("says why").reasons;
    assert_eq!(reasons[0].code, "concurrency", "D8: {reasons:?}");
    rig.settle(one, 1, Outcome::Succeeded).await.expect("is taken");
    assert_eq!(rig.claim("a").await.expect("is free").found.task.id, two);
}

#[tokio::test]
async fn a_rate_starts_so_many_a_minute_also_after_a_restart() {
    let mut rig = Rig::new().await;
    for title in ["one", "two", "three"] {
        let rate = Some(Rate { key: "api".into(), per_minute: 2 });
        rig.submit(Spec { extras: Extras { rate, ..Extras::default() }, ..spec(title) }).await;
    }
    let many = Request { max: 3, ..request("a") };
    assert_eq!(rig.claim_as(many.clone()).await.len(), 2);
    rig.restart().await;
    rig.clock.advance(20_000);
    assert!(rig.claim_as(many.clone()).await.is_empty());
    rig.clock.advance(41_000);
    assert_eq!(rig.claim_as(many).await.len(), 1);
}

// D5, D8: a paused queue starts nothing, and `why` says so.
#[tokio::test]
async fn d8_a_paused_queue_starts_nothing_and_says_why() {
    let rig = Rig::new().await;
    let id = rig.submit(spec("x")).await;
    rig.claim("b").await.map(|claimed| claimed.found.key).expect("an agent is there");
    rig.settle(id, 1, Outcome::Released).await.expect("is taken");
    let set = |flow| {
        move |act: &mut tiltyard_engine::Act<'_>| {
            let scope = act.scope_key("default")?;
            act.save_queue(scope, "default", Settings { flow, ..Settings::default() })
        }
    };
    rig.act(set(Flow::Paused)).await.expect("is paused");
    assert!(rig.claim("a").await.is_none());
    let reasons = rig.act(move |act| why(act, id)).await.expect("says why").reasons;
    assert_eq!(reasons[0].code, "queue_paused");
    rig.act(set(Flow::Open)).await.expect("is open");
    assert!(rig.claim("a").await.is_some());
}

// D6: a flooded scope does not starve another.
#[tokio::test]
async fn d6_a_flooded_scope_does_not_starve_another() {
    let rig = Rig::new().await;
    rig.act(|act| {
        let scope =
            tiltyard_model::scope::Scope { name: "small".into(), description: String::new(), created_at: 0 };
        let key =
            tiltyard_store::name::put_scope(act.tx, &scope).map_err(tiltyard_engine::act::refusal_of)?;
        act.memory.know_scope(key, scope, 0);
        Ok(())
    })
    .await
    .expect("is made");
    for _ in 0..50 {
        rig.submit(Spec { priority: 10, ..spec("flood") }).await;
    }
    let small = rig.submit(Spec { scope: "small".into(), priority: 1, ..spec("small") }).await;
    let first: Vec<_> = [rig.claim("a").await, rig.claim("a").await].into_iter().flatten().collect();
    assert!(first.iter().any(|claimed| claimed.found.task.id == small));
}

#[tokio::test]
async fn capabilities_and_assignment_decide_who_may_take_it() {
    let rig = Rig::new().await;
    let gpu = Extras { capabilities: vec!["gpu".into()], ..Extras::default() };
    let named = Extras { assign_to: Some("b".into()), ..Extras::default() };
    let (gpu, named) = (
        rig.submit(Spec { extras: gpu, ..spec("gpu") }).await,
        rig.submit(Spec { extras: named, ..spec("b") }).await,
    );
    assert!(rig.claim("a").await.is_none());
    let reasons = rig.act(move |act| why(act, named)).await.expect("says why").reasons;
    assert_eq!((reasons[0].code, reasons[0].about.as_deref()), ("agent_offline", Some("b")));
    assert_eq!(rig.claim("b").await.expect("is its own").found.task.id, named);
    let mut able = request("a");
    able.want.capabilities = vec!["gpu".into(), "linux".into()];
    assert_eq!(rig.claim_as(able).await[0].found.task.id, gpu);
    assert_eq!(rig.state(gpu).await, State::Running);
}

// D6: where several agents wait, the queue's assignment decides who is first.
#[tokio::test]
async fn d6_a_queue_chooses_among_the_agents_that_wait() {
    use tiltyard_engine::Pass;
    use tiltyard_engine::task::claim::wait;
    use tiltyard_model::queue::Assignment;
    use tokio::time::Duration;
    let rig = Rig::new().await;
    let set = |assignment| {
        move |act: &mut tiltyard_engine::Act<'_>| {
            let scope = act.scope_key("default")?;
            act.save_queue(scope, "default", Settings { assignment, ..Settings::default() })
        }
    };
    let category = |name: &str| {
        let extras = Extras { category: Some(name.into()), ..Extras::default() };
        Spec { extras, ..spec(name) }
    };
    // `a` has one lease and did `docs` last, `b` has none and did `code` last.
    rig.submit(category("docs")).await;
    rig.claim("a").await.expect("is ready");
    let code = rig.submit(category("code")).await;
    rig.claim("b").await.expect("is ready");
    rig.settle(code, 1, Outcome::Succeeded).await.expect("is taken");
    for (assignment, first) in [
        (Assignment::LeastLoaded, "b"),
        (Assignment::Affinity, "a"),
        (Assignment::RoundRobin, "b"),
        (Assignment::Fair, "a"),
    ] {
        rig.act(set(assignment)).await.expect("is set");
        let waiting = |agent| wait(&rig.engine, Pass::system(), request(agent)).expect("waits");
        let (a, b) = (waiting("a"), waiting("b"));
        let id = rig.submit(category("docs")).await;
        let (a, b) =
            tokio::join!(a.at_most(Duration::from_millis(200)), b.at_most(Duration::from_millis(200)));
        let got = |taken: Option<Vec<_>>| taken.is_some();
        let (a, b) = (got(a.expect("answers")), got(b.expect("answers")));
        assert_eq!((a, b), (first == "a", first == "b"), "{assignment:?}");
        rig.settle(id, 1, Outcome::Succeeded).await.expect("is taken");
    }
}

/// Memory is what a rebuild from the store makes.
async fn same_as_rebuilt(rig: &Rig) {
    let both = |act: &mut tiltyard_engine::Act<'_>| {
        let fresh = tiltyard_engine::memory::boot::rebuild(act.tx, act.now).map_err(refusal_of)?;
        Ok((act.memory.summary(), fresh.summary()))
    };
    let (kept, fresh) = rig.act(both).await.expect("rebuilds");
    assert!(kept == fresh, "memory and store differ");
}

// E36: lanes that nothing needs are forgotten, and made anew for whoever comes back.
#[tokio::test]
async fn e36_lanes_come_and_go_with_their_tasks() {
    let keyed = |number: usize| {
        let concurrency = Some(Concurrency { key: format!("order-{number}"), limit: 1 });
        Spec { extras: Extras { concurrency, ..Extras::default() }, ..spec("x") }
    };
    let mut rig = Rig::new().await;
    let later = rig.submit(Spec { run_at: Some(START + 60_000), ..keyed(0) }).await;
    let specs: Vec<_> = (1..=IDLE_LANES + 40).map(keyed).collect();
    let all = move |act: &mut tiltyard_engine::Act<'_>| {
        specs.iter().try_for_each(|spec| submit(act, spec).map(drop))
    };
    rig.act(all).await.expect("are taken in");
    let claimed = rig.claim_as(Request { max: 2_000, ..request("a") }).await;
    let done: Vec<_> = claimed.iter().map(|one| report(one.found.task.id, 1, Outcome::Succeeded)).collect();
    rig.act(move |act| each(act, &done)).await.expect("are taken");
    let lanes = || rig.act(|act| Ok(act.memory.names.lanes()));
    assert_eq!(lanes().await, Ok(IDLE_LANES + 41));
    assert_eq!(rig.act(forget_lanes).await, Ok(41));
    assert_eq!((rig.act(forget_lanes).await, lanes().await), (Ok(0), Ok(IDLE_LANES)));
    same_as_rebuilt(&rig).await;
    // Another lane may have the key of the one that was forgotten.
    rig.submit(Spec { queue: "other".into(), ..keyed(5_000) }).await;
    rig.pass_ms(60_000).await;
    same_as_rebuilt(&rig).await;
    rig.restart().await;
    assert_eq!(rig.claim("a").await.expect("its time has come").found.task.id, later);
    let runs = rig.act(|act| Ok(act.memory.ready.running_of_key("default", "order-0"))).await;
    assert_eq!(runs, Ok(1));
}

// E36: there is a limit on different combinations of terms, for new tasks only.
#[tokio::test]
async fn e36_too_many_combinations_of_terms_are_refused() {
    let rig = Rig::new().await;
    rig.submit(spec("x")).await;
    let full = |act: &mut tiltyard_engine::Act<'_>| {
        act.memory.hints().max_lanes = Some(act.memory.names.lanes());
        Ok(())
    };
    rig.act(full).await.expect("is set");
    let tagged = |category: &str| Extras { category: Some(category.into()), ..Extras::default() };
    rig.submit(Spec { extras: tagged("a"), ..spec("x") }).await;
    let other = Spec { kind: "other".into(), ..spec("x") };
    let refusal = rig.try_submit(other).await.expect_err("is another combination");
    assert_eq!((refusal.code, refusal.retry_after_ms.is_some()), (Code::Overloaded, true));
}

// E7: a claim that waits is tried again for what it asks for, and for nothing else.
#[tokio::test]
async fn e7_a_waiting_claim_is_woken_by_its_own_queues() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tiltyard_engine::Pass;
    use tiltyard_engine::task::claim::claim;
    use tiltyard_engine::task::heartbeat::{Held, renew_all};
    let rig = Rig::new().await;
    let held = rig.submit(spec("held")).await;
    rig.claim("a").await.expect("is ready");
    let tries = Arc::new(AtomicUsize::new(0));
    let (counted, wanted) = (Arc::clone(&tries), request("b"));
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let taken = claim(act, &wanted)?;
        Ok((!taken.is_empty()).then_some(taken))
    };
    let asker = Some(request("b").want);
    let waiting = rig.engine.wait_as(Pass::system(), asker, deed, |_, _| Ok(())).expect("waits");
    for number in 0..10 {
        rig.submit(Spec { queue: "other".into(), ..spec("not for b") }).await;
        rig.submit(Spec {
            extras: Extras { assign_to: Some("c".into()), ..Extras::default() },
            ..spec("not for b")
        })
        .await;
        let (instance, lease) = (format!("i{number}"), [Held { id: held, generation: 1 }]);
        let renew = move |act: &mut tiltyard_engine::Act<'_>| {
            renew_all(act, "a", Some(&instance), None, &lease).map(drop)
        };
        rig.act(renew).await.expect("is renewed");
    }
    assert_eq!(tries.load(Ordering::SeqCst), 1, "nothing was there for it");
    let id = rig.submit(spec("for b")).await;
    let taken = waiting.at_most(std::time::Duration::from_secs(20)).await.expect("answers").expect("is fed");
    assert_eq!((taken[0].found.task.id, tries.load(Ordering::SeqCst)), (id, 2));
}

// E34: an agent that had no room when it asked is tried again when it has.
#[tokio::test]
async fn e34_an_agent_without_room_is_woken_by_its_own_settle() {
    use tiltyard_engine::Pass;
    use tiltyard_engine::task::claim::claim;
    let rig = Rig::new().await;
    let first = rig.submit(spec("first")).await;
    rig.claim("a").await.expect("is ready");
    let second = rig.submit(spec("second")).await;
    let wanted = request("a");
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        let busy = act.memory.names.agent_key("a").is_some_and(|agent| act.memory.leases.load(agent) > 0);
        let taken = if busy { Vec::new() } else { claim(act, &wanted)? };
        Ok((!taken.is_empty()).then_some(taken))
    };
    let waiting =
        rig.engine.wait_as(Pass::system(), Some(request("a").want), deed, |_, _| Ok(())).expect("waits");
    rig.settle(first, 1, Outcome::Succeeded).await.expect("is taken");
    let taken = waiting.at_most(std::time::Duration::from_secs(20)).await.expect("answers").expect("is fed");
    assert_eq!(taken[0].found.task.id, second);
}

// D6: who is first is decided by the queue that has the task, whatever other queues the agents wait for.
#[tokio::test]
async fn d6_an_agent_is_chosen_by_the_queue_that_serves_it() {
    use tiltyard_engine::Pass;
    use tiltyard_engine::task::claim::wait;
    use tiltyard_model::queue::Assignment;
    let rig = Rig::new().await;
    let names: Vec<String> = (0..8).map(|number| format!("paused-{number}")).collect();
    // `a` holds a task, `b` was served last.
    rig.submit(spec("held")).await;
    rig.claim("a").await.expect("is ready");
    let done = rig.submit(spec("done")).await;
    rig.claim("b").await.expect("is ready");
    rig.settle(done, 1, Outcome::Succeeded).await.expect("is taken");
    let paused = names.clone();
    let set = move |act: &mut tiltyard_engine::Act<'_>| {
        let scope = act.scope_key("default")?;
        let stopped =
            Settings { flow: Flow::Paused, assignment: Assignment::RoundRobin, ..Settings::default() };
        for name in &paused {
            act.save_queue(scope, name, stopped.clone())?;
            submit(act, &Spec { queue: name.clone(), ..spec("waits") })?;
        }
        let least = Settings { assignment: Assignment::LeastLoaded, ..Settings::default() };
        act.save_queue(scope, "default", least).map(drop)
    };
    rig.act(set).await.expect("is set");
    let asks = |agent: &str| {
        let mut asked = request(agent);
        asked.want.queues.extend(names.iter().cloned());
        wait(&rig.engine, Pass::system(), asked).expect("waits")
    };
    let (a, b) = (asks("a"), asks("b"));
    rig.submit(spec("x")).await;
    let patience = std::time::Duration::from_millis(200);
    let (a, b) = tokio::join!(a.at_most(patience), b.at_most(patience));
    assert!(a.expect("answers").is_none() && b.expect("answers").is_some(), "b holds nothing");
}

// D8: a worker that says what it can do with its claims only can do it.
#[tokio::test]
async fn d8_why_knows_what_a_worker_said_with_its_claim() {
    let rig = Rig::new().await;
    let needs = Extras { capabilities: vec!["gpu".into()], ..Extras::default() };
    let id = rig.submit(Spec { extras: needs, ..spec("x") }).await;
    let codes = async || {
        let reasons = rig.act(move |act| why(act, id)).await.expect("says why").reasons;
        reasons.iter().map(|reason| reason.code).collect::<Vec<_>>()
    };
    rig.claim("plain").await;
    assert_eq!(codes().await, ["capability"]);
    let other =
        Want { capabilities: vec!["gpu".into()], queues: vec!["other".into()], ..request("gpu-1").want };
    rig.claim_as(Request { want: other, ..request("gpu-1") }).await;
    assert_eq!(codes().await, ["agents_busy"]);
}

fn titles(claimed: &[tiltyard_engine::task::claim::Claimed]) -> Vec<String> {
    claimed.iter().map(|one| one.found.task.spec.title.clone()).collect()
}

// D5: many taken at once come in the same order as one by one, also where some of them have a limit.
#[tokio::test]
async fn d5_many_at_once_come_in_order_whatever_limits_they_have() {
    let rig = Rig::new().await;
    let mut expected = Vec::new();
    for number in 0..40 {
        let limited = number % 4 == 1;
        let concurrency = limited.then(|| Concurrency { key: "db".into(), limit: 2 });
        let title = format!("task {number}");
        let extras = Extras { concurrency, ..Extras::default() };
        rig.submit(Spec { extras, ..spec(&title) }).await;
        if !limited || number < 6 {
            expected.push(title);
        }
    }
    assert_eq!(titles(&rig.claim_as(Request { max: 100, ..request("a") }).await), expected);
    assert_eq!(rig.claim_as(Request { max: 100, ..request("b") }).await, [], "the rest waits for the key");
}

// An answer is cut where its payloads end it, and what does not fit is still there.
#[tokio::test]
async fn a_claim_of_many_stops_where_the_answer_is_full() {
    use tiltyard_engine::task::claim::MAX_ANSWER_PAYLOAD_BYTES;
    use tiltyard_model::task::admission::MAX_PAYLOAD_BYTES;
    let rig = Rig::new().await;
    let large = format!("\"{}\"", "x".repeat(MAX_PAYLOAD_BYTES - 2));
    for number in 0..70 {
        // The first ones are small, so that the next go reaches far.
        let payload = if number < 10 { "{}".to_owned() } else { large.clone() };
        rig.submit(Spec { payload, ..spec(&format!("task {number}")) }).await;
    }
    let mut all = Vec::new();
    loop {
        let claimed = rig.claim_as(Request { max: 1_000, ..request("a") }).await;
        let bytes: usize = claimed.iter().map(|one| one.found.task.spec.payload.len()).sum();
        assert!(bytes <= MAX_ANSWER_PAYLOAD_BYTES + 512 * 1024, "{bytes} bytes in one answer");
        if claimed.is_empty() {
            break;
        }
        all.extend(titles(&claimed));
    }
    assert_eq!(all, (0..70).map(|number| format!("task {number}")).collect::<Vec<_>>());
}
