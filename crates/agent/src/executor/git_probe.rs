//! The kind `git.probe` (C19): looks at a repository that somebody registers, and makes its mirror.

use super::limit::Limits;
use super::workshop::payload;
use super::{Executor, Job, Performed, Performing, Workshop, answer};
use crate::git::{self, GitError, TargetKind};
use std::sync::Arc;
use tiltyard_wire::work::{self, ProbePayload, ProbeResult};

/// Looks at repositories.
#[derive(Debug, Clone)]
pub struct ProbeExecutor(Arc<Workshop>);

impl ProbeExecutor {
    /// One that works in that workshop.
    pub fn new(workshop: Arc<Workshop>) -> Self {
        Self(workshop)
    }
}

impl Executor for ProbeExecutor {
    fn execute<'a>(&'a self, job: Job<'a>) -> Performing<'a> {
        Box::pin(async move { self.perform(&job).await.unwrap_or_else(|performed| performed) })
    }
}

impl ProbeExecutor {
    async fn perform(&self, job: &Job<'_>) -> Result<Performed, Performed> {
        let ProbePayload { repository } = payload(job)?;
        let (limits, _) = Limits::of(job);
        let probed = limits.hold(self.probe(&repository)).await?;
        Ok(match probed {
            Ok(probe) => answer::told(found(probe)),
            Err(GitError::Refused(refused)) => answer::told(ProbeResult::Refused(answer::refused(&refused))),
            Err(error) => answer::failed(&error),
        })
    }

    async fn probe(&self, repository: &work::Repository) -> Result<git::Probe, GitError> {
        self.0.mirrors.probe(&super::workshop::source(repository)?).await
    }
}

fn found(probe: git::Probe) -> ProbeResult {
    let git::Probe { head, tree, kind, rules, dirty } = probe;
    let target = match kind {
        TargetKind::Bare => work::TargetKind::Bare,
        TargetKind::Plain => work::TargetKind::Plain,
        TargetKind::CheckedOut => work::TargetKind::CheckedOut,
        TargetKind::Remote => work::TargetKind::Remote,
    };
    ProbeResult::Found { head: head.into(), tree: tree.into(), target, rules: answer::rules(rules), dirty }
}
