//! Which of several agents that wait gets the next task of a queue (D6). A queue hands work to whoever asks; where
//! several wait, its `assignment` decides who is first: who came first (`fair`), who has the fewest leases
//! (`least_loaded`), who did the same category last (`affinity`), or whose last turn is longest ago (`round_robin`).

use super::Parts;
use super::ready::Want;
use std::collections::HashMap;
use tiltyard_model::queue::Assignment;

/// What agents did last: hints, which a restart forgets.
#[derive(Debug, Default)]
pub struct Turns {
    count: u64,
    last: HashMap<i64, u64>,
    category: HashMap<i64, String>,
}

impl Turns {
    /// An agent got a task.
    pub fn took(&mut self, agent: i64, category: Option<&str>) {
        self.count += 1;
        self.last.insert(agent, self.count);
        if let Some(category) = category {
            self.category.insert(agent, category.to_owned());
        }
    }

    /// Forgets an agent.
    pub fn forget(&mut self, agent: i64) {
        self.last.remove(&agent);
        self.category.remove(&agent);
    }
}

impl Parts {
    /// Whether any queue with ready work chooses among the agents that wait.
    pub fn chooses(&self) -> bool {
        self.ready.in_line().any(|assignment| assignment != Assignment::Fair)
    }

    /// The place of somebody who waits among those who wait: the lowest is first, equal ones in the order in which
    /// they came. It is that of the queue from which its claim would be served next, so only those who would be served
    /// from the same one are weighed against each other.
    pub fn rank(&self, want: &Want) -> (i64, u64) {
        let Some(agent) = self.names.agent_key(&want.agent) else { return (0, 0) };
        let Some((queue, assignment, category)) = self.ready.first_for(want) else { return (0, 0) };
        let rank = match assignment {
            Assignment::Fair => 0,
            Assignment::LeastLoaded => self.leases.load(agent) as u64,
            Assignment::RoundRobin => self.turns.last.get(&agent).copied().unwrap_or_default(),
            Assignment::Affinity => {
                let did = self.turns.category.get(&agent).map(String::as_str);
                u64::from(category.is_none() || did != category)
            }
        };
        (queue, rank)
    }

    /// How many tasks each of `waiting` agents gets at most while a queue chooses.
    pub fn share(&self, waiting: usize) -> usize {
        self.ready.len().div_ceil(waiting.max(1)).max(1)
    }
}
