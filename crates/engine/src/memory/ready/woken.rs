//! Which claims that wait are worth another try.

use super::{Ready, Want};
use crate::memory::Parts;
use std::collections::HashSet;
use std::sync::Arc;
use tiltyard_model::time::TimeMs;

/// What has changed for those who wait, since somebody last asked.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// Queues in which a lane was filled or let go.
    queues: HashSet<i64>,
    /// Agents that hold less.
    agents: HashSet<i64>,
    /// Whether anything may have changed for somebody.
    all: bool,
}

/// What could be claimed since somebody last asked, and could not before.
#[derive(Debug, Default)]
pub struct Woken {
    anything: bool,
    queues: Vec<(Arc<str>, Arc<str>)>,
    agents: HashSet<String>,
}

impl Opened {
    pub(super) fn queue(&mut self, queue: i64) {
        self.queues.insert(queue);
    }

    pub(super) fn forget_queue(&mut self, queue: i64) {
        self.queues.remove(&queue);
    }

    pub(super) fn agent(&mut self, agent: i64) {
        self.agents.insert(agent);
    }

    pub(super) fn all(&mut self) {
        self.all = true;
    }
}

impl Woken {
    /// Whether there is nothing new for anybody.
    pub fn is_nothing(&self) -> bool {
        !self.anything && self.queues.is_empty() && self.agents.is_empty()
    }

    /// Whether somebody who asks could find something now; true for those who do not say what they ask for.
    pub fn wakes(&self, asker: Option<&Want>) -> bool {
        let Some(want) = asker.filter(|_| !self.anything) else { return true };
        self.agents.contains(&want.agent) || self.queues.iter().any(|(scope, queue)| want.names(scope, queue))
    }
}

impl Ready {
    /// Whether [`Parts::woken`] would tell of anything.
    pub fn is_woken(&mut self, now: TimeMs) -> bool {
        self.wake(now);
        let Opened { queues, agents, all } = &self.opened;
        let waits = self.count > 0 && (*all || !agents.is_empty());
        waits || queues.iter().any(|queue| self.rota.stands(*queue))
    }

    /// Whether there is anything for somebody who asks, but for what a rate holds back.
    pub fn has_for(&self, want: &Want) -> bool {
        self.first_for(want).is_some()
    }

    /// Nobody waits who could be woken.
    pub fn nobody_waits(&mut self) {
        self.opened = Opened::default();
    }
}

impl Parts {
    /// What could be claimed since this was last asked, and could not before: from queues that could start something, in
    /// which a lane was filled or let go, and by agents that hold less than they did.
    pub fn woken(&mut self, now: TimeMs) -> Woken {
        self.ready.wake(now);
        let Opened { queues, agents, all } = std::mem::take(&mut self.ready.opened);
        if self.ready.is_empty() {
            return Woken::default();
        }
        let rota = &self.ready.rota;
        let names = |queue| rota.names(queue).map(|(scope, name)| (Arc::clone(scope), Arc::clone(name)));
        Woken {
            anything: all,
            queues: queues.into_iter().filter(|queue| rota.stands(*queue)).filter_map(names).collect(),
            agents: agents.into_iter().map(|agent| self.names.agent_name(agent).to_owned()).collect(),
        }
    }
}
