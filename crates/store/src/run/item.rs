//! The items of lists: what each is, how far it is, what came of it.

use super::row::number;
use super::stage::state as state_of;
use crate::backend::{Row, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use std::collections::BTreeMap;
use tiltyard_model::run::stage::State;
use tiltyard_model::run::window::{Open, Rest};
use tiltyard_model::run::{Going, Part};

/// Most items that are written in one deed, or read at once.
pub const ITEMS_OF_A_PAGE: usize = 500;

/// One attempt at a stage with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct List {
    /// The key of the run.
    pub run: i64,
    /// The stage, by index.
    pub stage: u32,
    /// The attempt at it.
    pub attempt: u32,
}

/// An item as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the list, from 0 on.
    pub index: u32,
    /// What it is, JSON text.
    pub value: String,
    /// Where it stands; `pending` before it begins.
    pub state: State,
    /// How often it was begun.
    pub tries: u32,
    /// Whether it rests between two attempts.
    pub rest: Rest,
    /// The key of what carries its attempt out, where that has one and has begun.
    pub thing: Option<i64>,
    /// Its result, JSON text, where it is small.
    pub result: Option<String>,
    /// What went wrong, for a person.
    pub error: Option<String>,
}

/// What came of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its place in the list.
    pub index: u32,
    /// Where it stands.
    pub state: State,
    /// Its result, JSON text, where it is small.
    pub result: Option<String>,
    /// What went wrong, for a person.
    pub error: Option<String>,
}

/// What an item is afterwards.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    /// Begun, moved, or tried again. With another attempt than before it is without a thing.
    Open(Open),
    /// It has ended.
    Ended {
        /// How: `succeeded`, `failed`, `skipped` or `cancelled`.
        state: State,
        /// Its result, JSON text.
        result: Option<&'a str>,
        /// What went wrong.
        error: Option<&'a str>,
    },
}

/// Keeps items of a list from the place `first` on, at most [`ITEMS_OF_A_PAGE`]; JSON text each. Those that are there stay as
/// they are, so that a list whose writing was cut off can be written again.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, list: List, first: u32, values: &[String]) -> Result<()> {
    let pending = State::Pending.code();
    (first..).zip(values).try_for_each(|(index, value)| {
        let parameters = [
            list.run.into(),
            list.stage.into(),
            list.attempt.into(),
            index.into(),
            value.into(),
            pending.into(),
            0_i64.into(),
        ];
        tx.put(sql!("run_item/insert"), &parameters)
    })
}

/// Writes what has become of an item; `from` is what it was, `None` where it had not begun. False when it is not that.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn save(tx: &Tx, list: List, index: u32, from: Option<Open>, to: To<'_>) -> Result<bool> {
    let was = from.map_or((State::Pending, 0), |open| (open.going.state(), open.attempt));
    let (state, tries, rest, result, error) = match to {
        To::Open(open) => (open.going.state(), open.attempt, Some(rest_code(open.rest)), None, None),
        To::Ended { state, result, error } => (state, was.1, None, result, error),
    };
    let parameters = [
        list.run.into(),
        list.stage.into(),
        list.attempt.into(),
        index.into(),
        was.0.code().into(),
        was.1.into(),
        state.code().into(),
        tries.into(),
        rest.into(),
        result.into(),
        error.into(),
    ];
    tx.must(sql!("run_item/save"), &parameters)
}

/// Keeps what carries out an attempt at an item that was still to begin. False when it is not open in that attempt, or has
/// begun already.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn link(tx: &Tx, list: List, index: u32, tries: u32, thing: i64) -> Result<bool> {
    let parameters =
        [list.run.into(), list.stage.into(), list.attempt.into(), index.into(), tries.into(), thing.into()];
    tx.must(sql!("run_item/link"), &parameters)
}

/// Whatever of a list is under way is `cancelled`.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn cancel(tx: &Tx, list: List) -> Result<()> {
    tx.put(sql!("run_item/cancel"), &[list.run.into(), list.stage.into(), list.attempt.into()])
}

/// One item.
///
/// # Errors
/// When the store is broken.
pub fn get(rows: &Rows, list: List, index: u32) -> Result<Option<Item>> {
    let parameters = [list.run.into(), list.stage.into(), list.attempt.into(), index.into()];
    rows.one(sql!("run_item/get"), &parameters, item)
}

/// Some items, by place; those that are not there are left out.
///
/// # Errors
/// When the store is broken.
pub fn some(rows: &Rows, list: List, indices: &[u32]) -> Result<Vec<Item>> {
    let indices = json(&indices);
    let parameters = [list.run.into(), list.stage.into(), list.attempt.into(), (&indices).into()];
    rows.all(sql!("run_item/some"), &parameters, item)
}

/// Items after the place `after` (-1 from the first on), by place; `states` empty for all.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, list: List, states: &[State], after: i64, limit: u32) -> Result<Vec<Item>> {
    let parameters = [list.run.into(), list.stage.into(), list.attempt.into(), after.into(), limit.into()];
    if states.is_empty() {
        return rows.all(sql!("run_item/page"), &parameters, item);
    }
    let codes: Vec<i64> = states.iter().map(|state| state.code()).collect();
    let codes = json(&codes);
    let [run, stage, attempt, after, limit] = parameters;
    let parameters = [run, stage, attempt, after, limit, (&codes).into()];
    rows.all(sql!("run_item/page_by_state"), &parameters, item)
}

/// How many items of a list stand where; states without any are left out.
///
/// # Errors
/// When the store is broken.
pub fn counts(rows: &Rows, list: List) -> Result<Vec<(State, u32)>> {
    let parameters = [list.run.into(), list.stage.into(), list.attempt.into()];
    rows.all(sql!("run_item/counts"), &parameters, |row| Ok((state_of(row, 0)?, number(row, 1)?)))
}

/// Calls `each` with what came of every item of a list, by place: read in pages, so that a list is never in memory as a whole.
///
/// # Errors
/// When the store is broken; what `each` says.
pub fn results(rows: &Rows, list: List, mut each: impl FnMut(Outcome) -> Result<()>) -> Result<()> {
    let mut after = -1_i64;
    loop {
        let limit = ITEMS_OF_A_PAGE as i64;
        let parameters =
            [list.run.into(), list.stage.into(), list.attempt.into(), after.into(), limit.into()];
        let found = rows.all(sql!("run_item/results"), &parameters, |row| {
            let (result, error) = (row.opt_text(2)?, row.opt_text(3)?);
            let outcome = Outcome { index: number(row, 0)?, state: state_of(row, 1)?, result, error };
            let index = i64::from(outcome.index);
            each(outcome).map(|()| index)
        })?;
        match found.last() {
            Some(last) if found.len() >= ITEMS_OF_A_PAGE => after = *last,
            _ => return Ok(()),
        }
    }
}

/// What is under way of the lists of these runs, by list and place: how far, and the key of what carries it out.
pub(super) type Opened = BTreeMap<List, Vec<(u32, Open, Option<i64>)>>;

/// Reads [`Opened`]; only what belongs to the attempt that its stage is in.
pub(super) fn open(rows: &Rows, runs: &[i64]) -> Result<Opened> {
    let mut found = Opened::new();
    rows.all(sql!("run_item/open"), &[(&json(&runs)).into()], |row| {
        let list = List { run: row.int(0)?, stage: number(row, 1)?, attempt: number(row, 2)? };
        let going = match state_of(row, 4)? {
            State::Ready => Going::Ready,
            State::Waiting => Going::Waiting,
            _ => Going::Running,
        };
        let open = Open { attempt: number(row, 5)?, going, rest: rest(row, 6)? };
        found.entry(list).or_default().push((number(row, 3)?, open, row.opt_int(7)?));
        Ok(())
    })?;
    Ok(found)
}

impl List {
    /// The part that is an attempt at one of its items.
    pub fn part(self, index: u32, attempt: u32) -> Part {
        let item = Some(tiltyard_model::run::Item { index, attempt });
        Part { stage: self.stage, attempt: self.attempt, item }
    }
}

fn rest_code(rest: Rest) -> i64 {
    match rest {
        Rest::No => 0,
        Rest::Backoff => 1,
        Rest::Stopping => 2,
    }
}

fn rest(row: &Row<'_>, at: usize) -> Result<Rest> {
    match row.opt_int(at)? {
        None | Some(0) => Ok(Rest::No),
        Some(1) => Ok(Rest::Backoff),
        Some(2) => Ok(Rest::Stopping),
        Some(rest) => Err(row.unreadable(format!("no rest has number {rest}"))),
    }
}

fn item(row: &Row<'_>) -> Result<Item> {
    Ok(Item {
        index: number(row, 0)?,
        value: row.text(1)?,
        state: state_of(row, 2)?,
        tries: number(row, 3)?,
        rest: rest(row, 4)?,
        thing: row.opt_int(5)?,
        result: row.opt_text(6)?,
        error: row.opt_text(7)?,
    })
}
