//! Processes of agents, in the order in which they were first heard of: the word of one that another has replaced says
//! nothing of what the agent holds (D3). A restart knows the last one that said hello.

use super::presence::Step;
use super::{Memory, Parts};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// So many processes are known of each agent; the oldest are forgotten first.
const MAX_KNOWN_PROCESSES: usize = 16;

/// The processes of each agent, the newest last. An `instance` names one process, and is never used again.
#[derive(Debug, Default)]
pub struct Processes {
    by_agent: HashMap<i64, Vec<Arc<str>>>,
}

impl Processes {
    fn of(&self, agent: i64) -> &[Arc<str>] {
        self.by_agent.get(&agent).map_or(&[], Vec::as_slice)
    }

    fn is_newest(&self, agent: i64, instance: &str) -> bool {
        self.of(agent).last().is_some_and(|newest| **newest == *instance)
    }

    /// A process is the newest, whatever came between.
    pub fn greet(&mut self, agent: i64, instance: Arc<str>) {
        let known = self.by_agent.entry(agent).or_default();
        known.retain(|process| **process != *instance);
        if known.len() >= MAX_KNOWN_PROCESSES {
            known.remove(0);
        }
        known.push(instance);
    }

    /// Its parts as text, for comparisons.
    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (agent, known) in &self.by_agent {
            all.insert(format!("processes {agent}"), format!("{known:?}"));
        }
    }
}

impl Parts {
    pub(super) fn apply_process(&mut self, agent: i64, instance: Arc<str>) -> Step {
        let known = self.processes.of(agent).to_vec();
        self.processes.greet(agent, instance);
        Step::Processes { agent, known }
    }

    pub(super) fn apply_processes(&mut self, agent: i64, known: Vec<Arc<str>>) -> Step {
        let before = match known.is_empty() {
            true => self.processes.by_agent.remove(&agent),
            false => self.processes.by_agent.insert(agent, known),
        };
        Step::Processes { agent, known: before.unwrap_or_default() }
    }
}

impl Memory {
    /// A process has spoken; says whether it is the newest. One that was never heard of is.
    pub fn hear_process(&mut self, agent: i64, instance: &str) -> bool {
        let replaced = || self.processes.of(agent).iter().any(|process| **process == *instance);
        if self.processes.is_newest(agent, instance) {
            return true;
        }
        if replaced() {
            return false;
        }
        self.step(Step::Process { agent, instance: Arc::from(instance) });
        true
    }

    /// A process has said hello: it is the newest, whatever came between.
    pub fn greet_process(&mut self, agent: i64, instance: &str) {
        if !self.processes.is_newest(agent, instance) {
            self.step(Step::Process { agent, instance: Arc::from(instance) });
        }
    }

    /// An agent is no more.
    pub fn forget_processes(&mut self, agent: i64) {
        self.step(Step::Processes { agent, known: Vec::new() });
    }
}
