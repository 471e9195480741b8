//! An agent looks at a repository, and what it found is kept.

use super::Pending;
use crate::Engine;
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::change::git::{self, Job};
use std::time::Duration;
use tiltyard_model::audit::{ActResult, Action, Phase};
use tiltyard_model::change::work::{PROBE_KIND, ProbePayload, ProbeResult, RulesFile};
use tiltyard_model::event::{RepositoryProbed, RepositorySaved, Subject};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::{Registration, Repository, State, place};
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::time::{DurationMs, MINUTE_MS};
use tiltyard_store::task::Found;
use tiltyard_store::{Rows, repository, task};

/// Wall time of a look: a first one may fetch much.
const TIMEOUT_MS: DurationMs = 10 * MINUTE_MS;
/// Somebody waits for the answer, so it is not tried for long.
const MAX_ATTEMPTS: u32 = 2;
/// How often the answer is looked for when no bell rings.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Has the agent of a registration look at it.
pub(super) fn submit(act: &mut Act<'_>, known: &Repository) -> Result<Id, Refusal> {
    let wanted = known.candidate.as_ref().unwrap_or(&known.registration);
    let payload = ProbePayload { repository: place(&known.scope, wanted) };
    let job = Job {
        kind: PROBE_KIND,
        title: format!("look at {}", wanted.name),
        scope: &known.scope,
        agent: &wanted.agent,
        change: None,
        concurrency: None,
        priority: 9,
        timeout_ms: TIMEOUT_MS,
        max_attempts: MAX_ATTEMPTS,
    };
    act.as_system(|act| git::submit(act, job, &payload))
}

/// A look has ended.
pub(crate) fn ended(
    act: &mut Act<'_>,
    found: &Found,
    outcome: Outcome,
    result: Option<&str>,
    error: Option<&str>,
) -> Result<(), Refusal> {
    let Ok(payload) = serde_json::from_str::<ProbePayload>(&found.task.spec.payload) else { return Ok(()) };
    let answer = answer(outcome, result, error);
    audit_outcome(act, found, &payload, answer.as_ref().err())?;
    let known = repository::get(act.tx, found.scope, &payload.repository.name).map_err(refusal_of)?;
    let Some(known) = known.filter(|known| known.probe == Some(found.task.id)) else { return Ok(()) };
    match answer {
        Ok((head, rules)) => succeeded(act, found, known, head, rules),
        Err(refusal) => failed(act, found, known, &refusal.message),
    }
}

/// The head and the rules file, or why it cannot be used.
fn answer(
    outcome: Outcome,
    result: Option<&str>,
    error: Option<&str>,
) -> Result<(String, Option<RulesFile>), Refusal> {
    let unusable = |why: String| Refusal::new(Code::RepositoryUnusable, why);
    if outcome != Outcome::Succeeded {
        let why = error.unwrap_or("it gave no reason");
        return Err(unusable(format!("the agent could not look at the repository: {why}")));
    }
    match serde_json::from_str(result.unwrap_or_default()) {
        Ok(ProbeResult::Found { head, rules, .. }) => Ok((head, rules)),
        Ok(ProbeResult::Refused(refused)) => Err(unusable(refused.reason).with("reason", refused.code)),
        Err(error) => Err(unusable(format!("the agent's answer cannot be read: {error}"))),
    }
}

/// Puts on record what became of a registration; that it was asked for is there already.
fn audit_outcome(
    act: &mut Act<'_>,
    found: &Found,
    payload: &ProbePayload,
    refused: Option<&Refusal>,
) -> Result<(), Refusal> {
    let scope = &found.task.spec.scope;
    let target = format!("{scope}/{}", payload.repository.name);
    let mut told = Told::done(scope, Action::RepositoryPut, target);
    if let Some(refusal) = refused {
        told.result = ActResult::Failed;
        told = told.with("why", crate::task::first_line(&refusal.message));
    }
    told.phase = Some((Phase::Outcome, act.id(Noun::Act, found.key)));
    act.audit(told)
}

fn succeeded(
    act: &mut Act<'_>,
    found: &Found,
    mut known: Repository,
    head: String,
    rules: Option<RulesFile>,
) -> Result<(), Refusal> {
    known.registration = known.candidate.take().unwrap_or(known.registration);
    known.state = State::Ready;
    known.head = Some(head.clone());
    known.rules = rules;
    known.error = None;
    known.probed_at = Some(act.now.wall);
    repository::put(act.tx, found.scope, &known).map_err(refusal_of)?;
    crate::change::overrule::reach(act, &known)?;
    let Registration { name, branch, agent, .. } = known.registration;
    let subject = Subject::from(name.as_str());
    let probed = RepositoryProbed { head: Some(head), error: None };
    act.event(found.scope, &subject, Some(found.key), &probed)?;
    act.event(found.scope, &subject, Some(found.key), &RepositorySaved { branch, agent })
}

/// Refused: what was there before stays as it was, and what was never usable is not kept.
fn failed(act: &mut Act<'_>, found: &Found, mut known: Repository, why: &str) -> Result<(), Refusal> {
    let name = known.registration.name.clone();
    match (known.state, known.candidate.take()) {
        (State::Probing, _) => drop(repository::delete(act.tx, found.scope, &name).map_err(refusal_of)?),
        (_, candidate) => {
            // What was found elsewhere says nothing of what is in use.
            if candidate.as_ref() == Some(&known.registration) {
                known.state = State::Unusable;
                known.error = Some(why.to_owned());
                known.probed_at = Some(act.now.wall);
            }
            repository::put(act.tx, found.scope, &known).map_err(refusal_of)?;
        }
    }
    let event = RepositoryProbed { head: None, error: Some(crate::task::first_line(why)) };
    act.event(found.scope, &Subject::from(name.as_str()), Some(found.key), &event)
}

/// What became of a look: the repository as it is now; `None` while the agent still looks.
///
/// # Errors
/// 422 `repository_unusable` with the agent's reason.
pub fn outcome(rows: &Rows, pending: &Pending) -> Result<Option<Repository>, Refusal> {
    let found = task::get(rows, pending.probe).map_err(refusal_of)?;
    let Some(found) = found.filter(|found| found.task.state.is_final()) else { return Ok(None) };
    let attempt = found.task.attempt.as_ref();
    let (result, error) = match found.task.state {
        TaskState::Succeeded => (attempt.and_then(|attempt| attempt.result.as_deref()), None),
        TaskState::Cancelled => (None, found.task.reason.as_deref()),
        _ => (None, attempt.and_then(|attempt| attempt.error.as_deref())),
    };
    let outcome = if found.task.state == TaskState::Succeeded { Outcome::Succeeded } else { Outcome::Failed };
    answer(outcome, result, error)?;
    let (scope, name) = (&pending.repository.scope, &pending.repository.registration.name);
    let known = repository::find(rows, scope, name).map_err(refusal_of)?;
    known.map(Some).ok_or_else(|| Refusal::missing("repository", name))
}

/// Waits for what becomes of a look, at most `patience`; the repository as it is then, perhaps still `probing`.
///
/// # Errors
/// 422 `repository_unusable` with the agent's reason.
pub async fn wait(engine: &Engine, pending: Pending, patience: Duration) -> Result<Repository, Refusal> {
    let mut bell = engine.door().bell().listen();
    let looking = async {
        loop {
            let asked = pending.clone();
            if let Some(known) = engine.read(move |rows| outcome(rows, &asked)).await? {
                return Ok(known);
            }
            // A lost ring costs latency, never an answer; a closed bell ends with the server.
            let _rang = tokio::time::timeout(LOOK_AGAIN, bell.changed()).await;
        }
    };
    match tokio::time::timeout(patience, looking).await {
        Ok(answer) => answer,
        Err(_) => Ok(pending.repository.clone()),
    }
}
