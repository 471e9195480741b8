//! All that happened to a change, on its page (C33).

use super::{file, runs};
use tiltyard_engine::change::read::Whole;
use tiltyard_engine::token::Tokens;
use tiltyard_model::change::record::{Proposal, Round};
use tiltyard_model::change::work::ChangePayload;
use tiltyard_model::id::Id;
use tiltyard_model::task::attempt::{Attempt, Outcome};
use tiltyard_model::time::TimeMs;
use tiltyard_wire::change as wire;
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::time::Time;

/// The story of a change, and those who can decide on it at `now`.
pub(crate) fn history(whole: Whole, tokens: &Tokens, now: TimeMs) -> wire::History {
    let task = whole.found.change.task;
    let idea = whole.task.as_ref().map(|found| found.task.spec.payload.as_str());
    let idea = idea.and_then(|text| serde_json::from_str::<ChangePayload>(text).ok());
    let (prompt, criteria) = idea.map(|idea| (idea.prompt, idea.criteria)).unwrap_or_default();
    let mut proposals = whole.proposals;
    let mut tried = |attempt: Attempt| {
        let place = proposals.iter().position(|one| one.heads.generation == attempt.generation);
        attempted(task, attempt, place.map(|place| proposals.swap_remove(place)))
    };
    wire::History {
        prompt,
        criteria,
        attempts: whole.attempts.into_iter().rev().map(&mut tried).collect(),
        checks: whole.checks.into_iter().map(round).collect(),
        gates: whole.gates.iter().map(|gate| crate::view::gate::view(gate, tokens, now)).collect(),
    }
}

fn attempted(task: Id, attempt: Attempt, proposal: Option<Proposal>) -> wire::Try {
    let generation = attempt.generation;
    wire::Try {
        generation,
        agent: attempt.agent,
        started_at: Time(attempt.started_at),
        ended_at: attempt.ended_at.map(Time),
        outcome: attempt.outcome.map(word),
        error: attempt.error,
        log: format!("{BASE_PATH}/tasks/{task}/log?generation={generation}"),
        proposal: proposal.map(proposed),
    }
}

fn word(outcome: Outcome) -> String {
    let word = match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::LeaseLost => "lease_lost",
        Outcome::Released => "released",
        Outcome::Cancelled => "cancelled",
    };
    word.to_owned()
}

fn proposed(proposal: Proposal) -> wire::Proposed {
    let heads = proposal.heads;
    wire::Proposed {
        base: heads.base,
        head: heads.head,
        subject_sha256: heads.diff.sha256,
        diff: heads.diff.id,
        bundle: heads.bundle.id,
        files: proposal.files.listed.into_iter().map(file).collect(),
        more_files: proposal.files.more,
    }
}

fn round(round: Round) -> wire::CheckRound {
    let (task, generation, at) = (round.task, round.generation, Time(round.at_ms));
    wire::CheckRound { task, generation, at, runs: runs(round) }
}
