//! Connections: which one of an agent is the newest, whether it stands, and what others were told of the agent last. A restart
//! forgets them, as it ends them; a server that joins others is told.

use super::presence::Step;
use super::{Memory, Parts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tiltyard_model::agent::Resources;
use tiltyard_model::time::{DurationMs, TimeMs};

/// The newest connection of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number: newer ones have greater ones.
    pub number: u64,
    /// Whether it stands.
    pub is_open: bool,
}

/// What was heard of an agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// When, on the wall clock.
    pub wall: TimeMs,
    /// When, on the steady one.
    pub steady: DurationMs,
    /// What it said of its machine.
    pub resources: Option<Resources>,
}

impl Parts {
    pub(super) fn apply_connection(&mut self, agent: i64, link: Option<Link>) -> Step {
        let before = match link {
            Some(link) => self.connections.insert(agent, link),
            None => self.connections.remove(&agent),
        };
        if before.map(|before| before.number) != link.map(|link| link.number) {
            self.machines.remove(&agent);
        }
        Step::Connection { agent, link: before }
    }

    /// Keeps what every server knows of an agent. The same word, told again by a server that knows less, takes nothing away.
    pub(super) fn tell(&mut self, agent: i64, heard: Heard) {
        match self.told.get(&agent) {
            Some(before) if before.steady > heard.steady => {}
            Some(before) if before.steady == heard.steady => {
                let resources = heard.resources.or(before.resources);
                self.told.insert(agent, Heard { resources, ..heard });
            }
            _ => drop(self.told.insert(agent, heard)),
        }
    }

    /// Every agent of which something is known that no row tells, by key.
    pub(super) fn known_of(&self) -> BTreeSet<i64> {
        let (links, served, told) = (self.connections.keys(), self.served.keys(), self.told.keys());
        links.chain(served).chain(told).chain(&self.online).copied().collect()
    }

    /// Whether a connection that another server tells of is older than the one that is known here.
    pub(super) fn is_stale(&self, step: &super::step::Step) -> bool {
        let super::step::Step::Presence(Step::Connection { agent, link: Some(link) }) = step else {
            return false;
        };
        self.connections.get(agent).is_some_and(|known| known.number > link.number)
    }

    /// What this server has heard of an agent itself.
    pub(super) fn heard(&self, agent: i64) -> Option<Heard> {
        let (wall, steady) = *self.presence.get(&agent)?;
        Some(Heard { wall, steady, resources: self.machines.get(&agent).copied() })
    }
}

impl Memory {
    /// The newest connection of an agent stands.
    pub fn know_connection(&mut self, agent: i64, number: u64) {
        self.step(Step::Connection { agent, link: Some(Link { number, is_open: true }) });
    }

    /// The newest connection of an agent has ended; its number is remembered, so that no older one takes its place.
    pub fn end_connection(&mut self, agent: i64) {
        let open = self.connections.get(&agent).filter(|link| link.is_open);
        if let Some(Link { number, .. }) = open.copied() {
            self.step(Step::Connection { agent, link: Some(Link { number, is_open: false }) });
        }
    }

    /// Whether an agent is connected, to whichever server.
    pub fn is_connected(&self, agent: i64) -> bool {
        self.connections.get(&agent).is_some_and(|link| link.is_open)
    }

    /// What is shown of when an agent was heard: where servers share a store, what all of them know, so that each shows the same.
    pub fn shown(&self, agent: i64) -> Option<Heard> {
        let told = if self.redo.is_some() { self.told.get(&agent).copied() } else { None };
        told.or_else(|| self.heard(agent))
    }
}
