//! The board: how many tasks stand in each state, and the first of them; now, or as it stood at a past moment, told
//! by the log.

use crate::act::{Act, refusal_of};
use crate::task::access::may_see;
use std::collections::HashMap;
use tiltyard_model::event::Type;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::task::State;
use tiltyard_model::time::TimeMs;
use tiltyard_store::Rows;
use tiltyard_store::event::{self, Event};
use tiltyard_store::task::{self, Found};

/// Events that are read together.
const READ_AT_ONCE: usize = 5_000;
/// How many states there are.
const STATES: usize = State::ALL.len();

/// Which part of the board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Scopes by name; `None` for all of the caller's.
    pub scopes: Option<Vec<String>>,
    /// The queue.
    pub queue: Option<String>,
}

/// How many tasks of a part stand in each state now, by state's number: from memory, whatever the size of the store.
///
/// # Errors
/// Never, today.
pub fn counts(act: &mut Act<'_>, part: &Part) -> Result<[u64; STATES], Refusal> {
    let mut counts = [0; STATES];
    let caller = &act.pass.caller;
    for queue in act.memory.names.queues() {
        let scope = act.memory.names.scope_name(queue.scope);
        let meant = part.queue.as_ref().is_none_or(|name| **name == *queue.name)
            && part.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|name| name == scope));
        if meant && crate::task::access::may_reach(caller, scope, &queue.name) {
            let of_queue = act.memory.counts.of(queue.key);
            counts.iter_mut().zip(of_queue).for_each(|(sum, count)| *sum += count.max(0) as u64);
        }
    }
    Ok(counts)
}

/// The board of a past moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// How many stood in each state, by state's number.
    pub counts: [u64; STATES],
    /// The newest of each column; their other fields are as they are today.
    pub columns: Vec<(State, Vec<Found>)>,
}

/// The board as it stood at `at`: the log is read from its beginning, so the cost grows with its length up to there.
///
/// # Errors
/// 410 `cursor_compacted` when the log no longer reaches so far back.
pub fn at(rows: &Rows, caller: &Caller, part: &Part, at: TimeMs, window: usize) -> Result<Past, Refusal> {
    let filter = event::Filter { scopes: covered(caller, part), ..event::Filter::default() };
    let mut states: HashMap<Id, State> = HashMap::new();
    let mut after = start(rows)?;
    loop {
        let events = event::after(rows, after, &filter, READ_AT_ONCE).map_err(refusal_of)?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        let done = last.time > at;
        events.iter().take_while(|event| event.time <= at).for_each(|event| follow(&mut states, event));
        if done {
            break;
        }
    }
    columns(rows, caller, part, states, window)
}

/// The scopes that are meant and that the caller covers; `None` for all (SEC4).
fn covered(caller: &Caller, part: &Part) -> Option<Vec<String>> {
    match (&caller.reach, &part.scopes) {
        (Reach::All, named) => named.clone(),
        (Reach::Only(own), None) => Some(own.clone()),
        (Reach::Only(own), Some(named)) => {
            Some(named.iter().filter(|scope| own.contains(scope)).cloned().collect())
        }
    }
}

/// Where the log begins; it must begin with the store.
fn start(rows: &Rows) -> Result<i64, Refusal> {
    let (first, _) = event::bounds(rows).map_err(refusal_of)?;
    if first > 1 {
        let text = "the log no longer holds the beginning, so a past board cannot be told";
        return Err(Refusal::new(Code::CursorCompacted, text));
    }
    Ok(0)
}

fn follow(states: &mut HashMap<Id, State>, event: &Event) {
    let Some(task) = event.task else { return };
    if event.kind == Type::TaskDeleted {
        states.remove(&task);
    } else if let Some(state) = state_after(event) {
        states.insert(task, state);
    }
}

/// Where a task stands after an event; `None` for events that move nothing.
pub fn state_after(event: &Event) -> Option<State> {
    Some(match event.kind {
        Type::TaskSubmitted => {
            let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
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

fn columns(
    rows: &Rows,
    caller: &Caller,
    part: &Part,
    states: HashMap<Id, State>,
    window: usize,
) -> Result<Past, Refusal> {
    let mut sorted: Vec<(Id, State)> = states.into_iter().collect();
    sorted.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(id.key()));
    let mut past =
        Past { counts: [0; STATES], columns: State::ALL.map(|state| (state, Vec::new())).to_vec() };
    // Whose part a task is stands in its row; where every queue is meant and every queue allowed, no row is read for
    // what lies outside the windows.
    let every_queue = part.queue.is_none() && caller.queues.is_none();
    for (id, state) in sorted {
        let column = &mut past.columns[state as usize].1;
        if every_queue && column.len() >= window {
            past.counts[state as usize] += 1;
            continue;
        }
        let found = task::get(rows, id).map_err(refusal_of)?;
        let meant = |found: &Found| {
            may_see(caller, &found.task)
                && part.queue.as_ref().is_none_or(|queue| *queue == found.task.spec.queue)
        };
        if let Some(found) = found.filter(meant) {
            past.counts[state as usize] += 1;
            if column.len() < window {
                column.push(found);
            }
        }
    }
    Ok(past)
}
