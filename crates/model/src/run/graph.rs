//! Who needs whom, made once from a definition: indices in place of names, both directions, an order.

use crate::pipeline::{Definition, OnReject, Uses, Work};
use std::collections::BTreeSet;

/// Where a gate that rejects sends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// The stage, by index.
    pub stage: u32,
    /// How often at most.
    pub rounds: u32,
}

/// What a stage is to the steps of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// What it needs, by index.
    pub needs: Vec<u32>,
    /// Whose failure it judges by itself, by index, sorted.
    pub judges: Vec<u32>,
    /// How often it, or each of its items, is begun before it has failed. A task counts its attempts by itself: 1.
    pub attempts: u32,
    /// For a gate: where a reject sends the run.
    pub back: Option<Back>,
    /// For a `foreach`: how many items are worked on at once.
    pub concurrency: Option<u32>,
}

/// The stages of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    nodes: Vec<Node>,
    dependents: Vec<Vec<u32>>,
    order: Vec<u32>,
    rank: Vec<u32>,
}

impl Graph {
    /// The graph of a definition that was read.
    pub fn of(definition: &Definition) -> Self {
        let nodes = definition.stages.iter().map(|stage| {
            let foreach = if let Uses::Foreach(foreach) = &stage.work.uses { Some(foreach) } else { None };
            let back = if let Uses::Gate(gate) = &stage.work.uses { back(gate.on_reject) } else { None };
            Node {
                needs: stage.needs.iter().copied().map(index).collect(),
                judges: stage.judges.iter().copied().map(index).collect(),
                attempts: attempts(foreach.map_or(&stage.work, |foreach| &foreach.each)),
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
        Self { nodes, dependents, order, rank }
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

fn attempts(work: &Work) -> u32 {
    if work.uses.is_task() { 1 } else { work.retry.max_attempts.max(1) }
}

/// Stages are at most [`crate::pipeline::MAX_STAGES`].
fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
