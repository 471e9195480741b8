//! Who is there: when each agent last said something, which of them spoke since they were last found silent, and by
//! which process.

use super::{Memory, Parts};
use crate::clock::Now;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tiltyard_model::role::Reach;
use tiltyard_model::time::{DurationMs, TimeMs};

/// A step of an agent's presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// It connected.
    Online {
        /// Its key.
        agent: i64,
    },
    /// It was found silent, or is no more.
    Offline {
        /// Its key.
        agent: i64,
    },
    /// It said something. Never taken back: it did.
    Heard {
        /// Its key.
        agent: i64,
        /// When, on the wall clock.
        wall: TimeMs,
        /// When, on the steady one.
        steady: DurationMs,
        /// Whether it counts as connected; a server that has come later learns it so.
        online: bool,
    },
    /// This process of it is the newest.
    Process {
        /// Its key.
        agent: i64,
        /// The process.
        instance: Arc<str>,
    },
    /// These are its processes, the newest last.
    Processes {
        /// Its key.
        agent: i64,
        /// All that are known.
        known: Vec<Arc<str>>,
    },
    /// This connection of it is the newest.
    Connection {
        /// Its key.
        agent: i64,
        /// The connection's number; `None` when there was none.
        number: Option<u64>,
    },
    /// Whoever spoke for it since it was last silent reaches these scopes.
    Serves {
        /// Its key.
        agent: i64,
        /// The scopes, `*` for all; `None` when nobody has spoken.
        scopes: Option<Vec<String>>,
    },
}

impl Parts {
    pub(super) fn apply_presence(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Online { agent } => self.online.insert(agent).then_some(Step::Offline { agent }),
            Step::Offline { agent } => self.online.remove(&agent).then_some(Step::Online { agent }),
            Step::Heard { agent, wall, steady, online } => {
                self.presence.insert(agent, (wall, steady));
                if online {
                    self.online.insert(agent);
                }
                None
            }
            Step::Process { agent, instance } => Some(self.apply_process(agent, instance)),
            Step::Processes { agent, known } => Some(self.apply_processes(agent, known)),
            Step::Connection { agent, number } => Some(self.apply_connection(agent, number)),
            Step::Serves { agent, scopes } => Some(self.apply_serves(agent, scopes)),
        }
    }

    fn apply_serves(&mut self, agent: i64, scopes: Option<Vec<String>>) -> Step {
        let before = match scopes {
            Some(scopes) => self.served.insert(agent, Reach::from_list(&scopes)),
            None => self.served.remove(&agent),
        };
        Step::Serves { agent, scopes: before.map(|reach| reach.to_list()) }
    }

    /// Nobody could be heard until `steady`: whoever is connected has spoken just now, as far as silence goes. Gives
    /// when they were heard before.
    pub(super) fn hear_anew(&mut self, steady: DurationMs) -> Vec<(i64, DurationMs)> {
        let online = &self.online;
        let connected = self.presence.iter_mut().filter(|(agent, _)| online.contains(agent));
        let anew = |(agent, (_, heard)): (&i64, &mut (TimeMs, DurationMs))| {
            let later = steady.max(*heard);
            (*agent, std::mem::replace(heard, later))
        };
        connected.map(anew).collect()
    }

    pub(super) fn heard_before(&mut self, before: Vec<(i64, DurationMs)>) {
        for (agent, steady) in before {
            if let Some((_, heard)) = self.presence.get_mut(&agent) {
                *heard = steady;
            }
        }
    }
}

impl Memory {
    /// An agent said something. Written down at most once in [`super::redo::HEARD_EVERY_MS`] an agent.
    pub fn hear(&mut self, agent: i64, now: Now) {
        self.hints().presence.insert(agent, (now.wall, now.steady));
        self.spoke(agent);
    }

    /// Whoever spoke for an agent reaches these scopes; `None` to forget it.
    pub fn serve(&mut self, agent: i64, reach: Option<&Reach>) {
        self.step(Step::Serves { agent, scopes: reach.map(Reach::to_list) });
    }

    /// An agent connected.
    pub fn online(&mut self, agent: i64) {
        self.step(Step::Online { agent });
    }

    /// An agent was found silent, or is no more.
    pub fn offline(&mut self, agent: i64) {
        self.step(Step::Offline { agent });
    }
}
