//! Names and their keys.

use super::{Memory, Parts};
use std::collections::HashMap;
use std::sync::Arc;
use tiltyard_model::agent::Agent;
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Settings;
use tiltyard_model::scope::Scope;

/// A queue as the door knows it.
#[derive(Debug, Clone, PartialEq)]
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
}

impl Parts {
    /// Knows a scope.
    pub fn put_scope(&mut self, key: i64, scope: Scope, last_seq: i64) {
        self.names.scope_keys.insert(scope.name.clone(), key);
        self.names.scopes.insert(key, (scope, last_seq));
    }

    fn step_scope(&mut self, key: i64, by: i64) -> i64 {
        let Some((_, seq)) = self.names.scopes.get_mut(&key) else { return 0 };
        *seq += by;
        self.grown.insert(key, *seq);
        *seq
    }

    fn drop_scope(&mut self, key: i64) {
        if let Some((scope, _)) = self.names.scopes.remove(&key) {
            self.names.scope_keys.remove(&scope.name);
        }
    }

    /// Knows a queue.
    pub fn put_queue(&mut self, queue: Queue) {
        self.names.queue_keys.insert((queue.scope, Arc::clone(&queue.name)), queue.key);
        self.ready.know_queue(queue.key, queue.scope, &queue.settings);
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

    fn drop_agent(&mut self, key: i64) {
        if let Some(agent) = self.names.agents.remove(&key) {
            self.names.agent_keys.remove(&agent.name);
        }
    }

    /// Knows an actor.
    pub fn put_actor(&mut self, key: i64, name: String) {
        self.names.actors.insert(name, key);
    }
}

impl Memory {
    /// Knows a scope, or knows it differently. `last_seq` is where its own sequence of events stands, for one that was
    /// not known; a scope that comes back goes on counting.
    pub fn know_scope(&mut self, key: i64, scope: Scope, last_seq: i64) {
        self.change(move |parts| {
            let before = parts.names.scopes.get(&key).cloned();
            let last_seq = before.as_ref().map_or(last_seq, |(_, seq)| *seq);
            parts.put_scope(key, scope, last_seq);
            let inverse = move |parts: &mut Parts| match before {
                Some((scope, seq)) => parts.put_scope(key, scope, seq),
                None => parts.drop_scope(key),
            };
            ((), Box::new(inverse))
        });
    }

    /// Forgets a scope.
    pub fn forget_scope(&mut self, key: i64) {
        self.change(move |parts| {
            let before = parts.names.scopes.get(&key).cloned();
            parts.drop_scope(key);
            let inverse = move |parts: &mut Parts| {
                if let Some((scope, seq)) = before {
                    parts.put_scope(key, scope, seq);
                }
            };
            ((), Box::new(inverse))
        });
    }

    /// The next number of the log and of the scope's own sequence.
    pub fn next_seq(&mut self, scope: i64) -> (i64, i64) {
        self.change(move |parts| {
            parts.last_seq += 1;
            let of_scope = parts.step_scope(scope, 1);
            let inverse = move |parts: &mut Parts| {
                parts.last_seq -= 1;
                parts.step_scope(scope, -1);
            };
            ((parts.last_seq, of_scope), Box::new(inverse))
        })
    }

    /// Knows a queue, or knows it differently.
    pub fn know_queue(&mut self, queue: Queue) {
        self.change(move |parts| {
            let key = queue.key;
            let before = parts.names.queues.get(&key).cloned();
            parts.put_queue(queue);
            let inverse = move |parts: &mut Parts| match before {
                Some(queue) => parts.put_queue(queue),
                None => {
                    if let Some(queue) = parts.names.queues.remove(&key) {
                        parts.names.queue_keys.remove(&(queue.scope, queue.name));
                        parts.ready.forget_queue(key);
                    }
                }
            };
            ((), Box::new(inverse))
        });
    }

    /// Knows a lane.
    pub fn know_lane(&mut self, key: i64, queue: i64, lane: Arc<Lane>) {
        self.change(move |parts| {
            parts.put_lane(key, queue, lane);
            let inverse = move |parts: &mut Parts| {
                if let Some((_, lane)) = parts.names.lanes.remove(&key) {
                    parts.names.lane_keys.remove(&lane);
                    parts.ready.forget_lane(key);
                }
            };
            ((), Box::new(inverse))
        });
    }

    /// Knows an agent, or knows it differently.
    pub fn know_agent(&mut self, key: i64, agent: Agent) {
        self.change(move |parts| {
            let before = parts.names.agents.get(&key).cloned();
            parts.put_agent(key, agent);
            let inverse = move |parts: &mut Parts| match before {
                Some(agent) => parts.put_agent(key, agent),
                None => parts.drop_agent(key),
            };
            ((), Box::new(inverse))
        });
    }

    /// Forgets an agent.
    pub fn forget_agent(&mut self, key: i64) {
        self.change(move |parts| {
            let before = parts.names.agents.get(&key).cloned();
            parts.drop_agent(key);
            let inverse = move |parts: &mut Parts| {
                if let Some(agent) = before {
                    parts.put_agent(key, agent);
                }
            };
            ((), Box::new(inverse))
        });
    }

    /// Knows an actor.
    pub fn know_actor(&mut self, key: i64, name: String) {
        self.change(move |parts| {
            let again = name.clone();
            parts.put_actor(key, name);
            let inverse = move |parts: &mut Parts| {
                parts.names.actors.remove(&again);
            };
            ((), Box::new(inverse))
        });
    }
}
