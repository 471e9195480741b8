//! A change at work: its row, what moves it, and how it is kept.

use crate::act::{Act, refusal_of};
use tiltyard_model::change::record::{Approval, Heads, Record};
use tiltyard_model::change::step::{Situation, Tries};
use tiltyard_model::change::work::Feedback;
use tiltyard_model::change::{Move, State, Tier};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::Repository;
use tiltyard_model::repository::rules::{BaseFile, Rules, effective};
use tiltyard_store::change::{Found, get, update};
use tiltyard_store::gate::Found as FoundGate;
use tiltyard_store::task::{Found as FoundTask, by_key};

/// Largest story of earlier attempts that the next one gets, in bytes of JSON; the oldest part goes first.
pub(crate) const MAX_FEEDBACK_BYTES: usize = 72 * 1024;

/// A change at work.
pub(crate) struct Case {
    /// Its row, as it will be.
    pub found: Found,
    /// Whose decision it is that is carried out; `None` for the clock's.
    pub by: Option<String>,
    /// The state in the store.
    kept: State,
}

impl Case {
    /// Takes a change up.
    pub(crate) fn load(act: &Act<'_>, id: Id) -> Result<Self, Refusal> {
        Self::find(act, id)?.ok_or_else(|| Refusal::missing("change", id))
    }

    /// Takes a change up, where there is one.
    pub(crate) fn find(act: &Act<'_>, id: Id) -> Result<Option<Self>, Refusal> {
        Ok(get(act.tx, id).map_err(refusal_of)?.map(Self::of))
    }

    /// Takes up what was just read or written.
    pub(crate) fn of(found: Found) -> Self {
        Self { kept: found.change.state, by: None, found }
    }

    /// What is kept of it beside what is looked for.
    pub(crate) fn record(&mut self) -> &mut Record {
        &mut self.found.change.record
    }

    /// Its id.
    pub(crate) fn id(&self) -> Id {
        self.found.change.id
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        self.found.change.state
    }

    /// Its last proposal.
    pub(crate) fn heads(&self) -> Result<&Heads, Refusal> {
        self.found.change.record.proposal.as_ref().ok_or_else(|| {
            Refusal::new(Code::Internal, format!("{} has no proposal: nothing was done", self.id()))
        })
    }

    /// Its tier; 2 while it is not weighed.
    pub(crate) fn tier(&self) -> Tier {
        self.found.change.tier.unwrap_or(Tier::Review)
    }

    /// The task that made it.
    pub(crate) fn task(&self, act: &Act<'_>) -> Result<FoundTask, Refusal> {
        let found = by_key(act.tx, self.found.change.task.key()).map_err(refusal_of)?;
        found.ok_or_else(|| Refusal::missing("task", self.found.change.task))
    }

    /// Its repository; `None` when it was removed meanwhile.
    pub(crate) fn repository(&self, act: &Act<'_>) -> Result<Option<Repository>, Refusal> {
        let name = &self.found.change.repository;
        tiltyard_store::repository::get(act.tx, self.found.scope, name).map_err(refusal_of)
    }

    /// The rules that it is judged by: those of its base, with the server's setting on top (C20).
    pub(crate) fn rules(&self, repository: &Repository) -> Rules {
        let base = BaseFile::of(self.found.change.record.rules.as_ref());
        effective(&repository.registration.settings, &base)
    }

    /// Whether the rules in force are others than those that it was judged by: the server's setting was changed, or
    /// its base was seen with another file (C20).
    pub(crate) fn is_overruled(&self, act: &Act<'_>) -> Result<bool, Refusal> {
        let Some(judged_by) = &self.found.change.record.rules_sha256 else { return Ok(false) };
        let Some(repository) = self.repository(act)? else { return Ok(false) };
        let base = BaseFile::of(repository.rules.as_ref());
        Ok(effective(&repository.registration.settings, &base).sha256() != *judged_by)
    }

    /// Whether its checks ran: what the target held already was neither checked nor weighed for a landing.
    pub(crate) fn is_weighed(&self) -> bool {
        self.found.change.record.judged.is_some()
    }

    /// What decisions look at.
    pub(crate) fn situation<'a>(&self, rules: &'a Rules) -> Situation<'a> {
        Situation { rules, tries: self.tries() }
    }

    fn tries(&self) -> Tries {
        self.found.change.record.tries
    }

    /// Makes a move.
    pub(crate) fn go(&mut self, step: Move) -> Result<(), Refusal> {
        self.found.change.state = self.found.change.state.after(step)?;
        Ok(())
    }

    /// People agreed on what it proposes.
    pub(crate) fn agreed(&mut self, gate: &FoundGate) {
        let subject_sha256 = gate.gate.subject_sha256.clone();
        self.record().approval = Some(Approval { gate: gate.gate.id, subject_sha256 });
    }

    /// Keeps what the next attempt must know.
    pub(crate) fn tell(&mut self, feedback: Feedback) {
        let all = &mut self.record().feedback;
        all.push(feedback);
        while all.len() > 1 && bytes_of(all) > MAX_FEEDBACK_BYTES {
            all.remove(0);
        }
    }

    /// Writes it.
    pub(crate) fn save(&mut self, act: &Act<'_>) -> Result<(), Refusal> {
        self.found.change.updated_at = act.now.wall;
        if !update(act.tx, self.kept, &self.found).map_err(refusal_of)? {
            let text = format!("{} is not in the store as it was read: nothing was changed", self.id());
            return Err(Refusal::new(Code::Internal, text));
        }
        self.kept = self.found.change.state;
        Ok(())
    }
}

/// The size of a document in bytes of JSON.
pub(crate) fn bytes_of<T: serde::Serialize>(document: &T) -> usize {
    serde_json::to_vec(document).map_or(usize::MAX, |text| text.len())
}
