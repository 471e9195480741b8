//! An attempt has proposed something: the change is made or goes on, and its checks begin.

use super::{Case, check};
use crate::act::{Act, refusal_of};
use crate::memory::lease::Lease;
use crate::task::end;
use crate::task::settle::{Report, facts};
use tiltyard_model::change::record::{Change, Proposal, Record};
use tiltyard_model::change::step::after_nothing;
use tiltyard_model::change::work::{ChangePayload, ChangeResult, Stored, Unchanged};
use tiltyard_model::change::{Move, State};
use tiltyard_model::event::{ChangeOpened, TaskWaiting};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::{Fault, Refusal};
use tiltyard_model::task::State as TaskState;
use tiltyard_model::task::attempt::after;
use tiltyard_store::change::{Found as FoundChange, insert, keep_proposal};
use tiltyard_store::task::{Found, link_change};

/// A task of kind `change` reports success: its change is proposed, and the task waits for the decision.
///
/// # Errors
/// 422 for a result that is no proposal: nothing is changed, and the attempt can still settle otherwise.
pub(crate) fn proposed(
    act: &mut Act<'_>,
    lease: &Lease,
    found: &Found,
    report: &Report,
) -> Result<TaskState, Refusal> {
    if let Some(left) = left_alone(act, found, report)? {
        return unchanged(act, lease, found, report, left);
    }
    let result = read(act, lease, report)?;
    let agent = act.memory.names.agent_name(lease.agent).to_owned();
    let mut case = open(act, found, &agent)?;
    let state = wait_for(act, lease, found, report, &case)?;
    let proposal = Proposal::of(result, lease.generation, agent, act.now.wall);
    keep_proposal(act.tx, case.found.key, &proposal).map_err(refusal_of)?;
    case.found.change.subject_sha256 = Some(proposal.heads.diff.sha256.clone());
    case.record().files = proposal.files;
    case.record().proposal = Some(proposal.heads);
    case.record().conflicts.clear();
    case.record().rechecks = 0;
    case.go(Move::Upload)?;
    case.record().unchanged = None;
    act.as_system(|act| check::begin(act, &mut case))?;
    Ok(state)
}

/// The attempt has ended; its task waits for what becomes of the change.
fn wait_for(
    act: &mut Act<'_>,
    lease: &Lease,
    found: &Found,
    report: &Report,
    case: &Case,
) -> Result<TaskState, Refusal> {
    let next = after(report.outcome, facts(act, found, report.retryable));
    end::plain_end(act, lease, &end::Ended::reported(report), next)?;
    let waiting = TaskWaiting { generation: lease.generation, waits_for: Some(case.id().to_string()) };
    act.task_event(found.scope, found.key, &waiting)?;
    crate::run::task::moved(act, found.key, next.state)?;
    Ok(next.state)
}

/// The change whose proposal came back and was left as it is, with what its program left.
fn left_alone(act: &Act<'_>, found: &Found, report: &Report) -> Result<Option<(Case, String)>, Refusal> {
    let text = report.result.as_deref().unwrap_or("null");
    let Ok(Unchanged { unchanged }) = serde_json::from_str(text) else { return Ok(None) };
    let case = found.task.change.map(|id| Case::load(act, id)).transpose()?;
    let case = case.filter(|case| case.state() == State::Open && case.heads().is_ok());
    let nothing =
        || Refusal::field("/result", "says that nothing was changed, but nothing was proposed before");
    Ok(Some((case.ok_or_else(nothing)?, crate::task::first_line(&unchanged))))
}

/// Another attempt would add nothing either: people decide on the proposal that there is (C21, C32).
fn unchanged(
    act: &mut Act<'_>,
    lease: &Lease,
    found: &Found,
    report: &Report,
    (mut case, left): (Case, String),
) -> Result<TaskState, Refusal> {
    let state = wait_for(act, lease, found, report, &case)?;
    case.go(Move::Upload)?;
    let record = case.record();
    let step = after_nothing(&left, record.feedback.last(), &record.conflicts);
    record.unchanged = step.is_none().then_some(left);
    record.rechecks = 0;
    act.as_system(|act| match step {
        Some(step) => case.carry(act, step),
        None => check::begin(act, &mut case),
    })?;
    Ok(state)
}

/// The proposal, with the ids of what was uploaded for it.
fn read(act: &Act<'_>, lease: &Lease, report: &Report) -> Result<ChangeResult, Refusal> {
    let text = report.result.as_deref().unwrap_or("null");
    let mut result: ChangeResult = serde_json::from_str(text)
        .map_err(|error| Refusal::field("/result", format!("is no proposal of a change: {error}")))?;
    Refusal::from_faults(faults(&result)).map_or(Ok(()), Err)?;
    result.diff = uploaded(act, lease, &result.diff, "/result/diff/sha256")?;
    result.bundle = uploaded(act, lease, &result.bundle, "/result/bundle/sha256")?;
    if result.diff.bytes == 0 {
        return Err(Refusal::field("/result/diff", "is empty: an attempt that changed nothing has failed"));
    }
    Ok(result)
}

fn faults(result: &ChangeResult) -> Vec<Fault> {
    let oid = |text: &str| {
        matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let ids = [
        ("base", &result.base),
        ("merge_base", &result.merge_base),
        ("head", &result.head),
        ("tree", &result.tree),
    ];
    let bad = ids.into_iter().filter(|(_, text)| !oid(text));
    bad.map(|(name, _)| Fault {
        field: format!("/result/{name}"),
        error: "must be a whole object id of git: 40 or 64 hex digits in lower case".to_owned(),
    })
    .collect()
}

/// What the attempt itself has uploaded: a digest alone proves nothing.
fn uploaded(act: &Act<'_>, lease: &Lease, named: &Stored, field: &str) -> Result<Stored, Refusal> {
    let (task, generation, sha256) = (lease.task, lease.generation, named.sha256.as_str());
    let wanted = tiltyard_store::artifact::Stored { task, generation, sha256, output: None };
    let known = tiltyard_store::artifact::of_attempt(act.tx, wanted);
    match known.map_err(refusal_of)? {
        Some(known) => Ok(Stored { id: Some(known.id), sha256: known.sha256, bytes: known.size }),
        None => {
            Err(Refusal::field(field, "names no artifact that this attempt has uploaded: upload it first"))
        }
    }
}

/// The change of the task, made when there is none, or when the last one is final.
fn open(act: &mut Act<'_>, found: &Found, agent: &str) -> Result<Case, Refusal> {
    if let Some(id) = found.task.change {
        let case = Case::load(act, id)?;
        if !case.state().is_final() {
            return Ok(case);
        }
    }
    let payload: ChangePayload = serde_json::from_str(&found.task.spec.payload)
        .map_err(|error| Refusal::field("/payload", format!("is not that of a change: {error}")))?;
    let key = act.next_key();
    let record = Record {
        title: found.task.spec.title.clone(),
        branch: payload.given.repository.branch,
        submitted_by: found.task.created_by.clone(),
        assign_to: found.task.spec.extras.assign_to.clone(),
        ..Record::default()
    };
    let change = Change {
        id: act.id(Noun::Change, key),
        scope: found.task.spec.scope.clone(),
        task: found.task.id,
        repository: payload.repository.clone(),
        state: State::Open,
        gate: None,
        subject_sha256: None,
        tier: None,
        record,
        updated_at: act.now.wall,
    };
    let new = FoundChange { change, key, scope: found.scope };
    insert(act.tx, &new).map_err(refusal_of)?;
    link_change(act.tx, found.key, key).map_err(refusal_of)?;
    tracing::debug!(target: "scheduler", change = %new.change.id, agent, "a change was proposed");
    let event = ChangeOpened { repository: payload.repository, cause: "proposed".to_owned() };
    act.event(found.scope, &new.change.id.into(), Some(found.key), &event)?;
    Ok(Case::of(new))
}
