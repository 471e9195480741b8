//! Who needs whom, made once from a definition: indices in place of names, both directions, an order.
//!
//! It is kept as JSON beside its definition and read back as that, so that a run goes on by the rules it began with,
//! and nothing has to read a definition to go on: neither at start nor when a later program reads more strictly.

use super::window::MAX_OPEN_ITEMS;
use crate::pipeline::{Definition, OnReject, RESULT, SUBJECT, Uses, Work};
use crate::task::retry::Backoff;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where a gate that rejects sends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// The stage, by index.
    pub stage: u32,
    /// How often at most.
    pub rounds: u32,
}

/// A sort of work, without what is known of it beforehand ([`Uses`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// A task of the kind `command`.
    #[default]
    Command,
    /// A task of the kind that the stage names.
    Agent,
    /// A task of the kind `change`.
    Change,
    /// A call to somewhere else.
    Http,
    /// A stop that people decide.
    Gate,
    /// A stop that time or an event ends.
    Wait,
    /// A run of another pipeline.
    Pipeline,
    /// The same for each item of a list.
    Foreach,
}

impl Sort {
    /// The sort of a stage's work.
    pub const fn of(uses: &Uses) -> Self {
        match uses {
            Uses::Command => Self::Command,
            Uses::Agent => Self::Agent,
            Uses::Change => Self::Change,
            Uses::Http(_) => Self::Http,
            Uses::Gate(_) => Self::Gate,
            Uses::Wait(_) => Self::Wait,
            Uses::Pipeline(_) => Self::Pipeline,
            Uses::Foreach(_) => Self::Foreach,
        }
    }

    /// The word in a definition.
    pub const fn as_str(self) -> &'static str {
        Uses::WORDS[self as usize]
    }

    /// Whether an agent does it, as a task.
    pub const fn is_task(self) -> bool {
        matches!(self, Self::Command | Self::Agent | Self::Change)
    }
}

/// What a stage is to the steps of a run, and to whoever carries them out. What a later program adds is left unread by
/// an earlier one, and is what it was before where an earlier one wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name in the definition.
    #[serde(default)]
    pub id: String,
    /// What it does.
    #[serde(default)]
    pub uses: Sort,
    /// For a `foreach`: what it does for each item.
    #[serde(default)]
    pub each: Option<Sort>,
    /// Whether it, or each of its items, is a task that puts something out or gives its result a schema: what it hands in
    /// is judged before its attempt has succeeded.
    #[serde(default)]
    pub judged: bool,
    /// What it puts out, beside its `result`.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// What it needs, by index.
    #[serde(default)]
    pub needs: Vec<u32>,
    /// Whose failure it judges by itself, by index, sorted.
    #[serde(default)]
    pub judges: Vec<u32>,
    /// How often it, or each of its items, is begun before it has failed. A task counts its attempts by itself, also those
    /// whose outputs were judged unfit: 1.
    #[serde(default = "once")]
    pub attempts: u32,
    /// How long it, or each of its items, waits after a failure.
    #[serde(default)]
    pub backoff: Backoff,
    /// For a gate: where a reject sends the run.
    #[serde(default)]
    pub back: Option<Back>,
    /// For a `foreach`: how many items are worked on at once.
    #[serde(default)]
    pub concurrency: Option<u32>,
}

const fn once() -> u32 {
    1
}

/// The stages of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "Kept")]
pub struct Graph {
    nodes: Vec<Node>,
    dependents: Vec<Vec<u32>>,
    order: Vec<u32>,
    rank: Vec<u32>,
    room: u32,
}

/// A graph as it is kept: what cannot be reckoned.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    nodes: Vec<Node>,
    order: Vec<u32>,
}

/// Why what was kept is no graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoGraph {
    /// The order has a stage twice, or not at all.
    #[error("the order has not every stage once")]
    Order,
    /// A stage needs, judges or goes back to one that does not end before it.
    #[error("stage {0} names a stage that is not before it")]
    Stage(u32),
}

impl TryFrom<Kept> for Graph {
    type Error = NoGraph;

    fn try_from(kept: Kept) -> Result<Self, NoGraph> {
        let Kept { nodes, order } = kept;
        let mut place = vec![None; nodes.len()];
        for (rank, stage) in order.iter().enumerate() {
            let slot = place.get_mut(*stage as usize).ok_or(NoGraph::Order)?;
            if slot.replace(rank).is_some() {
                return Err(NoGraph::Order);
            }
        }
        if order.len() != nodes.len() {
            return Err(NoGraph::Order);
        }
        for (stage, node) in nodes.iter().enumerate() {
            let back = node.back.map(|back| back.stage);
            let mut named = node.needs.iter().chain(&node.judges).chain(back.iter());
            if !named.all(|other| place.get(*other as usize).is_some_and(|other| *other < place[stage])) {
                return Err(NoGraph::Stage(index(stage)));
            }
        }
        Ok(Self::new(nodes, order))
    }
}

impl From<Graph> for Kept {
    fn from(graph: Graph) -> Self {
        Self { nodes: graph.nodes, order: graph.order }
    }
}

impl Graph {
    /// The graph of a definition that was read.
    pub fn of(definition: &Definition) -> Self {
        let nodes = definition.stages.iter().map(|stage| {
            let foreach = if let Uses::Foreach(foreach) = &stage.work.uses { Some(foreach) } else { None };
            let back = if let Uses::Gate(gate) = &stage.work.uses { back(gate.on_reject) } else { None };
            let work = foreach.map_or(&stage.work, |foreach| &foreach.each);
            Node {
                id: stage.id.clone(),
                uses: Sort::of(&stage.work.uses),
                each: foreach.map(|foreach| Sort::of(&foreach.each.uses)),
                judged: work.uses.is_task() && !work.outputs.is_empty(),
                needs: stage.needs.iter().copied().map(index).collect(),
                judges: stage.judges.iter().copied().map(index).collect(),
                outputs: outputs(work),
                attempts: attempts(work),
                backoff: work.retry.backoff,
                back,
                concurrency: foreach.map(|foreach| foreach.concurrency),
            }
        });
        Self::new(nodes.collect(), definition.order.iter().copied().map(index).collect())
    }

    /// The graph of these nodes; `order` has each after all that it needs.
    pub fn new(nodes: Vec<Node>, order: Vec<u32>) -> Self {
        let mut dependents = vec![Vec::new(); nodes.len()];
        for (stage, node) in nodes.iter().enumerate() {
            node.needs.iter().for_each(|need| dependents[*need as usize].push(index(stage)));
        }
        let mut rank = vec![0; nodes.len()];
        order.iter().enumerate().for_each(|(place, stage)| rank[*stage as usize] = index(place));
        Self { nodes, dependents, order, rank, room: MAX_OPEN_ITEMS }
    }

    /// The same with room for so many items at once.
    #[cfg(test)]
    pub(super) fn with_room(self, room: u32) -> Self {
        Self { room, ..self }
    }

    /// How many items of all lists may be under way at once.
    pub(super) const fn room(&self) -> u32 {
        self.room
    }

    /// How many stages there are.
    pub fn len(&self) -> u32 {
        index(self.nodes.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A stage by its index.
    ///
    /// # Panics
    /// Never for an index below [`Self::len`].
    pub fn node(&self, stage: u32) -> &Node {
        self.nodes.get(stage as usize).expect("an index below the number of stages")
    }

    /// The stages, each after all that it needs.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// A stage's index by its id.
    pub fn find(&self, id: &str) -> Option<u32> {
        self.nodes.iter().position(|node| node.id == id).map(index)
    }

    /// Whether a stage ends before another begins, also by way of others.
    pub fn is_before(&self, stage: u32, other: u32) -> bool {
        other < self.len() && self.upstream(other).contains(&stage)
    }

    /// How many stages wait for it, also by way of others: none of them begins before it has ended.
    pub fn behind(&self, stage: u32) -> u32 {
        index(self.downstream([stage]).len().saturating_sub(1))
    }

    /// Who needs it, by index.
    pub(super) fn dependents(&self, stage: u32) -> &[u32] {
        self.dependents.get(stage as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Its place in the order.
    pub(super) fn rank(&self, stage: u32) -> u32 {
        self.rank.get(stage as usize).copied().unwrap_or(u32::MAX)
    }

    /// These, and all that need them, also by way of others.
    pub(super) fn downstream(&self, from: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        reach(from, |stage| self.dependents(stage))
    }

    /// All that it needs, also by way of others, without itself.
    pub(super) fn upstream(&self, stage: u32) -> BTreeSet<u32> {
        reach(self.node(stage).needs.iter().copied(), |stage| &self.node(stage).needs)
    }
}

fn reach<'g>(from: impl IntoIterator<Item = u32>, next: impl Fn(u32) -> &'g [u32]) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut open: Vec<u32> = from.into_iter().collect();
    while let Some(stage) = open.pop() {
        if found.insert(stage) {
            open.extend(next(stage));
        }
    }
    found
}

fn back(on_reject: OnReject) -> Option<Back> {
    match on_reject {
        OnReject::Fail => None,
        OnReject::Back { stage, rounds } => Some(Back { stage: index(stage), rounds }),
    }
}

fn outputs(work: &Work) -> Vec<String> {
    let named = work.outputs.iter().map(|output| output.name.as_str());
    let subject = matches!(work.uses, Uses::Gate(_)).then_some(SUBJECT);
    named.chain(subject).filter(|name| *name != RESULT).map(str::to_owned).collect()
}

fn attempts(work: &Work) -> u32 {
    if work.uses.is_task() { 1 } else { work.retry.max_attempts.max(1) }
}

/// Stages are at most [`crate::pipeline::MAX_STAGES`].
fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
