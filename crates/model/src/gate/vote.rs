//! What one vote does (D24, D26): counted, replayed, deciding or refused. Nothing is changed here; the
//! verdict says what to write.

use super::quorum::{Demand, Voter};
use super::{
    Block, End, Ended, Gate, MAX_COMMENT_BYTES, MAX_VOTES, Reduction, SelfApproval, Side, State, Vote, due,
};
use crate::refusal::{Code, Refusal};
use crate::repository::rules::Asks;
use crate::time::{TimeMs, rfc3339};
use serde_json::Value;

/// Hex digits of a SHA-256.
const SHA256_HEX_CHARS: usize = 64;

/// A vote as it is cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// Who votes.
    pub voter: Voter,
    /// For or against.
    pub side: Side,
    /// The digest of the subject that they saw.
    pub subject_sha256: Option<String>,
    /// The id, typed.
    pub confirm: Option<String>,
    /// A comment on an approval, the reason of a reject.
    pub comment: Option<String>,
    /// A JSON Patch for the subject.
    pub patch: Option<Value>,
}

/// What an open gate still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits {
    /// Further approvals.
    pub demands: Vec<Demand>,
    /// Whether the same person must approve again with the id typed, because there is nobody else.
    pub confirm: Option<Confirm>,
}

/// A second approval of the lone person is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirm;

/// By how many a gate was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// As the quorum asks.
    Full,
    /// `quorum: reduced`: one lone person, asked twice.
    Reduced,
}

/// What a vote does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The identity has voted so before: answered again, nothing is written.
    Replayed(Waits),
    /// Kept; the gate stays open.
    Counted(Vote, Waits),
    /// Kept, and the gate ends with it.
    Decided(Vote, End, Strength),
}

/// Whether there is anybody else to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// One human identity in the scope, and the gate may be decided by it alone.
    Alone,
    /// Others, or a gate that waits for them.
    Others,
}

/// Judges a vote. `humans` is the number of human identities in the gate's scope (SEC1).
///
/// # Errors
/// `subject_required`, `invalid`, `not_a_decider`, `already_decided`, `subject_changed`, `already_voted`,
/// `confirm_required`, `self_approval`, `checks_failed`, `wrong_state`; nothing is counted then.
pub fn vote(gate: &Gate, ballot: &Ballot, humans: u32, now: TimeMs) -> Result<Verdict, Refusal> {
    let subject = subject_of(ballot)?;
    if !gate.quorum.names(&ballot.voter) {
        return Err(not_a_decider(gate, &ballot.voter));
    }
    let company = company(gate, humans);
    let own: Vec<&Vote> = votes_of(gate, &ballot.voter).collect();
    let same = own.first().is_some_and(|vote| vote.side == ballot.side) && subject == gate.subject_sha256;
    let asked_again = waits(gate, company).confirm.is_some() && own.len() == 1;
    let confirms = asked_again && ballot.side == Side::Approve && ballot.confirm.is_some();
    if same && !confirms {
        return Ok(Verdict::Replayed(waits(gate, company)));
    }
    open_and_seen(gate, &subject, now)?;
    if let Some(first) = own.first().filter(|vote| vote.side != ballot.side) {
        return Err(already_voted(first));
    }
    if confirms {
        confirmed(gate, ballot)?;
    }
    allowed(gate, ballot, company)?;
    Ok(count(gate, ballot, company, now))
}

/// Whether this voter may send the subject back for another attempt: that ends the gate without a vote, so it is
/// free to who submitted it too.
///
/// # Errors
/// `subject_required`, `invalid`, `not_a_decider`, `already_decided`, `subject_changed`.
pub fn may_send_back(gate: &Gate, ballot: &Ballot, now: TimeMs) -> Result<(), Refusal> {
    let subject = subject_of(ballot)?;
    if !gate.quorum.names(&ballot.voter) {
        return Err(not_a_decider(gate, &ballot.voter));
    }
    open_and_seen(gate, &subject, now)
}

/// Whether these votes would still decide under what is asked for now: an approval is kept as long as the subject
/// stays and the rules ask for no more (D24).
pub fn still_approves(votes: &[Vote], asks: &Asks, submitter: Option<&str>) -> bool {
    let barred = if asks.self_approval == SelfApproval::Forbidden { submitter } else { None };
    let approving = votes.iter().filter(|vote| vote.side == Side::Approve);
    if approving.clone().any(|vote| vote.confirmed) {
        // A lone person who was asked twice; whoever they are, they must still be one of those who decide.
        return asks.reduction == Reduction::WhenAlone
            && approving.clone().all(|vote| asks.quorum.names(&vote.voter));
    }
    let voters = approving.map(|vote| &vote.voter).filter(|voter| Some(voter.identity.as_str()) != barred);
    asks.quorum.missing(&voters).is_empty()
}

pub(super) fn company(gate: &Gate, humans: u32) -> Company {
    if gate.reduction == Reduction::WhenAlone && humans <= 1 { Company::Alone } else { Company::Others }
}

pub(super) fn votes_of<'a>(gate: &'a Gate, voter: &'a Voter) -> impl Iterator<Item = &'a Vote> {
    gate.votes.iter().filter(|vote| vote.voter.identity == voter.identity)
}

/// What the gate waits for, given its votes: nothing once it has ended.
pub fn waiting_for(gate: &Gate, humans: u32) -> Waits {
    waits(gate, company(gate, humans))
}

fn waits(gate: &Gate, company: Company) -> Waits {
    if gate.state.is_final() {
        return Waits::default();
    }
    let demands = gate.quorum.missing(&approvers(gate));
    let approved = gate.votes.iter().any(|vote| vote.side == Side::Approve);
    if company == Company::Alone && approved && !demands.is_empty() {
        return Waits { demands: Vec::new(), confirm: Some(Confirm) };
    }
    Waits { demands, confirm: None }
}

/// Whose approvals the quorum counts: never the submitter's where that is forbidden. An open gate holds one vote
/// an identity, for the second one of a lone person ends it.
fn approvers(gate: &Gate) -> impl Iterator<Item = &Voter> + Clone {
    let barred = match gate.self_approval {
        SelfApproval::Forbidden => gate.submitter.as_deref(),
        SelfApproval::Allowed => None,
    };
    let approving = |vote: &&Vote| vote.side == Side::Approve;
    gate.votes
        .iter()
        .filter(approving)
        .map(|vote| &vote.voter)
        .filter(move |voter| Some(voter.identity.as_str()) != barred)
}

pub(super) fn subject_of(ballot: &Ballot) -> Result<String, Refusal> {
    let Some(subject) = &ballot.subject_sha256 else {
        let why = "say which subject you decide on: its SHA-256, as the gate shows it";
        return Err(Refusal::fault(Code::SubjectRequired, "/subject_sha256", why));
    };
    let hex = subject.len() == SHA256_HEX_CHARS && subject.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        Ok(subject.to_ascii_lowercase())
    } else {
        Err(Refusal::field("/subject_sha256", "is not a SHA-256: 64 hex digits"))
    }
}

pub(super) fn not_a_decider(gate: &Gate, voter: &Voter) -> Refusal {
    let message = format!("{} is not among those who decide here: {}", voter.identity, gate.quorum);
    Refusal::new(Code::NotADecider, message).with("who", gate.quorum.to_string())
}

/// The gate is open at `now`, and `subject` is what it asks about.
pub(super) fn open_and_seen(gate: &Gate, subject: &str, now: TimeMs) -> Result<(), Refusal> {
    if let Some(ended) = &gate.ended {
        return Err(already_decided(gate, gate.state, ended));
    }
    if let Some(end) = due(gate, now) {
        // The timer has not come by yet; the vote is late all the same.
        let at_ms = gate.expires_ms.unwrap_or(now);
        return Err(already_decided(gate, end.state(), &Ended::by(None, at_ms)));
    }
    if subject == gate.subject_sha256 { Ok(()) } else { Err(subject_changed(&gate.subject_sha256)) }
}

fn subject_changed(now: &str) -> Refusal {
    let message = "the subject is not the one that was shown; look at the present one and decide again";
    Refusal::new(Code::SubjectChanged, message).with("subject_sha256", now)
}

fn already_decided(gate: &Gate, state: State, ended: &Ended) -> Refusal {
    if let (State::Superseded, Some(next)) = (state, &ended.next_subject_sha256) {
        return subject_changed(next);
    }
    let at = rfc3339(ended.at_ms);
    let who = ended.by.as_deref().unwrap_or("its time-out");
    let message = format!("gate {} is {} since {at}, by {who}", gate.id, state.as_str());
    Refusal::new(Code::AlreadyDecided, message)
        .with("decided_by", ended.by.clone())
        .with("decision", state.as_str())
        .with("decided_at", at)
}

fn already_voted(first: &Vote) -> Refusal {
    let (side, at) = (first.side.as_str(), rfc3339(first.at_ms));
    let message =
        format!("{} voted {side} at {at}; an identity has one vote, and it stands", first.voter.identity);
    Refusal::new(Code::AlreadyVoted, message).with("vote", side).with("voted_at", at)
}

fn confirmed(gate: &Gate, ballot: &Ballot) -> Result<(), Refusal> {
    let typed = ballot.confirm.as_deref().unwrap_or_default();
    if gate.confirm_with.iter().any(|id| id == typed) {
        return Ok(());
    }
    let wanted = gate.confirm_with.first().map(String::as_str).unwrap_or_default();
    Err(Refusal::fault(Code::ConfirmRequired, "/confirm", format!("type the id to confirm: {wanted}")))
}

/// What forbids this vote although its gate is open.
pub(super) fn allowed(gate: &Gate, ballot: &Ballot, company: Company) -> Result<(), Refusal> {
    let own_work = gate.submitter.as_ref() == Some(&ballot.voter.identity);
    if gate.self_approval == SelfApproval::Forbidden && own_work && company == Company::Others {
        let message = "who submitted this may not decide on it; ask somebody else";
        return Err(Refusal::new(Code::SelfApproval, message));
    }
    if let (Side::Approve, Some(block)) = (ballot.side, gate.block) {
        return Err(blocked(block));
    }
    let (field, text) = match ballot.side {
        Side::Approve => ("/comment", &ballot.comment),
        Side::Reject => ("/reason", &ballot.comment),
    };
    if text.as_ref().is_some_and(|text| text.len() > MAX_COMMENT_BYTES) {
        return Err(Refusal::field(field, format!("has more than {MAX_COMMENT_BYTES} bytes")));
    }
    if gate.votes.len() >= MAX_VOTES {
        return Err(Refusal::new(Code::WrongState, format!("the gate holds {MAX_VOTES} votes already")));
    }
    Ok(())
}

pub(super) fn blocked(block: Block) -> Refusal {
    let (code, message) = match block {
        Block::ChecksFailed => {
            (Code::ChecksFailed, "a check failed on it: read its log, then reject it or send it back")
        }
        Block::Unchecked => {
            (Code::ChecksFailed, "its checks have not run: retry their task, send it back or reject it")
        }
        Block::Conflict => (
            Code::WrongState,
            "it does not fit onto its base: resolve the conflict, send it back or reject it",
        ),
        Block::Unproven => (
            Code::WrongState,
            "its target does not hold what was checked: look at it, then reject it or send it back",
        ),
    };
    Refusal::new(code, message)
}

pub(super) fn count(gate: &Gate, ballot: &Ballot, company: Company, now: TimeMs) -> Verdict {
    let again = votes_of(gate, &ballot.voter).next().is_some();
    let vote = Vote {
        voter: ballot.voter.clone(),
        side: ballot.side,
        at_ms: now,
        comment: ballot.comment.clone(),
        confirmed: again,
        patch: ballot.patch.clone(),
    };
    if vote.side == Side::Reject {
        return Verdict::Decided(vote, End::Reject, Strength::Full);
    }
    if again {
        return Verdict::Decided(vote, End::Approve, Strength::Reduced);
    }
    let mut after = gate.clone();
    after.votes.push(vote.clone());
    let waits = waits(&after, company);
    if waits == Waits::default() {
        Verdict::Decided(vote, End::Approve, Strength::Full)
    } else {
        Verdict::Counted(vote, waits)
    }
}
