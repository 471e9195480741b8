//! The way forward: the steps since the last commit, written down as they are done, for other servers. Only a store
//! that is shared wants it; elsewhere nothing is written.

use super::connection::Heard;
use super::step::Step;
use super::{Memory, Parts, presence};
use crate::act::Effect;
use crate::journal::{self, Unwritable};
use std::collections::{HashMap, HashSet};
use tiltyard_model::time::DurationMs;

/// An agent that goes on speaking is told of once in so long: far more often than silence is noticed
/// ([`tiltyard_model::agent::OFFLINE_AFTER_MS`]), far less often than agents speak.
pub const HEARD_EVERY_MS: DurationMs = 5_000;

/// What is to be written down.
#[derive(Debug, Default)]
pub(super) struct Redo {
    /// Steps, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Why the steps are not whole.
    failed: Option<Unwritable>,
    /// The largest key that others know of.
    key_told: i64,
    /// Agents that spoke since others were told.
    spoke: HashSet<i64>,
    /// When others were told of an agent last, on the steady clock.
    heard_told: HashMap<i64, DurationMs>,
    /// Agents that the page in the making tells of.
    telling: HashSet<i64>,
    /// Others are to tell of the agents that they have heard: this server knows only what stands in rows.
    asking: bool,
    /// Another server asks.
    asked: bool,
}

impl Redo {
    pub(super) fn write(&mut self, step: &Step) {
        if let Err(error) = journal::write(step, &mut self.bytes) {
            self.failed = Some(error);
        }
    }

    /// What is told once a transaction, whatever its deeds were.
    fn finish(&mut self, parts: &Parts) {
        self.telling.clear();
        if self.asking {
            self.write(&presence::Step::Asked.into());
        }
        // Where a page is made anyway, everything is told.
        let all = !self.bytes.is_empty();
        let due = |agent: &i64| {
            let Heard { wall, steady, resources } = parts.heard(*agent)?;
            let told = self.heard_told.get(agent);
            let known = parts.told.get(agent);
            let is_news = resources.is_some() && known.is_none_or(|known| known.resources.is_none());
            let is_due = all || is_news || told.is_none_or(|told| (steady - told).abs() >= HEARD_EVERY_MS);
            let resources = resources.map(Box::new);
            is_due.then_some(presence::Step::Heard { agent: *agent, wall, steady, resources })
        };
        let heard: Vec<_> = self.spoke.iter().filter_map(|agent| Some((*agent, due(agent)?))).collect();
        for (agent, step) in heard {
            self.telling.insert(agent);
            self.write(&step.into());
        }
        if self.asked {
            self.answer(parts);
        }
        if parts.last_key > self.key_told {
            self.write(&Step::Key(parts.last_key));
        }
    }

    /// Tells all that is known of agents, also of those that another server has heard, which may be no more; when they were heard, as
    /// that one told it.
    fn answer(&mut self, parts: &Parts) {
        for agent in parts.known_of() {
            if !self.telling.contains(&agent)
                && let Some(Heard { wall, steady, resources }) = parts.told.get(&agent).copied()
            {
                let resources = resources.map(Box::new);
                self.write(&presence::Step::Heard { agent, wall, steady, resources }.into());
            }
            presence::steps_of(parts, agent).for_each(|step| self.write(&step.into()));
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.telling.clear();
        self.failed = None;
    }
}

impl Memory {
    /// From now on every step is written down; what is here by now is known to all.
    pub fn write_down(&mut self) {
        self.redo = Some(Box::new(Redo { key_told: self.parts.last_key, ..Redo::default() }));
    }

    /// The page of the journal that tells others what this transaction did; `None` when there is nothing to tell, or
    /// nobody who wants it. To be asked for once, when all deeds are done, before the commit.
    ///
    /// # Errors
    /// When a step has no written form: a fault of ours; the transaction must be taken back.
    pub fn page(&mut self, effects: &[Effect]) -> Result<Option<Vec<u8>>, Unwritable> {
        let Some(redo) = &mut self.redo else { return Ok(None) };
        redo.finish(&self.parts);
        if let Some(error) = redo.failed.take() {
            return Err(error);
        }
        let told: Vec<&Effect> = effects.iter().filter(|effect| effect.is_told()).collect();
        if redo.bytes.is_empty() && told.is_empty() {
            return Ok(None);
        }
        journal::page(self.parts.last_seq, &told, &redo.bytes).map(Some)
    }

    /// An agent spoke.
    pub(super) fn spoke(&mut self, agent: i64) {
        if let Some(redo) = &mut self.redo {
            redo.spoke.insert(agent);
        }
    }

    /// What was written down is committed.
    pub(super) fn redo_committed(&mut self) {
        let Some(redo) = &mut self.redo else { return };
        for agent in std::mem::take(&mut redo.telling) {
            redo.spoke.remove(&agent);
            if let Some(heard) = self.parts.heard(agent) {
                redo.heard_told.insert(agent, heard.steady);
                self.parts.tell(agent, heard);
            }
        }
        if !redo.bytes.is_empty() {
            redo.asking = false;
            redo.asked = false;
        }
        redo.key_told = redo.key_told.max(self.parts.last_key);
        redo.clear();
    }

    /// Others are to tell what no row tells.
    pub(crate) fn ask_others(&mut self) {
        if let Some(redo) = &mut self.redo {
            redo.asking = true;
        }
    }

    /// Another server asks what no row tells: all that this one knows is told again.
    pub(super) fn asked(&mut self) {
        if let Some(redo) = &mut self.redo {
            redo.spoke.extend(redo.heard_told.drain().map(|(agent, _)| agent));
            redo.asked = true;
        }
    }

    /// Others know of the keys that they have told of.
    pub(super) fn redo_caught_up(&mut self) {
        if let Some(redo) = &mut self.redo {
            redo.key_told = self.parts.last_key;
        }
    }

    /// Forgets what was written down after this place.
    pub(super) fn redo_taken_back(&mut self, place: usize) {
        if let Some(redo) = &mut self.redo {
            redo.bytes.truncate(place);
            redo.telling.clear();
        }
    }
}
