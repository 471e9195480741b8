//! Names become keys: found in memory, made in the store when they are new.

use super::{Act, refusal_of};
use crate::memory::name::Queue;
use std::sync::Arc;
use tiltyard_model::agent::{Agent, Profile};
use tiltyard_model::event::{AgentRegistered, Subject};
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Settings;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::SYSTEM_SCOPE;
use tiltyard_store::{agent, name};

/// Most queues of one scope.
pub const MAX_QUEUES_OF_A_SCOPE: usize = 10_000;
/// Most lanes of the store; beyond it, tasks with new combinations of terms are refused.
pub const MAX_LANES: usize = 1_000_000;

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

    /// The key of a lane of a queue.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn lane_key(&mut self, queue: i64, lane: Lane) -> Result<i64, Refusal> {
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
