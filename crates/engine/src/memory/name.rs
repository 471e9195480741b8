//! Names and their keys.

use super::ready::Known;
use super::step::form::{boxed_agent, boxed_scope};
use super::{Memory, Parts};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tiltyard_model::agent::Agent;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Settings;
use tiltyard_model::scope::Scope;

/// A queue as the door knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Its key.
    pub key: i64,
    /// The key of its scope.
    pub scope: i64,
    /// Its name.
    pub name: Arc<str>,
    /// Its switches and limits.
    pub settings: Settings,
}

/// Scopes, queues, lanes, agents and actors by key and by name.
#[derive(Debug, Default)]
pub struct Names {
    scopes: HashMap<i64, (Scope, i64)>,
    scope_keys: HashMap<String, i64>,
    queues: HashMap<i64, Queue>,
    queue_keys: HashMap<(i64, Arc<str>), i64>,
    lanes: HashMap<i64, (i64, Arc<Lane>)>,
    lane_keys: HashMap<Arc<Lane>, i64>,
    agents: HashMap<i64, Agent>,
    agent_keys: HashMap<String, i64>,
    actors: HashMap<String, i64>,
}

impl Names {
    /// The key of a scope that is not deleted.
    pub fn scope_key(&self, name: &str) -> Option<i64> {
        self.scope_keys.get(name).copied()
    }

    /// A scope.
    pub fn scope(&self, key: i64) -> Option<&Scope> {
        self.scopes.get(&key).map(|(scope, _)| scope)
    }

    /// The name of a scope; empty for a key that is not there.
    pub fn scope_name(&self, key: i64) -> &str {
        self.scope(key).map_or("", |scope| &scope.name)
    }

    /// The last number of a scope's own sequence of events.
    pub fn scope_seq(&self, key: i64) -> i64 {
        self.scopes.get(&key).map_or(0, |(_, seq)| *seq)
    }

    /// Every scope.
    pub fn scopes(&self) -> impl Iterator<Item = (i64, &Scope)> {
        self.scopes.iter().map(|(key, (scope, _))| (*key, scope))
    }

    /// The key of a queue.
    pub fn queue_key(&self, scope: i64, name: &str) -> Option<i64> {
        self.queue_keys.get(&(scope, Arc::from(name))).copied()
    }

    /// A queue.
    pub fn queue(&self, key: i64) -> Option<&Queue> {
        self.queues.get(&key)
    }

    /// Every queue.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values()
    }

    /// The key of a lane.
    pub fn lane_key(&self, lane: &Lane) -> Option<i64> {
        self.lane_keys.get(lane).copied()
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// A lane and the key of its queue.
    pub fn lane(&self, key: i64) -> Option<(i64, &Arc<Lane>)> {
        self.lanes.get(&key).map(|(queue, lane)| (*queue, lane))
    }

    /// The key of an agent.
    pub fn agent_key(&self, name: &str) -> Option<i64> {
        self.agent_keys.get(name).copied()
    }

    /// An agent.
    pub fn agent(&self, key: i64) -> Option<&Agent> {
        self.agents.get(&key)
    }

    /// The name of an agent; empty for a key that is not there.
    pub fn agent_name(&self, key: i64) -> &str {
        self.agents.get(&key).map_or("", |agent| &agent.name)
    }

    /// Every agent.
    pub fn agents(&self) -> impl Iterator<Item = (i64, &Agent)> {
        self.agents.iter().map(|(key, agent)| (*key, agent))
    }

    /// The key of an actor.
    pub fn actor_key(&self, name: &str) -> Option<i64> {
        self.actors.get(name).copied()
    }

    /// Its parts as text, for comparisons.
    pub(super) fn summary(&self, all: &mut BTreeMap<String, String>) {
        for (key, (scope, seq)) in &self.scopes {
            all.insert(format!("scope {key}"), format!("{scope:?} at {seq}"));
        }
        for (key, queue) in &self.queues {
            let text = format!("{} of {} {:?}", queue.name, queue.scope, queue.settings);
            all.insert(format!("queue {key}"), text);
        }
        for (key, (queue, lane)) in &self.lanes {
            all.insert(format!("lane {key}"), format!("of {queue} {lane:?}"));
        }
        for (key, agent) in &self.agents {
            // An agent that was deleted and comes back begins anew here; its row knows when it was first seen.
            let agent = Agent { created_at: 0, ..agent.clone() };
            all.insert(format!("agent {key}"), format!("{agent:?}"));
        }
        for (name, key) in &self.actors {
            all.insert(format!("actor {key}"), name.clone());
        }
        let found =
            [self.scope_keys.len(), self.queue_keys.len(), self.lane_keys.len(), self.agent_keys.len()];
        all.insert("names".to_owned(), format!("{found:?}"));
    }
}

impl Parts {
    /// Knows a scope.
    pub fn put_scope(&mut self, key: i64, scope: Scope, last_seq: i64) {
        self.names.scope_keys.insert(scope.name.clone(), key);
        self.ready.know_scope(key, &scope.name);
        self.names.scopes.insert(key, (scope, last_seq));
    }

    fn step_scope(&mut self, key: i64, by: i64) {
        if let Some((_, seq)) = self.names.scopes.get_mut(&key) {
            *seq += by;
            self.grown.insert(key, *seq);
        }
    }

    /// Knows a queue.
    pub fn put_queue(&mut self, queue: Queue) {
        self.names.queue_keys.insert((queue.scope, Arc::clone(&queue.name)), queue.key);
        self.ready.know_queue(Known {
            key: queue.key,
            scope: (queue.scope, self.names.scope_name(queue.scope)),
            name: &queue.name,
            settings: &queue.settings,
        });
        self.names.queues.insert(queue.key, queue);
    }

    /// Knows a lane.
    pub fn put_lane(&mut self, key: i64, queue: i64, lane: Arc<Lane>) {
        self.names.lane_keys.insert(Arc::clone(&lane), key);
        self.ready.know_lane(key, queue, Arc::clone(&lane));
        self.names.lanes.insert(key, (queue, lane));
    }

    /// Knows an agent.
    pub fn put_agent(&mut self, key: i64, agent: Agent) {
        self.names.agent_keys.insert(agent.name.clone(), key);
        self.names.agents.insert(key, agent);
    }

    /// Knows an actor.
    pub fn put_actor(&mut self, key: i64, name: String) {
        self.names.actors.insert(name, key);
    }
}

/// A step of a name, or of the numbers that events are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// An event takes the next number of the log and of its scope; -1 takes one back.
    Event {
        /// The key of the scope.
        scope: i64,
        /// How many numbers.
        by: i64,
    },
    /// A scope is there, or is different.
    Scope {
        /// Its key.
        key: i64,
        /// The scope.
        #[serde(with = "boxed_scope")]
        scope: Box<Scope>,
        /// Where its own sequence of events stands, for one that was not known.
        last_seq: i64,
    },
    /// A scope is no more.
    ScopeGone {
        /// Its key.
        key: i64,
    },
    /// A queue is there, or is different.
    Queue(Box<Queue>),
    /// A queue is no more.
    QueueGone {
        /// Its key.
        key: i64,
    },
    /// A lane is there.
    Lane {
        /// Its key.
        key: i64,
        /// The key of its queue.
        queue: i64,
        /// The lane.
        lane: Arc<Lane>,
    },
    /// A lane is no more.
    LaneGone {
        /// Its key.
        key: i64,
    },
    /// An agent is known, or known differently.
    Agent {
        /// Its key.
        key: i64,
        /// The agent.
        #[serde(with = "boxed_agent")]
        agent: Box<Agent>,
    },
    /// An agent is no more.
    AgentGone {
        /// Its key.
        key: i64,
    },
    /// An actor is known.
    Actor {
        /// Its key.
        key: i64,
        /// Its name.
        name: Box<str>,
    },
    /// An actor is no more.
    ActorGone {
        /// Its name.
        name: Box<str>,
    },
}

impl Parts {
    pub(super) fn apply_name(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Event { scope, by } => {
                self.last_seq += by;
                self.step_scope(scope, by);
                Some(Step::Event { scope, by: -by })
            }
            Step::Scope { key, scope, last_seq } => Some(self.know_scope(key, *scope, last_seq)),
            Step::ScopeGone { key } => self.forget_scope(key),
            Step::Queue(queue) => Some(self.know_queue(*queue)),
            Step::QueueGone { key } => self.forget_queue(key),
            Step::Lane { key, queue, lane } => {
                self.put_lane(key, queue, lane);
                Some(Step::LaneGone { key })
            }
            Step::LaneGone { key } => self.forget_lane(key),
            Step::Agent { key, agent } => Some(self.know_agent(key, *agent)),
            Step::AgentGone { key } => self.forget_agent(key),
            Step::Actor { key, name } => {
                self.put_actor(key, String::from(&*name));
                Some(Step::ActorGone { name })
            }
            Step::ActorGone { name } => self.names.actors.remove(&*name).map(|key| Step::Actor { key, name }),
        }
    }

    /// A scope that is known goes on counting its events.
    fn know_scope(&mut self, key: i64, scope: Scope, last_seq: i64) -> Step {
        let before = self.names.scopes.remove(&key);
        let last_seq = before.as_ref().map_or(last_seq, |(_, seq)| *seq);
        self.put_scope(key, scope, last_seq);
        match before {
            Some((scope, last_seq)) => Step::Scope { key, scope: Box::new(scope), last_seq },
            None => Step::ScopeGone { key },
        }
    }

    fn forget_scope(&mut self, key: i64) -> Option<Step> {
        let (scope, last_seq) = self.names.scopes.remove(&key)?;
        self.names.scope_keys.remove(&scope.name);
        Some(Step::Scope { key, scope: Box::new(scope), last_seq })
    }

    fn know_queue(&mut self, queue: Queue) -> Step {
        let key = queue.key;
        let before = self.names.queues.remove(&key);
        self.put_queue(queue);
        before.map_or(Step::QueueGone { key }, |before| Step::Queue(Box::new(before)))
    }

    fn forget_queue(&mut self, key: i64) -> Option<Step> {
        let queue = self.names.queues.remove(&key)?;
        self.names.queue_keys.remove(&(queue.scope, Arc::clone(&queue.name)));
        self.ready.forget_queue(key);
        Some(Step::Queue(Box::new(queue)))
    }

    fn forget_lane(&mut self, key: i64) -> Option<Step> {
        let (queue, lane) = self.names.lanes.remove(&key)?;
        self.names.lane_keys.remove(&lane);
        self.ready.forget_lane(key);
        Some(Step::Lane { key, queue, lane })
    }

    /// Claims of an agent that takes work again are worth another try.
    fn know_agent(&mut self, key: i64, agent: Agent) -> Step {
        let before = self.names.agents.remove(&key);
        if before.as_ref().is_some_and(|before| before.draining && !agent.draining) {
            self.ready.touch();
        }
        self.put_agent(key, agent);
        match before {
            Some(agent) => Step::Agent { key, agent: Box::new(agent) },
            None => Step::AgentGone { key },
        }
    }

    fn forget_agent(&mut self, key: i64) -> Option<Step> {
        let agent = self.names.agents.remove(&key)?;
        self.names.agent_keys.remove(&agent.name);
        self.turns.forget(key);
        self.claimed_with.remove(&key);
        Some(Step::Agent { key, agent: Box::new(agent) })
    }
}

impl Memory {
    /// Knows a scope, or knows it differently. `last_seq` is where its own sequence of events stands, for one that was
    /// not known; a scope that comes back goes on counting, also in the transaction that deleted it, whose rows do not
    /// tell yet.
    pub fn know_scope(&mut self, key: i64, scope: Scope, last_seq: i64) {
        let last_seq = self.grown.get(&key).copied().unwrap_or(last_seq).max(last_seq);
        self.step(Step::Scope { key, scope: Box::new(scope), last_seq });
    }

    /// Forgets a scope.
    pub fn forget_scope(&mut self, key: i64) {
        self.step(Step::ScopeGone { key });
    }

    /// The next number of the log and of the scope's own sequence.
    pub fn next_seq(&mut self, scope: i64) -> (i64, i64) {
        self.step(Step::Event { scope, by: 1 });
        (self.last_seq, self.names.scope_seq(scope))
    }

    /// Knows a queue, or knows it differently.
    pub fn know_queue(&mut self, queue: Queue) {
        self.step(Step::Queue(Box::new(queue)));
    }

    /// Knows a lane.
    pub fn know_lane(&mut self, key: i64, queue: i64, lane: Arc<Lane>) {
        self.step(Step::Lane { key, queue, lane });
    }

    /// Forgets a lane.
    pub fn forget_lane(&mut self, key: i64) {
        self.step(Step::LaneGone { key });
    }

    /// Knows an agent, or knows it differently.
    pub fn know_agent(&mut self, key: i64, agent: Agent) {
        self.step(Step::Agent { key, agent: Box::new(agent) });
    }

    /// Forgets an agent.
    pub fn forget_agent(&mut self, key: i64) {
        self.step(Step::AgentGone { key });
    }

    /// Knows an actor.
    pub fn know_actor(&mut self, key: i64, name: String) {
        self.step(Step::Actor { key, name: name.into_boxed_str() });
    }
}
