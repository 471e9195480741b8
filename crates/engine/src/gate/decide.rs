//! A decision: one vote, and what it does. Through a gate or through its change it is the same deed.

use super::amend::{self, Prepared};
use super::{about_of, after, back, end_so, told, visible};
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::change;
use tiltyard_model::audit::Action;
use tiltyard_model::event::{GateApproved, GateRejected, GateVoted};
use tiltyard_model::gate::quorum::Voter;
use tiltyard_model::gate::vote::{Ballot, Strength, Verdict, Waits, vote, waiting_for};
use tiltyard_model::gate::{End, Ended, Side, Vote};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::change::Found as FoundChange;
use tiltyard_store::gate::{self, Found, keep_vote};

/// What a quorum of a lone person is called on the wire (D26).
pub const REDUCED: &str = "reduced";

/// A decision as somebody makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decide {
    /// The gate, or the change whose gate it is.
    pub on: Id,
    /// For or against.
    pub side: Side,
    /// The digest of what was seen.
    pub subject_sha256: Option<String>,
    /// A comment on an approval, the reason of a reject (required there).
    pub comment: Option<String>,
    /// The id, typed.
    pub confirm: Option<String>,
    /// A patch for the subject, as [`amend::prepare`] has applied it.
    pub patch: Option<Prepared>,
    /// Of a reject, the stage that the run goes back to.
    pub to_stage: Option<String>,
}

impl Decide {
    /// A plain decision.
    pub fn on(on: Id, side: Side) -> Self {
        Self { on, side, subject_sha256: None, comment: None, confirm: None, patch: None, to_stage: None }
    }
}

/// What a decision did.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The gate after it.
    pub gate: Found,
    /// The change after it, when the gate is one of a change.
    pub change: Option<FoundChange>,
    /// What the gate still waits for.
    pub waits: Waits,
    /// Whether the same identity had said the same before.
    pub replayed: bool,
}

/// Takes one vote; the gate ends with it when it decides, and what waited goes on.
///
/// # Errors
/// 404; 422 `subject_required`, `invalid`, `confirm_required`; 403 `not_a_decider`, `self_approval`; 409
/// `already_decided`, `already_voted`, `subject_changed`, `checks_failed`, `wrong_state`. Nothing is counted then; the
/// edge puts the refusal on record all the same (SEC21).
pub fn decide(act: &mut Act<'_>, decide: &Decide) -> Result<Decided, Refusal> {
    let mut found = gate_of(act, decide.on)?;
    let ballot = ballot(act, decide)?;
    let humans = humans(act, &found.scope_name);
    let (replayed, waits) = match judged(act, &mut found, (decide, &ballot), humans)? {
        Verdict::Replayed(waits) => (true, waits),
        Verdict::Counted(vote, waits) => {
            counted(act, &mut found, &ballot, vote)?;
            (false, waits)
        }
        Verdict::Decided(vote, how, strength) => {
            let back = back::of(act, &found, decide, how)?;
            keep(act, &mut found, vote)?;
            found.about.reduced = strength == Strength::Reduced;
            let by = Some(ballot.voter.identity.clone());
            end_so(act, &mut found, how, Ended { back, ..Ended::by(by, act.now.wall) })?;
            audit(act, &found, &ballot, "decided")?;
            announce(act, &found, &ballot, how)?;
            (false, waiting_for(&found.gate, humans))
        }
    };
    let change = after(act, &found, replayed)?;
    Ok(Decided { gate: found, change, waits, replayed })
}

/// What the vote does. One with a patch has made its gate's subject another one, where it counts.
fn judged(
    act: &mut Act<'_>,
    found: &mut Found,
    (decide, ballot): (&Decide, &Ballot),
    humans: u32,
) -> Result<Verdict, Refusal> {
    match &decide.patch {
        Some(prepared) if decide.side == Side::Approve => amend::take(act, found, ballot, (prepared, humans)),
        _ => vote(&found.at(act.now.wall), ballot, humans, act.now.wall),
    }
}

/// A vote is kept, and the gate stays open, perhaps with another subject.
fn counted(act: &mut Act<'_>, found: &mut Found, ballot: &Ballot, vote: Vote) -> Result<(), Refusal> {
    let amended = vote.patch.is_some();
    keep(act, found, vote)?;
    if amended {
        gate::update(act.tx, found).map_err(refusal_of)?;
    }
    audit(act, found, ballot, "counted")?;
    let event = GateVoted { identity: ballot.voter.identity.clone() };
    told(act, found, &event)
}

/// How many human identities a scope has (SEC1).
fn humans(act: &Act<'_>, scope: &str) -> u32 {
    u32::try_from(act.memory.tokens.humans(scope, act.now.wall)).unwrap_or(u32::MAX)
}

/// The gate that is meant: itself, or the one that its change has or had last.
fn gate_of(act: &Act<'_>, on: Id) -> Result<Found, Refusal> {
    match on.noun() {
        Noun::Change => {
            let change = change::visible(act, on)?.change;
            let text = format!("the change is {}: there is nothing to decide", change.state.as_str());
            let none = Refusal::new(Code::WrongState, text).with("state", change.state.as_str());
            visible(act, change.gate.ok_or(none)?)
        }
        _ => visible(act, on),
    }
}

fn ballot(act: &Act<'_>, decide: &Decide) -> Result<Ballot, Refusal> {
    let said = decide.comment.as_deref().is_some_and(|text| !text.trim().is_empty());
    if decide.side == Side::Reject && decide.subject_sha256.is_some() && !said {
        return Err(Refusal::field("/reason", "say why: whoever made it can learn from it"));
    }
    Ok(Ballot {
        voter: Voter::from(&act.pass.caller),
        side: decide.side,
        subject_sha256: decide.subject_sha256.clone(),
        confirm: decide.confirm.clone(),
        comment: decide.comment.clone(),
        patch: decide.patch.as_ref().map(|prepared| prepared.patch.clone()),
    })
}

fn keep(act: &mut Act<'_>, found: &mut Found, vote: Vote) -> Result<(), Refusal> {
    found.cast += 1;
    keep_vote(act.tx, found.key, found.cast, &vote).map_err(refusal_of)?;
    found.gate.votes.push(vote);
    Ok(())
}

fn audit(act: &mut Act<'_>, found: &Found, ballot: &Ballot, effect: &str) -> Result<(), Refusal> {
    let action = match ballot.side {
        Side::Approve => Action::GateApproved,
        Side::Reject => Action::GateRejected,
    };
    let mut told = Told::done(&found.scope_name, action, found.gate.id)
        .with("about", about_of(found))
        .with("subject_sha256", found.gate.subject_sha256.clone())
        .with("effect", effect);
    if let Some(comment) = &ballot.comment {
        told = told.with("comment", crate::task::first_line(comment));
    }
    if ballot.patch.is_some() {
        told = told.with("patched", true);
    }
    let back = found.gate.ended.as_ref().and_then(|ended| ended.back.as_ref());
    if let Some(to_stage) = back.and_then(|back| back.to_stage.as_deref()) {
        told = told.with("to_stage", to_stage);
    }
    if found.about.reduced {
        told = told.with("quorum", REDUCED);
    }
    act.audit(told)
}

fn announce(act: &mut Act<'_>, found: &Found, ballot: &Ballot, how: End) -> Result<(), Refusal> {
    let about = about_of(found);
    if how == End::Reject {
        let reason = crate::task::first_line(ballot.comment.as_deref().unwrap_or_default());
        let back = found.gate.ended.as_ref().and_then(|ended| ended.back.as_ref());
        let to_stage = back.and_then(|back| back.to_stage.clone());
        let event = GateRejected { about, by: ballot.voter.identity.clone(), reason, to_stage };
        return told(act, found, &event);
    }
    let mut by: Vec<String> = Vec::new();
    for vote in found.gate.votes.iter().filter(|vote| vote.side == Side::Approve) {
        if !by.contains(&vote.voter.identity) {
            by.push(vote.voter.identity.clone());
        }
    }
    let quorum = found.about.reduced.then(|| REDUCED.to_owned());
    let event = GateApproved { about, subject_sha256: found.gate.subject_sha256.clone(), by, quorum };
    told(act, found, &event)
}
