//! The rules that a change is judged by: those of its base, with the server's setting for the repository on
//! top, key by key, and the built-in ones always (C20).

use super::builtin::{self, CHECK_PROGRAM};
use super::executed;
use super::settings::{AutoMerge, Check, MergeMethod, Protected, RiskRule, Settings};
use crate::change::Tier;
use crate::change::work::{MAX_RULES_BYTES, RulesFile};
use crate::gate::quorum::Quorum;
use crate::gate::{Reduction, SelfApproval};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many changes are checked at once when nothing says so.
pub const DEFAULT_CONCURRENCY: u32 = 2;
/// How often red checks go back to the agent when nothing says so (C21).
pub const DEFAULT_FIX_ATTEMPTS: u32 = 2;
/// Approvals that a sensitive change needs at least (C22).
pub const SENSITIVE_APPROVALS: u32 = 2;

/// Where a rule came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Every repository has it.
    BuiltIn,
    /// `.tiltyard.toml` of the base.
    File,
    /// The server's setting for the repository.
    Server,
}

impl Origin {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in",
            Self::File => super::file::NAME,
            Self::Server => "server",
        }
    }
}

/// Whether a rule looks at documentation too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prose {
    /// It does.
    Covered,
    /// A page about it is not the thing itself.
    Spared,
}

/// One rule: these paths are of that tier, for that reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PathRule {
    /// Its name, as reasons say it.
    pub id: String,
    /// The tier that it gives.
    pub tier: Tier,
    /// Why.
    pub reason: String,
    /// The patterns.
    pub paths: Vec<String>,
    /// Whether it looks at documentation.
    pub prose: Prose,
    /// Where it came from.
    pub origin: Origin,
}

/// What the base says.
#[derive(Debug, Clone, PartialEq)]
pub enum BaseFile {
    /// It has no `.tiltyard.toml`.
    Absent,
    /// It has this one.
    Read(Settings),
    /// It has one that cannot be read, for this reason.
    Broken(String),
}

impl BaseFile {
    /// What an agent read at the base. A text that is too long to travel counts as one that cannot be read.
    pub fn of(found: Option<&RulesFile>) -> Self {
        match found.map(|file| file.text.as_deref()) {
            None => Self::Absent,
            Some(None) => {
                Self::Broken(format!("{} has more than {MAX_RULES_BYTES} bytes", super::file::NAME))
            }
            Some(Some(text)) => match super::file::parse(text) {
                Ok(settings) => Self::Read(settings),
                Err(bad) => Self::Broken(bad.to_string()),
            },
        }
    }
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rules {
    /// How a change lands.
    pub merge: MergeMethod,
    /// Whether tier 1 merges by itself.
    pub auto_merge: AutoMerge,
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// How many changes are checked at once.
    pub concurrency: u32,
    /// How often red checks go back to the agent.
    pub fix_attempts: u32,
    /// Who decides.
    pub approvers: Quorum,
    /// Whether nobody decides on what they submitted; `None` is: for tier 3.
    pub no_self_approval: Option<bool>,
    /// The rules for paths, those that a person wrote first.
    pub paths: Vec<PathRule>,
    /// Why the base's file could not be used: what it asked for is not known, so nothing lands by these rules.
    pub fault: Option<String>,
}

/// Puts the base's file and the server's setting together. Where both name a key, the server's value stands.
pub fn effective(server: &Settings, base: &BaseFile) -> Rules {
    let empty = Settings::default();
    let (file, fault) = match base {
        BaseFile::Absent => (&empty, None),
        BaseFile::Read(settings) => (settings, None),
        BaseFile::Broken(why) => (&empty, (!says_all(server)).then(|| why.clone())),
    };
    let checks = either(server.checks.as_ref(), file.checks.as_ref()).unwrap_or_default();
    let approvers = either(server.approvers.as_ref(), file.approvers.as_ref()).unwrap_or_default();
    Rules {
        merge: server.merge.or(file.merge).unwrap_or_default(),
        auto_merge: server.auto_merge.or(file.auto_merge).unwrap_or_default(),
        concurrency: server.concurrency.or(file.concurrency).unwrap_or(DEFAULT_CONCURRENCY),
        fix_attempts: server.fix_attempts.or(file.fix_attempts).unwrap_or(DEFAULT_FIX_ATTEMPTS),
        no_self_approval: server.no_self_approval.or(file.no_self_approval),
        approvers,
        paths: path_rules(server, file, &checks),
        checks,
        fault,
    }
}

/// Whether the server's setting names each key that guards: then nothing of the base's file would have been in force.
const fn says_all(server: &Settings) -> bool {
    server.checks.is_some()
        && server.protected.is_some()
        && server.rules.is_some()
        && server.approvers.is_some()
        && server.no_self_approval.is_some()
}

fn either<T: Clone>(server: Option<&T>, file: Option<&T>) -> Option<T> {
    server.or(file).cloned()
}

fn path_rules(server: &Settings, file: &Settings, checks: &[Check]) -> Vec<PathRule> {
    let mut paths = Vec::new();
    match (&server.rules, &file.rules) {
        (Some(rules), _) => paths.extend(rules.iter().map(|rule| risk_rule(rule, Origin::Server))),
        (None, Some(rules)) => paths.extend(rules.iter().map(|rule| risk_rule(rule, Origin::File))),
        (None, None) => {}
    }
    match (&server.protected, &file.protected) {
        (Some(list), _) => paths.extend(list.iter().map(|path| protected_rule(path, Origin::Server))),
        (None, Some(list)) => paths.extend(list.iter().map(|path| protected_rule(path, Origin::File))),
        (None, None) => {}
    }
    paths.extend(check_programs(checks));
    paths.extend(builtin::rules());
    paths
}

fn risk_rule(rule: &RiskRule, origin: Origin) -> PathRule {
    PathRule {
        id: rule.id.clone(),
        tier: rule.tier,
        reason: rule.reason.clone(),
        paths: rule.paths.clone(),
        prose: Prose::Covered,
        origin,
    }
}

fn protected_rule(path: &Protected, origin: Origin) -> PathRule {
    PathRule {
        id: "protected".to_owned(),
        tier: path.tier(),
        reason: path.reason().unwrap_or("a protected path").to_owned(),
        paths: vec![path.path().to_owned()],
        prose: Prose::Covered,
        origin,
    }
}

/// The rules of files that the checks name in their commands: what runs a check decides what it finds.
fn check_programs(checks: &[Check]) -> Vec<PathRule> {
    let mut paths: Vec<String> = checks.iter().flat_map(|check| executed::files(&check.argv)).collect();
    paths.sort_unstable();
    paths.dedup();
    // A command can be long, and a rule is not: several of them hold what one cannot.
    paths.chunks(super::settings::MAX_RULE_PATTERNS).map(check_program).collect()
}

fn check_program(paths: &[String]) -> PathRule {
    PathRule {
        id: CHECK_PROGRAM.to_owned(),
        tier: Tier::Review,
        reason: "a check executes it".to_owned(),
        paths: paths.to_vec(),
        prose: Prose::Covered,
        origin: Origin::BuiltIn,
    }
}

/// What the gate of a change asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asks {
    /// Who decides and how many.
    pub quorum: Quorum,
    /// Whether the submitter may.
    pub self_approval: SelfApproval,
    /// Whether one lone person may decide by being asked twice (D26).
    pub reduction: Reduction,
}

impl Rules {
    /// The digest of what a change is judged by, 64 hex digits in lower case. How many are checked at once and how
    /// often one goes back judges nothing.
    pub fn sha256(&self) -> String {
        let judging = Self { concurrency: 0, fix_attempts: 0, ..self.clone() };
        hex::encode(Sha256::digest(serde_json::to_vec(&judging).unwrap_or_default()))
    }

    /// What the gate of a change of this tier asks for: for tier 3 two approvals, none of them the submitter's.
    pub fn asks(&self, tier: Tier) -> Asks {
        let sensitive = tier == Tier::Sensitive;
        let quorum = self.approvers.clone();
        let quorum = if sensitive { quorum.at_least(SENSITIVE_APPROVALS) } else { quorum };
        let forbidden = self.no_self_approval.unwrap_or(sensitive);
        let self_approval = if forbidden { SelfApproval::Forbidden } else { SelfApproval::Allowed };
        let reduction = if sensitive || forbidden { Reduction::WhenAlone } else { Reduction::Never };
        Asks { quorum, self_approval, reduction }
    }
}
