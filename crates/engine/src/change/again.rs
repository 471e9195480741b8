//! Back to the agent: the change is open again, and its task is ready with what became of the last attempt (C18, C21,
//! C32).

use super::{Case, prepare};
use crate::act::{Act, refusal_of};
use crate::repository::choose::is_there;
use crate::task::Step;
use tiltyard_model::change::work::{ChangePayload, Start};
use tiltyard_model::event::{ChangeOpened, TaskReady};
use tiltyard_model::lane::Lane;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::admission::faults;
use tiltyard_model::task::{Spec, State};
use tiltyard_store::task::{Found, keep_payload, renew};

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
    let lane = act.lane_key(task.queue, Lane::of(&spec))?;
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

/// The agent that the submitter named, or the one that made the last proposal as long as it is there (C21): an agent
/// that is gone must not keep the work.
fn same_agent(act: &Act<'_>, case: &Case) -> Result<Option<String>, Refusal> {
    if let Some(named) = &case.found.change.record.assign_to {
        return Ok(Some(named.clone()));
    }
    let author = &case.heads()?.agent;
    Ok(is_there(act, author).then(|| author.clone()))
}
