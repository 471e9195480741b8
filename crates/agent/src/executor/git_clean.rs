//! The kind `git.clean` (C34): what the mirror keeps of a change goes once the change is final, and after a merge only
//! when the target is proven to hold it.

use super::limit::Limits;
use super::workshop::payload;
use super::{Executor, Job, Performed, Performing, Workshop, answer};
use crate::git::{ChangeEnd, GitError, Key, Oid, Refused, RefusedCode};
use crate::outcome::Verdict;
use std::sync::Arc;
use tiltyard_wire::work::{CleanPayload, End};

/// Forgets changes.
#[derive(Debug, Clone)]
pub struct CleanExecutor(Arc<Workshop>);

impl CleanExecutor {
    /// One that works in that workshop.
    pub fn new(workshop: Arc<Workshop>) -> Self {
        Self(workshop)
    }
}

impl Executor for CleanExecutor {
    fn execute<'a>(&'a self, job: Job<'a>) -> Performing<'a> {
        Box::pin(async move { self.perform(&job).await.unwrap_or_else(|performed| performed) })
    }
}

impl CleanExecutor {
    async fn perform(&self, job: &Job<'_>) -> Result<Performed, Performed> {
        let payload: CleanPayload = payload(job)?;
        let (limits, _) = Limits::of(job);
        Ok(match limits.hold(self.clean(&payload)).await? {
            Ok(()) => {
                self.0.final_here.notify_one();
                Performed::told(Verdict::Succeeded { result: None })
            }
            // Nothing was lost: what is kept stays.
            Err(GitError::Refused(refused)) => Performed::told(Verdict::refused(refused.reason)),
            Err(error) => answer::failed(&error),
        })
    }

    async fn clean(&self, payload: &CleanPayload) -> Result<(), GitError> {
        let CleanPayload { change, repository, end } = payload;
        let mirror = self.0.mirror(repository).await?;
        let bad = |error: crate::git::name::BadName| Refused::new(RefusedCode::BadBundle, error.to_string());
        let change = Key::try_from(change.to_string()).map_err(bad)?;
        let end = match end {
            End::Merged { commit } => {
                ChangeEnd::Merged { commit: Oid::try_from(commit.as_str()).map_err(bad)? }
            }
            End::Dropped => ChangeEnd::Rejected,
        };
        mirror.forget(&change, &end).await
    }
}
