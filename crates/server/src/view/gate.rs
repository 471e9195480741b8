//! Gates as they are shown.

use tiltyard_engine::gate::decide::REDUCED;
use tiltyard_engine::gate::read::{Found, crowd};
use tiltyard_engine::token::Tokens;
use tiltyard_model::gate::missing::missing;
use tiltyard_model::gate::vote::waiting_for;
use tiltyard_model::gate::{Block, SelfApproval, SubjectKind, Vote};
use tiltyard_model::time::TimeMs;
use tiltyard_wire::gate as wire;
use tiltyard_wire::time::Time;

/// A gate, and those who can decide in its scope at `now`.
pub(crate) fn view(found: &Found, tokens: &Tokens, now: TimeMs) -> wire::View {
    let gate = &found.gate;
    let crowd = crowd(tokens, found, now);
    wire::View {
        id: gate.id,
        scope: found.scope_name.clone(),
        state: gate.state.as_str().to_owned(),
        subject: subject(found),
        subject_sha256: gate.subject_sha256.clone(),
        who: gate.quorum.to_string(),
        no_self_approval: gate.self_approval == SelfApproval::Forbidden,
        quorum: is_reduced(found, crowd.humans).then(|| REDUCED.to_owned()),
        submitted_by: gate.submitter.clone().unwrap_or_default(),
        reasons: found.about.reasons.clone(),
        blocked: gate.block.map(Block::as_str).map(str::to_owned),
        votes: gate.votes.iter().map(vote).collect(),
        missing: missing(gate, crowd),
        opened_at: Time(found.opened_at),
        expires_at: gate.expires_ms.map(Time),
        decided_at: gate.ended.as_ref().map(|ended| Time(ended.at_ms)),
    }
}

fn subject(found: &Found) -> wire::Subject {
    let (kind, id) = match (found.change, found.about.kind) {
        (Some(change), _) => ("change", change),
        (None, SubjectKind::Artifact) => ("artifact", found.gate.id),
        (None, SubjectKind::Diff) => ("diff", found.gate.id),
        (None, SubjectKind::Question) => ("question", found.gate.id),
    };
    wire::Subject { kind: kind.to_owned(), id: id.to_string(), title: found.about.title.clone() }
}

/// Whether one lone person was asked twice, or has yet to say it again (D26).
fn is_reduced(found: &Found, humans: u32) -> bool {
    found.about.reduced || waiting_for(&found.gate, humans).confirm.is_some()
}

fn vote(vote: &Vote) -> wire::Vote {
    wire::Vote {
        identity: vote.voter.identity.clone(),
        vote: vote.side.as_str().to_owned(),
        comment: vote.comment.clone(),
        at: Time(vote.at_ms),
    }
}
