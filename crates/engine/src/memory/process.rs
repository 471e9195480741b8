//! Processes of agents, in the order in which they were first heard of: the word of one that another has replaced says
//! nothing of what the agent holds (D3). Never taken back: they did speak. A restart knows the last one that said hello.

use std::collections::HashMap;
use std::sync::Arc;

/// So many processes are known of each agent; the oldest are forgotten first.
const MAX_KNOWN_PROCESSES: usize = 16;

/// The processes of each agent, the newest last. An `instance` names one process, and is never used again.
#[derive(Debug, Default)]
pub struct Processes {
    by_agent: HashMap<i64, Vec<Arc<str>>>,
}

impl Processes {
    /// A process has spoken; says whether it is the newest. One that was never heard of is.
    pub fn heard(&mut self, agent: i64, instance: &str) -> bool {
        let known = self.by_agent.entry(agent).or_default();
        if known.last().is_some_and(|newest| **newest == *instance) {
            return true;
        }
        let replaced = known.iter().any(|process| **process == *instance);
        if !replaced {
            push(known, instance);
        }
        !replaced
    }

    /// A process has said hello: it is the newest, whatever came between.
    pub fn greet(&mut self, agent: i64, instance: &str) {
        let known = self.by_agent.entry(agent).or_default();
        known.retain(|process| **process != *instance);
        push(known, instance);
    }

    /// An agent is no more.
    pub fn forget(&mut self, agent: i64) {
        self.by_agent.remove(&agent);
    }
}

fn push(known: &mut Vec<Arc<str>>, instance: &str) {
    if known.len() >= MAX_KNOWN_PROCESSES {
        known.remove(0);
    }
    known.push(Arc::from(instance));
}
