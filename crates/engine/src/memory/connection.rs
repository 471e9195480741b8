//! Connections: which one of an agent is the newest. A restart forgets them, as it ends them.

use super::presence::Step;
use super::{Memory, Parts};

impl Parts {
    pub(super) fn apply_connection(&mut self, agent: i64, number: Option<u64>) -> Step {
        let before = match number {
            Some(number) => self.connections.insert(agent, number),
            None => self.connections.remove(&agent),
        };
        Step::Connection { agent, number: before }
    }
}

impl Memory {
    /// The newest connection of an agent.
    pub fn know_connection(&mut self, agent: i64, number: u64) {
        self.step(Step::Connection { agent, number: Some(number) });
    }
}
