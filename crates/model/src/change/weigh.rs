//! How risky a change is, and why (C22): tier 1 only when nothing speaks against it; each thing that does is a
//! reason with its file and rule.

use super::Tier;
use super::diff::{Content, FileDiff, Mode, Status};
use crate::repository::builtin::{BUILD, CHECK_PROGRAM, is_prose, is_test};
use crate::repository::pattern::Patterns;
use crate::repository::rules::{PathRule, Prose, Rules};
use crate::repository::settings::AutoMerge;
use crate::visible::is_hostile;
use serde::{Deserialize, Serialize};

/// Most changed lines of a safe change.
pub const MAX_SAFE_LINES: u32 = 20;
/// Most changed files of a safe change.
pub const MAX_SAFE_FILES: usize = 3;
/// Most reasons that are kept; the last one then counts the others.
pub const MAX_REASONS: usize = 200;

/// What is known of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checks {
    /// All ran on the change merged onto its base, and all were green.
    Green,
    /// One was red, or did not run to its end.
    Red,
    /// None ran: a dry run weighs as if they were green.
    Assumed,
}

/// A secret that a scan found in what the change adds (C24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SecretFinding {
    /// The file.
    pub file: String,
    /// The line in the new file, from 1; 0 where it is unknown.
    pub line: u32,
    /// What it looks like: `AWS access key`; never the secret itself.
    pub kind: String,
}

/// All that the risk of a change is judged by.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// Its files.
    pub files: &'a [FileDiff],
    /// The rules of its base.
    pub rules: &'a Rules,
    /// How its checks went.
    pub checks: Checks,
    /// What the scan for secrets found.
    pub secrets: &'a [SecretFinding],
}

/// One reason for a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reason {
    /// The tier that it gives.
    pub tier: Tier,
    /// The rule.
    pub rule: String,
    /// The file; `None` for rules of the whole.
    pub file: Option<String>,
    /// One sentence.
    pub text: String,
}

/// How risky a change is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Weight {
    /// The highest tier of its reasons.
    pub tier: Tier,
    /// Why, most severe first; for tier 1 what makes it safe.
    pub reasons: Vec<Reason>,
}

impl Weight {
    /// Whether a change of this weight merges by itself (C23).
    pub fn merges_by_itself(&self, rules: &Rules) -> bool {
        self.tier == Tier::Safe && rules.auto_merge == AutoMerge::Safe
    }
}

/// The reason of a change with more files than are listed: what nobody looked at may be anything.
pub fn unlisted(more: u32) -> Reason {
    whole(
        Tier::Sensitive,
        "files_unlisted",
        format!("{more} more files than can be listed, so no rule saw them"),
    )
}

impl Weight {
    /// The same with one more reason, in its place.
    #[must_use]
    pub fn with(mut self, reason: Reason) -> Self {
        self.tier = self.tier.max(reason.tier);
        let place = self.reasons.iter().take_while(|other| other.tier > reason.tier).count();
        self.reasons.insert(place, reason);
        self
    }
}

/// Weighs a change.
pub fn weigh(evidence: &Evidence<'_>) -> Weight {
    let mut reasons = Vec::new();
    secrets(evidence, &mut reasons);
    paths(evidence, &mut reasons);
    size(evidence, &mut reasons);
    for file in evidence.files {
        kind(file, &mut reasons);
    }
    proof(evidence, &mut reasons);
    checks(evidence, &mut reasons);
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.tier));
    let tier = reasons.first().map_or(Tier::Review, |reason| reason.tier);
    shorten(&mut reasons);
    Weight { tier, reasons }
}

fn shorten(reasons: &mut Vec<Reason>) {
    let Some(more) = reasons.len().checked_sub(MAX_REASONS).filter(|more| *more > 0) else { return };
    reasons.truncate(MAX_REASONS - 1);
    let tier = reasons.last().map_or(Tier::Review, |reason| reason.tier);
    reasons.push(whole(tier, "more", format!("{} more reasons are left out", more + 1)));
}

fn whole(tier: Tier, rule: &str, text: impl Into<String>) -> Reason {
    Reason { tier, rule: rule.to_owned(), file: None, text: text.into() }
}

fn of_file(tier: Tier, rule: &str, file: &str, text: impl Into<String>) -> Reason {
    Reason { file: Some(file.to_owned()), ..whole(tier, rule, text) }
}

fn secrets(evidence: &Evidence<'_>, reasons: &mut Vec<Reason>) {
    for secret in evidence.secrets {
        let text = format!("line {} looks like a secret: {}", secret.line, secret.kind);
        reasons.push(of_file(Tier::Sensitive, "secret", &secret.file, text));
    }
}

/// One reason for each file and rule; a rule that cannot be read protects everything.
fn paths(evidence: &Evidence<'_>, reasons: &mut Vec<Reason>) {
    for rule in &evidence.rules.paths {
        let patterns = Patterns::compile(&rule.paths);
        for path in evidence.files.iter().flat_map(FileDiff::paths) {
            let hit = match &patterns {
                Ok(patterns) => patterns.fit(path) && !spared(rule, path),
                Err(_) => true,
            };
            if hit {
                reasons.push(of_file(rule.tier, &rule.id, path, format!("{path}: {}", rule.reason)));
            }
        }
    }
}

fn spared(rule: &PathRule, path: &str) -> bool {
    rule.prose == Prose::Spared && is_prose(path)
}

fn size(evidence: &Evidence<'_>, reasons: &mut Vec<Reason>) {
    let lines = evidence.files.iter().fold(0u32, |sum, file| sum.saturating_add(file.lines()));
    if lines > MAX_SAFE_LINES {
        let text = format!("{lines} changed lines, more than {MAX_SAFE_LINES}");
        reasons.push(whole(Tier::Review, "lines", text));
    }
    let files = evidence.files.len();
    if files > MAX_SAFE_FILES {
        reasons.push(whole(Tier::Review, "files", format!("{files} files, more than {MAX_SAFE_FILES}")));
    }
    if files == 0 {
        reasons.push(whole(Tier::Review, "empty", "it changes nothing"));
    }
}

/// What a file is, apart from its path.
fn kind(file: &FileDiff, reasons: &mut Vec<Reason>) {
    let mut push = |rule, text: &str| reasons.push(of_file(Tier::Review, rule, &file.path, text));
    if matches!(file.status, Status::Added | Status::Copied | Status::Renamed) {
        push("new_file", "a new file");
    }
    if file.status == Status::Deleted && is_test(&file.path) {
        push("test_removed", "a test is removed");
    }
    if file.content == Content::Binary {
        push("binary", "not text, so nobody can read what changed");
    }
    let modes = [file.old_mode, file.new_mode];
    if modes.contains(&Some(Mode::Link)) {
        push("link", "a symbolic link, which may lead anywhere");
    }
    if modes.contains(&Some(Mode::Submodule)) {
        push("submodule", "another repository's code");
    }
    if file.new_mode == Some(Mode::Executable) && file.old_mode != file.new_mode {
        push("executable", "becomes executable");
    }
    if file.paths().any(|path| path.contains(|letter| is_hostile(letter) || letter == '\u{fffd}')) {
        push("odd_name", "its name holds characters that do not show");
    }
}

/// A test in the same change, or nothing but documentation.
fn proof(evidence: &Evidence<'_>, reasons: &mut Vec<Reason>) {
    let files = evidence.files;
    if files.is_empty() {
        return;
    }
    if files.iter().all(|file| file.paths().all(is_prose)) {
        reasons.push(whole(Tier::Safe, "documentation_only", "only documentation changes"));
        return;
    }
    if evidence.rules.checks.is_empty() {
        let text = "the repository lists no checks, so nothing has tried the code";
        reasons.push(whole(Tier::Review, "no_checks", text));
    }
    let runners = runners(evidence.rules);
    let is_proof = |file: &&FileDiff| file.added > 0 && is_test(&file.path) && !runners.fit(&file.path);
    if let Some(test) = files.iter().find(is_proof) {
        reasons.push(of_file(Tier::Safe, "tested", &test.path, "a test changes with it"));
        return;
    }
    match files.iter().find(|file| !is_prose(&file.path) && !is_test(&file.path)) {
        None => reasons.push(whole(Tier::Review, "untested", "no test is added or changed")),
        Some(file) => {
            reasons.push(of_file(Tier::Review, "untested", &file.path, "no test changes with it"));
        }
    }
}

/// What decides which tests run, and is no test for that: it proves nothing of the change that it comes with.
fn runners(rules: &Rules) -> Patterns {
    let executed = rules.paths.iter().filter(|rule| [CHECK_PROGRAM, BUILD].contains(&rule.id.as_str()));
    let patterns: Vec<&String> = executed.flat_map(|rule| &rule.paths).collect();
    Patterns::compile(&patterns).unwrap_or_else(|_| Patterns::all())
}

fn checks(evidence: &Evidence<'_>, reasons: &mut Vec<Reason>) {
    match evidence.checks {
        Checks::Green if evidence.rules.checks.is_empty() => {}
        Checks::Green => reasons.push(whole(Tier::Safe, "checks_green", "all checks are green")),
        Checks::Red => reasons.push(whole(Tier::Review, "checks_failed", "a check is red")),
        Checks::Assumed => {
            reasons.push(whole(Tier::Safe, "checks_assumed", "weighed as if all checks were green"));
        }
    }
    if let Some(fault) = &evidence.rules.fault {
        reasons.push(whole(Tier::Sensitive, "rules_unreadable", format!("the rules of its base: {fault}")));
    }
}
