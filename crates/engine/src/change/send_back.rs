//! A person sends a change back with comments (C23): its gate ends as superseded, its task is ready again, and the
//! change keeps its id (C18).

use super::case::{Case, bytes_of};
use super::visible;
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::gate;
use tiltyard_model::audit::Action;
use tiltyard_model::change::comment::{Comment, faults};
use tiltyard_model::change::step::{Decided, after_decision};
use tiltyard_model::change::work::Feedback;
use tiltyard_model::gate::Side;
use tiltyard_model::gate::quorum::Voter;
use tiltyard_model::gate::vote::{Ballot, may_send_back};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::change::Found;
use tiltyard_store::gate::Found as FoundGate;

/// Largest comments of one send-back, in bytes of JSON: they travel in the payload of the next attempt.
pub const MAX_COMMENTS_BYTES: usize = 64 * 1024;

/// Comments with which a change goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendBack {
    /// The change.
    pub change: Id,
    /// The digest of what was seen.
    pub subject_sha256: Option<String>,
    /// What to do about it.
    pub comments: Vec<Comment>,
}

/// Sends a change back; its gate and the change after it.
///
/// # Errors
/// 404; 422 `subject_required`, `invalid`; 403 `not_a_decider`; 409 `already_decided`, `subject_changed`,
/// `wrong_state` while nobody is asked.
pub fn send_back(act: &mut Act<'_>, back: &SendBack) -> Result<(Found, FoundGate), Refusal> {
    let mut case = Case::of(visible(act, back.change)?);
    let voter = Voter::from(&act.pass.caller);
    let ballot = Ballot {
        voter,
        side: Side::Reject,
        subject_sha256: back.subject_sha256.clone(),
        confirm: None,
        comment: None,
        patch: None,
    };
    let gate = open_gate(act, &case, &ballot)?;
    admit(&case, &back.comments)?;
    let by = act.pass.caller.owner.clone();
    gate::supersede(act, Some(gate))?;
    let told = Told::done(&case.found.change.scope, Action::ChangeSentBack, case.id())
        .with("subject_sha256", case.found.change.subject_sha256.clone())
        .with("comments", back.comments.len());
    act.audit(told)?;
    let generation = case.heads()?.generation;
    case.record().reason = Some(format!("sent back by {by}"));
    case.record().comments.clone_from(&back.comments);
    case.tell(Feedback::Comments { generation, by, comments: back.comments.clone() });
    case.carry(act, after_decision(Decided::SentBack))?;
    Ok((case.found, gate::visible(act, gate)?))
}

fn open_gate(act: &Act<'_>, case: &Case, ballot: &Ballot) -> Result<Id, Refusal> {
    let state = case.state().as_str();
    let text = format!("the change is {state}: there is nothing to send back");
    let none = || Refusal::new(Code::WrongState, text.clone()).with("state", state);
    let id = case.found.change.gate.ok_or_else(none)?;
    let found = tiltyard_store::gate::get(act.tx, id).map_err(refusal_of)?.ok_or_else(none)?;
    may_send_back(&found.gate, ballot, act.now.wall)?;
    Ok(id)
}

fn admit(case: &Case, comments: &[Comment]) -> Result<(), Refusal> {
    let files = &case.found.change.record.files;
    let mut paths: Vec<&str> = files.listed.iter().flat_map(|file| file.paths()).collect();
    if files.more > 0 {
        // Not every file of the change is known here, so none that is named is refused.
        paths.extend(comments.iter().filter_map(|comment| comment.path.as_deref()));
    }
    Refusal::from_faults(faults(comments, &paths)).map_or(Ok(()), Err)?;
    if bytes_of(&comments) > MAX_COMMENTS_BYTES {
        return Err(Refusal::field("/comments", "must be at most 64 KiB together"));
    }
    Ok(())
}
