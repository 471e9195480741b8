//! Gates as they are shown.

use tiltyard_engine::gate::decide::REDUCED;
use tiltyard_engine::gate::read::{Found, crowd};
use tiltyard_engine::token::Tokens;
use tiltyard_model::gate::back::Back;
use tiltyard_model::gate::missing::missing;
use tiltyard_model::gate::quorum::Who;
use tiltyard_model::gate::vote::waiting_for;
use tiltyard_model::gate::{Block, Gate, SelfApproval, SubjectKind, Vote};
use tiltyard_model::time::TimeMs;
use tiltyard_wire::gate as wire;
use tiltyard_wire::time::Time;

/// A gate, and those who can decide in its scope at `now`.
pub(crate) fn view(found: &Found, tokens: &Tokens, now: TimeMs) -> wire::View {
    let gate = &found.at(now);
    let crowd = crowd(tokens, found, now);
    let part = found.run.map(|place| place.part);
    wire::View {
        id: gate.id,
        scope: found.scope_name.clone(),
        state: gate.state.as_str().to_owned(),
        subject: subject(found),
        subject_sha256: gate.subject_sha256.clone(),
        who: found.gate.quorum.to_string(),
        no_self_approval: gate.self_approval == SelfApproval::Forbidden,
        quorum: is_reduced(found, gate, crowd.humans).then(|| REDUCED.to_owned()),
        submitted_by: gate.submitter.clone().unwrap_or_default(),
        reasons: found.about.reasons.clone(),
        blocked: gate.block.map(Block::as_str).map(str::to_owned),
        votes: gate.votes.iter().map(vote).collect(),
        missing: missing(gate, crowd),
        opened_at: Time(found.opened_at),
        expires_at: gate.expires_ms.map(Time),
        decided_at: gate.ended.as_ref().map(|ended| Time(ended.at_ms)),
        run: found.run.map(|place| place.run),
        stage: found.about.stage.clone(),
        attempt: part.map(|part| part.attempt),
        item: part.and_then(|part| part.item).map(|item| item.index),
        artifact: document(found),
        text: found.about.text.clone(),
        weight: u64::try_from(found.weight).unwrap_or_default(),
        escalated_to: escalated_to(found, gate),
        reminded: found.told.reminders,
        earlier_sha256: gate.earlier_sha256.clone(),
        void_votes: Vec::new(),
        back: gate.ended.as_ref().and_then(|ended| ended.back.as_ref()).map(back),
    }
}

/// The same for a list: without what may be long.
pub(crate) fn brief(mut view: wire::View) -> wire::View {
    for vote in &mut view.votes {
        vote.patch = None;
    }
    view
}

fn document(found: &Found) -> Option<wire::Document> {
    let id = found.run.and_then(|place| place.artifact)?;
    let about = found.about.document.as_ref()?;
    let (media_type, name) = (about.media_type.clone(), about.name.clone());
    Some(wire::Document { id, media_type, size: about.bytes, name })
}

/// Whom a gate has been escalated to: it is the time that does it, not the notice.
fn escalated_to(found: &Found, now: &Gate) -> Option<String> {
    let (_, who) = found.calendar.escalate.as_ref()?;
    let wide = found.told.escalated || now.quorum != found.gate.quorum;
    wide.then(|| who.iter().map(Who::to_string).collect::<Vec<_>>().join(" or "))
}

fn back(back: &Back) -> wire::Back {
    wire::Back { to_stage: back.to_stage.clone(), artifact: back.artifact }
}

fn subject(found: &Found) -> wire::Subject {
    let artifact = found.run.and_then(|place| place.artifact);
    let (kind, id) = match (found.change, found.about.kind) {
        (Some(change), _) => ("change", change),
        (None, SubjectKind::Artifact) => ("artifact", artifact.unwrap_or(found.gate.id)),
        (None, SubjectKind::Diff) => ("diff", found.gate.id),
        (None, SubjectKind::Question) => ("question", found.gate.id),
    };
    wire::Subject { kind: kind.to_owned(), id: id.to_string(), title: found.about.title.clone() }
}

/// Whether one lone person was asked twice, or has yet to say it again (D26).
fn is_reduced(found: &Found, now: &Gate, humans: u32) -> bool {
    found.about.reduced || waiting_for(now, humans).confirm.is_some()
}

/// A vote as it is shown.
pub(crate) fn vote(vote: &Vote) -> wire::Vote {
    wire::Vote {
        identity: vote.voter.identity.clone(),
        vote: vote.side.as_str().to_owned(),
        comment: vote.comment.clone(),
        at: Time(vote.at_ms),
        patch: vote.patch.clone(),
    }
}
