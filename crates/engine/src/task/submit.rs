//! Submit: a task enters.

use crate::act::{Act, refusal_of};
use crate::memory::unique::hash_of;
use tiltyard_model::event::TaskSubmitted;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Fault, Refusal};
use tiltyard_model::run::Part;
use tiltyard_model::task::admission::{MAX_BATCH_TASKS, faults, is_internal_kind};
use tiltyard_model::task::{CHANGE_KIND, OnDependencyFailure, Spec, State, first_state};
use tiltyard_model::time::TimeMs;
use tiltyard_store::task::{Found, Insert, by_key, insert};
use tiltyard_store::unique::{self, Hold};

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The task: the new one, or the one that holds the unique key.
    pub id: Id,
    /// Where it stands.
    pub state: State,
    /// The task as it was found, for a duplicate.
    pub first: Option<Box<Found>>,
    /// When it was submitted, in milliseconds.
    pub created_at: i64,
}

/// Takes one task in, or gives the one that holds its unique key.
///
/// # Errors
/// 422 with every wrong field; 422 `unknown_scope`, `unknown_dependency`; 409 `dependency_failed`.
pub fn submit(act: &mut Act<'_>, spec: &Spec) -> Result<Submitted, Refusal> {
    if is_internal_kind(&spec.kind) {
        return Err(Refusal::field("/kind", "kinds that begin with `git.` are the server's own"));
    }
    if act.memory.storage_low {
        return Err(storage_low());
    }
    if spec.kind == CHANGE_KIND {
        let prepared = crate::change::prepare::prepare(act, spec)?;
        return enter(act, &prepared);
    }
    enter(act, spec)
}

/// New work is refused while the disk is nearly full; what runs is settled (O15).
pub(crate) fn storage_low() -> Refusal {
    Refusal::new(
        Code::StorageLow,
        "the disk of the data folder is nearly full: no new work is taken until there is room, and what runs is settled",
    )
    .retry_after(5_000)
}

/// The part of a run that a task carries out, and whose run it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct For<'a> {
    /// The run's key.
    pub run: i64,
    /// The part.
    pub part: Part,
    /// Who started the run: the task is theirs.
    pub owner: &'a str,
}

/// Takes in the task of a part of a run.
///
/// # Errors
/// As [`submit`].
pub(crate) fn submit_for(act: &mut Act<'_>, spec: &Spec, of: For<'_>) -> Result<Submitted, Refusal> {
    if is_internal_kind(&spec.kind) {
        return Err(Refusal::field("/kind", "kinds that begin with `git.` are the server's own"));
    }
    if act.memory.storage_low {
        return Err(storage_low());
    }
    if spec.kind == CHANGE_KIND {
        let prepared = crate::change::prepare::prepare(act, spec)?;
        return enter_for(act, &prepared, Some(of));
    }
    enter_for(act, spec, Some(of))
}

/// The same for the engine's own kinds.
pub(crate) fn enter(act: &mut Act<'_>, spec: &Spec) -> Result<Submitted, Refusal> {
    enter_for(act, spec, None)
}

fn enter_for(act: &mut Act<'_>, spec: &Spec, of: Option<For<'_>>) -> Result<Submitted, Refusal> {
    Refusal::from_faults(faults(spec)).map_or(Ok(()), Err)?;
    let scope = act.scope_key(&spec.scope)?;
    let hash = spec.unique.as_ref().map(|unique| hash_of(scope, &unique.key));
    if let Some(first) = hash.map(|hash| holder(act, spec, hash)).transpose()?.flatten() {
        return Ok(duplicate(first));
    }
    super::handed::admit(act, spec)?;
    let (named, waits_for) = dependencies(act, spec)?;
    let state = first_state(waits_for as usize, spec.run_at, act.now.wall);
    let key = write(act, spec, scope, (state, waits_for), of)?;
    for on in named.into_iter().filter(|_| state == State::Pending) {
        act.memory.await_more(on, 1);
    }
    if let (Some(hash), Some(unique)) = (hash, &spec.unique) {
        let until = unique.for_ms.map(|held| act.now.wall.saturating_add(held));
        take_hold(act, spec, Hold { task: key, hash, until })?;
    }
    let id = act.id(Noun::Task, key);
    Ok(Submitted { id, state, first: None, created_at: id.time_ms() })
}

/// A task that runs again holds its unique key again, where it is held until the task is final.
pub(crate) fn hold(act: &mut Act<'_>, key: i64, spec: &Spec, scope: i64) -> Result<(), Refusal> {
    let Some(unique) = spec.unique.as_ref().filter(|unique| unique.for_ms.is_none()) else { return Ok(()) };
    let hash = hash_of(scope, &unique.key);
    take_hold(act, spec, Hold { task: key, hash, until: None })
}

/// Takes a hold from whoever had it: one that is over may not have been swept up yet, and its row must not come to
/// life again at a restart.
fn take_hold(act: &mut Act<'_>, spec: &Spec, hold: Hold) -> Result<(), Refusal> {
    let Hold { task, hash, until } = hold;
    let others: Vec<i64> = act.memory.unique.holders(hash).map(|(other, _)| other).collect();
    for other in others.into_iter().filter(|other| *other != task) {
        if holds(act, other, spec)?.is_some() {
            unique::end(act.tx, other).map_err(refusal_of)?;
            act.memory.end_hold(other);
        }
    }
    unique::put(act.tx, hold).map_err(refusal_of)?;
    act.memory.hold(hash, task, until);
    Ok(())
}

/// Takes many tasks in, all or nothing, in order.
///
/// # Errors
/// As [`submit`], with the place of the task in the field: `/tasks/3/title`.
pub fn submit_batch(act: &mut Act<'_>, specs: &[Spec]) -> Result<Vec<Submitted>, Refusal> {
    if specs.is_empty() || specs.len() > MAX_BATCH_TASKS {
        return Err(Refusal::field("/tasks", "must be 1 to 10,000 tasks"));
    }
    let placed = |(index, spec)| submit(act, spec).map_err(|refusal| place(index, refusal));
    specs.iter().enumerate().map(placed).collect()
}

fn place(index: usize, mut refusal: Refusal) -> Refusal {
    if refusal.faults.is_empty() {
        refusal.faults.push(Fault { field: String::new(), error: refusal.message.clone() });
    }
    for fault in &mut refusal.faults {
        fault.field = format!("/tasks/{index}{}", fault.field);
    }
    refusal.message = format!("task {index}: {}", refusal.message);
    refusal
}

fn duplicate(first: Found) -> Submitted {
    let (id, state) = (first.task.id, first.task.state);
    Submitted { id, state, created_at: id.time_ms(), first: Some(Box::new(first)) }
}

/// The task that holds the key, verified against its row.
pub(crate) fn holder(act: &Act<'_>, spec: &Spec, hash: i64) -> Result<Option<Found>, Refusal> {
    let live = |until: Option<TimeMs>| until.is_none_or(|until| until > act.now.wall);
    for (task, _) in act.memory.unique.holders(hash).filter(|(_, until)| live(*until)) {
        if let Some(found) = holds(act, task, spec)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A task whose key is the same, and not only its hash.
fn holds(act: &Act<'_>, task: i64, spec: &Spec) -> Result<Option<Found>, Refusal> {
    let same = |found: &Found| {
        let held = found.task.spec.unique.as_ref().map(|unique| unique.key.as_str());
        held == spec.unique.as_ref().map(|unique| unique.key.as_str()) && found.task.spec.scope == spec.scope
    };
    Ok(by_key(act.tx, task).map_err(refusal_of)?.filter(same))
}

/// The dependencies of a new task, and how many of them are unfinished.
fn dependencies(act: &Act<'_>, spec: &Spec) -> Result<(Vec<i64>, u32), Refusal> {
    let (mut named, mut waits_for) = (Vec::new(), 0);
    for (index, id) in spec.depends_on.iter().enumerate() {
        if spec.depends_on[..index].contains(id) {
            continue;
        }
        let field = format!("/depends_on/{index}");
        let found = tiltyard_store::task::get(act.tx, *id).map_err(refusal_of)?;
        let Some(found) = found.filter(|found| found.task.spec.scope == spec.scope) else {
            return Err(Refusal::fault(
                Code::UnknownDependency,
                field,
                format!("there is no task {id} in this scope"),
            ));
        };
        super::dependent::admit(act, &found, field.as_str())?;
        match found.task.state {
            State::Succeeded => {}
            State::Dead | State::Cancelled => bad_end(spec.extras.on_dependency_failure, field, *id)?,
            _ => waits_for += 1,
        }
        named.push(found.key);
    }
    Ok((named, waits_for))
}

fn bad_end(rule: OnDependencyFailure, field: String, id: Id) -> Result<(), Refusal> {
    match rule {
        OnDependencyFailure::Run => Ok(()),
        OnDependencyFailure::Cancel => Err(Refusal::fault(
            Code::DependencyFailed,
            field,
            format!("{id} has ended badly: retry it first, or say on_dependency_failure = run"),
        )),
    }
}

fn write(
    act: &mut Act<'_>,
    spec: &Spec,
    scope: i64,
    (state, waits_for): (State, u32),
    of: Option<For<'_>>,
) -> Result<i64, Refusal> {
    let queue = act.queue_key(scope, &spec.queue)?;
    let lane = act.lane_key(queue, spec)?;
    let owner = of.map_or_else(|| act.pass.caller.owner.clone(), |of| of.owner.to_owned());
    let created_by = act.actor_key(&owner)?;
    let key = act.next_key();
    let ready_at = (state == State::Ready).then_some(act.now.wall);
    let run = of.map(|of| of.run);
    insert(act.tx, &Insert { key, scope, queue, lane, state, spec, created_by, ready_at, waits_for, run })
        .map_err(refusal_of)?;
    if let Some(For { run, part, .. }) = of {
        act.memory.bind(key, run, part);
    }
    if state == State::Ready {
        act.memory.make_ready(lane, key, act.now.wall, spec.priority);
    }
    act.memory.count_move(queue, None, Some(state));
    let event = TaskSubmitted {
        state,
        queue: spec.queue.clone(),
        kind: spec.kind.clone(),
        title: spec.title.clone(),
        priority: spec.priority,
        cause: None,
    };
    act.task_event(scope, key, &event)?;
    Ok(key)
}
