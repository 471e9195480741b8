//! How changes are judged in a repository: the keys of `.tiltyard.toml`, and of the server's own setting.

use super::pattern::Patterns;
use crate::change::Tier;
use crate::gate::quorum::Quorum;
use crate::refusal::Fault;
use crate::slug::is_slug;
use crate::time::{DurationMs, HOUR_MS, MINUTE_MS};
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashSet;
use std::fmt;

/// Most checks of a repository.
pub const MAX_CHECKS: usize = 32;
/// Most words of a check's command.
pub const MAX_ARGV_WORDS: usize = 64;
/// Longest word of a check's command, in bytes.
pub const MAX_ARGV_WORD_BYTES: usize = 4_096;
/// Wall time of a check that names none.
pub const DEFAULT_CHECK_TIMEOUT_MS: DurationMs = 10 * MINUTE_MS;
/// Longest wall time of a check.
pub const MAX_CHECK_TIMEOUT_MS: DurationMs = 24 * HOUR_MS;
/// Most protected paths, and most rules.
pub const MAX_RULES: usize = 200;
/// Most patterns of one rule.
pub const MAX_RULE_PATTERNS: usize = 100;
/// Longest reason of a rule, in characters.
pub const MAX_RULE_REASON_CHARS: usize = 300;
/// Most changes of a repository that are checked at once.
pub const MAX_CONCURRENCY: u32 = 64;
/// Most times that red checks go back to an agent.
pub const MAX_FIX_ATTEMPTS: u32 = 20;

/// How a change lands on its target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    /// One commit on the newest base with all of it: its own, or several folded into one.
    #[default]
    #[serde(alias = "fast-forward")]
    FastForward,
    /// One commit of ours with the change's title.
    Squash,
}

impl MergeMethod {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FastForward => "fast_forward",
            Self::Squash => "squash",
        }
    }
}

/// Whether changes of tier 1 merge by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoMerge {
    /// Every change waits for a person.
    #[default]
    Off,
    /// Those of tier 1 do not.
    Safe,
}

impl AutoMerge {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Safe => "safe",
        }
    }
}

/// A program that must exit with 0 on what lands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name, a slug.
    pub name: String,
    /// Program and arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Wall time; ten minutes when absent.
    #[serde(default = "default_check_timeout_ms")]
    pub timeout_ms: DurationMs,
}

const fn default_check_timeout_ms() -> DurationMs {
    DEFAULT_CHECK_TIMEOUT_MS
}

/// A protected path: a pattern, or a pattern with its tier and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Protected {
    /// Tier 2.
    Path(String),
    /// As the rule says.
    Rule(ProtectedPath),
}

/// A protected path with its tier and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedPath {
    /// The pattern.
    pub path: String,
    /// 2 or 3; 2 when absent.
    #[serde(default = "default_rule_tier")]
    pub tier: Tier,
    /// Why it is protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

const fn default_rule_tier() -> Tier {
    Tier::Review
}

impl Protected {
    /// The pattern.
    pub fn path(&self) -> &str {
        match self {
            Self::Path(path) | Self::Rule(ProtectedPath { path, .. }) => path,
        }
    }

    /// The tier that it gives.
    pub const fn tier(&self) -> Tier {
        match self {
            Self::Path(_) => Tier::Review,
            Self::Rule(rule) => rule.tier,
        }
    }

    /// Why, when somebody said so.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Path(_) => None,
            Self::Rule(rule) => rule.reason.as_deref(),
        }
    }
}

impl<'de> Deserialize<'de> for Protected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Protected;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pattern, or a table with path, tier and reason")
            }

            fn visit_str<E>(self, path: &str) -> Result<Protected, E> {
                Ok(Protected::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Protected, A::Error> {
                ProtectedPath::deserialize(MapAccessDeserializer::new(map)).map(Protected::Rule)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A risk rule that a person wrote: these paths are of that tier, for that reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskRule {
    /// Its name, a slug: what reasons say.
    pub id: String,
    /// The patterns.
    pub paths: Vec<String>,
    /// 2 or 3; 2 when absent.
    #[serde(default = "default_rule_tier")]
    pub tier: Tier,
    /// Why.
    pub reason: String,
}

/// What a person has set; absent keys leave it to the other source, or to the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How changes land; `fast_forward` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeMethod>,
    /// Whether tier 1 merges by itself; `off` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge: Option<AutoMerge>,
    /// The checks, run in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<Check>>,
    /// Paths whose change waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected: Option<Vec<Protected>>,
    /// Risk rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RiskRule>>,
    /// Who decides; one operator by default, and never fewer than two approvals for tier 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Quorum>,
    /// How many changes are checked at once; 2 by default. Merges are always one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How often red checks go back to the agent; 2 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_attempts: Option<u32>,
    /// Whether nobody decides on what they submitted; by default so for tier 3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_self_approval: Option<bool>,
}

impl Settings {
    /// Every failure, each with its place as a JSON Pointer; empty when all may be used.
    pub fn faults(&self) -> Vec<Fault> {
        let mut found = Found(Vec::new());
        let checks = self.checks.as_deref().unwrap_or_default();
        found.check(checks.len() <= MAX_CHECKS, "/checks", "at most 32 checks");
        let mut names = HashSet::new();
        for (place, check) in checks.iter().enumerate() {
            found.check(names.insert(&check.name), format!("/checks/{place}/name"), "stands twice");
            check_faults(check, place, &mut found);
        }
        self.rule_faults(&mut found);
        let concurrency = self.concurrency.is_none_or(|count| (1..=MAX_CONCURRENCY).contains(&count));
        found.check(concurrency, "/concurrency", "must be 1 to 64");
        let fixes = self.fix_attempts.is_none_or(|count| count <= MAX_FIX_ATTEMPTS);
        found.check(fixes, "/fix_attempts", "must be 0 to 20");
        found.0
    }

    fn rule_faults(&self, found: &mut Found) {
        let protected = self.protected.as_deref().unwrap_or_default();
        found.check(protected.len() <= MAX_RULES, "/protected", "at most 200 paths");
        for (place, path) in protected.iter().enumerate() {
            let at = match path {
                Protected::Path(_) => format!("/protected/{place}"),
                Protected::Rule(_) => format!("/protected/{place}/path"),
            };
            found.patterns(&at, std::slice::from_ref(&path.path().to_owned()));
            found.raises(path.tier(), &format!("/protected/{place}/tier"));
            found.reason(path.reason().unwrap_or_default(), &format!("/protected/{place}/reason"));
        }
        let rules = self.rules.as_deref().unwrap_or_default();
        found.check(rules.len() <= MAX_RULES, "/rules", "at most 200 rules");
        for (place, rule) in rules.iter().enumerate() {
            found.check(is_slug(&rule.id), format!("/rules/{place}/id"), "must be a slug");
            found.patterns(&format!("/rules/{place}/paths"), &rule.paths);
            found.raises(rule.tier, &format!("/rules/{place}/tier"));
            found.check(!rule.reason.trim().is_empty(), format!("/rules/{place}/reason"), "must say why");
            found.reason(&rule.reason, &format!("/rules/{place}/reason"));
        }
    }
}

fn check_faults(check: &Check, place: usize, found: &mut Found) {
    found.check(is_slug(&check.name), format!("/checks/{place}/name"), "must be a slug");
    let argv = &check.argv;
    let long = argv.len() > MAX_ARGV_WORDS || argv.iter().any(|word| word.len() > MAX_ARGV_WORD_BYTES);
    let named = argv.first().is_some_and(|program| !program.is_empty() && !program.starts_with('-'));
    let whole = named && !long && !argv.iter().any(|word| word.contains('\0'));
    let argv_rule = "must be a program and its arguments: 1 to 64 words of at most 4,096 bytes";
    found.check(whole, format!("/checks/{place}/argv"), argv_rule);
    let timely = (1..=MAX_CHECK_TIMEOUT_MS).contains(&check.timeout_ms);
    found.check(timely, format!("/checks/{place}/timeout_ms"), "must be 1 ms to 24 h");
}

struct Found(Vec<Fault>);

impl Found {
    fn check(&mut self, ok: bool, field: impl Into<String>, error: impl Into<String>) {
        if !ok {
            self.0.push(Fault { field: field.into(), error: error.into() });
        }
    }

    fn patterns(&mut self, field: &str, patterns: &[String]) {
        self.check((1..=MAX_RULE_PATTERNS).contains(&patterns.len()), field, "must be 1 to 100 patterns");
        if let Err(error) = Patterns::compile(patterns) {
            self.check(false, field, error);
        }
    }

    fn raises(&mut self, tier: Tier, field: &str) {
        self.check(tier > Tier::Safe, field, "must be 2 or 3: a rule can raise the risk, not lower it");
    }

    fn reason(&mut self, reason: &str, field: &str) {
        let short = reason.chars().count() <= MAX_RULE_REASON_CHARS && !reason.chars().any(char::is_control);
        self.check(short, field, "must be one line of at most 300 characters");
    }
}
