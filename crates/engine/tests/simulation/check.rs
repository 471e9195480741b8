//! What must hold in every world.

use crate::step::DB_LIMIT;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tiltyard_engine::memory::Memory;
use tiltyard_engine::memory::boot::rebuild;
use tiltyard_engine::memory::connection::Heard;
use tiltyard_engine::memory::redo::HEARD_EVERY_MS;
use tiltyard_model::event::Type;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
use tiltyard_model::task::attempt::{Attempt, Outcome, Stop};
use tiltyard_store::{event, task};

/// Memory is what a fresh rebuild of the store makes: no undo, no move and no restart may leave them apart.
pub(crate) async fn memory(world: &World) {
    let deed = |act: &mut tiltyard_engine::Act<'_>| -> Result<_, Refusal> {
        // What the door writes once a transaction must be there to be read back.
        let fresh = rebuild(act.tx, act.now).map_err(tiltyard_engine::act::refusal_of)?;
        Ok((act.memory.summary(), fresh.summary()))
    };
    let (kept, fresh) = world.act(deed).await.expect("rebuilds");
    let differs = differences(&kept, &fresh);
    assert!(differs.is_empty(), "memory and what the store makes of it: {differs:#?}");
}

/// D4: of the programs that run on some machine, no more than the limit of their key are ones that the server has not
/// given up: it let them start, and has not heard that they ended, nor waited long enough for it.
pub(crate) async fn limits(world: &World) {
    let programs = world.programs.clone();
    let deed = move |act: &mut tiltyard_engine::Act<'_>| {
        let mut counted = Vec::new();
        for (id, generation, _) in programs {
            let Some(key) = act.tx.key(id) else { continue };
            let attempt = task::attempt(act.tx, key, generation).map_err(tiltyard_engine::act::refusal_of)?;
            let open = |attempt: &Attempt| match attempt.outcome {
                None => true,
                Some(Outcome::Cancelled) => attempt.stop.is_some_and(Stop::is_open),
                Some(_) => false,
            };
            counted.extend(attempt.filter(open).map(|_| (id, generation)));
        }
        Ok(counted)
    };
    let counted = world.act(deed).await.expect("reads");
    assert!(counted.len() <= DB_LIMIT as usize, "more run than may: {counted:?}");
}

/// The memory of a server that knows only the journal is that of the one that did it all.
pub(crate) async fn other(world: &mut World) {
    world.catch_up();
    let differs = apart(&seen(world).await, &world.other);
    assert!(differs.is_empty(), "memory and what another server makes of the journal: {differs:#?}");
}

/// What a server knows that others know too.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    summary: Summary,
    presence: HashMap<i64, (i64, i64)>,
    told: HashMap<i64, Heard>,
}

/// What the engine's memory says.
pub(crate) async fn seen(world: &World) -> Shared {
    let deed = |act: &mut tiltyard_engine::Act<'_>| {
        let (presence, told) = (act.memory.presence.clone(), act.memory.told.clone());
        Ok(Shared { summary: act.memory.shared_summary(), presence, told })
    };
    world.act(deed).await.expect("tells")
}

/// Where another memory says something else.
pub(crate) fn apart(kept: &Shared, other: &Memory) -> Vec<String> {
    let mut differs = differences(&kept.summary, &other.shared_summary());
    for (agent, (wall, steady)) in &kept.presence {
        match other.presence.get(agent) {
            Some((_, other)) if (0..HEARD_EVERY_MS).contains(&(steady - other)) => {}
            heard => differs.push(format!("agent {agent} was heard {wall} {steady}, there {heard:?}")),
        }
    }
    // What is shown of an agent is the same on every server.
    if kept.told != other.told {
        differs.push(format!("told {:?}, there {:?}", kept.told, other.told));
    }
    differs
}

type Summary = BTreeMap<String, String>;

fn differences(kept: &Summary, other: &Summary) -> Vec<String> {
    let names: BTreeSet<&String> = kept.keys().chain(other.keys()).collect();
    let differs = names.into_iter().filter(|name| kept.get(*name) != other.get(*name));
    differs.map(|name| format!("{name}: {:?} and {:?}", kept.get(name), other.get(name))).collect()
}

/// The log is gap-free, tells one event a move, and ends where the store says that each task is. Nothing that was
/// acknowledged is missing.
pub(crate) async fn story(world: &World) {
    let engine = world.engine.as_ref().expect("an engine");
    let read = |rows: &tiltyard_store::Rows| {
        event::after(rows, 0, &event::Filter::default(), 1_000_000).map_err(tiltyard_engine::act::refusal_of)
    };
    let events = engine.read(read).await.expect("reads");
    assert!(events.iter().enumerate().all(|(index, event)| event.seq == index as i64 + 1), "D50: gap-free");
    let mut last: HashMap<&str, i64> = HashMap::new();
    for event in &events {
        let last = last.entry(&event.scope).or_default();
        *last += 1;
        assert_eq!(event.scope_seq, *last, "D50: gap-free in `{}` too", event.scope);
    }
    let mut states: HashMap<Id, State> = HashMap::new();
    for event in &events {
        if let Some((task, state)) = event.task.zip(after(event)) {
            let before = states.insert(task, state);
            assert!(
                is_move(before, state, event.kind),
                "{task}: {before:?} to {state:?} by {}",
                event.kind.as_str()
            );
        }
    }
    for id in &world.tasks {
        let id = *id;
        let found = world.act(move |act| act.task(id)).await.expect("nothing acknowledged is lost");
        assert_eq!(states.get(&id), Some(&found.task.state), "D51: the log tells where {id} is");
    }
}

/// Where a task stands after an event; `None` for events that move nothing.
fn after(event: &event::Event) -> Option<State> {
    Some(match event.kind {
        Type::TaskSubmitted => {
            let data: serde_json::Value = serde_json::from_str(&event.data).expect("is JSON");
            State::parse(data["state"].as_str()?)?
        }
        Type::TaskReady | Type::TaskReleased | Type::TaskLeaseLost => State::Ready,
        Type::TaskLeased => State::Running,
        Type::TaskFailed => State::Scheduled,
        Type::TaskWaiting => State::Waiting,
        Type::TaskSucceeded => State::Succeeded,
        Type::TaskDead => State::Dead,
        Type::TaskCancelled => State::Cancelled,
        _ => return None,
    })
}

/// The table of moves of domain.md, by event.
fn is_move(before: Option<State>, to: State, kind: Type) -> bool {
    use State::{Cancelled, Dead, Pending, Ready, Running, Scheduled};
    match kind {
        Type::TaskSubmitted => match before {
            None => matches!(to, Pending | Scheduled | Ready),
            Some(before) => before != Running && matches!(to, Pending | Scheduled),
        },
        Type::TaskReady => matches!(before, Some(Pending | Scheduled | Dead | Cancelled | State::Waiting)),
        Type::TaskLeased => before == Some(Ready),
        Type::TaskCancelled => before.is_some_and(|before| !before.is_final()),
        _ => before == Some(Running),
    }
}
