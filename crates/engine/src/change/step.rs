//! A step that the rules have decided on is carried out.

use super::again::{self, Cause as Again};
use super::{Case, close, merge, overrule};
use crate::act::Act;
use crate::gate;
use tiltyard_model::change::State;
use tiltyard_model::change::step::{AfterConflict, RedCheck, Step, names};
use tiltyard_model::change::work::Feedback;
use tiltyard_model::event::{ChangeConflicted, ChangeReview};
use tiltyard_model::gate::calendar::Calendar;
use tiltyard_model::gate::{Block, OnTimeout, SubjectKind};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::repository::rules::{Asks, BaseFile, effective};
use tiltyard_model::repository::settings::Settings;
use tiltyard_store::gate::About;

/// Most reasons that a gate shows.
const MAX_GATE_REASONS: usize = 50;
/// Most files that an event and a gate name.
const MAX_FILES_NAMED: usize = 50;

impl Case {
    /// Makes the moves of a step and does what belongs to it.
    pub(super) fn carry(&mut self, act: &mut Act<'_>, step: Step) -> Result<(), Refusal> {
        for step in step.moves() {
            self.go(*step)?;
        }
        let tries = self.found.change.record.tries.after(&step);
        self.record().tries = tries;
        if self.state() == State::Queued && self.is_overruled(act)? {
            return overrule::again(act, self);
        }
        match step {
            Step::Fix { red, .. } => self.fix(act, red),
            Step::OpenGate { block, why } => self.ask(act, block, &why),
            Step::Queue(cause) => {
                merge::audit_auto(act, self, cause)?;
                merge::queue(act, self, cause.as_str())
            }
            Step::Requeue { why } => {
                self.record().reason = Some(why);
                merge::queue(act, self, "requeued")
            }
            Step::Conflict { files, then } => self.conflict(act, files, then),
            Step::Land(_) => merge::landed(act, self),
            Step::Reject => close::reject(act, self),
            Step::SendBack => again::send(act, self, Again::SentBack),
        }
    }

    fn fix(&mut self, act: &mut Act<'_>, red: Vec<RedCheck>) -> Result<(), Refusal> {
        let generation = self.heads()?.generation;
        self.found.change.record.reason = Some(format!("red: {}", names(&red)));
        self.tell(Feedback::Checks { generation, red });
        again::send(act, self, Again::Fix)
    }

    fn conflict(
        &mut self,
        act: &mut Act<'_>,
        files: Vec<String>,
        then: AfterConflict,
    ) -> Result<(), Refusal> {
        let named: Vec<String> = files.iter().take(MAX_FILES_NAMED).cloned().collect();
        let why = format!("it does not fit onto the newest base in {}", named.join(", "));
        self.record().reason = Some(why.clone());
        self.record().conflicts.clone_from(&files);
        let event = ChangeConflicted { files: named };
        act.event(self.found.scope, &self.id().into(), Some(self.found.change.task.key()), &event)?;
        match then {
            AfterConflict::Attempt => {
                let generation = self.heads()?.generation;
                self.tell(Feedback::Conflict { generation, files });
                again::send(act, self, Again::Conflict)
            }
            AfterConflict::Person => self.ask(act, Some(Block::Conflict), &why),
        }
    }

    /// Opens a gate on what is proposed; earlier approvals are void with it.
    fn ask(&mut self, act: &mut Act<'_>, block: Option<Block>, why: &str) -> Result<(), Refusal> {
        let before = self.found.change.gate;
        let why = &self.with_conflict(why);
        let subject_sha256 = self.heads()?.diff.sha256.clone();
        gate::tell_next(act, before, &subject_sha256)?;
        let asks = self.asks(act)?;
        let change = &self.found.change;
        let reasons = change.record.reasons.iter().map(|reason| reason.text.clone());
        let reasons = std::iter::once(why.to_owned()).chain(reasons).take(MAX_GATE_REASONS).collect();
        let waiting = act.memory.awaited.get(&change.task.key()).copied().unwrap_or_default();
        let open = gate::Open {
            scope: self.found.scope,
            of: gate::Of::Change(change.id),
            about: About { reasons, ..About::of(SubjectKind::Diff, change.record.title.clone()) },
            subject_sha256,
            asks,
            submitter: Some(change.record.submitted_by.clone()),
            block,
            calendar: Calendar::silent(act.now.wall, None),
            on_timeout: OnTimeout::Nothing,
            weight: i64::from(waiting),
        };
        let gate = gate::open(act, open)?;
        self.found.change.gate = Some(gate.gate.id);
        self.record().approval = None;
        self.record().reason = Some(why.to_owned());
        self.save(act)?;
        if self.state() != State::Review {
            return Ok(());
        }
        let event = ChangeReview { tier: self.tier().number(), gate: gate.gate.id.to_string() };
        act.event(self.found.scope, &self.id().into(), Some(self.found.change.task.key()), &event)
    }

    /// Whoever approved it before it met a conflict must hear why they are asked once more.
    fn with_conflict(&self, why: &str) -> String {
        let record = &self.found.change.record;
        let subject = self.found.change.subject_sha256.as_deref();
        let (first, void) = match &record.approval {
            Some(earlier) => (Some(earlier.subject_sha256.as_str()) != subject, ", so its approval is void"),
            None => (self.found.change.gate.is_none(), ""),
        };
        match record.feedback.last() {
            Some(told @ Feedback::Conflict { .. }) if first && self.state() == State::Review => {
                format!("done again after {}{void}; {why}", told.in_words())
            }
            _ => why.to_owned(),
        }
    }

    /// Who decides: by the rules of its base, and where the repository is gone by the built-in ones.
    fn asks(&self, act: &Act<'_>) -> Result<Asks, Refusal> {
        let rules = match self.repository(act)? {
            Some(repository) => self.rules(&repository),
            None => effective(&Settings::default(), &BaseFile::Absent),
        };
        Ok(rules.asks(self.tier()))
    }
}
