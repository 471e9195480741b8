//! The record of a deed: events for every change of state, audit entries for the acts it covers. Written here and
//! nowhere else, in the transaction of the change (D51, D52).

use super::{Act, Effect, refusal_of};
use serde_json::{Map, Value};
use tiltyard_model::audit::{self, ActResult, Action, Entry, Phase};
use tiltyard_model::event::{Payload, Subject};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Error;
use tiltyard_store::event::{Append, append};

/// What an audit entry tells beside who and when.
#[derive(Debug)]
pub struct Told {
    /// The chain: a scope, or `system`.
    pub scope: String,
    /// What.
    pub action: Action,
    /// To what.
    pub target: String,
    /// How it ended.
    pub result: ActResult,
    /// For acts with an effect outside.
    pub phase: Option<(Phase, Id)>,
    /// What else there is to know.
    pub detail: Map<String, Value>,
}

impl Told {
    /// A plain act that was done.
    pub fn done(scope: &str, action: Action, target: impl std::fmt::Display) -> Self {
        Self {
            scope: scope.to_owned(),
            action,
            target: target.to_string(),
            result: ActResult::Ok,
            phase: None,
            detail: Map::new(),
        }
    }

    /// The same with one more thing to know.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

/// What an event belongs to, by key, beside its subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Within {
    /// The task, where the subject is none.
    pub task: Option<i64>,
    /// The run, where the subject is none.
    pub run: Option<i64>,
}

impl Within {
    /// What belongs to a run.
    pub const fn run(run: i64) -> Self {
        Self { task: None, run: Some(run) }
    }
}

impl Act<'_> {
    /// Writes an event of a task.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn task_event<P: Payload>(&mut self, scope: i64, task: i64, payload: &P) -> Result<(), Refusal> {
        let subject = Subject::Id(self.id(Noun::Task, task));
        self.event(scope, &subject, None, payload)
    }

    /// Writes an event: `task` is the key of the task it belongs to, where the subject is none.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn event<P: Payload>(
        &mut self,
        scope: i64,
        subject: &Subject,
        task: Option<i64>,
        payload: &P,
    ) -> Result<(), Refusal> {
        self.event_within(scope, subject, Within { task, run: None }, payload)
    }

    /// The same of something that belongs to more than itself.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub fn event_within<P: Payload>(
        &mut self,
        scope: i64,
        subject: &Subject,
        within: Within,
        payload: &P,
    ) -> Result<(), Refusal> {
        let data = serde_json::to_string(payload)
            .map_err(|error| Refusal::new(Code::Internal, format!("an event cannot be written: {error}")))?;
        let owner = self.pass.caller.owner.clone();
        let actor = self.actor_key(&owner)?;
        let run = within.run.or_else(|| self.run_of(subject, within.task));
        let (seq, scope_seq) = self.memory.next_seq(scope);
        let event = Append {
            seq,
            epoch: self.epoch,
            scope,
            scope_seq,
            kind: P::TYPE,
            time: self.now.wall,
            actor,
            request: self.pass.request_id.as_deref(),
            subject,
            task: within.task,
            run,
            data: &data,
        };
        append(self.tx, &event).map_err(refusal_of)?;
        self.effects.push(Effect::Written(P::TYPE));
        Ok(())
    }

    /// The run that an event belongs to: that of its subject, or of its task.
    fn run_of(&self, subject: &Subject, task: Option<i64>) -> Option<i64> {
        let of_task = |task: i64| self.memory.runs.of_task(task).map(|(run, _)| run);
        match subject {
            Subject::Id(id) if id.noun() == Noun::Run => Some(id.key()),
            Subject::Id(id) if id.noun() == Noun::Task => of_task(id.key()),
            _ => task.and_then(of_task),
        }
    }

    /// Writes an audit entry.
    ///
    /// # Errors
    /// 503 `audit_unavailable` when it cannot be written: the act that it covers is refused with it. 503 `storage_low`
    /// and `overloaded` where every write would hear that.
    pub fn audit(&mut self, told: Told) -> Result<(), Refusal> {
        let chain = told.scope.clone();
        let head = self.memory.audit.get(&chain).cloned().unwrap_or_default();
        let act = audit::Act {
            time: self.now.wall,
            scope: told.scope,
            actor: self.pass.caller.owner.clone(),
            action: told.action,
            target: told.target,
            result: told.result,
            client: self.pass.client.clone(),
            request_id: self.pass.request_id.clone(),
            phase: told.phase,
            detail: told.detail,
        };
        let entry = Entry::link(act, &head);
        tiltyard_store::audit::append(self.tx, &entry).map_err(unavailable)?;
        self.memory.chain(&chain, entry.head());
        Ok(())
    }
}

/// The record cannot be written. A full disk says so itself: the door must know that the store is sound (E2).
fn unavailable(error: Error) -> Refusal {
    if matches!(error, Error::Full(_) | Error::Busy(_)) {
        return refusal_of(error);
    }
    let text = format!("the audit record cannot be written, so nothing was done: {error}");
    Refusal::new(Code::AuditUnavailable, text)
}

#[cfg(test)]
mod tests {
    use super::{Code, Error, unavailable};

    // E2: a full disk is told as one, whatever is written; SEC21: anything else is the record's own fault.
    #[test]
    fn e2_a_full_disk_says_so_itself() {
        assert_eq!(unavailable(Error::Full("no room".into())).code, Code::StorageLow);
        assert_eq!(unavailable(Error::Busy("locked".into())).code, Code::Overloaded);
        let broken = Error::Broken { statement: "audit/append", reason: "EIO".into() };
        assert_eq!(unavailable(broken).code, Code::AuditUnavailable);
    }
}
