//! Repositories as they are shown, and as they are asked for.

use crate::view::change::reason;
use serde_json::Value;
use tiltyard_model::change::Tier;
use tiltyard_model::change::weigh::Weight;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::repository::rules::{BaseFile, PathRule, Rules, effective};
use tiltyard_model::repository::settings::{
    Check, DEFAULT_CHECK_TIMEOUT_MS, Protected, ProtectedPath, Settings,
};
use tiltyard_model::repository::{Repository, Source};
use tiltyard_wire::repository as wire;
use tiltyard_wire::time::Time;

/// A repository.
pub(crate) fn view(known: Repository) -> wire::View {
    let base = BaseFile::of(known.rules.as_ref());
    let rules_fault = effective(&known.registration.settings, &base).fault;
    let registration = known.registration;
    let (path, url) = match registration.source {
        Source::Path(path) => (Some(path), None),
        Source::Url(url) => (None, Some(url)),
    };
    wire::View {
        scope: known.scope,
        name: registration.name,
        url,
        path,
        branch: registration.branch,
        agent: registration.agent,
        settings: settings(&registration.settings),
        state: known.state.as_str().to_owned(),
        head: known.head,
        error: known.error,
        rules_fault,
        created_at: Time(known.created_at),
        probed_at: known.probed_at.map(Time),
    }
}

fn settings(own: &Settings) -> wire::Settings {
    wire::Settings {
        merge: own.merge.map(|merge| merge.as_str().to_owned()),
        auto_merge: own.auto_merge.map(|auto| auto.as_str().to_owned()),
        checks: own.checks.as_ref().map(|checks| checks.iter().map(check).collect()),
        protected: own.protected.as_ref().map(|paths| paths.iter().map(protected).collect()),
        approvers: own.approvers.as_ref().map(ToString::to_string),
        concurrency: own.concurrency,
        fix_attempts: own.fix_attempts,
        no_self_approval: own.no_self_approval,
    }
}

fn check(check: &Check) -> wire::Check {
    let timeout_ms = Some(check.timeout_ms);
    wire::Check { name: check.name.clone(), argv: check.argv.clone(), timeout_ms }
}

fn protected(path: &Protected) -> wire::Protected {
    match path {
        Protected::Path(path) => wire::Protected::Path(path.clone()),
        Protected::Rule(rule) => wire::Protected::Rule(wire::ProtectedRule {
            path: rule.path.clone(),
            tier: Some(rule.tier.number()),
            reason: rule.reason.clone(),
        }),
    }
}

/// Where a registration says that it is.
///
/// # Errors
/// 422 when it says neither a path nor a URL, or both.
pub(crate) fn source(path: Option<String>, url: Option<String>) -> Result<Source, Refusal> {
    match (path, url) {
        (Some(path), None) => Ok(Source::Path(path)),
        (None, Some(url)) => Ok(Source::Url(url)),
        (None, None) => {
            Err(Refusal::field("/path", "say where it is: `path` on the agent's machine, or `url`"))
        }
        (Some(_), Some(_)) => {
            Err(Refusal::field("/url", "say where it is by `path` or by `url`, not by both"))
        }
    }
}

/// The settings that a registration asks for.
///
/// # Errors
/// 422 with the field whose word is none.
pub(crate) fn asked(put: &wire::Put) -> Result<Settings, Refusal> {
    let protected = put.protected.iter().flatten().enumerate().map(|(index, path)| asked_path(index, path));
    let protected = put.protected.is_some().then(|| protected.collect::<Result<Vec<_>, Refusal>>());
    let approvers = put.approvers.as_deref().map(str::parse);
    Ok(Settings {
        merge: word("/merge", put.merge.as_deref())?,
        auto_merge: word("/auto_merge", put.auto_merge.as_deref())?,
        checks: put.checks.as_ref().map(|checks| checks.iter().map(asked_check).collect()),
        protected: protected.transpose()?,
        rules: None,
        approvers: approvers.transpose().map_err(|error| Refusal::field("/approvers", format!("{error}")))?,
        concurrency: put.concurrency,
        fix_attempts: put.fix_attempts,
        no_self_approval: put.no_self_approval,
    })
}

/// A word of the model.
fn word<T: serde::de::DeserializeOwned>(field: &str, word: Option<&str>) -> Result<Option<T>, Refusal> {
    let read = word.map(|word| serde_json::from_value(Value::from(word)));
    read.transpose().map_err(|error| Refusal::field(field, error.to_string()))
}

fn asked_check(check: &wire::Check) -> Check {
    let timeout_ms = check.timeout_ms.unwrap_or(DEFAULT_CHECK_TIMEOUT_MS);
    Check { name: check.name.clone(), argv: check.argv.clone(), timeout_ms }
}

fn asked_path(index: usize, path: &wire::Protected) -> Result<Protected, Refusal> {
    let rule = match path {
        wire::Protected::Path(path) => return Ok(Protected::Path(path.clone())),
        wire::Protected::Rule(rule) => rule,
    };
    let tier = Tier::from_number(rule.tier.unwrap_or(Tier::Review.number()));
    let bad = || Refusal::field(format!("/protected/{index}/tier"), "must be 2 or 3");
    let tier = tier.filter(|tier| *tier != Tier::Safe).ok_or_else(bad)?;
    Ok(Protected::Rule(ProtectedPath { path: rule.path.clone(), tier, reason: rule.reason.clone() }))
}

/// The rules by which its changes are weighed.
pub(crate) fn rules(repository: String, rules: &Rules) -> wire::Rules {
    wire::Rules {
        repository,
        merge: rules.merge.as_str().to_owned(),
        auto_merge: rules.auto_merge.as_str().to_owned(),
        approvers: rules.approvers.to_string(),
        fix_attempts: rules.fix_attempts,
        checks: rules.checks.iter().map(check).collect(),
        rules: rules.paths.iter().map(rule).collect(),
        fault: rules.fault.clone(),
    }
}

fn rule(rule: &PathRule) -> wire::Rule {
    wire::Rule {
        id: rule.id.clone(),
        paths: rule.paths.clone(),
        tier: rule.tier.number(),
        reason: rule.reason.clone(),
        origin: rule.origin.as_str().to_owned(),
    }
}

/// How risky a diff is.
pub(crate) fn weight(weight: &Weight) -> wire::Weight {
    wire::Weight {
        tier: weight.tier.number(),
        name: weight.tier.as_str().to_owned(),
        reasons: weight.reasons.iter().cloned().map(reason).collect(),
    }
}
