//! Calls to somewhere else that are open. A row goes when its call ends.

use super::row::{number, part, place};
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::run::Part;
use tiltyard_model::time::TimeMs;

/// Whether somebody makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is to be made.
    ToCall,
    /// A server makes it, or did and is gone.
    Calling,
}

impl State {
    const fn code(self) -> i64 {
        self as i64
    }
}

/// An open call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The key of the run.
    pub run: i64,
    /// Whose it is.
    pub part: Part,
    /// What is asked, JSON text.
    pub request: String,
    /// Whether somebody makes it.
    pub state: State,
    /// How often somebody began to make it.
    pub tries: u32,
    /// The server that makes it.
    pub server: Option<String>,
    /// When that began.
    pub begun_at: Option<TimeMs>,
}

/// Keeps a call that is to be made.
///
/// # Errors
/// When the store is broken or the disk is full; [`crate::Error::Constraint`] when the part has one already.
pub fn put(tx: &Tx, run: i64, part: Part, request: &str) -> Result<()> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters = [
        run.into(),
        stage.into(),
        attempt.into(),
        item.into(),
        item_attempt.into(),
        request.into(),
        State::ToCall.code().into(),
        0_i64.into(),
    ];
    tx.put(sql!("run_call/put"), &parameters)
}

/// One call.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, run: i64, part: Part) -> Result<Option<Call>> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters = [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into()];
    rows.one(sql!("run_call/get"), &parameters, call)
}

/// Calls in a state, of runs with keys from `from_run` on, oldest runs first.
///
/// # Errors
/// When the store is broken.
pub fn open(rows: &Rows, state: State, from_run: i64, limit: u32) -> Result<Vec<Call>> {
    rows.all(sql!("run_call/open"), &[state.code().into(), from_run.into(), limit.into()], call)
}

/// A server makes a call that is to be made; false when it is not, or not any more.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn take(tx: &Tx, run: i64, part: Part, server: &str, now: TimeMs) -> Result<bool> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters = [
        run.into(),
        stage.into(),
        attempt.into(),
        item.into(),
        item_attempt.into(),
        server.into(),
        now.into(),
    ];
    Ok(tx.run(sql!("run_call/take"), &parameters)? == 1)
}

/// A call whose server is gone is to be made again; false when that server does not have it.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn give_back(tx: &Tx, run: i64, part: Part, server: &str) -> Result<bool> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters =
        [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into(), server.into()];
    Ok(tx.run(sql!("run_call/give_back"), &parameters)? == 1)
}

/// Removes a call: it has ended, or is not wanted any more. False when it is not there.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn end(tx: &Tx, run: i64, part: Part) -> Result<bool> {
    let [stage, attempt, item, item_attempt] = place(part);
    let parameters = [run.into(), stage.into(), attempt.into(), item.into(), item_attempt.into()];
    Ok(tx.run(sql!("run_call/end"), &parameters)? == 1)
}

fn call(row: &Row<'_>) -> Result<Call> {
    let state = match row.int(6)? {
        0 => State::ToCall,
        1 => State::Calling,
        state => return Err(row.unreadable(format!("no call's state has number {state}"))),
    };
    Ok(Call {
        run: row.int(0)?,
        part: part(row, 1)?,
        request: row.text(5)?,
        state,
        tries: number(row, 7)?,
        server: row.opt_text(8)?,
        begun_at: row.opt_int(9)?,
    })
}
