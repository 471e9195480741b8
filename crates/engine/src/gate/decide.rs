//! A decision: one vote, and what it does. Through a gate or through its change it is the same deed.

use super::{about_of, end, visible};
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::change;
use tiltyard_model::audit::Action;
use tiltyard_model::event::{GateApproved, GateRejected, GateVoted};
use tiltyard_model::gate::quorum::Voter;
use tiltyard_model::gate::vote::{Ballot, Strength, Verdict, Waits, vote, waiting_for};
use tiltyard_model::gate::{End, Side, Vote};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::change::Found as FoundChange;
use tiltyard_store::gate::{Found, keep_vote};

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
    let (replayed, waits) = match vote(&found.gate, &ballot, humans, act.now.wall)? {
        Verdict::Replayed(waits) => (true, waits),
        Verdict::Counted(vote, waits) => {
            keep(act, &mut found, vote)?;
            audit(act, &found, &ballot, "counted")?;
            let event = GateVoted { identity: ballot.voter.identity.clone() };
            act.event(found.scope, &found.gate.id.into(), None, &event)?;
            (false, waits)
        }
        Verdict::Decided(vote, how, strength) => {
            keep(act, &mut found, vote)?;
            found.about.reduced = strength == Strength::Reduced;
            end(act, &mut found, how, Some(ballot.voter.identity.clone()))?;
            audit(act, &found, &ballot, "decided")?;
            announce(act, &found, &ballot, how)?;
            (false, waiting_for(&found.gate, humans))
        }
    };
    let change = found.change.map(|id| change::after_gate(act, id, &found, replayed)).transpose()?;
    Ok(Decided { gate: found, change, waits, replayed })
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
    })
}

fn keep(act: &mut Act<'_>, found: &mut Found, vote: Vote) -> Result<(), Refusal> {
    keep_vote(act.tx, found.key, found.gate.votes.len() + 1, &vote).map_err(refusal_of)?;
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
    if found.about.reduced {
        told = told.with("quorum", REDUCED);
    }
    act.audit(told)
}

fn announce(act: &mut Act<'_>, found: &Found, ballot: &Ballot, how: End) -> Result<(), Refusal> {
    let (about, subject) = (about_of(found), found.gate.id.into());
    if how == End::Reject {
        let reason = crate::task::first_line(ballot.comment.as_deref().unwrap_or_default());
        let event = GateRejected { about, by: ballot.voter.identity.clone(), reason };
        return act.event(found.scope, &subject, None, &event);
    }
    let mut by: Vec<String> = Vec::new();
    for vote in found.gate.votes.iter().filter(|vote| vote.side == Side::Approve) {
        if !by.contains(&vote.voter.identity) {
            by.push(vote.voter.identity.clone());
        }
    }
    let quorum = found.about.reduced.then(|| REDUCED.to_owned());
    let event = GateApproved { about, subject_sha256: found.gate.subject_sha256.clone(), by, quorum };
    act.event(found.scope, &subject, None, &event)
}
