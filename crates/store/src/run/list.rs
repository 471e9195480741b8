//! Lists of runs.

use super::{Found, row};
use crate::backend::{Statement, Value, sql};
use crate::error::Result;
use crate::name::json;
use crate::rows::Rows;
use crate::task::list::{Window, escape};
use tiltyard_model::run::State;

/// Which runs to list. Empty filters match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// States; empty for all.
    pub states: Vec<State>,
    /// The name that it was started by.
    pub pipeline: Option<String>,
    /// The schedule that started it.
    pub schedule: Option<String>,
    /// Part of its title or of its pipeline's name, any case.
    pub words: Option<String>,
}

/// Runs, newest first.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, filter: &Filter, window: Window) -> Result<Vec<Found>> {
    let kept = Kept::new(filter);
    let mut parameters = kept.parameters(filter).to_vec();
    parameters.extend::<[Value<'_>; 3]>([window.below.into(), window.limit.into(), window.offset.into()]);
    let statement = filter.pick([
        sql!("run/page_of_pipeline"),
        sql!("run/page_of_schedule"),
        sql!("run/page_by_state"),
        sql!("run/page"),
    ]);
    rows.all(statement, &parameters, |found| row::found(rows, found))
}

/// How many there are, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn count(rows: &Rows, filter: &Filter, limit: u32) -> Result<u64> {
    let kept = Kept::new(filter);
    let mut parameters = kept.parameters(filter).to_vec();
    parameters.push(limit.into());
    let statement = filter.pick([
        sql!("run/count_of_pipeline"),
        sql!("run/count_of_schedule"),
        sql!("run/count_by_state"),
        sql!("run/count"),
    ]);
    Ok(rows.number(statement, &parameters)? as u64)
}

impl Filter {
    /// The statement whose index leaves least: by pipeline, by schedule, by a state that moves, or none.
    fn pick(&self, [pipeline, schedule, state, all]: [&'static Statement; 4]) -> &'static Statement {
        let one_scope = self.scopes.as_ref().is_some_and(|scopes| scopes.len() == 1);
        let moving = !self.states.is_empty() && self.states.iter().all(|state| !state.is_final());
        match self {
            _ if moving => state,
            Self { schedule: Some(_), .. } if one_scope => schedule,
            Self { pipeline: Some(_), .. } if one_scope => pipeline,
            _ => all,
        }
    }
}

/// Parameters that must live as long as the statement runs.
struct Kept {
    scopes: Option<String>,
    states: Option<String>,
    words: Option<String>,
}

impl Kept {
    fn new(filter: &Filter) -> Self {
        let codes: Vec<i64> = filter.states.iter().map(|state| state.code()).collect();
        Self {
            scopes: filter.scopes.as_ref().map(json),
            states: (!codes.is_empty()).then(|| json(&codes)),
            words: filter.words.as_ref().map(|words| format!("%{}%", escape(words))),
        }
    }

    fn parameters<'a>(&'a self, filter: &'a Filter) -> [Value<'a>; 5] {
        [
            self.scopes.as_deref().into(),
            self.states.as_deref().into(),
            filter.pipeline.as_deref().into(),
            filter.schedule.as_deref().into(),
            self.words.as_deref().into(),
        ]
    }
}
