//! Rows of tasks and attempts as words. The order of columns is that of the view `task_named`.

use super::{Found, Names};
use crate::backend::Row;
use crate::error::Result;
use crate::rows::Rows;
use tiltyard_model::id::Noun;
use tiltyard_model::task::attempt::{Attempt, Outcome, Stop};
use tiltyard_model::task::{Spec, State, Task, Unique};

/// A row of `task_named`.
pub(super) fn found(rows: &Rows, row: &Row<'_>) -> Result<Found> {
    let (scope, queue) = (row.text(37)?, row.text(38)?);
    let (agent, actor) = (row.opt_text(39)?, row.text(40)?);
    Ok(Found { run: row.opt_int(42)?, ..assemble(rows, row, scope, queue, agent, actor)? })
}

/// A row of the claim's statement: the columns of `task`, without names.
pub(super) fn claimed(rows: &Rows, row: &Row<'_>, names: Names<'_>) -> Result<Found> {
    let agent = Some(names.agent.to_owned());
    let found = assemble(rows, row, names.scope.to_owned(), names.queue.to_owned(), agent, String::new())?;
    Ok(Found { run: row.opt_int(37)?, ..found })
}

fn assemble(
    rows: &Rows,
    row: &Row<'_>,
    scope: String,
    queue: String,
    agent: Option<String>,
    created_by: String,
) -> Result<Found> {
    let key = row.int(0)?;
    let state = row.int(4)?;
    let mut spec = spec(row, scope, queue)?;
    if row.int(19)? > 0 {
        let on = super::dependency::of(rows, key)?;
        spec.depends_on = super::ids(rows, &on);
    }
    let task = Task {
        id: rows.id(Noun::Task, key),
        created_by,
        state: State::from_code(state)
            .ok_or_else(|| row.unreadable(format!("no state has number {state}")))?,
        generation: row.int(5)?,
        used: row.int(17)? as u32,
        waits_for: row.int(18)? as u32,
        ready_at: row.opt_int(12)?,
        attempt: current_attempt(row, agent)?,
        lease_ms: row.opt_int(25)?,
        progress: row.opt_real(32)?,
        message: row.opt_text(33)?,
        ended_at: row.opt_int(34)?,
        reason: row.opt_text(35)?,
        change: row.opt_int(36)?.map(|key| rows.id(Noun::Change, key)),
        spec,
    };
    Ok(Found {
        task,
        key,
        scope: row.int(1)?,
        queue: row.int(2)?,
        lane: row.int(3)?,
        agent: row.opt_int(22)?,
        run: None,
    })
}

fn spec(row: &Row<'_>, scope: String, queue: String) -> Result<Spec> {
    let for_ms = row.opt_int(21)?;
    Ok(Spec {
        scope,
        queue,
        kind: row.text(6)?,
        title: row.text(7)?,
        payload: row.text(8)?,
        priority: row.int(9)? as u8,
        extras: row.json_or_default(10)?,
        depends_on: Vec::new(),
        run_at: row.opt_int(13)?,
        deadline: row.opt_int(14)?,
        timeout_ms: row.int(15)?,
        max_attempts: row.int(16)? as u32,
        unique: row.opt_text(20)?.map(|key| Unique { key, for_ms }),
    })
}

fn current_attempt(row: &Row<'_>, agent: Option<String>) -> Result<Option<Attempt>> {
    let (Some(started_at), Some(agent)) = (row.opt_int(26)?, agent) else { return Ok(None) };
    Ok(Some(Attempt {
        generation: row.int(5)?,
        agent,
        instance: row.opt_text(23)?,
        started_at,
        ended_at: row.opt_int(27)?,
        outcome: outcome(row, 28)?,
        result: row.opt_text(29)?,
        error: row.opt_text(30)?,
        stop: stop(row, 31)?,
        payload: None,
    }))
}

/// A row of `attempt/all` and `attempt/get`.
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    Ok(Attempt {
        generation: row.int(0)?,
        agent: row.text(1)?,
        instance: None,
        started_at: row.int(2)?,
        ended_at: row.opt_int(3)?,
        outcome: outcome(row, 4)?,
        error: row.opt_text(5)?,
        result: row.opt_text(6)?,
        stop: stop(row, 7)?,
        payload: row.opt_text(8)?,
    })
}

fn outcome(row: &Row<'_>, place: usize) -> Result<Option<Outcome>> {
    let read = |code| {
        Outcome::from_code(code).ok_or_else(|| row.unreadable(format!("no outcome has number {code}")))
    };
    row.opt_int(place)?.map(read).transpose()
}

fn stop(row: &Row<'_>, place: usize) -> Result<Option<Stop>> {
    let read =
        |code| Stop::from_code(code).ok_or_else(|| row.unreadable(format!("no stop has number {code}")));
    row.opt_int(place)?.map(read).transpose()
}
