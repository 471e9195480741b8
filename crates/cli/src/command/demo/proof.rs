//! The proof: what the last line says is read back from the repository, its checks, the letters and the audit record.

use super::cast::{Cast, DECIDER, SCOPE};
use super::follow::{Course, End};
use super::project::{BRANCH, Landed, Project};
use super::scene::short;
use super::story::Story;
use crate::command::audit::verify;
use crate::exit::Failure;
use crate::list::of_one;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tiltyard_client::Request;
use tiltyard_model::role::SYSTEM_SCOPE;
use tiltyard_wire::change::View;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::{audit, dead_letter};

/// The last line (O40).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Proof {
    merged: u32,
    auto_merged: u32,
    approved: u32,
    dead: u32,
    audit_ok: bool,
    seconds: f64,
}

impl Proof {
    /// How long it all took, to the tenth of a second.
    pub(super) fn take_time(&mut self, elapsed: Duration) {
        self.seconds = (elapsed.as_secs_f64() * 10.0).round() / 10.0;
    }

    /// Whether it is as it should be.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let found = (self.merged, self.auto_merged, self.approved, self.dead, self.audit_ok);
        if found == (2, 1, 1, 1, true) {
            return Ok(());
        }
        Err(Failure::failed(
            "the demo did not end as it should: two merged, one of them approved, one dead, the record whole",
        ))
    }
}

/// What is looked at.
pub(super) struct Case<'a> {
    pub(super) story: &'a Story,
    pub(super) folder: &'a Path,
    pub(super) project: &'a Project,
    pub(super) cast: &'a Cast,
}

impl Case<'_> {
    pub(super) async fn prove(&self, courses: &[Course]) -> Result<Proof, Failure> {
        let mut proof = Proof::default();
        for landed in self.project.landed()? {
            match self.admitted(&landed, courses).await?.as_deref() {
                Some("auto") => proof.auto_merged += 1,
                Some(_) => proof.approved += 1,
                None => {
                    let commit = short(&landed.commit);
                    return Err(Failure::failed(format!(
                        "{BRANCH} holds {commit}, which no proven change landed"
                    )));
                }
            }
            proof.merged += 1;
        }
        proof.dead = self.dead(courses).await?;
        proof.audit_ok = self.record_is_whole().await?;
        Ok(proof)
    }

    /// Why this commit was let in; `None` when no change says that it landed so, or its tree did not pass.
    async fn admitted(&self, landed: &Landed, courses: &[Course]) -> Result<Option<String>, Failure> {
        for course in courses.iter().filter(|course| course.end == Some(End::Merged)) {
            let Some(id) = course.change else { continue };
            let change = self.cast.admin.call(Request::<call::ChangeGet>::new().place(id)).await?;
            let is_this = |merge: &tiltyard_wire::change::Merge| {
                merge.commit == landed.commit && merge.tree == landed.tree
            };
            if change.merge.as_ref().is_some_and(is_this) {
                let passed = self.passed(&change, landed).await?;
                self.told(landed, course)?;
                return Ok(course.admitted.clone().filter(|_| passed));
            }
        }
        Ok(None)
    }

    /// Its checks were green on exactly this tree, and are again when they are run here.
    async fn passed(&self, change: &View, landed: &Landed) -> Result<bool, Failure> {
        let checks = of_one::<call::ChangeChecks, _>(&self.cast.admin, change.id).await?;
        let mut on_tree = checks.items.iter().filter(|check| check.tree == landed.tree).peekable();
        let recorded = on_tree.peek().is_some() && on_tree.all(|check| check.status == "passed");
        let clone = self.folder.join("proof").join(&landed.commit);
        Ok(recorded && self.project.passes(&landed.commit, &clone)?)
    }

    fn told(&self, landed: &Landed, course: &Course) -> Result<(), Failure> {
        let why = if course.admitted.as_deref() == Some("auto") { "by itself" } else { "approved" };
        let (commit, tree) = (short(&landed.commit), short(&landed.tree));
        self.story.detail(&format!(
            "{BRANCH} holds {commit} \"{}\" ({why}); tests pass on its tree {tree}",
            landed.subject
        ))
    }

    async fn dead(&self, courses: &[Course]) -> Result<u32, Failure> {
        let filter = dead_letter::Filter { scope: Some(SCOPE.to_owned()), ..dead_letter::Filter::default() };
        let letters = self.cast.admin.call(Request::<call::DeadLetterList>::new().query(filter)).await?;
        let expected: Vec<_> = courses.iter().filter(|course| course.end == Some(End::Dead)).collect();
        for letter in &letters.items {
            let first = letter.error.lines().next().unwrap_or_default();
            self.story.detail(&format!(
                "dead letter after {} attempts: {} ({first})",
                letter.attempts, letter.title
            ))?;
        }
        let known =
            |letter: &dead_letter::View| expected.iter().any(|course| course.submitted.task == letter.task);
        Ok(u32::try_from(letters.items.iter().filter(|letter| known(letter)).count()).unwrap_or(u32::MAX))
    }

    /// Both chains are exported and verified, and the approval stands in one of them.
    async fn record_is_whole(&self) -> Result<bool, Failure> {
        let mut approvals = 0;
        for scope in [SCOPE, SYSTEM_SCOPE] {
            let query = ScopeQuery { scope: Some(scope.to_owned()) };
            let text = self.cast.admin.text(Request::<call::AuditExport>::new().query(query)).await?;
            let (verification, entries) =
                verify::read(text.as_bytes()).map_err(|error| Failure::failed(error.to_string()))?;
            if !verification.ok || entries == 0 {
                let reason = verification.reason.unwrap_or_else(|| "it is empty".to_owned());
                self.story.detail(&format!("the audit record of {scope} is not whole: {reason}"))?;
                return Ok(false);
            }
            self.story.detail(&format!(
                "the audit record of {scope} is whole: {entries} entries, each linked to the one before"
            ))?;
            approvals += text.lines().filter(|line| is_approval(line)).count();
        }
        Ok(approvals == 1)
    }
}

fn is_approval(line: &str) -> bool {
    let entry = serde_json::from_str::<audit::Entry>(line);
    entry.is_ok_and(|entry| entry.action == "gate.approved" && entry.actor == DECIDER && entry.result == "ok")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> Proof {
        Proof { merged: 2, auto_merged: 1, approved: 1, dead: 1, audit_ok: true, seconds: 0.0 }
    }

    // O40: the last line, in these words and this order.
    #[test]
    fn o40_the_last_line_is_a_contract() {
        let mut proof = proof();
        proof.take_time(Duration::from_millis(12_345));
        let line = r#"{"merged":2,"auto_merged":1,"approved":1,"dead":1,"audit_ok":true,"seconds":12.3}"#;
        assert_eq!(serde_json::to_string(&proof).expect("is JSON"), line);
    }

    // O40: it ends with 0 only when all of it is true.
    #[test]
    fn o40_anything_else_is_a_failure() {
        assert!(proof().verdict().is_ok());
        for wrong in [
            Proof { merged: 1, ..proof() },
            Proof { auto_merged: 2, ..proof() },
            Proof { approved: 0, ..proof() },
            Proof { dead: 0, ..proof() },
            Proof { audit_ok: false, ..proof() },
        ] {
            assert!(wrong.verdict().is_err(), "{wrong:?}");
        }
    }
}
