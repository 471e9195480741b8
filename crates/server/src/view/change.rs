//! Changes as they are shown.

mod history;

pub(crate) use history::history;

use tiltyard_engine::change::read::Found;
use tiltyard_model::change::comment::Comment;
use tiltyard_model::change::diff::{Content, FileDiff};
use tiltyard_model::change::record::{Merge, Round};
use tiltyard_model::change::weigh::Reason;
use tiltyard_wire::change as wire;
use tiltyard_wire::time::Time;

/// A change; `round` is the last run of its checks.
pub(crate) fn view(found: Found, round: Option<Round>) -> wire::View {
    let change = found.change;
    let record = change.record;
    let heads = record.proposal;
    let judged = record.judged.as_ref().map(|judged| judged.tree.clone());
    wire::View {
        id: change.id,
        scope: change.scope,
        task: change.task,
        repository: change.repository,
        title: record.title,
        state: change.state.as_str().to_owned(),
        branch: record.branch,
        agent: heads.as_ref().map(|heads| heads.agent.clone()),
        submitted_by: record.submitted_by,
        generation: heads.as_ref().map_or(0, |heads| heads.generation),
        base: heads.as_ref().map(|heads| heads.base.clone()),
        head: heads.as_ref().map(|heads| heads.head.clone()),
        tree: judged.or_else(|| heads.map(|heads| heads.tree)),
        subject_sha256: change.subject_sha256,
        tier: change.tier.map(tiltyard_model::change::Tier::number),
        reasons: record.reasons.into_iter().map(reason).collect(),
        files: record.files.listed.into_iter().map(file).collect(),
        checks: round.map(runs).unwrap_or_default(),
        gate: change.gate,
        merge: record.merge.map(merge),
        conflicts: record.conflicts,
        reason: record.reason,
        comments: record.comments.into_iter().map(comment).collect(),
        fixes: record.tries.fixes,
        created_at: Time(change.id.time_ms()),
        updated_at: Time(change.updated_at),
        history: None,
    }
}

pub(crate) fn reason(reason: Reason) -> wire::Reason {
    wire::Reason { tier: reason.tier.number(), rule: reason.rule, file: reason.file, text: reason.text }
}

fn file(file: FileDiff) -> wire::File {
    wire::File {
        path: file.path,
        from: file.from,
        status: file.status.as_str().to_owned(),
        added: file.added,
        deleted: file.removed,
        binary: file.content == Content::Binary,
    }
}

/// What came of each check of one run.
pub(crate) fn runs(round: Round) -> Vec<wire::CheckRun> {
    let tree = round.tree;
    let run = |run: tiltyard_model::change::work::CheckRun| wire::CheckRun {
        name: run.name,
        status: run.status.as_str().to_owned(),
        exit: run.exit,
        duration_ms: run.duration_ms,
        log_tail: run.log_tail,
        tree: tree.clone(),
    };
    round.runs.into_iter().map(run).collect()
}

fn merge(merge: Merge) -> wire::Merge {
    wire::Merge { commit: merge.commit, tree: merge.tree, base: merge.base, at: Time(merge.at_ms) }
}

fn comment(comment: Comment) -> wire::Comment {
    wire::Comment { path: comment.path, line: comment.line, text: comment.text }
}

/// A comment as the engine takes it.
pub(crate) fn said(comment: wire::Comment) -> Comment {
    Comment { path: comment.path, line: comment.line, text: comment.text }
}
