//! Names become keys: found in memory, made in the store when they are new.

use super::{Act, refusal_of};
use crate::memory::name::Queue;
use std::sync::Arc;
use tiltyard_model::agent::{Agent, Profile};
use tiltyard_model::event::{AgentRegistered, Subject};
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::{Assignment, Settings};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::SYSTEM_SCOPE;
use tiltyard_model::task::Spec;
use tiltyard_store::{agent, name};

/// Most queues of one scope.
pub const MAX_QUEUES_OF_A_SCOPE: usize = 10_000;
/// Most lanes of the store; beyond it, tasks with new combinations of terms are refused.
pub const MAX_LANES: usize = 1_000_000;
/// When a task that was refused for that may be sent again.
const LANES_RETRY_MS: i64 = 30_000;

impl Act<'_> {
    /// The key of a scope that is there.
    ///
    /// # Errors
    /// 422 `unknown_scope` for another.
    pub fn scope_key(&self, scope: &str) -> Result<i64, Refusal> {
        if scope == SYSTEM_SCOPE {
            return Err(Refusal::field("/scope", "`system` is reserved for the store itself"));
        }
        self.memory.names.scope_key(scope).ok_or_else(|| crate::scope::unknown(scope))
    }

    /// The key of the scope of the store itself.
    pub fn system_scope(&self) -> i64 {
        self.memory.names.scope_key(SYSTEM_SCOPE).unwrap_or_default()
    }

    /// The key of a queue; it exists from its first task on.
    ///
    /// # Errors
    /// When the scope has too many, or the store cannot write it.
    pub fn queue_key(&mut self, scope: i64, queue: &str) -> Result<i64, Refusal> {
        if let Some(key) = self.memory.names.queue_key(scope, queue) {
            return Ok(key);
        }
        if self.memory.names.queues().filter(|other| other.scope == scope).count() >= MAX_QUEUES_OF_A_SCOPE {
            return Err(Refusal::field("/queue", "the scope has 10,000 queues: use one of them"));
        }
        self.save_queue(scope, queue, Settings::default())
    }

    /// Writes a queue with these settings.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn save_queue(&mut self, scope: i64, queue: &str, settings: Settings) -> Result<i64, Refusal> {
        let key = name::put_queue(self.tx, scope, queue, &settings).map_err(refusal_of)?;
        self.memory.know_queue(Queue { key, scope, name: Arc::from(queue), settings });
        Ok(key)
    }

    /// The key of the lane of a task that somebody asks for.
    ///
    /// # Errors
    /// 503 `overloaded` when there are too many; when the store cannot write it.
    pub fn lane_key(&mut self, queue: i64, spec: &Spec) -> Result<i64, Refusal> {
        let lane = self.lane_of(queue, spec);
        let limit = self.memory.max_lanes.unwrap_or(MAX_LANES);
        if self.memory.names.lane_key(&lane).is_none() && self.memory.names.lanes() >= limit {
            let text = format!(
                "{limit} different combinations of queue, kind, keys, capabilities and agents wait or run already, and \
                 this task would be another: use keys that tasks share, or try again when some have ended"
            );
            return Err(Refusal::new(Code::Overloaded, text).retry_after(LANES_RETRY_MS));
        }
        self.put_lane(queue, lane)
    }

    /// The key of the lane of a task that is in the store already: it is not turned away.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn lane_again(&mut self, queue: i64, spec: &Spec) -> Result<i64, Refusal> {
        let lane = self.lane_of(queue, spec);
        self.put_lane(queue, lane)
    }

    fn lane_of(&self, queue: i64, spec: &Spec) -> Lane {
        let settings = self.memory.names.queue(queue).map(|queue| &queue.settings);
        Lane::of(spec, settings.map_or_else(Assignment::default, |settings| settings.assignment))
    }

    fn put_lane(&mut self, queue: i64, lane: Lane) -> Result<i64, Refusal> {
        if let Some(key) = self.memory.names.lane_key(&lane) {
            return Ok(key);
        }
        let key = name::put_lane(self.tx, queue, &lane).map_err(refusal_of)?;
        self.memory.know_lane(key, queue, Arc::new(lane));
        Ok(key)
    }

    /// The key of an actor.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn actor_key(&mut self, actor: &str) -> Result<i64, Refusal> {
        if let Some(key) = self.memory.names.actor_key(actor) {
            return Ok(key);
        }
        let key = name::put_actor(self.tx, actor).map_err(refusal_of)?;
        self.memory.know_actor(key, actor.to_owned());
        Ok(key)
    }

    /// The key of an agent; an unknown name registers itself.
    ///
    /// # Errors
    /// 422 when the name is no slug; when the store cannot write it.
    pub fn agent_key(&mut self, agent: &str) -> Result<i64, Refusal> {
        if let Some(key) = self.memory.names.agent_key(agent) {
            return Ok(key);
        }
        self.register_agent(agent, Profile::default())
    }

    /// Makes an agent's name known.
    ///
    /// # Errors
    /// 422 when the name is no slug; when the store cannot write it.
    pub fn register_agent(&mut self, name: &str, profile: Profile) -> Result<i64, Refusal> {
        tiltyard_model::agent::admit(name, &profile)?;
        let capabilities = profile.capabilities.clone();
        let agent = Agent {
            name: name.to_owned(),
            instance: None,
            profile,
            draining: false,
            created_at: self.now.wall,
            last_seen: None,
            record: Arc::default(),
        };
        let key = self.save_agent(agent)?;
        let scope = self.system_scope();
        self.event(scope, &Subject::from(name), None, &AgentRegistered { capabilities })?;
        Ok(key)
    }

    /// Writes what is known of an agent.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn save_agent(&mut self, agent: Agent) -> Result<i64, Refusal> {
        let key = agent::put(self.tx, &agent).map_err(refusal_of)?;
        self.memory.know_agent(key, agent);
        Ok(key)
    }
}
