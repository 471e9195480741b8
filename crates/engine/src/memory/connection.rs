//! Connections: which one of an agent is the newest. A restart forgets them, as it ends them.

use super::{Memory, Parts};

impl Memory {
    /// The newest connection of an agent.
    pub fn know_connection(&mut self, agent: i64, number: u64) {
        self.change(move |parts| {
            let before = parts.connections.insert(agent, number);
            let inverse = move |parts: &mut Parts| {
                match before {
                    Some(before) => parts.connections.insert(agent, before),
                    None => parts.connections.remove(&agent),
                };
            };
            ((), Box::new(inverse))
        });
    }
}
