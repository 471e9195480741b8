//! The checks of a change, run by its repository's agent on the change merged onto the newest base (C21), and what
//! they say about its risk (C22).

use super::Case;
use super::git::{Answer, CHECK_ATTEMPTS, Job, check_payload, submit, time_for};
use crate::act::{Act, refusal_of};
use tiltyard_model::change::record::{Judged, Round};
use tiltyard_model::change::step::{Checked as Verdict, RedCheck, Step, after_checks, ask_again};
use tiltyard_model::change::weigh::{Checks, Evidence, SecretFinding, Weight, unlisted, weigh};
use tiltyard_model::change::work::{
    CHECK_KIND, CheckPayload, CheckResult, CheckRun, CheckStatus, Checked, Files, RulesFile,
};
use tiltyard_model::change::{State, Tier};
use tiltyard_model::event::ChangeChecking;
use tiltyard_model::gate::Block;
use tiltyard_model::gate::vote::still_approves;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::Repository;
use tiltyard_model::repository::rules::Rules;
use tiltyard_model::task::Concurrency;
use tiltyard_store::change::keep_check;
use tiltyard_store::task::Found;

/// How often the rules of the base may change under one attempt before a person is asked.
pub(super) const MAX_RECHECKS: u32 = 5;
/// The name of the check that compares the diff that was uploaded with the commits.
const DIFF_CHECK: &str = "diff";

/// Begins the checks of a change that is `checking`.
pub(super) fn begin(act: &mut Act<'_>, case: &mut Case) -> Result<(), Refusal> {
    let Some(repository) = case.repository(act)? else {
        return unchecked(act, case, "its repository was removed meanwhile");
    };
    case.record().rules.clone_from(&repository.rules);
    let rules = case.rules(&repository);
    case.record().rules_sha256 = Some(rules.sha256());
    let payload = check_payload(case, &repository, &rules)?;
    let name = &repository.registration.name;
    let job = Job {
        kind: CHECK_KIND,
        title: format!("check: {}", case.found.change.record.title),
        scope: &case.found.change.scope.clone(),
        agent: &repository.registration.agent,
        change: Some(case.id()),
        concurrency: Some(Concurrency { key: format!("check:{name}"), limit: rules.concurrency }),
        priority: 6,
        timeout_ms: time_for(&rules.checks),
        max_attempts: CHECK_ATTEMPTS,
    };
    match submit(act, job, &payload) {
        Ok(task) => case.record().git = Some(task),
        // Nothing was written: a list of checks that is too large to travel is a matter for people.
        Err(refusal) if refusal.code == Code::Invalid => {
            return unchecked(act, case, &format!("its checks cannot be asked for: {refusal}"));
        }
        Err(refusal) => return Err(refusal),
    }
    case.save(act)?;
    announce(act, case)
}

/// Says that checks run.
pub(super) fn announce(act: &mut Act<'_>, case: &Case) -> Result<(), Refusal> {
    let heads = case.heads()?;
    let event = ChangeChecking { head: heads.head.clone(), base: heads.base.clone() };
    act.event(case.found.scope, &case.id().into(), Some(case.found.change.task.key()), &event)
}

/// The checks have ended, or could not run.
pub(super) fn ended(act: &mut Act<'_>, found: &Found, answer: Answer<'_>) -> Result<(), Refusal> {
    let Ok(asked) = serde_json::from_str::<CheckPayload>(&found.task.spec.payload) else { return Ok(()) };
    let Some(mut case) = Case::find(act, asked.change)? else { return Ok(()) };
    let awaited = case.found.change.record.git == Some(found.task.id) && case.state() == State::Checking;
    if !awaited {
        return Ok(());
    }
    // The setting was changed while they ran: they were not those that count now.
    if case.is_overruled(act)? {
        return begin(act, &mut case);
    }
    let why = match answer.read::<CheckResult>() {
        Ok(CheckResult::Checked(checked)) => return judge(act, &mut case, found, &asked, *checked),
        Ok(CheckResult::Conflict { files, .. }) => return conflict(act, &mut case, files),
        Ok(CheckResult::RulesChanged { rules, .. }) => return anew(act, &mut case, rules),
        Ok(CheckResult::Contained { base }) => return contained(act, &mut case, &base),
        Ok(CheckResult::Refused(refused)) => refused.reason,
        Err(why) => why,
    };
    unchecked(act, &mut case, &format!("its checks could not run: {why}"))
}

/// A gate that nobody can approve: what was not checked does not land.
pub(super) fn unchecked(act: &mut Act<'_>, case: &mut Case, why: &str) -> Result<(), Refusal> {
    case.carry(act, Step::OpenGate { block: Some(Block::Unchecked), why: why.to_owned() })
}

/// The target holds it: people are asked as for any change of these files, for what it does is in the target.
fn contained(act: &mut Act<'_>, case: &mut Case, base: &str) -> Result<(), Refusal> {
    let rules = rules_of(act, case)?;
    let files = case.found.change.record.files.clone();
    let weight = weighed(act, case, &rules, Seen { files: &files, secrets: &[], checks: Checks::Assumed })?;
    case.found.change.tier = Some(weight.tier.max(Tier::Review));
    case.record().reasons = weight.reasons;
    case.record().judged = None;
    let why = format!("the target at {base} holds all of it: approve to have that proven and recorded");
    case.carry(act, Step::OpenGate { block: None, why })
}

fn conflict(act: &mut Act<'_>, case: &mut Case, files: Vec<String>) -> Result<(), Refusal> {
    let rules = rules_of(act, case)?;
    let weight = Weight { tier: case.tier(), reasons: Vec::new() };
    let step = after_checks(case.situation(&rules), Verdict::Conflict(files), &weight);
    case.carry(act, step)
}

/// The base has other rules: the checks are chosen anew (C20).
pub(super) fn anew(act: &mut Act<'_>, case: &mut Case, rules: Option<RulesFile>) -> Result<(), Refusal> {
    if let Some(mut repository) = case.repository(act)? {
        repository.rules = rules;
        tiltyard_store::repository::put(act.tx, case.found.scope, &repository).map_err(refusal_of)?;
    }
    case.record().rechecks += 1;
    if case.record().rechecks > MAX_RECHECKS {
        return unchecked(act, case, "the rules of its base change faster than its checks can run");
    }
    begin(act, case)
}

fn rules_of(act: &Act<'_>, case: &Case) -> Result<Rules, Refusal> {
    let repository = case.repository(act)?;
    let gone = || Refusal::new(Code::Internal, "the repository of an unfinished change is gone");
    repository.map(|repository: Repository| case.rules(&repository)).ok_or_else(gone)
}

/// Weighs what was checked, and goes on.
fn judge(
    act: &mut Act<'_>,
    case: &mut Case,
    found: &Found,
    asked: &CheckPayload,
    checked: Checked,
) -> Result<(), Refusal> {
    let heads = case.heads()?.clone();
    let names = |runs: &[CheckRun]| runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>();
    let wanted: Vec<String> = asked.checks.iter().map(|check| check.name.clone()).collect();
    if checked.head != heads.head || names(&checked.checks) != wanted {
        return unchecked(act, case, "the agent answered for something else than it was asked for");
    }
    let mut red = red_of(&checked.checks);
    red.extend(another_diff(&heads.diff.sha256, &checked.diff_sha256));
    let rules = rules_of(act, case)?;
    let checks = if red.is_empty() { Checks::Green } else { Checks::Red };
    let seen = Seen { files: &checked.files, secrets: &checked.secrets, checks };
    let weight = weighed(act, case, &rules, seen)?;
    keep(act, case, found, &checked)?;
    let broken = broken(&checked.checks, asked);
    case.found.change.tier = Some(weight.tier);
    case.record().reasons.clone_from(&weight.reasons);
    let Checked { base, commit, tree, green, files, .. } = checked;
    case.record().files = files;
    case.record().judged = Some(Judged { base, commit, tree, green: green.filter(|_| red.is_empty()) });
    if let Some(why) = broken {
        return unchecked(act, case, &why);
    }
    let verdict = if red.is_empty() { Verdict::Green } else { Verdict::Red(red) };
    let step = after_checks(case.situation(&rules), verdict, &weight);
    let step = approved_before(act, case, &rules, weight.tier, step)?;
    let step = match case.record().unchanged.take() {
        Some(left) => ask_again(&left, step),
        None => step,
    };
    case.carry(act, step)
}

/// A check whose program is not there says nothing about the change: no attempt of its author can mend that.
fn broken(runs: &[CheckRun], asked: &CheckPayload) -> Option<String> {
    let run = runs.iter().find(|run| run.status == CheckStatus::Missing)?;
    let check = asked.checks.iter().find(|check| check.name == run.name);
    let program = check.and_then(|check| check.argv.first()).map_or("", String::as_str);
    Some(format!(
        "the check {} is broken: its program `{program}` is not on the agent's machine; install it there \
         and send the change back, or mend the check and register the repository once more",
        run.name
    ))
}

fn red_of(runs: &[CheckRun]) -> Vec<RedCheck> {
    let red = runs.iter().filter(|run| run.status != CheckStatus::Passed);
    red.map(|run| {
        let log = match run.status {
            CheckStatus::Failed | CheckStatus::Passed => run.log_tail.clone(),
            CheckStatus::TimedOut => format!("{}\n[it was ended: its time was up]\n", run.log_tail),
            CheckStatus::Missing => {
                format!("{}\n[its program is not on the agent's machine]\n", run.log_tail)
            }
        };
        RedCheck { name: run.name.clone(), log }
    })
    .collect()
}

/// What people are shown must be what the commits say: the proposing agent is not believed.
fn another_diff(shown: &str, read: &str) -> Option<RedCheck> {
    let log = format!(
        "the diff of the commits against the newest base is {read}, but {shown} was uploaded: \
         propose it again on the newest base\n"
    );
    (shown != read).then(|| RedCheck { name: DIFF_CHECK.to_owned(), log })
}

/// What a change is weighed by.
#[derive(Clone, Copy)]
struct Seen<'a> {
    files: &'a Files,
    secrets: &'a [SecretFinding],
    checks: Checks,
}

fn weighed(act: &Act<'_>, case: &Case, rules: &Rules, seen: Seen<'_>) -> Result<Weight, Refusal> {
    let mut secrets: Vec<SecretFinding> = seen.secrets.to_vec();
    let own = tiltyard_store::change::proposals(act.tx, case.found.key, 1).map_err(refusal_of)?;
    for finding in own.into_iter().flat_map(|proposal| proposal.secrets) {
        if !secrets.contains(&finding) {
            secrets.push(finding);
        }
    }
    let evidence = Evidence { files: &seen.files.listed, rules, checks: seen.checks, secrets: &secrets };
    let weight = weigh(&evidence);
    Ok(if seen.files.more > 0 { weight.with(unlisted(seen.files.more)) } else { weight })
}

fn keep(act: &Act<'_>, case: &Case, found: &Found, checked: &Checked) -> Result<(), Refusal> {
    keep_round(act, case, found, &checked.tree, &checked.checks)
}

/// Keeps a run of the checks for the change's page.
pub(super) fn keep_round(
    act: &Act<'_>,
    case: &Case,
    found: &Found,
    tree: &str,
    runs: &[CheckRun],
) -> Result<(), Refusal> {
    if runs.is_empty() {
        return Ok(());
    }
    let round = Round {
        task: found.task.id,
        generation: case.heads()?.generation,
        tree: tree.to_owned(),
        at_ms: act.now.wall,
        runs: runs.to_vec(),
    };
    keep_check(act.tx, case.found.key, &round).map_err(refusal_of)
}

/// A moved base with the same diff keeps the approval, as long as the rules ask for no more (D24).
fn approved_before(
    act: &Act<'_>,
    case: &Case,
    rules: &Rules,
    tier: Tier,
    step: Step,
) -> Result<Step, Refusal> {
    let Step::OpenGate { block: None, .. } = step else { return Ok(step) };
    let change = &case.found.change;
    let Some(approval) = &change.record.approval else { return Ok(step) };
    if change.subject_sha256.as_deref() != Some(approval.subject_sha256.as_str()) {
        return Ok(step);
    }
    let gate = tiltyard_store::gate::get(act.tx, approval.gate).map_err(refusal_of)?;
    let submitter = Some(change.record.submitted_by.as_str());
    let holds = gate.is_some_and(|gate| still_approves(&gate.gate.votes, &rules.asks(tier), submitter));
    Ok(if holds { Step::Queue(tiltyard_model::change::step::Cause::Approved) } else { step })
}
