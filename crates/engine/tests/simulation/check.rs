//! What must hold in every world.

use crate::world::World;
use std::collections::HashMap;
use tiltyard_engine::memory::boot::rebuild;
use tiltyard_model::event::Type;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::State;
use tiltyard_store::event;

/// Memory is what a fresh rebuild of the store makes: no undo, no move and no restart may leave them apart.
pub(crate) async fn memory(world: &World) {
    let deed = |act: &mut tiltyard_engine::Act<'_>| -> Result<_, Refusal> {
        // What the door writes once a transaction must be there to be read back.
        let fresh = rebuild(act.tx, act.now).map_err(tiltyard_engine::act::refusal_of)?;
        Ok((act.memory.summary(), fresh.summary()))
    };
    let (kept, fresh) = world.act(deed).await.expect("rebuilds");
    let differs: Vec<_> = kept.iter().filter(|(name, text)| fresh.get(*name) != Some(text)).collect();
    assert!(differs.is_empty(), "memory says {differs:#?}");
    let missing: Vec<_> = fresh.iter().filter(|(name, _)| !kept.contains_key(*name)).collect();
    assert!(missing.is_empty(), "memory does not know {missing:#?}");
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
