//! C21: the checks on a change merged onto its current base, in a clean clone: no hook, no configuration of the
//! repository's, nothing that another check clone left.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bundle::Incoming;
use super::cleanup::{CHECK_PREFIX, Fleeting};
use super::clone::CLONE_DEPTH_COMMITS;
use super::combine::{Combine, Combined, Landing, Method};
use super::command::{GitError, Refused};
use super::diff::{FileChange, Span, hex};
use super::fresh::Fresh;
use super::identity::Signature;
use super::mirror::{Mirror, candidate_ref};
use super::name::{Key, Oid};
use super::runner::{Ended, LogSink, Program, Runner, Tail};
use super::secret::{self, Finding};

/// Longest time a check may have, in milliseconds.
pub const MAX_CHECK_MS: u64 = 24 * 60 * 60 * 1000;
/// Most checks of a repository.
pub const MAX_CHECKS: usize = 50;

/// What all git tasks of a repository have in common.
pub struct Bench<'a> {
    /// The repository's mirror.
    pub mirror: &'a Mirror,
    /// Who runs the checks.
    pub runner: &'a dyn Runner,
    /// Where their output goes as it comes.
    pub log: LogSink,
    /// Where check clones are made; see `WorkClones::sweep_checks`.
    pub folder: &'a Path,
    /// Who signs commits of ours, and when: the change's time, so that the same work makes the same commit.
    pub signature: &'a Signature,
}

impl fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("mirror", self.mirror).finish_non_exhaustive()
    }
}

/// A check: a program that says by its exit code whether the tree is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// Its name.
    pub name: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// Whose rules the task was made by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum RulesPin {
    /// The text of `.tiltyard.toml` with this SHA-256; `None` when there was no such file.
    File {
        /// The digest, as [`rules_digest`] makes it.
        sha256: Option<String>,
    },
}

/// The digest of the text of a `.tiltyard.toml`.
pub fn rules_digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// A change that is to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckJob {
    /// The proposal.
    pub incoming: Incoming,
    /// How it would land.
    pub method: Method,
    /// Its title, and perhaps more lines.
    pub message: String,
    /// What to run.
    pub checks: Vec<CheckSpec>,
    /// By which rules these checks were chosen.
    pub rules: RulesPin,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Exit code 0.
    Passed,
    /// Another exit code, or a signal.
    Failed,
    /// It took too long and was ended.
    TimedOut,
    /// Its program does not exist here.
    Missing,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// How it went.
    pub status: CheckStatus,
    /// Its exit code; `None` when it had none.
    pub exit: Option<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The end of its output, at most 8 KiB.
    pub log_tail: String,
}

/// Proof that a tree passed certain checks; opaque, handed back to the merge (see [`Green::covers`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Green {
    /// The tree.
    pub tree: Oid,
    /// The digest of the checks, with names, arguments and time-outs.
    pub checks_sha256: String,
}

impl Green {
    /// The rule by which checks are not run again: the very same tree, and the very same checks. A tree is all a
    /// check sees, so a new base with another tree is always checked anew.
    pub fn covers(&self, tree: &Oid, checks: &[CheckSpec]) -> bool {
        self.tree == *tree && self.checks_sha256 == checks_digest(checks)
    }
}

/// A change with its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The base it was merged onto.
    pub base: Oid,
    /// Where it leaves the base's history.
    pub merge_base: Oid,
    /// Its head.
    pub head: Oid,
    /// The commit that would land.
    pub commit: Oid,
    /// The tree that was checked.
    pub tree: Oid,
    /// SHA-256 of its diff against the merge base: what an approval binds (D24).
    pub diff_sha256: String,
    /// Its files.
    pub files: Vec<FileChange>,
    /// Secrets, looked for again: the proposing agent is not believed.
    pub secrets: Vec<Finding>,
    /// The text of `.tiltyard.toml` at the base.
    pub rules: Option<String>,
    /// What came of each check, in their order.
    pub checks: Vec<CheckReport>,
    /// Set when each check passed.
    pub green: Option<Green>,
}

/// How checking ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The checks ran, well or not.
    Checked(Box<Checked>),
    /// It does not go onto the base.
    Conflict {
        /// The base.
        base: Oid,
        /// The files.
        files: Vec<String>,
    },
    /// The base has all of it already.
    Contained {
        /// The base.
        base: Oid,
    },
    /// The base has other rules by now: choose the checks anew.
    RulesChanged {
        /// The base.
        base: Oid,
        /// Its `.tiltyard.toml`.
        rules: Option<String>,
    },
    /// Asking again changes nothing.
    Refused(Refused),
}

/// Checks a change. Errors may pass: a retry makes sense.
pub async fn check(bench: &Bench<'_>, job: &CheckJob) -> Result<CheckOutcome, GitError> {
    match checking(bench, job).await {
        Err(GitError::Refused(refused)) => Ok(CheckOutcome::Refused(refused)),
        other => other,
    }
}

async fn checking(bench: &Bench<'_>, job: &CheckJob) -> Result<CheckOutcome, GitError> {
    let (mirror, change, head) = (bench.mirror, &job.incoming.change, &job.incoming.head);
    let base = mirror.fetch().await?;
    mirror.import(&job.incoming).await?;
    let rules = mirror.rules_at(&base).await?;
    if !job.rules.allows(rules.as_deref()) {
        return Ok(CheckOutcome::RulesChanged { base, rules });
    }
    let repo = mirror.repo();
    let merge_base = repo.merge_base(&base, head).await?;
    let (method, message, signature) = (job.method, job.message.as_str(), bench.signature);
    let landing =
        match (Combine { repo, change, base: &base, head, method, message, signature }).compute().await? {
            Combined::Landing(landing) => landing,
            Combined::Conflict(files) => return Ok(CheckOutcome::Conflict { base, files }),
            Combined::Contained => return Ok(CheckOutcome::Contained { base }),
        };
    let span = Span { merge_base: &merge_base, head };
    let (diff_sha256, files, secrets) =
        (span.digest(repo).await?, span.files(repo).await?, secret::scan(repo, span).await?);
    let checks = bench.run_checks(change, &landing, &job.checks).await?;
    let green = green(&landing.tree, &job.checks, &checks);
    let Landing { commit, tree } = landing;
    let head = head.clone();
    let checked =
        Checked { base, merge_base, head, commit, tree, diff_sha256, files, secrets, rules, checks, green };
    Ok(CheckOutcome::Checked(Box::new(checked)))
}

impl RulesPin {
    /// Whether the base still has the rules that the task was made by.
    pub(crate) fn allows(&self, rules: Option<&str>) -> bool {
        let Self::File { sha256 } = self;
        *sha256 == rules.map(rules_digest)
    }
}

/// The digest of a list of checks.
pub(crate) fn checks_digest(checks: &[CheckSpec]) -> String {
    let text = serde_json::to_vec(checks).expect("strings and numbers always become JSON");
    hex(&Sha256::digest(text))
}

/// The proof, when each check passed.
pub(crate) fn green(tree: &Oid, checks: &[CheckSpec], reports: &[CheckReport]) -> Option<Green> {
    let passed =
        reports.len() == checks.len() && reports.iter().all(|report| report.status == CheckStatus::Passed);
    passed.then(|| Green { tree: tree.clone(), checks_sha256: checks_digest(checks) })
}

impl Bench<'_> {
    /// Runs all checks, one after the other, in one clean clone of the commit.
    pub(crate) async fn run_checks(
        &self,
        change: &Key,
        landing: &Landing,
        checks: &[CheckSpec],
    ) -> Result<Vec<CheckReport>, GitError> {
        const WHAT: &str = "make the clone for the checks";
        if checks.is_empty() {
            return Ok(Vec::new());
        }
        std::fs::create_dir_all(self.folder).map_err(GitError::io(WHAT))?;
        let folder = Fleeting::make(self.folder, CHECK_PREFIX)?;
        let repo = self.mirror.repo();
        let candidate = candidate_ref(change);
        repo.set(&candidate, &landing.commit).await?;
        let clone = Fresh::init(repo.git(), folder.path().join("tree"), landing.commit.format()).await?;
        clone
            .fill(repo, &[format!("+{candidate}:refs/tiltyard/candidate")], Some(CLONE_DEPTH_COMMITS))
            .await?;
        clone.checkout(&["--detach"], &landing.commit).await?;
        let mut reports = Vec::with_capacity(checks.len());
        for spec in checks.iter().take(MAX_CHECKS) {
            reports.push(self.run_check(spec, clone.tree()).await?);
        }
        drop(clone);
        folder.remove().await?;
        Ok(reports)
    }

    async fn run_check(&self, spec: &CheckSpec, tree: &Path) -> Result<CheckReport, GitError> {
        let tail = Tail::default();
        let timeout = Duration::from_millis(spec.timeout_ms.min(MAX_CHECK_MS));
        let program = Program { argv: spec.argv.clone(), cwd: tree.to_owned(), env: check_env(), timeout };
        let started = Instant::now();
        let ended = match spec.argv.is_empty() {
            true => Ended::Missing("the check names no program".to_owned()),
            false => self.runner.run(program, tail.sink(&self.log)).await,
        };
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, exit, words) = match ended {
            Ended::Exited(0) => (CheckStatus::Passed, Some(0), None),
            Ended::Exited(code) => (CheckStatus::Failed, Some(code), None),
            Ended::Signalled(signal) => {
                (CheckStatus::Failed, None, Some(format!("ended by signal {signal}")))
            }
            Ended::TimedOut => {
                (CheckStatus::TimedOut, None, Some(format!("ended after {} ms", spec.timeout_ms)))
            }
            Ended::Missing(why) => (CheckStatus::Missing, None, Some(why)),
            Ended::Cancelled => return Err(GitError::Cancelled(spec.name.clone())),
            Ended::Broken(why) => return Err(GitError::Runner { check: spec.name.clone(), why }),
        };
        let log_tail = words.map_or_else(|| tail.text(), |words| format!("{}[{words}]\n", tail.text()));
        Ok(CheckReport { name: spec.name.clone(), status, exit, duration_ms, log_tail })
    }
}

/// Beside what the runner gives: a git that a check starts does not read this user's configuration.
fn check_env() -> Vec<(String, String)> {
    let settings = [
        ("CI", "true"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}
