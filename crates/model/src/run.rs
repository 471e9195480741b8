//! Runs of pipelines: what follows from what has happened (D20, D22).
//!
//! A run is its stages by index, with a few counters. [`step::step`] takes one [`Outcome`] and tells what changes and
//! what is to be done; it looks only at what depends on that outcome. [`step::whole`] comes to the same by looking at
//! everything: tests hold one against the other. Conditions, inputs and outputs are none of its business: a stage
//! that may begin is a [`Effect::Start`], and whoever carries that out says next how it went.

mod draft;
pub mod graph;
mod reset;
pub mod rows;
pub mod stage;
pub mod step;
mod stop;
pub mod wait;
pub mod window;

#[cfg(test)]
mod tests;

use crate::pipeline::MAX_RUN_DEPTH;
use crate::refusal::{Code, Refusal};
use graph::Graph;
use serde::{Deserialize, Serialize};
use stage::{Stage, Why};
use std::collections::BTreeMap;
use window::{Window, WindowChange};

pub use stop::{Stop, Stopping, Stops};

/// Where a run stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RunState")]
pub enum State {
    /// Made, and not begun: another run of its schedule is before it.
    Queued,
    /// Something of it is under way.
    Running,
    /// Nothing of it is under way before a decision, an event or a time has come.
    Waiting,
    /// Final until it is run again: all stages are done, or were skipped by their own condition.
    Succeeded,
    /// Final until it is run again: a stage failed or was cancelled, and nothing more can run.
    Failed,
    /// Final until it is run again: called off.
    Cancelled,
}

impl State {
    /// Every state; the index is the number in a row.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The number in a row.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The state of a row's number; `None` for another number.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing moves it any more but a rerun.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// An item of a `foreach`, and which attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the list, from 0 on.
    pub index: u32,
    /// The how-manieth attempt at it within its stage's attempt, from 1 on.
    pub attempt: u32,
}

/// What an outcome or an effect is about: one attempt at a stage, or at one item of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The stage, by index.
    pub stage: u32,
    /// The how-manieth attempt at the stage in this run, from 1 on; it never goes back.
    pub attempt: u32,
    /// The item, inside of a `foreach`.
    pub item: Option<Item>,
}

/// What can happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It leaves the queue.
    Begin,
    /// What was started goes on: taken by an agent, given back, or waiting for somebody.
    Moved(Part, Going),
    /// It is done; also a gate that lets pass.
    Succeeded(Part),
    /// It has failed.
    Failed(Part, Failure, Again),
    /// The condition of a stage is false.
    Skipped(Part),
    /// Somebody called off this part alone.
    Cancelled(Part),
    /// The time of its back-off is over.
    RetryDue(Part),
    /// A gate does not let pass.
    Rejected(Part, Rejection),
    /// The list of a `foreach` is known.
    Listed(Part, u32),
    /// The whole run is called off.
    Cancel,
    /// This was told to stop and has stopped, or nobody knows. Once for each part: the same again is
    /// [`step::Unfit::Stale`], but for a part that stopped after nobody had confirmed it.
    Stopped(Part, Stop),
    /// Once more, from this stage on; without one whatever was not done.
    Rerun(Option<u32>),
}

/// How far something is that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Going {
    /// It waits for its turn.
    Ready,
    /// It is under way.
    Running,
    /// It waits for a decision, an event or a time.
    Waiting,
}

/// What became of an attempt that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// It failed.
    Failed,
    /// It took longer than it may; whatever is still under way is told to stop.
    TimedOut,
}

/// Whether another attempt could do better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Again {
    /// It could, as far as the stage's `retry` goes.
    May,
    /// It would fail the same way.
    Never,
}

/// How a gate did not let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Somebody rejected, or its time-out did: what the definition says follows.
    AsDefined,
    /// Somebody rejected and named the stage that the run goes back to. Not for an item of a list.
    Back(u32),
}

/// What follows. All of it is written in the transaction of the outcome: what is to begin is kept as that, stops, delays
/// and states are rows and events. Nothing of it leaves the house before the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// A stage has ended in this state, for this reason.
    Ended(Part, stage::State, Option<Why>),
    /// This must stop: a task, a call, a gate, a timer, a child run with all below it. Answered by an
    /// [`Outcome::Stopped`] each, also where it stops at once or had ended already: until then its stage does not begin
    /// again.
    Stop(Part),
    /// This may begin, and no earlier attempt of it is under way: look at its condition, fill in its fields, then submit
    /// the task, open the gate, set the timer, start the child run, or list the items.
    Start(Part),
    /// This failed and is tried again after the delay for so many failures; then [`Outcome::RetryDue`].
    Retry(Part, u32),
    /// The run is in this state now.
    Run(State),
    /// Of a cancelled run: whatever was told to stop has answered. Once more where an answer that nobody waited for any
    /// longer puts the numbers right.
    Stopped(Stops),
}

/// What of a run is not of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// Where it stands.
    pub state: State,
    /// How often it was run again.
    pub reruns: u32,
    /// How its stops go.
    pub stops: Stops,
    /// How many stages are in each state, by [`stage::State::code`].
    pub counts: [u32; stage::State::ALL.len()],
    /// How many items of all its lists are under way, at most [`window::MAX_OPEN_ITEMS`].
    pub items: u32,
}

impl Head {
    /// How many stages are in this state.
    pub const fn count(&self, state: stage::State) -> u32 {
        self.counts[state as usize]
    }
}

/// A run, as far as its next steps depend on it. Its size grows with its stages and with the items that are worked on
/// at once, never with the items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// What is not of one stage.
    pub head: Head,
    stages: Vec<Stage>,
    windows: BTreeMap<u32, Window>,
    #[serde(with = "stop::pairs")]
    stopping: BTreeMap<Part, Stopping>,
}

/// What a step changes: as small as what it touches. Applied, it gives its inverse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// What is not of one stage, afterwards.
    pub head: Head,
    /// The stages that are different afterwards.
    pub stages: Vec<(u32, Stage)>,
    /// The lists that are further afterwards.
    pub windows: Vec<(u32, WindowChange)>,
    /// What is stopping afterwards, and what (`None`) no longer is.
    pub stopping: Vec<(Part, Option<Stopping>)>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its stages.
    pub stages: u32,
    /// Those that have ended.
    pub ended: u32,
    /// Items of all lists that are known.
    pub items: u32,
    /// Those that have ended.
    pub items_ended: u32,
    /// Those that have failed or were cancelled.
    pub items_failed: u32,
}

impl Run {
    /// A run that waits for its turn.
    pub fn new(graph: &Graph) -> Self {
        let stages = (0..graph.len()).map(|stage| Stage::new(graph.node(stage).needs.len())).collect();
        let head =
            Head { state: State::Queued, reruns: 0, stops: Stops::default(), counts: [0; 8], items: 0 };
        let mut run = Self { head, stages, windows: BTreeMap::new(), stopping: BTreeMap::new() };
        run.count(graph);
        run
    }

    /// A stage by its index.
    ///
    /// # Panics
    /// Never for an index of its graph.
    pub fn stage(&self, index: u32) -> &Stage {
        self.stages.get(index as usize).expect("an index of the graph that the run was made with")
    }

    /// All stages, by index.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// How far the list of a `foreach` is; `None` before it is known.
    pub fn window(&self, stage: u32) -> Option<&Window> {
        self.windows.get(&stage)
    }

    /// What was told to stop and has not answered, or not in time.
    pub fn stopping(&self) -> &BTreeMap<Part, Stopping> {
        &self.stopping
    }

    /// How many parts of it have been told to stop and have not answered: it is not run again before that.
    pub const fn still_stopping(&self) -> u32 {
        self.head.stops.left()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let ended = stage::State::ALL.into_iter().filter(|state| state.is_final());
        let mut progress = Progress {
            stages: u32::try_from(self.stages.len()).unwrap_or(u32::MAX),
            ended: ended.map(|state| self.head.count(state)).sum(),
            ..Progress::default()
        };
        for tally in self.windows.values().map(|window| window.tally) {
            progress.items += tally.total;
            progress.items_ended += tally.succeeded + tally.failed;
            progress.items_failed += tally.failed;
        }
        progress
    }

    /// Carries out what a step said, and gives what takes it back.
    pub fn apply(&mut self, changes: &Changes) -> Changes {
        let head = std::mem::replace(&mut self.head, changes.head.clone());
        let mut stages = Vec::with_capacity(changes.stages.len());
        for (index, stage) in &changes.stages {
            if let Some(place) = self.stages.get_mut(*index as usize) {
                stages.push((*index, std::mem::replace(place, stage.clone())));
            }
        }
        let windows = changes
            .windows
            .iter()
            .map(|(index, change)| (*index, window::apply(&mut self.windows, *index, change)));
        let windows = windows.collect();
        let stopping = changes.stopping.iter().map(|(part, stopping)| {
            let before = match stopping {
                Some(stopping) => self.stopping.insert(*part, *stopping),
                None => self.stopping.remove(part),
            };
            (*part, before)
        });
        let stopping = stopping.collect();
        Changes { head, stages, windows, stopping }
    }
}

/// How deep a run is that a run of `depth` starts; one that nobody's stage started has the depth 1.
///
/// # Errors
/// `invalid` beyond [`MAX_RUN_DEPTH`].
pub fn child_depth(depth: u32) -> Result<u32, Refusal> {
    if depth < MAX_RUN_DEPTH {
        return Ok(depth + 1);
    }
    let message = format!("runs start runs at most {MAX_RUN_DEPTH} deep; does a pipeline run itself?");
    Err(Refusal::new(Code::Invalid, message))
}
