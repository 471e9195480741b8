//! The stages of a run, each with the attempt that it is in.

use super::row::{number, opt_number, opt_word};
use crate::backend::{Row, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::run::stage::{Feedback, Past, Stage, State};
use tiltyard_model::run::window::Tally;
use tiltyard_model::time::TimeMs;

/// A stage as it is kept. How many of its needs have not ended is not: it is counted anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its index.
    pub index: u32,
    /// The stage; `unmet` is 0.
    pub stage: Stage,
    /// The numbers of its list, where it is a `foreach` whose list is known.
    pub tally: Option<Tally>,
    /// The key of what carries its attempt out: a task, a gate, a run; `None` while that is still to begin, and for what
    /// has rows of its own: a wait, a call, a list.
    pub thing: Option<i64>,
    /// When its attempt began.
    pub began_at: Option<TimeMs>,
}

/// What carries an attempt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The key of a task, a gate, or a run; `None` for what has rows of its own.
    pub thing: Option<i64>,
    /// When it began.
    pub at: TimeMs,
}

/// A stage to write.
#[derive(Debug, Clone, Copy)]
pub struct Save<'a> {
    /// The key of its run.
    pub run: i64,
    /// Its index.
    pub index: u32,
    /// The state that it must be in.
    pub from: State,
    /// The attempt that it must be in.
    pub from_attempt: u32,
    /// What it is afterwards. With another attempt than before it is without a thing.
    pub to: &'a Stage,
    /// The numbers of its list afterwards: all of them, each time; `None` where there is no list.
    pub tally: Option<Tally>,
    /// What carries it out from now on; `None` leaves it as it is.
    pub begun: Option<Begun>,
}

/// Writes a stage; false when it is not in that state and attempt.
///
/// A stage of which only `unmet` has changed need not be written.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn save(tx: &Tx, save: &Save<'_>) -> Result<bool> {
    let to = Kept::new(save.to, save.tally);
    let [state, attempt, failures, why, gate, gate_attempt, round, sent_back, past, tally] =
        to.parameters(save.to);
    let parameters = [
        save.run.into(),
        save.index.into(),
        save.from.code().into(),
        save.from_attempt.into(),
        state,
        attempt,
        failures,
        why,
        gate,
        gate_attempt,
        round,
        sent_back,
        past,
        save.begun.and_then(|begun| begun.thing).into(),
        save.begun.map(|begun| begun.at).into(),
        tally,
    ];
    tx.must(sql!("stage/save"), &parameters)
}

/// Keeps what carries out a stage that was still to begin and stays `ready`: a task. False when it is not ready in that
/// attempt, or has begun already.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn link(tx: &Tx, (run, index, attempt): (i64, u32, u32), thing: i64, now: TimeMs) -> Result<bool> {
    let parameters = [run.into(), index.into(), attempt.into(), thing.into(), now.into()];
    tx.must(sql!("stage/link"), &parameters)
}

/// The stages of a run, by index.
///
/// # Errors
/// When the store is broken.
pub fn all(rows: &Rows, run: i64) -> Result<Vec<Found>> {
    rows.all(sql!("stage/all"), &[run.into()], found)
}

/// One stage.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, run: i64, index: u32) -> Result<Option<Found>> {
    rows.one(sql!("stage/get"), &[run.into(), index.into()], found)
}

/// Writes a new stage.
pub(super) fn insert(tx: &Tx, run: i64, index: u32, stage: &Stage) -> Result<()> {
    let kept = Kept::new(stage, None);
    let mut parameters: Vec<Value<'_>> = vec![run.into(), index.into()];
    parameters.extend(kept.parameters(stage));
    tx.put(sql!("stage/insert"), &parameters)
}

/// Parameters that must live as long as the statement runs.
struct Kept {
    why: Option<String>,
    tally: Option<String>,
}

impl Kept {
    fn new(stage: &Stage, tally: Option<Tally>) -> Self {
        Self { why: stage.why.as_ref().map(json), tally: tally.as_ref().map(json) }
    }

    fn parameters<'a>(&'a self, stage: &Stage) -> [Value<'a>; 10] {
        [
            stage.state.code().into(),
            stage.attempt.into(),
            stage.failures.into(),
            self.why.as_deref().into(),
            stage.feedback.map(|feedback| feedback.gate).into(),
            stage.feedback.map(|feedback| feedback.attempt).into(),
            stage.feedback.map(|feedback| feedback.round).into(),
            stage.sent_back.into(),
            (stage.past == Past::AskAnew).into(),
            self.tally.as_deref().into(),
        ]
    }
}

/// A row of `stage/all`, `stage/get` and `stage/of_runs`.
pub(super) fn found(row: &Row<'_>) -> Result<Found> {
    let feedback = match opt_number(row, 5)? {
        Some(gate) => Some(Feedback { gate, attempt: number(row, 6)?, round: number(row, 7)? }),
        None => None,
    };
    let stage = Stage {
        state: state(row, 1)?,
        attempt: number(row, 2)?,
        failures: number(row, 3)?,
        unmet: 0,
        why: opt_word(row, 4)?,
        feedback,
        sent_back: number(row, 8)?,
        past: if row.int(9)? == 0 { Past::Counts } else { Past::AskAnew },
    };
    Ok(Found {
        index: number(row, 0)?,
        stage,
        tally: opt_word(row, 12)?,
        thing: row.opt_int(10)?,
        began_at: row.opt_int(11)?,
    })
}

/// The state of a stage or of an item.
pub(super) fn state(row: &Row<'_>, at: usize) -> Result<State> {
    let code = row.int(at)?;
    State::from_code(code).ok_or_else(|| row.unreadable(format!("no stage's state has number {code}")))
}
