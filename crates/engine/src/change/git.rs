//! Internal tasks: what an agent does with git for us (C19). They wait on the queue `git` for the repository's agent.

use super::Case;
use crate::act::Act;
use crate::task::submit::enter;
use serde::Serialize;
use tiltyard_model::change::work::{CheckPayload, MergePayload};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::Repository;
use tiltyard_model::repository::rules::Rules;
use tiltyard_model::repository::settings::Check;
use tiltyard_model::task::admission::{MAX_TIMEOUT_MS, MAX_TITLE_CHARS};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Concurrency, Extras, GIT_QUEUE, Spec};
use tiltyard_model::time::{DurationMs, MINUTE_MS};

/// What git itself may need on top of the checks: a fetch, a clone, a push.
const GIT_MS: DurationMs = 10 * MINUTE_MS;
/// How often a check is tried whose machinery fails.
pub(super) const CHECK_ATTEMPTS: u32 = 5;
/// How often a merge is tried whose target is out of reach: with the back-off, about a quarter of an hour (C31).
pub(super) const MERGE_ATTEMPTS: u32 = 10;

/// How an internal task ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    /// How.
    pub outcome: Outcome,
    /// JSON text.
    pub result: Option<&'a str>,
    /// What went wrong.
    pub error: Option<&'a str>,
}

impl Answer<'_> {
    /// The agent's answer, or why there is none.
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        match self.outcome {
            Outcome::Succeeded => serde_json::from_str(self.result.unwrap_or_default())
                .map_err(|error| format!("the agent's answer cannot be read: {error}")),
            Outcome::Cancelled => Err("it was called off".to_owned()),
            _ => Err(crate::task::first_line(self.error.unwrap_or("the agent gave no reason"))),
        }
    }
}

/// An internal task to submit.
pub(crate) struct Job<'a> {
    /// `git.…`.
    pub kind: &'static str,
    /// One line for people.
    pub title: String,
    /// The scope.
    pub scope: &'a str,
    /// The agent that holds the mirror.
    pub agent: &'a str,
    /// The change that it is for: a label on the task.
    pub change: Option<Id>,
    /// How many of a sort at once.
    pub concurrency: Option<Concurrency>,
    /// 1 to 10.
    pub priority: u8,
    /// Wall time of an attempt.
    pub timeout_ms: DurationMs,
    /// Attempts before it is given up.
    pub max_attempts: u32,
}

/// Submits an internal task.
pub(crate) fn submit<P: Serialize>(act: &mut Act<'_>, job: Job<'_>, payload: &P) -> Result<Id, Refusal> {
    let payload = serde_json::to_string(payload)
        .map_err(|error| Refusal::new(Code::Internal, format!("a payload cannot be written: {error}")))?;
    let extras = Extras {
        labels: job.change.iter().map(Id::to_string).collect(),
        assign_to: Some(job.agent.to_owned()),
        concurrency: job.concurrency,
        ..Extras::default()
    };
    let spec = Spec {
        scope: job.scope.to_owned(),
        queue: GIT_QUEUE.to_owned(),
        kind: job.kind.to_owned(),
        title: job.title.chars().filter(|letter| !letter.is_control()).take(MAX_TITLE_CHARS).collect(),
        payload,
        priority: job.priority,
        extras,
        depends_on: Vec::new(),
        run_at: None,
        deadline: None,
        timeout_ms: job.timeout_ms,
        max_attempts: job.max_attempts,
        unique: None,
    };
    enter(act, &spec).map(|submitted| submitted.id)
}

/// Wall time of an attempt that runs these checks.
pub(super) fn time_for(checks: &[Check]) -> DurationMs {
    let all = checks.iter().fold(GIT_MS, |sum, check| sum.saturating_add(check.timeout_ms));
    all.min(MAX_TIMEOUT_MS)
}

/// What a check and a merge have in common.
pub(super) fn check_payload(
    case: &Case,
    repository: &Repository,
    rules: &Rules,
) -> Result<CheckPayload, Refusal> {
    let change = &case.found.change;
    Ok(CheckPayload {
        change: change.id,
        repository: repository.place(),
        proposal: case.heads()?.handed(),
        method: rules.merge,
        message: message(case),
        commit_time_ms: change.id.time_ms(),
        checks: rules.checks.clone(),
        rules_sha256: change.record.rules.as_ref().map(|file| file.sha256.clone()),
    })
}

/// The message of a commit of ours: the title, and where to read on.
fn message(case: &Case) -> String {
    let change = &case.found.change;
    format!("{}\n\nChange: {}\nTask: {}\n", change.record.title, change.id, change.task)
}

/// A check that nothing passes.
fn nothing_lands() -> Check {
    Check { name: "not-weighed".to_owned(), argv: vec!["false".to_owned()], timeout_ms: MINUTE_MS }
}

/// The payload of a merge. What was never weighed is looked for in the target, and does not land (C22).
pub(super) fn merge_payload(
    case: &Case,
    repository: &Repository,
    rules: &Rules,
) -> Result<MergePayload, Refusal> {
    let subject_sha256 = case.heads()?.diff.sha256.clone();
    let green = case.found.change.record.judged.as_ref().and_then(|judged| judged.green.clone());
    let mut check = check_payload(case, repository, rules)?;
    if !case.is_weighed() {
        check.checks = vec![nothing_lands()];
    }
    Ok(MergePayload { check, subject_sha256, green })
}
