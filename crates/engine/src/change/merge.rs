//! The merge queue: one merge at a time for a repository, in the order of approval, each with the proof that the
//! target holds it (C30, C34). The record has the intent on disk before an agent can move anything, and the outcome
//! after it (D52).

use super::check::{anew, keep_round};
use super::git::{Answer, Job, MERGE_ATTEMPTS, merge_payload, submit, time_for};
use super::{Case, close};
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use tiltyard_model::audit::{ActResult, Action, Phase};
use tiltyard_model::change::record::Merge;
use tiltyard_model::change::step::{Cause, Landing, Merged as Verdict, RedCheck, Step, after_merge};
use tiltyard_model::change::work::{
    CheckRun, CheckStatus, End, MERGE_KIND, MergePayload, MergeResult, Merged,
};
use tiltyard_model::change::{Move, State};
use tiltyard_model::event::{ChangeMerged, ChangeMerging, ChangeQueued, TaskSucceeded};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::task::{Concurrency, State as TaskState};
use tiltyard_store::task::Found;

/// Puts a change that is `queued` into the queue. `cause` is `auto`, `approved` or `requeued` (`retry` when the same task has another turn).
pub(super) fn queue(act: &mut Act<'_>, case: &mut Case, cause: &str) -> Result<(), Refusal> {
    let Some(repository) = case.repository(act)? else {
        let text = "its repository was removed: register it again, or reject the change";
        return Err(Refusal::new(Code::WrongState, text));
    };
    let rules = case.rules(&repository);
    let payload = merge_payload(case, &repository, &rules)?;
    let registration = &repository.registration;
    let job = Job {
        kind: MERGE_KIND,
        title: format!("merge: {}", case.found.change.record.title),
        scope: &case.found.change.scope.clone(),
        agent: &registration.agent,
        change: Some(case.id()),
        concurrency: Some(Concurrency { key: registration.target_key(), limit: 1 }),
        priority: 8,
        timeout_ms: time_for(&rules.checks),
        max_attempts: MERGE_ATTEMPTS,
    };
    let task = act.as_system(|act| submit(act, job, &payload))?;
    case.record().git = Some(task);
    case.save(act)?;
    let event = ChangeQueued { tier: case.tier().number(), cause: cause.to_owned() };
    act.event(case.found.scope, &case.id().into(), Some(case.found.change.task.key()), &event)
}

/// What the rules let through by themselves is for the record.
pub(super) fn audit_auto(act: &mut Act<'_>, case: &Case, cause: Cause) -> Result<(), Refusal> {
    if cause != Cause::Auto {
        return Ok(());
    }
    let subject = case.found.change.subject_sha256.clone();
    let told = Told::done(&case.found.change.scope, Action::ChangeAutoApproved, case.id())
        .with("tier", case.tier().number())
        .with("subject_sha256", subject);
    act.audit(told)
}

/// An agent takes a merge: its turn has come, and the intent is on disk before the agent hears of it.
pub(crate) fn claimed(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    if found.task.spec.kind != MERGE_KIND {
        return Ok(());
    }
    let Ok(asked) = serde_json::from_str::<MergePayload>(&found.task.spec.payload) else { return Ok(()) };
    let Some(mut case) = Case::find(act, asked.check.change)? else { return Ok(()) };
    if case.state() != State::Queued || case.found.change.record.git != Some(found.task.id) {
        return Ok(());
    }
    case.go(Move::Merge)?;
    let key = act.next_key();
    let id = act.id(Noun::Act, key);
    case.record().act = Some(id);
    case.save(act)?;
    let mut told = told(&case).with("task", found.task.id.to_string());
    told.result = ActResult::Pending;
    told.phase = Some((Phase::Intent, id));
    act.audit(told)?;
    let event = ChangeMerging { branch: case.found.change.record.branch.clone() };
    act.event(case.found.scope, &case.id().into(), Some(case.found.change.task.key()), &event)
}

/// An attempt at a merge has ended without an answer: the change waits for another turn. What its lost agent may have
/// done all the same is found out then (C34).
pub(super) fn paused(act: &mut Act<'_>, found: &Found, outcome: Outcome) -> Result<(), Refusal> {
    let Ok(asked) = serde_json::from_str::<MergePayload>(&found.task.spec.payload) else { return Ok(()) };
    let Some(mut case) = Case::find(act, asked.check.change)? else { return Ok(()) };
    if case.state() != State::Merging || case.found.change.record.git != Some(found.task.id) {
        return Ok(());
    }
    let why = match outcome {
        Outcome::LeaseLost | Outcome::TimedOut => "its agent was lost in the middle of it",
        _ => "it could not be done and is tried again",
    };
    audit_outcome(act, &mut case, Err(why))?;
    if let Some(reason) = case.found.change.record.closing.clone() {
        let unsure = matches!(outcome, Outcome::LeaseLost | Outcome::TimedOut);
        let look = "; its agent was lost while it merged: look whether the target holds it";
        return close::close(act, &mut case, &format!("{reason}{}", if unsure { look } else { "" }));
    }
    case.go(Move::Requeue)?;
    case.save(act)?;
    let event = ChangeQueued { tier: case.tier().number(), cause: "retry".to_owned() };
    act.event(case.found.scope, &case.id().into(), Some(case.found.change.task.key()), &event)
}

fn told(case: &Case) -> Told {
    let change = &case.found.change;
    Told::done(&change.scope, Action::ChangeMerged, change.id)
        .with("repository", change.repository.clone())
        .with("branch", change.record.branch.clone())
        .with("subject_sha256", change.subject_sha256.clone())
}

/// Tells how the merge under way ended; nothing when none had begun.
fn audit_outcome(act: &mut Act<'_>, case: &mut Case, outcome: Result<&Landing, &str>) -> Result<(), Refusal> {
    let Some(id) = case.record().act.take() else { return Ok(()) };
    let mut told = match outcome {
        Ok(landing) => told(case).with("commit", landing.commit.clone()).with("tree", landing.tree.clone()),
        Err(why) => told(case).with("why", crate::task::first_line(why)),
    };
    told.result = if outcome.is_ok() { ActResult::Ok } else { ActResult::Failed };
    told.phase = Some((Phase::Outcome, id));
    act.audit(told)
}

/// A turn in the merge queue has ended.
pub(super) fn ended(act: &mut Act<'_>, found: &Found, answer: Answer<'_>) -> Result<(), Refusal> {
    let Ok(asked) = serde_json::from_str::<MergePayload>(&found.task.spec.payload) else { return Ok(()) };
    let Some(mut case) = Case::find(act, asked.check.change)? else { return Ok(()) };
    let turn = matches!(case.state(), State::Queued | State::Merging);
    if !turn || case.found.change.record.git != Some(found.task.id) {
        return Ok(());
    }
    let result = answer.read::<MergeResult>();
    if let Ok(MergeResult::Merged(merged)) = &result {
        keep_round(act, &case, found, &merged.tree, &merged.checks)?;
    }
    if let (Ok(MergeResult::ChecksFailed { tree, checks, .. }), true) = (&result, case.is_weighed()) {
        keep_round(act, &case, found, tree, checks)?;
    }
    let turn = read(act, &mut case, result);
    match &turn {
        Turn::Step(Verdict::Landed(landing)) if landing.is_proven() => {
            audit_outcome(act, &mut case, Ok(landing))?;
        }
        Turn::Step(verdict) => audit_outcome(act, &mut case, Err(words(verdict)))?,
        Turn::Recheck(_) => audit_outcome(act, &mut case, Err("the rules of the base or the diff changed"))?,
        Turn::Broken(why) => audit_outcome(act, &mut case, Err(why))?,
    }
    go_on(act, &mut case, turn)
}

/// What a turn came to.
enum Turn {
    /// The rules say what follows.
    Step(Verdict),
    /// It must be checked and weighed anew, with these rules where they changed.
    Recheck(Option<Option<tiltyard_model::change::work::RulesFile>>),
    /// It came to nothing: a person is asked, and an approval tries again.
    Broken(String),
}

fn read(act: &Act<'_>, case: &mut Case, result: Result<MergeResult, String>) -> Turn {
    match result {
        Ok(MergeResult::Merged(merged)) => Turn::Step(Verdict::Landed(landing(act, case, merged))),
        Ok(MergeResult::BaseMoved { .. }) => Turn::Step(Verdict::BaseMoved),
        Ok(MergeResult::Conflict { files, .. }) => Turn::Step(Verdict::Conflict(files)),
        // The target has taken back what it held, so there is something to check and to weigh.
        Ok(MergeResult::ChecksFailed { .. }) if !case.is_weighed() => Turn::Recheck(None),
        Ok(MergeResult::ChecksFailed { checks, .. }) if missing(&checks).is_some() => {
            let name = missing(&checks).unwrap_or_default();
            Turn::Broken(format!(
                "the program of its check {name} is not on the agent's machine: install it there, then approve again"
            ))
        }
        Ok(MergeResult::ChecksFailed { checks, .. }) => Turn::Step(Verdict::Red(red_of(&checks))),
        Ok(MergeResult::DirtyTarget { files }) => Turn::Step(Verdict::Refused(dirty(&files))),
        Ok(MergeResult::Refused(refused)) => Turn::Step(Verdict::Refused(refused.reason)),
        Ok(MergeResult::RulesChanged { rules, .. }) => Turn::Recheck(Some(rules)),
        Ok(MergeResult::SubjectChanged { .. }) => Turn::Recheck(None),
        Err(why) => Turn::Broken(format!("its merge came to nothing: {why}")),
    }
}

fn landing(act: &Act<'_>, case: &mut Case, merged: Merged) -> Landing {
    let Merged { commit, tree, checked_tree, base, how, .. } = merged;
    // What others put there is proven by what is in the target; only our own move had a tree that was checked.
    let checked_tree = if how.is_own() { checked_tree.unwrap_or_default() } else { tree.clone() };
    let landing = Landing { commit: commit.clone(), tree: tree.clone(), checked_tree };
    if landing.is_proven() {
        case.record().merge = Some(Merge { commit, tree, base, how, at_ms: act.now.wall });
    }
    landing
}

/// A check that says nothing about the change, because its program is not there.
fn missing(checks: &[CheckRun]) -> Option<&str> {
    checks.iter().find(|run| run.status == CheckStatus::Missing).map(|run| run.name.as_str())
}

fn red_of(checks: &[CheckRun]) -> Vec<RedCheck> {
    let red = checks.iter().filter(|run| run.status != CheckStatus::Passed);
    red.map(|run| RedCheck { name: run.name.clone(), log: run.log_tail.clone() }).collect()
}

fn dirty(files: &[String]) -> String {
    const MAX_FILES_NAMED: usize = 10;
    let named: Vec<&str> = files.iter().take(MAX_FILES_NAMED).map(String::as_str).collect();
    let more = files.len().saturating_sub(MAX_FILES_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "its work tree has work in it that would be overwritten ({}{more}): commit or remove that, then approve again",
        named.join(", ")
    )
}

fn words(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Landed(_) => "the target does not hold what was checked",
        Verdict::BaseMoved => "the target moved meanwhile",
        Verdict::Red(_) => "a check was red on what would have landed",
        Verdict::Conflict(_) => "it does not fit onto the newest base",
        Verdict::Refused(_) => "the target refused",
    }
}

fn go_on(act: &mut Act<'_>, case: &mut Case, turn: Turn) -> Result<(), Refusal> {
    let landed = matches!(&turn, Turn::Step(Verdict::Landed(landing)) if landing.is_proven());
    if let Some(reason) = case.found.change.record.closing.clone().filter(|_| !landed) {
        return close::close(act, case, &reason);
    }
    match turn {
        Turn::Step(verdict) => {
            let Some(repository) = case.repository(act)? else {
                return close::close(act, case, "its repository was removed");
            };
            let rules = case.rules(&repository);
            let step = after_merge(case.situation(&rules), verdict);
            case.carry(act, step)
        }
        Turn::Recheck(rules) => {
            case.go(Move::Recheck)?;
            let rules = match rules {
                Some(changed) => changed,
                None => case.found.change.record.rules.clone(),
            };
            anew(act, case, rules)
        }
        Turn::Broken(why) => case.carry(act, Step::OpenGate { block: None, why }),
    }
}

/// The target is proven to hold a change: its task has succeeded, and what waited for it goes on.
pub(super) fn landed(act: &mut Act<'_>, case: &mut Case) -> Result<(), Refusal> {
    // What stopped an earlier turn is in the record; whoever reads it here would take it for the end.
    case.record().reason = None;
    case.save(act)?;
    let Some(merge) = case.found.change.record.merge.clone() else {
        return Err(Refusal::new(Code::Internal, "a merge without its proof: nothing was done"));
    };
    let base = merge.base.clone().unwrap_or_default();
    let event = ChangeMerged { commit: merge.commit.clone(), tree: merge.tree, base };
    act.event(case.found.scope, &case.id().into(), Some(case.found.change.task.key()), &event)?;
    let task = case.task(act)?;
    if task.task.state == TaskState::Waiting {
        act.shift(&task, crate::task::Step::to(&task, TaskState::Succeeded))?;
        let generation = task.task.generation;
        act.task_event(task.scope, task.key, &TaskSucceeded { generation })?;
        crate::task::dependent::after_end(act, task.key, TaskState::Succeeded)?;
    }
    if let Some(mut repository) = case.repository(act)? {
        repository.head = Some(merge.commit.clone());
        tiltyard_store::repository::put(act.tx, case.found.scope, &repository).map_err(refusal_of)?;
    }
    close::clean(act, case, End::Merged { commit: merge.commit })
}
