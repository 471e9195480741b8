//! The attempts at a stage that are over. The one under way lies in the stage's own row.

use super::row::{number, opt_word};
use super::stage;
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::pipeline::Uses;
use tiltyard_model::run::stage::{State, Why};
use tiltyard_model::time::TimeMs;

/// An attempt that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The stage, by index.
    pub stage: u32,
    /// The how-manieth attempt.
    pub attempt: u32,
    /// What it used, a place in [`Uses::WORDS`].
    pub uses: u8,
    /// The key of what carried it out, where that has one.
    pub thing: Option<i64>,
    /// How it ended.
    pub state: State,
    /// Why.
    pub why: Option<Why>,
    /// What went wrong, for a person.
    pub error: Option<String>,
    /// What helps to understand it, JSON text.
    pub context: Option<String>,
    /// When it began.
    pub began_at: TimeMs,
    /// When it ended.
    pub ended_at: TimeMs,
}

/// The end of an attempt to write.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// The key of the run.
    pub run: i64,
    /// The stage, by index.
    pub stage: u32,
    /// The attempt that ends.
    pub attempt: u32,
    /// What it used, a place in [`Uses::WORDS`].
    pub uses: u8,
    /// How it ended; `failed` also where another one follows.
    pub state: State,
    /// Why.
    pub why: Option<Why>,
    /// What went wrong, for a person.
    pub error: Option<&'a str>,
    /// What helps to understand it, JSON text.
    pub context: Option<&'a str>,
    /// Now.
    pub now: TimeMs,
}

/// Keeps an attempt that ends: what carried it out and since when is taken from the stage's row as far as that is in this
/// attempt, so this comes before the stage is saved with another one. Once more with the same attempt takes the place of
/// what was kept, but for these two.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn keep(tx: &Tx, end: &End<'_>) -> Result<()> {
    let why = end.why.as_ref().map(json);
    let parameters = [
        end.run.into(),
        end.stage.into(),
        end.attempt.into(),
        end.uses.into(),
        end.state.code().into(),
        why.as_deref().into(),
        end.error.into(),
        end.context.into(),
        end.now.into(),
    ];
    tx.put(sql!("stage_attempt/keep"), &parameters)
}

/// Past attempts at a stage below the attempt `below`, newest first.
///
/// # Errors
/// When the store is broken.
pub fn of_stage(rows: &Rows, run: i64, stage: u32, below: u32, limit: u32) -> Result<Vec<Attempt>> {
    let parameters = [run.into(), stage.into(), below.into(), limit.into()];
    rows.all(sql!("stage_attempt/of_stage"), &parameters, attempt)
}

/// Of each stage of a run the attempt that it is in, where that has ended; by index.
///
/// # Errors
/// When the store is broken.
pub fn current(rows: &Rows, run: i64) -> Result<Vec<Attempt>> {
    rows.all(sql!("stage_attempt/current"), &[run.into()], attempt)
}

fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let uses = u8::try_from(row.int(2)?).ok().filter(|uses| usize::from(*uses) < Uses::WORDS.len());
    Ok(Attempt {
        stage: number(row, 0)?,
        attempt: number(row, 1)?,
        uses: uses.ok_or_else(|| row.unreadable("a sort of work that is none"))?,
        thing: row.opt_int(3)?,
        state: stage::state(row, 4)?,
        why: opt_word(row, 5)?,
        error: row.opt_text(6)?,
        context: row.opt_text(7)?,
        began_at: row.int(8)?,
        ended_at: row.int(9)?,
    })
}
