//! A run from its rows. Whatever can be counted is counted, and what cannot be a run is told: a row that is missing would
//! be a stage that nobody ever frees.

use super::graph::Graph;
use super::stage::{self, Stage, Why};
use super::stop::asked_of;
use super::window::Window;
use super::{Head, Part, Run, State, Stopping};
use std::collections::BTreeMap;

/// What rows tell of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// What is not of one stage; its `counts` and `items` may be anything.
    pub head: Head,
    /// Every stage, in any order; its `unmet` may be anything.
    pub stages: Vec<(u32, Stage)>,
    /// Every list that is known, with what is under way of it; `open` and `waiting` of its numbers may be anything.
    pub windows: BTreeMap<u32, Window>,
    /// What was told to stop and has not answered. Unconfirmed ones may be left out.
    pub stopping: BTreeMap<Part, Stopping>,
}

/// Why rows are no run. The stage is given by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Torn {
    /// A stage has no row, or two, or is none of the pipeline's.
    #[error("stage {0} of the pipeline has not one row")]
    Stage(u32),
    /// A stage waits for nothing that could end, so nothing would ever begin it.
    #[error("stage {0} waits for nothing")]
    Stuck(u32),
    /// The numbers of a list and its open items do not fit.
    #[error("the list of stage {0} counts other items than those that have a row")]
    List(u32),
    /// The numbers of stops and what is stopping do not fit.
    #[error("{have} parts are stopping, and {said} are counted")]
    Stops {
        /// Those that have a row.
        have: u32,
        /// Those that the run counts.
        said: u32,
    },
}

impl Run {
    /// A run as rows tell of it.
    ///
    /// # Errors
    /// [`Torn`] where rows are missing: such a run must not go on by guesses.
    pub fn of_rows(graph: &Graph, rows: Rows) -> Result<Self, Torn> {
        let Rows { head, stages, windows, stopping } = rows;
        let mut run = Self { head, stages: every(graph, stages)?, windows, stopping };
        for index in 0..graph.len() {
            run.count_list(graph, index)?;
        }
        run.count(graph);
        run.hangs(graph).map_or(Ok(()), Err)?;
        Ok(run)
    }

    /// What rows would tell of it.
    pub fn to_rows(&self) -> Rows {
        let stages = (0..).zip(self.stages.iter().cloned());
        Rows {
            head: self.head.clone(),
            stages: stages.collect(),
            windows: self.windows.clone(),
            stopping: self.stopping.clone(),
        }
    }

    pub(super) fn count(&mut self, graph: &Graph) {
        self.head.counts = [0; 8];
        self.head.items = self.windows.values().map(|window| window.tally.open).sum();
        for index in 0..graph.len() {
            let needs = graph.node(index).needs.iter();
            let unmet = needs.filter(|need| !self.stage(**need).state.is_final()).count();
            if let Some(stage) = self.stages.get_mut(index as usize) {
                stage.unmet = u32::try_from(unmet).unwrap_or(u32::MAX);
                self.head.counts[stage.state as usize] += 1;
            }
        }
    }

    fn count_list(&mut self, graph: &Graph, index: u32) -> Result<(), Torn> {
        let active = self.stage(index).state.is_active();
        let Some(window) = self.windows.get_mut(&index) else { return Ok(()) };
        window.count();
        let begun = window.tally.open + window.tally.succeeded + window.tally.failed;
        let fits = if active { begun == window.tally.next } else { window.open.is_empty() };
        let known = graph.node(index).concurrency.is_some() && window.tally.next <= window.tally.total;
        let within = window.open.keys().all(|item| *item < window.tally.next);
        if fits && known && within { Ok(()) } else { Err(Torn::List(index)) }
    }

    fn hangs(&self, graph: &Graph) -> Option<Torn> {
        let (have, said) = (asked_of(self.stopping.values()), self.head.stops.left());
        if have != said {
            return Some(Torn::Stops { have, said });
        }
        let asked = |stage: u32| {
            let of = self.stopping.iter().filter(|(part, _)| part.stage == stage);
            asked_of(of.map(|(_, stopping)| stopping)) > 0
        };
        let stuck = |index: &u32| {
            let stage = self.stage(*index);
            let held = stage.why == Some(Why::Stopping) && asked(*index);
            stage.state == stage::State::Pending && stage.unmet == 0 && !held
        };
        let begun = self.head.state != State::Queued;
        (0..graph.len()).filter(|_| begun).find(stuck).map(Torn::Stuck)
    }
}

fn every(graph: &Graph, mut rows: Vec<(u32, Stage)>) -> Result<Vec<Stage>, Torn> {
    rows.sort_by_key(|(index, _)| *index);
    let want = 0..graph.len();
    let torn = want.clone().zip(&rows).find(|(want, (have, _))| want != have).map(|(want, _)| want);
    match torn {
        Some(stage) => Err(Torn::Stage(stage)),
        None if rows.len() < want.len() => Err(Torn::Stage(u32::try_from(rows.len()).unwrap_or(u32::MAX))),
        None if rows.len() > want.len() => Err(Torn::Stage(graph.len())),
        None => Ok(rows.into_iter().map(|(_, stage)| stage).collect()),
    }
}
