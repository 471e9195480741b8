//! Runs that are under way: where their stages stand, which tasks are theirs, and what is to begin. A run that has ended
//! and has nothing left to stop stands in its rows alone.

use super::{Memory, Parts};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use tiltyard_model::run::graph::{Graph, Sort};
use tiltyard_model::run::{Changes, Part, Run, Stopping};

/// Most stages of all runs that are under way: about 60 MB.
pub const MAX_LIVE_STAGES: usize = 500_000;
/// Most runs that are under way.
pub const MAX_LIVE_RUNS: usize = 50_000;

/// A run that is under way, or whose parts are still stopping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The key of its scope.
    pub scope: i64,
    /// The key of its definition.
    pub version: i64,
    /// What it is advanced by; runs of one definition share it.
    #[serde(with = "graph")]
    pub graph: Arc<Graph>,
    /// Where it stands.
    pub run: Run,
    /// The part of another run that it is.
    pub parent: Option<(i64, Part)>,
    /// The run that began it all; itself, where nobody's stage started it.
    pub root: i64,
    /// How deep it is in other runs, from 1 on.
    pub depth: u32,
    /// Whether a schedule started it.
    pub scheduled: bool,
}

impl Live {
    /// What carries out a part.
    pub fn sort(&self, part: Part) -> Sort {
        let node = self.graph.node(part.stage);
        part.item.and(node.each).unwrap_or(node.uses)
    }
}

/// A graph is written as it is kept, as JSON: it leaves out what is not said, which no other form can read.
mod graph {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer, ser};
    use std::sync::Arc;
    use tiltyard_model::run::graph::Graph;

    pub(super) fn serialize<S: Serializer>(graph: &Graph, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(graph).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Graph>, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Arc::new).map_err(D::Error::custom)
    }
}

/// Runs by key, their tasks, and what is to begin.
#[derive(Debug, Default)]
pub struct Runs {
    live: HashMap<i64, Box<Live>>,
    by_task: HashMap<i64, (i64, Part)>,
    to_begin: BTreeSet<(i64, Part)>,
    graphs: HashMap<i64, Weak<Graph>>,
    stages: usize,
    /// Whether runs may be there that those above them have told to stop. A hint: it costs a look.
    may_be_doomed: Doomed,
}

/// Whether somebody has to look for runs that are to be called off; after a start, somebody has.
#[derive(Debug, Default, PartialEq, Eq)]
enum Doomed {
    #[default]
    Perhaps,
    None,
}

impl Runs {
    /// A run that is under way.
    pub fn get(&self, run: i64) -> Option<&Live> {
        self.live.get(&run).map(Box::as_ref)
    }

    /// The part of a run that a task carries out, or that it was called off for and has not stopped.
    pub fn of_task(&self, task: i64) -> Option<(i64, Part)> {
        self.by_task.get(&task).copied()
    }

    /// Whether this part is still to begin.
    pub fn is_to_begin(&self, run: i64, part: Part) -> bool {
        self.to_begin.contains(&(run, part))
    }

    /// What is to begin after this, at most `limit`.
    pub fn to_begin(&self, after: Option<(i64, Part)>, limit: usize) -> Vec<(i64, Part)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.to_begin.range((from, Unbounded)).take(limit).copied().collect()
    }

    /// Not all runs were called off that those above them have told to stop.
    pub(crate) fn leave_doomed(&mut self) {
        self.may_be_doomed = Doomed::Perhaps;
    }

    /// Runs that those above them have told to stop and that were not called off, at most `limit`.
    pub(crate) fn doomed(&mut self, limit: usize) -> Vec<i64> {
        if self.may_be_doomed == Doomed::None {
            return Vec::new();
        }
        let is_doomed = |live: &Live| {
            let (above, part) = live.parent?;
            let asked = self.get(above)?.run.stopping().get(&part) == Some(&Stopping::Asked);
            (asked && !live.run.head.state.is_final()).then_some(())
        };
        let doomed = self.live.iter().filter(|(_, live)| is_doomed(live).is_some());
        let found: Vec<i64> = doomed.map(|(run, _)| *run).take(limit).collect();
        if found.is_empty() {
            self.may_be_doomed = Doomed::None;
        }
        found
    }

    /// Whether nothing is to begin.
    pub fn is_idle(&self) -> bool {
        self.to_begin.is_empty()
    }

    /// How many runs are under way.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// How many stages they have.
    pub fn stages(&self) -> usize {
        self.stages
    }

    /// The graph of a definition, where a run of it is under way.
    pub fn graph(&self, version: i64) -> Option<Arc<Graph>> {
        self.graphs.get(&version).and_then(Weak::upgrade)
    }

    fn put(&mut self, run: i64, mut live: Box<Live>) -> Option<Box<Live>> {
        let before = self.remove(run);
        match self.graph(live.version) {
            Some(known) if known == live.graph => live.graph = known,
            _ => drop(self.graphs.insert(live.version, Arc::downgrade(&live.graph))),
        }
        self.stages += live.run.stages().len();
        self.live.insert(run, live);
        before
    }

    fn remove(&mut self, run: i64) -> Option<Box<Live>> {
        let live = self.live.remove(&run)?;
        self.stages -= live.run.stages().len();
        if Arc::strong_count(&live.graph) == 1 {
            self.graphs.remove(&live.version);
        }
        Some(live)
    }

    /// A run, at start.
    pub fn know(&mut self, run: i64, live: Box<Live>) {
        self.put(run, live);
    }

    /// A task of a run, at start.
    pub fn know_task(&mut self, task: i64, run: i64, part: Part) {
        self.by_task.insert(task, (run, part));
    }

    /// Something to begin, at start.
    pub fn know_to_begin(&mut self, run: i64, part: Part) {
        self.to_begin.insert((run, part));
    }

    /// Its parts as text, for comparisons.
    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (run, live) in &self.live {
            let Live { scope, version, parent, root, depth, scheduled, .. } = live.as_ref();
            let place =
                format!("scope {scope} version {version} parent {parent:?} root {root} depth {depth}");
            let mut told = live.run.to_rows();
            // What nobody waits for is forgotten by the rows.
            told.stopping.retain(|_, stopping| *stopping == Stopping::Asked);
            all.insert(format!("run {run}"), format!("{place} scheduled {scheduled} {told:?}"));
        }
        for (task, (run, part)) in &self.by_task {
            all.insert(format!("task {task} of a run"), format!("{run} {part:?}"));
        }
        for (run, part) in &self.to_begin {
            all.insert(format!("to begin {run} {part:?}"), String::new());
        }
    }
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// A run is under way.
    Put {
        /// Its key.
        run: i64,
        /// It.
        live: Box<Live>,
    },
    /// It stands in its rows alone.
    Gone {
        /// Its key.
        run: i64,
    },
    /// It is further.
    Change {
        /// Its key.
        run: i64,
        /// What is different.
        changes: Box<Changes>,
    },
    /// A task carries out a part.
    Bind {
        /// The task's key.
        task: i64,
        /// The run's key.
        run: i64,
        /// The part.
        part: Part,
    },
    /// A task is a run's no more.
    Unbind {
        /// The task's key.
        task: i64,
    },
    /// A part is to begin.
    ToBegin {
        /// The run's key.
        run: i64,
        /// The part.
        part: Part,
    },
    /// A part is not to begin any more: it has, or it was called off.
    Begun {
        /// The run's key.
        run: i64,
        /// The part.
        part: Part,
    },
}

impl Parts {
    pub(super) fn apply_run(&mut self, step: Step) -> Option<Step> {
        let runs = &mut self.runs;
        match step {
            Step::Put { run, live } => Some(match runs.put(run, live) {
                Some(live) => Step::Put { run, live },
                None => Step::Gone { run },
            }),
            Step::Gone { run } => runs.remove(run).map(|live| Step::Put { run, live }),
            Step::Change { run, changes } => {
                let live = runs.live.get_mut(&run)?;
                Some(Step::Change { run, changes: Box::new(live.run.apply(&changes)) })
            }
            Step::Bind { task, run, part } => Some(match runs.by_task.insert(task, (run, part)) {
                Some((run, part)) => Step::Bind { task, run, part },
                None => Step::Unbind { task },
            }),
            Step::Unbind { task } => {
                runs.by_task.remove(&task).map(|(run, part)| Step::Bind { task, run, part })
            }
            Step::ToBegin { run, part } => {
                runs.to_begin.insert((run, part)).then_some(Step::Begun { run, part })
            }
            Step::Begun { run, part } => {
                runs.to_begin.remove(&(run, part)).then_some(Step::ToBegin { run, part })
            }
        }
    }
}

impl Memory {
    /// A run is under way.
    pub(crate) fn put_run(&mut self, run: i64, live: Live) {
        self.step(Step::Put { run, live: Box::new(live) });
    }

    /// A run stands in its rows alone.
    pub(crate) fn run_gone(&mut self, run: i64) {
        self.step(Step::Gone { run });
    }

    /// A run is further.
    pub(crate) fn change_run(&mut self, run: i64, changes: Changes) {
        self.step(Step::Change { run, changes: Box::new(changes) });
    }

    /// A task carries out a part.
    pub(crate) fn bind(&mut self, task: i64, run: i64, part: Part) {
        self.step(Step::Bind { task, run, part });
    }

    /// A task is a run's no more.
    pub(crate) fn unbind(&mut self, task: i64) {
        self.step(Step::Unbind { task });
    }

    /// A part is to begin.
    pub(crate) fn let_begin(&mut self, run: i64, part: Part) {
        self.step(Step::ToBegin { run, part });
    }

    /// A part is not to begin any more.
    pub(crate) fn begun(&mut self, run: i64, part: Part) {
        self.step(Step::Begun { run, part });
    }
}
