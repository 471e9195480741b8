//! Tasks: every move is one conditional statement on state and generation (E3).

pub mod boot;
pub mod dependency;
pub mod list;
mod row;

use crate::backend::{Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use std::collections::HashMap;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::task::attempt::{Attempt, Outcome, Stop};
use tiltyard_model::task::{Spec, State, Task};
use tiltyard_model::time::{DurationMs, TimeMs};

/// A task with the keys of what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The task.
    pub task: Task,
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// The key of its queue.
    pub queue: i64,
    /// The key of its lane.
    pub lane: i64,
    /// The key of the agent of its attempt.
    pub agent: Option<i64>,
    /// The key of the run whose part it is.
    pub run: Option<i64>,
}

/// Names that a claim's answer needs and its statement does not read; the engine has them in memory.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The scope.
    pub scope: &'a str,
    /// The queue.
    pub queue: &'a str,
    /// The agent.
    pub agent: &'a str,
}

/// A new task.
#[derive(Debug)]
pub struct Insert<'a> {
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// The key of its queue.
    pub queue: i64,
    /// The key of its lane.
    pub lane: i64,
    /// Its first state.
    pub state: State,
    /// What was asked for.
    pub spec: &'a Spec,
    /// The key of who submitted it.
    pub created_by: i64,
    /// When it became ready.
    pub ready_at: Option<TimeMs>,
    /// How many dependencies are unfinished.
    pub waits_for: u32,
    /// The key of the run whose part it is.
    pub run: Option<i64>,
}

/// Writes a new task.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, new: &Insert<'_>) -> Result<()> {
    let spec = new.spec;
    let extras = (!spec.extras.is_empty()).then(|| json(&spec.extras));
    let parameters = [
        new.key.into(),
        new.scope.into(),
        new.queue.into(),
        new.lane.into(),
        new.state.code().into(),
        (&spec.kind).into(),
        (&spec.title).into(),
        (&spec.payload).into(),
        spec.priority.into(),
        extras.as_deref().into(),
        new.created_by.into(),
        new.ready_at.into(),
        spec.run_at.into(),
        spec.deadline.into(),
        spec.timeout_ms.into(),
        spec.max_attempts.into(),
        new.waits_for.into(),
        (spec.depends_on.len() as i64).into(),
        spec.unique.as_ref().map(|unique| unique.key.as_str()).into(),
        spec.unique.as_ref().and_then(|unique| unique.for_ms).into(),
        new.run.into(),
    ];
    tx.put(sql!("task/insert"), &parameters)?;
    spec.depends_on.iter().try_for_each(|on| dependency::put(tx, new.key, on.key()))
}

/// One task; `None` when there is none, or the id is of another store.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, id: Id) -> Result<Option<Found>> {
    match rows.key(id) {
        Some(key) => by_key(rows, key),
        None => Ok(None),
    }
}

/// One task by key.
///
/// # Errors
/// When the store is broken.
pub fn by_key(rows: &Rows, key: i64) -> Result<Option<Found>> {
    rows.one(sql!("task/get"), &[key.into()], |row| row::found(rows, row))
}

/// When a task became ready last.
///
/// # Errors
/// When the store is broken.
pub fn ready_at(rows: &Rows, key: i64) -> Result<Option<TimeMs>> {
    Ok(rows.one(sql!("task/ready_at"), &[key.into()], |row| row.opt_int(0))?.flatten())
}

/// A lease to write.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The task's key.
    pub key: i64,
    /// The key of the agent.
    pub agent: i64,
    /// Its process.
    pub instance: Option<&'a str>,
    /// The hash of the claim's id.
    pub claim: Option<i64>,
    /// The length of the lease.
    pub lease_ms: DurationMs,
    /// Now.
    pub now: TimeMs,
}

/// Gives a ready task to an agent: generation + 1 and the lease, in one statement; `None` when it is not ready.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn claim(tx: &Tx, claim: &Claim<'_>, names: Names<'_>) -> Result<Option<Found>> {
    let parameters = [
        claim.key.into(),
        claim.agent.into(),
        claim.instance.into(),
        claim.claim.into(),
        claim.lease_ms.into(),
        claim.now.into(),
    ];
    tx.one(sql!("task/claim"), &parameters, |row| row::claimed(tx, row, names))
}

/// Gives several ready tasks to agents, in one way there and back; the names belong to the claim at the same place, and so
/// do the answers. No task may be among them twice.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn claim_many(tx: &Tx, claims: &[Claim<'_>], names: &[Names<'_>]) -> Result<Vec<Option<Found>>> {
    let parameters = claims.iter().map(|claim| {
        [
            claim.key.into(),
            claim.agent.into(),
            claim.instance.into(),
            claim.claim.into(),
            claim.lease_ms.into(),
            claim.now.into(),
        ]
    });
    let places: HashMap<i64, usize> =
        claims.iter().enumerate().map(|(place, claim)| (claim.key, place)).collect();
    let mut found: Vec<Option<Found>> = claims.iter().map(|_| None).collect();
    tx.all_many(sql!("task/claim"), parameters, |row| {
        let place = places.get(&row.int(0)?).copied();
        let place = place.ok_or_else(|| row.unreadable("a task that nobody asked for"))?;
        found[place] = Some(row::claimed(tx, row, names[place])?);
        Ok(())
    })?;
    Ok(found)
}

/// Several tasks by key, in one way there and back; those that are not there are left out, and they come in any order.
///
/// # Errors
/// When the store is broken.
pub fn by_keys(rows: &Rows, keys: &[i64]) -> Result<Vec<Found>> {
    rows.all(sql!("task/get_many"), &[(&list_of(keys)).into()], |row| row::found(rows, row))
}

/// Copies the finished attempt out of the task's row, where another may take its place.
fn keep_attempt(tx: &Tx, key: i64) -> Result<()> {
    tx.put(sql!("attempt/keep"), &[key.into()])
}

/// The end of an attempt to write.
#[derive(Debug, Clone, Copy)]
pub struct Settle<'a> {
    /// The task's key.
    pub key: i64,
    /// The generation that ends.
    pub generation: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// JSON text.
    pub result: Option<&'a str>,
    /// What went wrong.
    pub error: Option<&'a str>,
    /// The next state.
    pub state: State,
    /// Attempts counted after it.
    pub used: u32,
    /// When it may run again.
    pub run_at: Option<TimeMs>,
    /// Now.
    pub now: TimeMs,
    /// How a stop stands, where the end is a cancel.
    pub stop: Option<Stop>,
    /// Why, where the end is a cancel.
    pub reason: Option<&'a str>,
}

/// Ends the running attempt of that generation; false when it is not running with that generation.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn settle(tx: &Tx, end: &Settle<'_>) -> Result<bool> {
    let ready_at = (end.state == State::Ready).then_some(end.now);
    let ended_at = end.state.is_final().then_some(end.now);
    let parameters = [
        end.key.into(),
        end.generation.into(),
        end.state.code().into(),
        end.outcome.code().into(),
        end.result.into(),
        end.error.into(),
        end.used.into(),
        end.run_at.into(),
        end.now.into(),
        ready_at.into(),
        ended_at.into(),
        end.stop.map(Stop::code).into(),
        end.reason.into(),
    ];
    let was_running = tx.must(sql!("task/settle"), &parameters)?;
    // Here and not when it is taken again: most tasks are taken once, and a claim is dearer than the end of a try.
    if was_running && !end.state.is_final() {
        keep_attempt(tx, end.key)?;
    }
    Ok(was_running)
}

/// A move outside an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// The task's key.
    pub key: i64,
    /// The state that it must be in.
    pub from: State,
    /// The generation that it must have.
    pub generation: i64,
    /// The next state.
    pub to: State,
    /// Not before.
    pub run_at: Option<TimeMs>,
    /// How many dependencies are unfinished.
    pub waits_for: u32,
    /// Now.
    pub now: TimeMs,
    /// Why, for a cancel.
    pub reason: Option<&'a str>,
}

/// Moves a task that is not running; false when it is not in that state with that generation.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn shift(tx: &Tx, step: &Move<'_>) -> Result<bool> {
    let parameters = [
        step.key.into(),
        step.from.code().into(),
        step.generation.into(),
        step.to.code().into(),
        step.run_at.into(),
        step.waits_for.into(),
        (step.to == State::Ready).then_some(step.now).into(),
        step.to.is_final().then_some(step.now).into(),
        step.reason.into(),
    ];
    tx.must(sql!("task/shift"), &parameters)
}

/// Starts a task's life anew: attempts fresh, perhaps with other fields. The caller moves it by [`shift`] after.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn renew(tx: &Tx, key: i64, spec: &Spec, lane: i64) -> Result<()> {
    keep_attempt(tx, key)?;
    let extras = (!spec.extras.is_empty()).then(|| json(&spec.extras));
    let parameters = [
        key.into(),
        spec.priority.into(),
        extras.as_deref().into(),
        (&spec.payload).into(),
        lane.into(),
        spec.run_at.into(),
        spec.deadline.into(),
    ];
    tx.put(sql!("task/renew"), &parameters)
}

/// Writes the fields that a person may change.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn patch(tx: &Tx, key: i64, spec: &Spec, lane: i64) -> Result<()> {
    let extras = (!spec.extras.is_empty()).then(|| json(&spec.extras));
    let parameters = [
        key.into(),
        (&spec.title).into(),
        spec.priority.into(),
        extras.as_deref().into(),
        lane.into(),
        spec.run_at.into(),
        spec.deadline.into(),
    ];
    tx.put(sql!("task/patch"), &parameters)
}

/// Keeps what an agent says of its progress; absent parts stay. False when the generation does not run.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn progress(
    tx: &Tx,
    key: i64,
    generation: i64,
    progress: Option<f64>,
    message: Option<&str>,
) -> Result<bool> {
    let parameters = [key.into(), generation.into(), progress.into(), message.into()];
    tx.must(sql!("task/progress"), &parameters)
}

/// Keeps the length of a lease and whose it is, where a renewal changes either; false when the generation does not run.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn prolong(
    tx: &Tx,
    key: i64,
    generation: i64,
    lease_ms: DurationMs,
    instance: Option<&str>,
) -> Result<bool> {
    let parameters = [key.into(), generation.into(), lease_ms.into(), instance.into()];
    tx.must(sql!("task/prolong"), &parameters)
}

/// Keeps how the stop of a cancelled attempt stands; false when that generation has no stop under way.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn stop(tx: &Tx, key: i64, generation: i64, stop: Stop) -> Result<bool> {
    let parameters = [key.into(), generation.into(), stop.code().into()];
    let here = tx.run(sql!("task/stop"), &parameters)?;
    // The attempt may have been kept apart already, when the task was retried meanwhile.
    Ok(here + tx.run(sql!("attempt/stop"), &parameters)? > 0)
}

/// Puts a task into another lane.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn move_lane(tx: &Tx, key: i64, lane: i64) -> Result<()> {
    tx.put(sql!("task/move_lane"), &[key.into(), lane.into()])
}

/// Names the change that a task made.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn link_change(tx: &Tx, key: i64, change: i64) -> Result<()> {
    tx.put(sql!("task/link_change"), &[key.into(), change.into()])
}

/// Whether there is a task with this key.
///
/// # Errors
/// When the store is broken.
pub fn is_kept(rows: &Rows, key: i64) -> Result<bool> {
    Ok(rows.number(sql!("task/is_kept"), &[key.into()])? == 1)
}

/// Removes a task, its attempts and its dependencies for good.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, key: i64) -> Result<()> {
    for statement in
        [sql!("task/delete"), sql!("attempt/delete"), sql!("dependency/delete_all"), sql!("unique/end")]
    {
        tx.put(statement, &[key.into()])?;
    }
    Ok(())
}

/// The attempts of a task, oldest first, the current one last.
///
/// # Errors
/// When the store is broken.
pub fn attempts(rows: &Rows, key: i64) -> Result<Vec<Attempt>> {
    rows.all(sql!("attempt/all"), &[key.into()], row::attempt)
}

/// One attempt; `None` when the task never had that generation.
///
/// # Errors
/// When the store is broken.
pub fn attempt(rows: &Rows, key: i64, generation: i64) -> Result<Option<Attempt>> {
    rows.one(sql!("attempt/get"), &[key.into(), generation.into()], row::attempt)
}

/// Keeps the payload that the past attempts ran with, before a retry edits the task's.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn keep_payload(tx: &Tx, key: i64, payload: &str) -> Result<()> {
    keep_attempt(tx, key)?;
    tx.put(sql!("attempt/keep_payload"), &[key.into(), payload.into()])
}

/// Why a dead or cancelled task is as it is, once its payload was deleted.
pub const PAYLOAD_DELETED: &str = "dead_letter_deleted";

/// Empties the payload of a task, and those that past attempts ran with. One that could run again says so in its
/// reason: [`PAYLOAD_DELETED`].
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn forget_payload(tx: &Tx, key: i64) -> Result<()> {
    tx.put(sql!("task/forget_payload"), &[key.into(), PAYLOAD_DELETED.into()])?;
    tx.put(sql!("attempt/forget_payload"), &[key.into()])
}

/// The ids of keys.
pub fn ids(rows: &Rows, keys: &[i64]) -> Vec<Id> {
    keys.iter().map(|key| rows.id(Noun::Task, *key)).collect()
}

/// A parameter for a list of numbers: JSON text.
fn list_of(numbers: &[i64]) -> String {
    json(&numbers)
}

/// A parameter of text that may be absent.
fn text(value: Option<&String>) -> Value<'_> {
    value.map(String::as_str).into()
}
