//! The kind `git.check` (C21): the checks of a change, on it merged onto its newest base.

use super::checker::Checker;
use super::limit::{Limits, Occupied};
use super::workshop::payload;
use super::{Executor, Job, Performed, Performing, Workshop, answer};
use crate::git::{
    self, Bench, CheckJob, CheckOutcome, CheckSpec, GitError, Incoming, Method, RulesPin, Signature,
};
use crate::process::Stop;
use std::sync::Arc;
use tiltyard_wire::model::repository::settings::{Check, MergeMethod};
use tiltyard_wire::work::{self, CheckPayload, CheckResult};

/// Checks changes.
#[derive(Debug, Clone)]
pub struct CheckExecutor(Arc<Workshop>);

impl CheckExecutor {
    /// One that works in that workshop.
    pub fn new(workshop: Arc<Workshop>) -> Self {
        Self(workshop)
    }
}

impl Executor for CheckExecutor {
    fn execute<'a>(&'a self, mut job: Job<'a>) -> Performing<'a> {
        Box::pin(async move { self.perform(&mut job).await.unwrap_or_else(|performed| performed) })
    }
}

impl CheckExecutor {
    async fn perform(&self, job: &mut Job<'_>) -> Result<Performed, Performed> {
        let payload: CheckPayload = payload(job)?;
        let (limits, occupied) = Limits::of(job);
        let (incoming, _file) =
            self.0.incoming(&limits, &payload.repository, payload.change, &payload.proposal).await?;
        let work = check_job(&payload, incoming);
        let with_bench = OnBench { workshop: &self.0, payload: &payload, limits: &limits };
        let checked = with_bench.run(job, occupied, async |bench| git::check(bench, &work).await).await?;
        Ok(answer::told(result(checked)))
    }
}

/// Work that needs a bench: checks and merges.
pub(super) struct OnBench<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) payload: &'a CheckPayload,
    pub(super) limits: &'a Limits,
}

impl OnBench<'_> {
    /// Does `work` on a bench whose programs are those of the job.
    ///
    /// # Errors
    /// What to perform when there is no answer: a failure that may pass, or the job is over.
    pub(super) async fn run<T>(
        &self,
        job: &mut Job<'_>,
        occupied: Occupied,
        work: impl AsyncFnOnce(&Bench<'_>) -> Result<T, GitError>,
    ) -> Result<T, Performed> {
        let Self { workshop, payload, limits } = self;
        let checker = Checker::new(job, occupied);
        let signature = Signature { by: workshop.by.clone(), at_ms: payload.commit_time_ms };
        let on_bench = async {
            let mirror = workshop.mirror(&payload.repository).await?;
            // The job's log has it all already.
            let log: git::LogSink = Arc::new(|_| {});
            let (runner, folder) = (&checker, workshop.checks.as_path());
            let bench = Bench { mirror: &mirror, runner, log, folder, signature: &signature };
            work(&bench).await
        };
        let done = limits.hold(on_bench).await;
        let stop = checker.stop();
        match done {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(GitError::Cancelled(_))) => {
                let verdict = limits.is_over().and_then(|over| limits.verdict(over));
                Err(Performed { verdict, stop })
            }
            Ok(Err(error)) => Err(Performed { stop, ..answer::failed(&error) }),
            Err(performed) if stop == Stop::Confirmed => Err(performed),
            Err(performed) => Err(Performed { stop, ..performed }),
        }
    }
}

/// The payload in git's words.
pub(super) fn check_job(payload: &CheckPayload, incoming: Incoming) -> CheckJob {
    CheckJob {
        incoming,
        method: method(payload.method),
        message: payload.message.clone(),
        checks: payload.checks.iter().map(spec).collect(),
        rules: RulesPin::File { sha256: payload.rules_sha256.clone() },
    }
}

fn method(method: MergeMethod) -> Method {
    match method {
        MergeMethod::FastForward => Method::FastForward,
        MergeMethod::Squash => Method::Squash,
    }
}

fn spec(check: &Check) -> CheckSpec {
    let timeout_ms = u64::try_from(check.timeout_ms).unwrap_or(0);
    CheckSpec { name: check.name.clone(), argv: check.argv.clone(), timeout_ms }
}

fn result(outcome: CheckOutcome) -> CheckResult {
    match outcome {
        CheckOutcome::Checked(checked) => CheckResult::Checked(Box::new(told(*checked))),
        CheckOutcome::Conflict { base, files } => CheckResult::Conflict { base: base.into(), files },
        CheckOutcome::Contained { base } => CheckResult::Contained { base: base.into() },
        CheckOutcome::RulesChanged { base, rules } => {
            CheckResult::RulesChanged { base: base.into(), rules: answer::rules(rules) }
        }
        CheckOutcome::Refused(refused) => CheckResult::Refused(answer::refused(&refused)),
    }
}

fn told(checked: git::Checked) -> work::Checked {
    work::Checked {
        base: checked.base.into(),
        merge_base: checked.merge_base.into(),
        head: checked.head.into(),
        commit: checked.commit.into(),
        tree: checked.tree.into(),
        diff_sha256: checked.diff_sha256,
        files: answer::files(checked.files),
        secrets: answer::secrets(checked.secrets),
        checks: answer::check_runs(checked.checks),
        green: checked
            .green
            .map(|green| work::Green { tree: green.tree.into(), checks_sha256: green.checks_sha256 }),
    }
}
