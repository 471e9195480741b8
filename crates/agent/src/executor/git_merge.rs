//! The kind `git.merge` (C30, C34): moves the target, and proves it.

use super::git_check::{OnBench, check_job};
use super::limit::Limits;
use super::workshop::payload;
use super::{Executor, Job, Performed, Performing, Workshop, answer};
use crate::git::{self, CheckJob, Green, How, Incoming, MergeJob, MergeOutcome, Oid};
use std::sync::Arc;
use tiltyard_wire::work::{self, MergePayload, MergeResult};

/// Merges changes.
#[derive(Debug, Clone)]
pub struct MergeExecutor(Arc<Workshop>);

impl MergeExecutor {
    /// One that works in that workshop.
    pub fn new(workshop: Arc<Workshop>) -> Self {
        Self(workshop)
    }
}

impl Executor for MergeExecutor {
    fn execute<'a>(&'a self, mut job: Job<'a>) -> Performing<'a> {
        Box::pin(async move { self.perform(&mut job).await.unwrap_or_else(|performed| performed) })
    }
}

impl MergeExecutor {
    async fn perform(&self, job: &mut Job<'_>) -> Result<Performed, Performed> {
        let payload: MergePayload = payload(job)?;
        let (limits, occupied) = Limits::of(job);
        let check = &payload.check;
        let (incoming, _file) =
            self.0.incoming(&limits, &check.repository, check.change, &check.proposal).await?;
        let work = merge_job(&payload, incoming);
        let with_bench = OnBench { workshop: &self.0, payload: &payload.check, limits: &limits };
        let merged = with_bench.run(job, occupied, async |bench| git::merge(bench, &work).await).await?;
        Ok(answer::told(result(merged)))
    }
}

fn merge_job(payload: &MergePayload, incoming: Incoming) -> MergeJob {
    let CheckJob { incoming, method, message, checks, rules } = check_job(&payload.check, incoming);
    let green = payload.green.as_ref().and_then(|green| {
        let tree = Oid::try_from(green.tree.as_str()).ok()?;
        Some(Green { tree, checks_sha256: green.checks_sha256.clone() })
    });
    let subject_sha256 = Some(payload.subject_sha256.clone());
    MergeJob { incoming, method, message, checks, rules, subject_sha256, green }
}

fn result(outcome: MergeOutcome) -> MergeResult {
    match outcome {
        MergeOutcome::Merged(merged) => MergeResult::Merged(told(*merged)),
        MergeOutcome::BaseMoved { was, now } => MergeResult::BaseMoved { was: was.into(), now: now.into() },
        MergeOutcome::Conflict { base, files } => MergeResult::Conflict { base: base.into(), files },
        MergeOutcome::ChecksFailed { base, tree, checks } => {
            let checks = answer::check_runs(checks);
            MergeResult::ChecksFailed { base: base.into(), tree: tree.into(), checks }
        }
        MergeOutcome::DirtyTarget { files } => MergeResult::DirtyTarget { files },
        MergeOutcome::SubjectChanged { diff_sha256 } => MergeResult::SubjectChanged { diff_sha256 },
        MergeOutcome::RulesChanged { base, rules } => {
            MergeResult::RulesChanged { base: base.into(), rules: answer::rules(rules) }
        }
        MergeOutcome::Refused(refused) => MergeResult::Refused(answer::refused(&refused)),
    }
}

fn told(merged: git::Merged) -> work::Merged {
    work::Merged {
        commit: merged.commit.into(),
        tree: merged.tree.into(),
        checked_tree: merged.checked_tree.map(String::from),
        base: merged.base_before.map(String::from),
        target: merged.target_head.into(),
        how: match merged.how {
            How::Moved => work::How::Moved,
            How::Found => work::How::Found,
            How::Elsewhere => work::How::Elsewhere,
            How::SameDiff => work::How::SameDiff,
            How::Contained => work::How::Contained,
        },
        checks: answer::check_runs(merged.checks),
    }
}
