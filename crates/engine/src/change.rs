//! Changes (C18-C34): from a proposal to a merge. What happens next is decided by `model::change::step`; here it is
//! carried out. The hooks below are called by the deeds of tasks.

mod again;
mod case;
mod check;
mod close;
pub(crate) mod git;
mod merge;
pub(crate) mod overrule;
pub mod prepare;
mod propose;
pub mod read;
pub mod send_back;
mod step;

use crate::act::{Act, refusal_of};
use tiltyard_model::change::State;
use tiltyard_model::change::step::{Decided, after_decision};
use tiltyard_model::change::work::{CHECK_KIND, Feedback, MERGE_KIND, PROBE_KIND};
use tiltyard_model::gate::State as GateState;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_store::change::{Found as FoundChange, get};
use tiltyard_store::gate::Found as FoundGate;
use tiltyard_store::task::Found;

pub(crate) use again::{forget_author, release_from};
pub(crate) use case::Case;
pub(crate) use close::{git_revived, may_revive, task_ended};
pub(crate) use merge::claimed as git_claimed;
pub(crate) use propose::proposed;

/// An internal task (`git.check`, `git.merge`, `git.probe`, `git.clean`) has ended.
pub(crate) fn git_ended(
    act: &mut Act<'_>,
    found: &Found,
    outcome: Outcome,
    result: Option<&str>,
    error: Option<&str>,
) -> Result<(), Refusal> {
    let answer = git::Answer { outcome, result, error };
    act.as_system(|act| match found.task.spec.kind.as_str() {
        PROBE_KIND => crate::repository::probe::ended(act, found, outcome, result, error),
        CHECK_KIND => check::ended(act, found, answer),
        MERGE_KIND => merge::ended(act, found, answer),
        _ => Ok(()),
    })
}

/// An attempt at an internal task has ended, and another one will follow.
pub(crate) fn git_paused(act: &mut Act<'_>, found: &Found, outcome: Outcome) -> Result<(), Refusal> {
    match found.task.spec.kind.as_str() {
        MERGE_KIND => act.as_system(|act| merge::paused(act, found, outcome)),
        _ => Ok(()),
    }
}

/// Why the change of a task had last come back to it, for people; `None` when it never did.
pub(crate) fn came_back_for(act: &Act<'_>, found: &Found) -> Result<Option<String>, Refusal> {
    let Some(id) = found.task.change else { return Ok(None) };
    let case = Case::find(act, id)?;
    Ok(case.and_then(|case| case.found.change.record.feedback.last().map(Feedback::in_words)))
}

/// A change that the caller may see.
pub(crate) fn visible(act: &Act<'_>, id: Id) -> Result<FoundChange, Refusal> {
    let found = get(act.tx, id).map_err(refusal_of)?;
    let seen = found.filter(|found| act.pass.caller.reach.covers(&found.change.scope));
    seen.ok_or_else(|| Refusal::missing("change", id))
}

/// What the end of its gate does to a change; nothing while the gate is open, or when its end was told before.
pub(crate) fn after_gate(
    act: &mut Act<'_>,
    id: Id,
    gate: &FoundGate,
    replayed: bool,
) -> Result<FoundChange, Refusal> {
    let mut case = Case::load(act, id)?;
    let decided = match gate.gate.state {
        GateState::Approved | GateState::AutoApproved => Decided::Approved,
        GateState::Rejected | GateState::Expired => Decided::Rejected,
        GateState::Open | GateState::Cancelled | GateState::Superseded => return Ok(case.found),
    };
    let current = case.found.change.gate == Some(gate.gate.id);
    let asks = matches!(case.found.change.state, State::Review | State::Conflicted);
    if replayed || !current || !asks {
        return Ok(case.found);
    }
    if decided == Decided::Approved {
        case.agreed(gate);
    } else {
        let said = gate.gate.votes.last().and_then(|vote| vote.comment.clone());
        case.record().reason = said.or_else(|| Some("its time ran out".to_owned()));
    }
    case.by.clone_from(&gate.gate.ended.as_ref().and_then(|ended| ended.by.clone()));
    case.carry(act, after_decision(decided))?;
    Ok(case.found)
}
