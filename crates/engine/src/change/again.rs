//! Back to the agent: the change is open again, and its task is ready with what became of the last attempt (C18, C21,
//! C32).

use super::{Case, prepare};
use crate::act::{Act, refusal_of};
use crate::repository::choose::is_there;
use crate::task::Step;
use tiltyard_model::change::work::{ChangePayload, Start};
use tiltyard_model::event::{ChangeOpened, TaskReady};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::admission::faults;
use tiltyard_model::task::{Spec, State};
use tiltyard_store::change::{Filter, page};
use tiltyard_store::task::list::Window;
use tiltyard_store::task::{Found, keep_payload, renew};

/// Most open changes that are looked at when an agent has gone, newest first.
const MAX_RELEASED: u32 = 1_000;

/// Why a change goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Red checks.
    Fix,
    /// A conflict.
    Conflict,
    /// A person's comments.
    SentBack,
}

impl Cause {
    /// The word in events.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Conflict => "conflict",
            Self::SentBack => "sent_back",
        }
    }
}

/// Makes the task ready for another attempt, attempts fresh; the change keeps its id.
pub(super) fn send(act: &mut Act<'_>, case: &mut Case, cause: Cause) -> Result<(), Refusal> {
    let task = case.task(act)?;
    let spec = next_spec(act, case, &task)?;
    Refusal::from_faults(faults(&spec)).map_or(Ok(()), Err)?;
    keep_payload(act.tx, task.key, &task.task.spec.payload).map_err(refusal_of)?;
    let lane = act.lane_again(task.queue, &spec)?;
    renew(act.tx, task.key, &spec, lane).map_err(refusal_of)?;
    case.save(act)?;
    let opened =
        ChangeOpened { repository: case.found.change.repository.clone(), cause: cause.as_str().to_owned() };
    act.event(case.found.scope, &case.id().into(), Some(task.key), &opened)?;
    let step = Step { lane: Some(lane), run_at: None, ..Step::to(&task, State::Ready) };
    act.shift(&task, step)?;
    let ready = TaskReady { cause: cause.as_str().to_owned(), run_at: None };
    act.task_event(task.scope, task.key, &ready)
}

fn next_spec(act: &Act<'_>, case: &Case, task: &Found) -> Result<Spec, Refusal> {
    let mut spec = task.task.spec.clone();
    let mut payload: ChangePayload = serde_json::from_str(&spec.payload)
        .map_err(|error| Refusal::field("/payload", format!("is not that of a change: {error}")))?;
    let handed = case.heads()?.handed();
    payload.given.change = Some(case.id());
    // Also when a person sends it back: what does not fit is worked on where it does not fit.
    let fits = case.found.change.record.conflicts.is_empty();
    payload.given.start = if fits { Start::Earlier(handed) } else { Start::Resolve(handed) };
    payload.given.feedback.clone_from(&case.found.change.record.feedback);
    if let Some(repository) = case.repository(act)? {
        payload.given.repository = repository.place();
    }
    spec.payload = prepare::write(&payload)?;
    spec.extras.assign_to = same_agent(act, case)?;
    spec.run_at = None;
    Ok(spec)
}

/// The agent of the last proposal has no claim to a task that a person retries: that was our wish, nobody's else.
pub(crate) fn forget_author(act: &Act<'_>, task: &Found, spec: &mut Spec) -> Result<(), Refusal> {
    let Some(id) = task.task.change else { return Ok(()) };
    let case = Case::load(act, id)?;
    if is_our_wish(&case, spec) {
        spec.extras.assign_to = None;
    }
    Ok(())
}

/// Whether a task waits for an agent because it made the last proposal, not because somebody named it.
fn is_our_wish(case: &Case, spec: &Spec) -> bool {
    let record = &case.found.change.record;
    let author = record.proposal.as_ref().map(|heads| heads.agent.as_str());
    record.assign_to.is_none() && author.is_some() && spec.extras.assign_to.as_deref() == author
}

/// An agent has gone: any other may take what went back to it.
pub(crate) fn release_from(act: &mut Act<'_>, agent: &str) -> Result<(), Refusal> {
    let filter = Filter { state: Some(tiltyard_model::change::State::Open), ..Filter::default() };
    let window = Window { below: i64::MAX, offset: 0, limit: MAX_RELEASED };
    for case in page(act.tx, &filter, window).map_err(refusal_of)?.into_iter().map(Case::of) {
        let task = case.task(act)?;
        let waits = task.task.state == State::Ready && is_our_wish(&case, &task.task.spec);
        if waits && task.task.spec.extras.assign_to.as_deref() == Some(agent) {
            crate::task::edit::unassign(act, &task)?;
        }
    }
    Ok(())
}

/// The agent that the submitter named, or the one that made the last proposal as long as it is there (C21): an agent
/// that is gone must not keep the work.
fn same_agent(act: &Act<'_>, case: &Case) -> Result<Option<String>, Refusal> {
    if let Some(named) = &case.found.change.record.assign_to {
        return Ok(Some(named.clone()));
    }
    let author = &case.heads()?.agent;
    Ok(is_there(act, author).then(|| author.clone()))
}
