//! What a person may change of a task that is not final: some fields, and what it waits for.

use super::{Step, dependent};
use crate::act::{Act, refusal_of};
use crate::memory::lease::Sort;
use tiltyard_model::event::{TaskReady, TaskSubmitted, TaskUpdated};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::admission::{MAX_DEPENDENCIES, faults};
use tiltyard_model::task::{OnDependencyFailure, State};
use tiltyard_model::time::TimeMs;
use tiltyard_store::task::{Found, dependency, patch};

/// Absent fields stay; `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// One line for people.
    pub title: Option<String>,
    /// 1 to 10.
    pub priority: Option<u8>,
    /// For people and filters.
    pub labels: Option<Vec<String>>,
    /// For people and filters.
    pub category: Option<Option<String>>,
    /// Not before.
    pub run_at: Option<Option<TimeMs>>,
    /// Past it, unfinished work is cancelled.
    pub deadline: Option<Option<TimeMs>>,
    /// Only this agent may take it.
    pub assign_to: Option<Option<String>>,
}

/// Most tasks that a walk for a cycle looks at; a graph larger than that is refused.
const MAX_WALK_TASKS: usize = 10_000;

/// Changes some fields.
///
/// # Errors
/// 404; 409 `already_final`; 422 with every wrong field.
pub fn edit(act: &mut Act<'_>, id: Id, change: &Patch) -> Result<Found, Refusal> {
    let found = act.task(id)?;
    if found.task.state.is_final() {
        let text = format!("{id} is {}: a final task is not edited, retry it", found.task.state.as_str());
        return Err(Refusal::new(Code::AlreadyFinal, text));
    }
    let mut fresh = found.clone();
    let fields = apply(&mut fresh, change);
    internal_stays(&found, fields.iter().any(|field| field == "assign_to"))?;
    internal_ends(&found, fields.iter().any(|field| field == "deadline"))?;
    if fields.is_empty() {
        return Ok(found);
    }
    let times = change.run_at.is_some() || change.deadline.is_some();
    // A back-off may well end after the deadline: that is no fault of who edits something else.
    let found_faults =
        faults(&fresh.task.spec).into_iter().filter(|fault| times || fault.field != "/deadline");
    Refusal::from_faults(found_faults.collect()).map_or(Ok(()), Err)?;
    write(act, &found, &fresh)?;
    act.task_event(found.scope, found.key, &TaskUpdated { fields })?;
    act.task(id)
}

/// An internal task is for the agent of its repository: what another one says of a repository is not believed (C19).
///
/// # Errors
/// 422 where it is to be given to another.
pub(crate) fn internal_stays(found: &Found, moved: bool) -> Result<(), Refusal> {
    if moved && Sort::of(&found.task.spec.kind) == Sort::Git {
        return Err(Refusal::field("/assign_to", "an internal task stays with the agent of its repository"));
    }
    Ok(())
}

/// A deadline would cancel it, and an internal task is not cancelled by itself (C34).
fn internal_ends(found: &Found, limited: bool) -> Result<(), Refusal> {
    if limited && Sort::of(&found.task.spec.kind) == Sort::Git {
        return Err(Refusal::field(
            "/deadline",
            "an internal task ends with its change, and has no deadline",
        ));
    }
    Ok(())
}

fn apply(found: &mut Found, change: &Patch) -> Vec<String> {
    let spec = &mut found.task.spec;
    let mut fields = Vec::new();
    set(&mut fields, "title", &mut spec.title, &change.title);
    set(&mut fields, "priority", &mut spec.priority, &change.priority);
    set(&mut fields, "labels", &mut spec.extras.labels, &change.labels);
    set(&mut fields, "category", &mut spec.extras.category, &change.category);
    set(&mut fields, "run_at", &mut spec.run_at, &change.run_at);
    set(&mut fields, "deadline", &mut spec.deadline, &change.deadline);
    set(&mut fields, "assign_to", &mut spec.extras.assign_to, &change.assign_to);
    fields
}

fn set<T: Clone + PartialEq>(fields: &mut Vec<String>, name: &str, field: &mut T, value: &Option<T>) {
    if let Some(value) = value.as_ref().filter(|value| *value != field) {
        field.clone_from(value);
        fields.push(name.to_owned());
    }
}

/// Any agent may take a task that waited for one which has gone.
pub(crate) fn unassign(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    let mut fresh = found.clone();
    fresh.task.spec.extras.assign_to = None;
    write(act, found, &fresh)?;
    act.task_event(found.scope, found.key, &TaskUpdated { fields: vec!["assign_to".to_owned()] })
}

/// The row, its lane and its place in the ready order.
fn write(act: &mut Act<'_>, found: &Found, fresh: &Found) -> Result<(), Refusal> {
    let spec = &fresh.task.spec;
    let lane = act.lane_key(found.queue, spec)?;
    let ahead = spec.run_at.is_some_and(|time| time > act.now.wall);
    if found.task.state == State::Scheduled && !ahead {
        // The move first: a row that is scheduled has its time, always.
        dependent::go(act, &Found { lane, ..fresh.clone() }, State::Ready, "edited")?;
        return patch(act.tx, found.key, spec, lane).map_err(refusal_of);
    }
    patch(act.tx, found.key, spec, lane).map_err(refusal_of)?;
    if found.task.state != State::Ready {
        return Ok(());
    }
    if !ahead {
        replace(act, found, fresh, lane);
        return Ok(());
    }
    act.shift(found, Step { run_at: spec.run_at, ..Step::to(found, State::Scheduled) })?;
    let event: TaskSubmitted = dependent::submitted(fresh, State::Scheduled, "edited");
    act.task_event(found.scope, found.key, &event)
}

/// Gives a ready task its new place: how long it has been ready stays.
fn replace(act: &mut Act<'_>, found: &Found, fresh: &Found, lane: i64) {
    let ready_at = found.task.ready_at.unwrap_or(act.now.wall);
    act.memory.unready(found.lane, found.key, ready_at, found.task.spec.priority);
    act.memory.make_ready(lane, found.key, ready_at, fresh.task.spec.priority);
}

/// Adds a dependency to a task that has not started.
///
/// # Errors
/// 404 for either task; 409 `wrong_state`, `dependency_failed`; 422 `dependency_cycle`.
pub fn add_dependency(act: &mut Act<'_>, id: Id, on: Id) -> Result<Found, Refusal> {
    let (found, other) = (not_started(act, id)?, act.task(on)?);
    if other.task.spec.scope != found.task.spec.scope {
        return Err(Refusal::fault(Code::UnknownDependency, "", format!("{on} is in another scope")));
    }
    let already = dependency::of(act.tx, found.key).map_err(refusal_of)?;
    if already.contains(&other.key) {
        return Ok(found);
    }
    if already.len() >= MAX_DEPENDENCIES {
        return Err(Refusal::field("", "the task has 1,000 dependencies already"));
    }
    dependent::admit(act, &other, "")?;
    if reaches(act, other.key, found.key)? {
        let text =
            format!("{on} waits for {id} itself, directly or through others: that would wait for ever");
        return Err(Refusal::fault(Code::DependencyCycle, "", text));
    }
    let rule = found.task.spec.extras.on_dependency_failure;
    if rule == OnDependencyFailure::Cancel && matches!(other.task.state, State::Dead | State::Cancelled) {
        return Err(Refusal::new(Code::DependencyFailed, format!("{on} has ended badly: retry it first")));
    }
    dependency::put(act.tx, found.key, other.key).map_err(refusal_of)?;
    settle_waiting(act, &found, &already)?;
    act.task_event(found.scope, found.key, &TaskUpdated { fields: vec!["depends_on".to_owned()] })?;
    act.task(id)
}

/// Takes a dependency away.
///
/// # Errors
/// 404 for the task or the dependency; 409 `wrong_state`.
pub fn remove_dependency(act: &mut Act<'_>, id: Id, on: Id) -> Result<Found, Refusal> {
    let found = not_started(act, id)?;
    let already = dependency::of(act.tx, found.key).map_err(refusal_of)?;
    let key = act.tx.key(on).filter(|key| already.contains(key));
    let key = key.ok_or_else(|| Refusal::missing("dependency", on))?;
    dependency::delete(act.tx, found.key, key).map_err(refusal_of)?;
    settle_waiting(act, &found, &already)?;
    act.task_event(found.scope, found.key, &TaskUpdated { fields: vec!["depends_on".to_owned()] })?;
    act.task(id)
}

fn not_started(act: &Act<'_>, id: Id) -> Result<Found, Refusal> {
    let found = act.task(id)?;
    match found.task.state {
        State::Pending | State::Scheduled | State::Ready => Ok(found),
        state => {
            let text = format!("{id} is {}: dependencies change only before a task starts", state.as_str());
            Err(Refusal::new(Code::WrongState, text))
        }
    }
}

/// Whether `from` waits for `to`, directly or through others.
fn reaches(act: &Act<'_>, from: i64, to: i64) -> Result<bool, Refusal> {
    let mut open = vec![from];
    let mut seen = std::collections::HashSet::from([from]);
    while let Some(key) = open.pop() {
        if key == to {
            return Ok(true);
        }
        if seen.len() > MAX_WALK_TASKS {
            return Err(Refusal::field(
                "",
                "the graph of dependencies is too large to be searched for a cycle",
            ));
        }
        for on in dependency::of(act.tx, key).map_err(refusal_of)? {
            if seen.insert(on) {
                open.push(on);
            }
        }
    }
    Ok(false)
}

/// Brings state and memory in step with the dependencies as they are now; `before` is what they were.
fn settle_waiting(act: &mut Act<'_>, found: &Found, before: &[i64]) -> Result<(), Refusal> {
    let rule = found.task.spec.extras.on_dependency_failure;
    let left = dependency::unfinished(act.tx, found.key, rule).map_err(refusal_of)?;
    let to = tiltyard_model::task::first_state(left as usize, found.task.spec.run_at, act.now.wall);
    await_others(act, found, before, to)?;
    if to != found.task.state {
        act.shift(found, Step { waits_for: left, ..Step::to(found, to) })?;
    }
    // After the move: a pending task waits for something, always.
    dependency::recount(act.tx, found.key, left).map_err(refusal_of)?;
    match to {
        same if same == found.task.state => Ok(()),
        State::Ready => {
            let event = TaskReady { cause: "dependencies".to_owned(), run_at: None };
            act.task_event(found.scope, found.key, &event)
        }
        _ => act.task_event(found.scope, found.key, &dependent::submitted(found, to, "dependencies")),
    }
}

/// Who waits for whom, in memory: only pending tasks do.
fn await_others(act: &mut Act<'_>, found: &Found, before: &[i64], to: State) -> Result<(), Refusal> {
    if found.task.state == State::Pending {
        for on in before {
            act.memory.await_more(*on, -1);
        }
    }
    if to == State::Pending {
        for on in dependency::of(act.tx, found.key).map_err(refusal_of)? {
            act.memory.await_more(on, 1);
        }
    }
    Ok(())
}
