//! Who is there: when each agent last said something, which of them spoke since they were last found silent, and by
//! which process.

use super::connection::{Heard, Link};
use super::{Memory, Parts};
use crate::clock::Now;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tiltyard_model::agent::Resources;
use tiltyard_model::role::Reach;
use tiltyard_model::time::{DurationMs, TimeMs};

/// A step of an agent's presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        /// What it last said of its machine.
        resources: Option<Box<Resources>>,
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
        /// The connection; `None` when there was none.
        link: Option<Link>,
    },
    /// Whoever spoke for it since it was last silent reaches these scopes.
    Serves {
        /// Its key.
        agent: i64,
        /// The scopes, `*` for all; `None` when nobody has spoken.
        scopes: Option<Vec<String>>,
    },
    /// A server has come, or made its memory anew: whoever has heard agents tells of them again. Never taken back.
    Asked,
}

/// What only memory knows of an agent, for a server that has come later.
pub(super) fn steps_of(parts: &Parts, agent: i64) -> impl Iterator<Item = Step> {
    let online = parts.online.contains(&agent).then_some(Step::Online { agent });
    let link = parts.connections.get(&agent).map(|link| Step::Connection { agent, link: Some(*link) });
    let serves = parts.served.get(&agent).map(|reach| Step::Serves { agent, scopes: Some(reach.to_list()) });
    online.into_iter().chain(link).chain(serves)
}

impl Parts {
    pub(super) fn apply_presence(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Online { agent } => self.online.insert(agent).then_some(Step::Offline { agent }),
            Step::Offline { agent } => self.online.remove(&agent).then_some(Step::Online { agent }),
            Step::Heard { agent, wall, steady, resources } => {
                let before = self.presence.get(&agent);
                if before.is_none_or(|(_, before)| *before <= steady) {
                    self.presence.insert(agent, (wall, steady));
                }
                self.tell(agent, Heard { wall, steady, resources: resources.map(|resources| *resources) });
                None
            }
            Step::Asked => None,
            Step::Process { agent, instance } => Some(self.apply_process(agent, instance)),
            Step::Processes { agent, known } => Some(self.apply_processes(agent, known)),
            Step::Connection { agent, link } => Some(self.apply_connection(agent, link)),
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

    /// Nobody could be heard until `steady`: whoever is connected has spoken just now, as far as silence goes, and nobody later, as on
    /// a clock that was set back. Gives when they were heard before, by this server and as all know.
    pub(super) fn hear_anew(&mut self, steady: DurationMs) -> Vec<(i64, DurationMs, DurationMs)> {
        let (online, told) = (&self.online, &mut self.told);
        let meant = |(agent, (_, heard)): &(&i64, &mut (TimeMs, DurationMs))| {
            online.contains(agent) || *heard > steady
        };
        let anew = |(agent, (_, heard)): (&i64, &mut (TimeMs, DurationMs))| {
            let here = std::mem::replace(heard, steady);
            let known = told.get_mut(agent).map(|told| std::mem::replace(&mut told.steady, steady));
            (*agent, here, known.unwrap_or(here))
        };
        self.presence.iter_mut().filter(meant).map(anew).collect()
    }

    pub(super) fn heard_before(&mut self, before: Vec<(i64, DurationMs, DurationMs)>) {
        for (agent, here, known) in before {
            if let Some((_, heard)) = self.presence.get_mut(&agent) {
                *heard = here;
            }
            if let Some(told) = self.told.get_mut(&agent) {
                told.steady = known;
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
