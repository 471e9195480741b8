//! What can happen in a world.

#![expect(clippy::print_stderr, reason = "SIMULATE_TELL tells the steps")]

use crate::desk::{self, THINGS};
use crate::pipe;
use crate::world::World;
use std::collections::HashSet;
use tiltyard_engine::agent::{Hello, hello, supersede};
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::task::claim::{Claimed, Request, claim};
use tiltyard_engine::task::edit::{Patch, add_dependency, edit, remove_dependency};
use tiltyard_engine::task::heartbeat::{Held, renew_all};
use tiltyard_engine::task::retry::{Edit, retry};
use tiltyard_engine::task::settle::{Report, settle};
use tiltyard_engine::task::submit::{submit, submit_batch};
use tiltyard_engine::task::{cancel, due, rescue};
use tiltyard_model::agent::Profile;
use tiltyard_model::id::Id;
use tiltyard_model::queue::{Flow, Settings};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Reach;
use tiltyard_model::task::attempt::{Outcome, Stop};
use tiltyard_model::task::{Concurrency, Extras, OnDependencyFailure, Rate, Spec, Unique};

pub(crate) const QUEUES: [&str; 3] = ["default", "builds", "docs"];
pub(crate) const AGENTS: [&str; 3] = ["ada", "bob", "cyd"];

/// Most programs at once that use the database.
pub(crate) const DB_LIMIT: u32 = 2;
/// Lengths of leases.
const LENGTHS_MS: [i64; 3] = [5_000, 30_000, 90_000];

/// One step, whatever chance says.
pub(crate) async fn take(world: &mut World) {
    let what = world.chance.below(24 + THINGS + pipe::THINGS);
    if std::env::var_os("SIMULATE_TELL").is_some() {
        eprintln!("step {what}");
    }
    match what {
        0..=4 => one(world).await,
        5 => many(world).await,
        6..=9 => claims(world).await,
        10..=13 => settles(world).await,
        14 => beats(world).await,
        15 => cancels(world).await,
        16 => retries(world).await,
        17 => edits(world).await,
        18 => depends(world).await,
        19 => switches(world).await,
        20 => reconnects(world).await,
        21 => taken_back(world).await,
        22 => passes(world).await,
        23 if world.restarts && world.chance.once_in(2) => world.restart().await,
        23 if world.restarts => world.kill().await,
        23 => {}
        _ if what < 24 + THINGS => desk::sit(world, what - 24).await,
        _ => pipe::go_on(world, what - 24 - THINGS).await,
    }
}

fn spec(world: &mut World) -> Spec {
    let now = world.now();
    let chance = &mut world.chance;
    let concurrency = chance.once_in(4).then(|| Concurrency { key: "db".into(), limit: DB_LIMIT });
    let rate = chance.once_in(6).then(|| Rate { key: "api".into(), per_minute: 2 });
    let rule = if chance.once_in(3) { OnDependencyFailure::Run } else { OnDependencyFailure::Cancel };
    let for_ms = chance.once_in(2).then_some(20_000);
    let unique = chance.once_in(4).then(|| Unique { key: format!("k{}", chance.below(3)), for_ms });
    let run_at = chance.once_in(5).then(|| now + 1_000 * chance.below(60) as i64);
    let deadline = chance.once_in(6).then(|| now + 60_000 + 1_000 * chance.below(300) as i64);
    let mut spec = Spec {
        scope: "default".into(),
        queue: QUEUES[chance.below(3)].into(),
        kind: "work".into(),
        title: "some work".into(),
        payload: "{}".into(),
        priority: 1 + chance.below(10) as u8,
        extras: Extras { concurrency, rate, on_dependency_failure: rule, ..Extras::default() },
        depends_on: Vec::new(),
        run_at,
        deadline,
        timeout_ms: 20_000 + 10_000 * chance.below(10) as i64,
        max_attempts: 1 + chance.below(3) as u32,
        unique,
    };
    while world.chance.once_in(3) {
        spec.depends_on.extend(world.any_task());
    }
    spec
}

async fn one(world: &mut World) {
    let spec = spec(world);
    let submitted = world.act(move |act| submit(act, &spec)).await;
    if let Ok(submitted) = submitted.filter_new() {
        world.tasks.push(submitted);
    }
}

/// The id of a task that is new.
trait FilterNew {
    fn filter_new(self) -> Result<Id, ()>;
}

impl FilterNew for Result<tiltyard_engine::task::submit::Submitted, Code> {
    fn filter_new(self) -> Result<Id, ()> {
        match self {
            Ok(submitted) if submitted.first.is_none() => Ok(submitted.id),
            _ => Err(()),
        }
    }
}

async fn many(world: &mut World) {
    let mut specs: Vec<Spec> = (0..1 + world.chance.below(6)).map(|_| spec(world)).collect();
    if world.chance.once_in(3) {
        specs.push(Spec { priority: 0, ..spec(world) });
        assert!(
            world.act(move |act| submit_batch(act, &specs)).await.is_err(),
            "one is wrong, so all are refused"
        );
    } else if let Ok(taken) = world.act(move |act| submit_batch(act, &specs)).await {
        world.tasks.extend(taken.into_iter().filter_map(|one| Ok(one).filter_new().ok()));
    }
}

async fn claims(world: &mut World) {
    let agent = world.chance.below(3);
    let instance = world.instances[agent];
    let request = Request {
        want: Want {
            agent: AGENTS[agent].into(),
            capabilities: Vec::new(),
            kinds: None,
            queues: QUEUES.iter().map(|queue| (*queue).to_owned()).collect(),
            reach: Reach::All,
            allowed: None,
        },
        instance: Some(format!("i{instance}")),
        claim_id: world.chance.once_in(3).then(|| format!("c{}", world.chance.next())),
        max: 1 + world.chance.below(3),
        lease_ms: world.chance.of(&LENGTHS_MS).expect("one of three"),
    };
    let lost = world.chance.once_in(8);
    let again = request.clone();
    let taken = world.act(move |act| claim(act, &request)).await.expect("claims");
    if again.claim_id.is_some() && !taken.is_empty() {
        let replayed = world.act(move |act| claim(act, &again)).await.expect("claims");
        let held = |of: &[Claimed]| of.iter().map(Claimed::held).collect::<HashSet<_>>();
        assert_eq!(held(&replayed), held(&taken), "D3: asked again, the same tasks come back");
    }
    for claimed in taken {
        let (id, generation) = (claimed.found.task.id, claimed.found.task.generation);
        let before = world.generations.insert(id, generation);
        assert!(before.is_none_or(|before| generation > before), "E3: generations only rise");
        if !lost {
            world.held.push((id, generation, agent, instance));
            if claimed.found.task.spec.extras.concurrency.is_some() {
                world.programs.push((id, generation, agent));
            }
        }
    }
}

async fn settles(world: &mut World) {
    let place = world.chance.below(world.held.len());
    let Some((id, generation, _, _)) = world.held.get(place).copied() else { return };
    world.over(id, generation);
    let outcome =
        world.chance.of(&[Outcome::Succeeded, Outcome::Succeeded, Outcome::Failed, Outcome::Released]);
    let outcome = outcome.expect("one of four");
    let stale = if world.chance.once_in(6) { generation - 1 } else { generation };
    let error = (outcome == Outcome::Failed).then(|| "it broke".to_owned());
    let report =
        Report { id, generation: stale, outcome, result: None, error, retryable: !world.chance.once_in(5) };
    let twice = report.clone();
    let first = world.act(move |act| settle(act, &report)).await;
    if let Ok(verdict) = &first
        && !verdict.replayed
        && outcome != Outcome::Released
    {
        assert!(world.accepted.insert((id, stale)), "no generation is accepted twice");
    }
    if first.is_ok() {
        let again = world.act(move |act| settle(act, &twice)).await;
        let state_of_stop = matches!(again, Ok(ref verdict) if !verdict.replayed);
        assert!(
            again.is_ok() && (!state_of_stop || outcome == Outcome::Released),
            "E8: the same again is the same"
        );
    }
    if world.chance.once_in(2) {
        world.held.swap_remove(place);
    }
}

async fn beats(world: &mut World) {
    let agent = world.chance.below(3);
    let lease_ms = world.chance.of(&[None, Some(LENGTHS_MS[0]), Some(LENGTHS_MS[2])]).expect("one of three");
    renews(world, agent, lease_ms).await;
}

/// The present process of an agent renews what it holds; says whether it had anything to say.
async fn renews(world: &mut World, agent: usize, lease_ms: Option<i64>) -> bool {
    let instance = world.instances[agent];
    let held: Vec<Held> = world
        .held
        .iter()
        .filter(|(_, _, of, in_)| (*of, *in_) == (agent, instance))
        .map(|(id, generation, _, _)| Held { id: *id, generation: *generation })
        .collect();
    if held.is_empty() {
        return false;
    }
    let name = format!("i{instance}");
    let standing = world
        .act(move |act| renew_all(act, AGENTS[agent], Some(&name), lease_ms, &held))
        .await
        .expect("renews");
    world.drops(&standing);
    true
}

async fn cancels(world: &mut World) {
    // Mostly one that runs.
    let running = world.chance.of(&world.held).map(|(id, ..)| id).filter(|_| !world.chance.once_in(3));
    let Some(id) = running.or_else(|| world.any_task()) else { return };
    let _ = world.act(move |act| cancel::cancel(act, id, "requested")).await;
    let generation = world.generations.get(&id).copied().unwrap_or_default();
    let stop = world.chance.of(&[Stop::Acknowledged, Stop::Stopped]).expect("one of two");
    if world.chance.once_in(2) {
        let taken = world.act(move |act| cancel::report_stop(act, id, generation, stop)).await;
        let deleted = !world.tasks.contains(&id) && taken == Err(Code::NotFound);
        assert!(taken.is_ok() || deleted, "{id}: {taken:?}");
        if stop == Stop::Stopped {
            world.over(id, generation);
        }
    }
    // Somebody thinks better of it at once.
    if world.chance.once_in(3) {
        let _ = world.act(move |act| retry(act, id, &Edit::default())).await;
        claims(world).await;
    }
}

async fn retries(world: &mut World) {
    let Some(id) = world.any_task() else { return };
    let priority = world.chance.once_in(2).then_some(7);
    let edit = Edit { priority, ..Edit::default() };
    let _ = world.act(move |act| retry(act, id, &edit)).await;
}

async fn edits(world: &mut World) {
    let Some(id) = world.any_task() else { return };
    let now = world.now();
    let priority = Some(1 + world.chance.below(10) as u8);
    let run_at = world.chance.once_in(3).then_some(Some(now + 5_000));
    let patch = Patch { priority, run_at, ..Patch::default() };
    let _ = world.act(move |act| edit(act, id, &patch)).await;
}

async fn depends(world: &mut World) {
    let (Some(id), Some(on)) = (world.any_task(), world.any_task()) else { return };
    if world.chance.once_in(3) {
        let _ = world.act(move |act| remove_dependency(act, id, on)).await;
    } else {
        let _ = world.act(move |act| add_dependency(act, id, on)).await;
    }
}

async fn switches(world: &mut World) {
    let queue = QUEUES[world.chance.below(3)];
    let flow = world.chance.of(&[Flow::Open, Flow::Open, Flow::Paused, Flow::Draining]).expect("one of four");
    let concurrency_limit = world.chance.once_in(3).then_some(2);
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        let scope = act.scope_key("default")?;
        act.save_queue(scope, queue, Settings { flow, concurrency_limit, ..Settings::default() })
    };
    world.act(deed).await.expect("is set");
}

/// An agent connects again: the same process, or a new one, which may have found what the old one left.
async fn reconnects(world: &mut World) {
    let agent = world.chance.below(3);
    let before = world.instances[agent];
    let spoke = renews(world, agent, None).await;
    if world.chance.once_in(2) {
        world.instances[agent] += 1;
        if world.chance.once_in(2) {
            world.held.retain(|(_, _, of, _)| *of != agent);
            world.programs.retain(|(_, _, of)| *of != agent);
        }
    }
    let instance = world.instances[agent];
    let of_agent = world.held.iter_mut().filter(|(_, _, of, _)| *of == agent);
    let names = |(id, generation, _, of): &mut (Id, i64, usize, usize)| {
        *of = instance;
        Held { id: *id, generation: *generation }
    };
    let holds = of_agent.map(names).collect();
    let name = AGENTS[agent].to_owned();
    let word = Hello { name, instance: format!("i{instance}"), profile: Profile::default(), holds };
    let number = 1 + world.chance.below(9) as u64;
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        supersede(act, &word.name, number)?;
        hello(act, &word)
    };
    let standing = world.act(deed).await.expect("is welcome");
    world.drops(&standing);
    // A late word of the old process, where the server has heard of it, and one of the new that has nothing to add.
    for says_nothing in spoke.then_some(before).into_iter().chain([instance]) {
        let name = format!("i{says_nothing}");
        let word =
            move |act: &mut tiltyard_engine::Act<'_>| renew_all(act, AGENTS[agent], Some(&name), None, &[]);
        world.act(word).await.expect("is taken");
    }
    let lives = move |act: &mut tiltyard_engine::Act<'_>| {
        let kept = standing.keep.iter().filter_map(|held| act.tx.key(held.id).zip(Some(held.generation)));
        Ok(kept.filter(|(key, generation)| act.memory.leases.live(*key, *generation).is_none()).count())
    };
    assert_eq!(world.act(lives).await, Ok(0), "D31: what an agent was told to keep lives on");
}

/// A deed that does much and is taken back.
async fn taken_back(world: &mut World) {
    let (spec, id) = (spec(world), world.any_task());
    let request = Request {
        want: Want {
            agent: "nobody".into(),
            capabilities: Vec::new(),
            kinds: None,
            queues: Vec::new(),
            reach: Reach::All,
            allowed: None,
        },
        instance: None,
        claim_id: None,
        max: 5,
        lease_ms: 30_000,
    };
    let deed = move |act: &mut tiltyard_engine::Act<'_>| -> Result<(), Refusal> {
        let _ = submit(act, &spec);
        claim(act, &request)?;
        if let Some(id) = id {
            let _ = cancel::cancel(act, id, "requested");
        }
        rescue::rescue(act, act.now.steady)?;
        Err(Refusal::new(Code::Invalid, "after all, no"))
    };
    assert_eq!(world.act(deed).await, Err(Code::Invalid));
}

fn over(act: &mut tiltyard_engine::Act<'_>) -> Result<usize, Refusal> {
    rescue::rescue(act, act.now.steady)
}

async fn passes(world: &mut World) {
    let by_ms = world.chance.of(&[10, 1_000, 10_000, 31_000, 120_000]).expect("one of five");
    world.clock.advance(by_ms);
    if world.chance.once_in(4) {
        let jump = world.chance.of(&[-3_600_000, 3_600_000, -1]).expect("one of three");
        world.clock.jump(jump);
    }
    for (what, deed) in [
        ("rescue", over as fn(&mut tiltyard_engine::Act<'_>) -> _),
        ("overdue", due::end_overdue),
        ("scheduled", due::start_scheduled),
        ("prune", due::prune),
    ] {
        world.act(deed).await.expect(what);
        if std::env::var_os("SIMULATE_TELL").is_some() {
            eprintln!("  {what}");
            crate::check::memory(world).await;
        }
    }
}
