//! Repositories on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A repository as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Repository")]
pub struct View {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Where a remote one is.
    pub url: Option<String>,
    /// Where a local one is, on the agent's machine.
    pub path: Option<String>,
    /// The target branch.
    pub branch: String,
    /// The agent that holds its mirror.
    pub agent: String,
    /// The settings kept here; they win over `.tiltyard.toml`.
    pub settings: Settings,
    /// `probing ready unusable`.
    pub state: String,
    /// The head of the target branch at the last probe.
    pub head: Option<String>,
    /// Why it cannot be used.
    pub error: Option<String>,
    /// What is wrong with its `.tiltyard.toml`: until that is mended, no change of it can be approved.
    #[serde(default)]
    pub rules_fault: Option<String>,
    /// When it was registered.
    pub created_at: Time,
    /// When it was last probed.
    pub probed_at: Option<Time>,
}

/// Registers a repository, or registers it differently.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RepositoryPut")]
pub struct Put {
    /// The scope; the token's only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Where a remote one is; or
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// where a local one is, on the agent's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The target branch; `main` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The agent that holds its mirror; the only connected one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How changes land: `fast_forward` or `squash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<String>,
    /// `safe` (tier 1 merges by itself) or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge: Option<String>,
    /// The checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<Check>>,
    /// Paths whose change stops at a gate: globs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected: Option<Vec<Protected>>,
    /// Who decides: `2 of role:operator and 1 of group:security`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvers: Option<String>,
    /// How many changes are worked on at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How often a failing check goes back to the agent; 2 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_attempts: Option<u32>,
    /// Whether the one who submitted may not decide; for tier 3 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_self_approval: Option<bool>,
}

/// The settings of a repository that are kept at the server; absent ones come from `.tiltyard.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "RepositorySettings")]
pub struct Settings {
    /// How changes land.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<String>,
    /// `safe` or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge: Option<String>,
    /// The checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<Check>>,
    /// Protected paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected: Option<Vec<Protected>>,
    /// Who decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvers: Option<String>,
    /// How many changes at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How often a failing check goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_attempts: Option<u32>,
    /// Whether the one who submitted may not decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_self_approval: Option<bool>,
}

/// A check: a program that must exit with 0 on what lands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// Wall time; ten minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
}

/// A protected path: a glob, or a glob with its tier and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Protected {
    /// Tier 2.
    Path(String),
    /// As the rule says.
    Rule(ProtectedRule),
}

/// A protected path with its tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedRule {
    /// The glob.
    pub path: String,
    /// 2 or 3; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The rules by which changes are weighed, each with where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rules {
    /// The repository.
    pub repository: String,
    /// How changes land.
    pub merge: String,
    /// `safe` or `off`.
    pub auto_merge: String,
    /// Who decides.
    pub approvers: String,
    /// How often a failing check goes back.
    pub fix_attempts: u32,
    /// The checks.
    pub checks: Vec<Check>,
    /// Every rule.
    pub rules: Vec<Rule>,
    /// What is wrong with its `.tiltyard.toml`, so that what it asks for is not in force.
    #[serde(default)]
    pub fault: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// The globs it looks at; empty for rules of size.
    pub paths: Vec<String>,
    /// The tier it gives.
    pub tier: u8,
    /// Why.
    pub reason: String,
    /// `built_in`, `.tiltyard.toml` or `server`.
    pub origin: String,
}

/// A diff to weigh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weigh {
    /// The scope, for what names none; the token's only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A unified git diff.
    pub diff: String,
}

/// How risky a diff is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Weight {
    /// 1 safe, 2 review, 3 sensitive.
    pub tier: u8,
    /// `safe review sensitive`.
    pub name: String,
    /// Why.
    pub reasons: Vec<crate::change::Reason>,
}
