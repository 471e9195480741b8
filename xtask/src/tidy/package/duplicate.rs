//! Duplicates and bans: which packages may be there twice, and which not at all.

use super::{LOCK, RULES, packages};
use crate::tidy::{Finding, House};
use std::collections::BTreeMap;
use toml::{Table, Value};

pub(super) fn duplicates(house: &House) -> Vec<Finding> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version) in packages(house.tree.text(LOCK).unwrap_or_default()) {
        versions.entry(name).or_default().push(version);
    }
    let skipped = specs(house, "skip");
    let mut findings = Vec::new();
    for (name, found) in &versions {
        let unexcused: Vec<_> =
            found.iter().filter(|version| !skipped.contains(&format!("{name}@{version}"))).collect();
        if unexcused.len() > 1 {
            findings.push(Finding::new(LOCK, 0, format!("{name} is there as {unexcused:?}")));
        }
    }
    let needless = skipped.iter().filter(|spec| !is_needed(spec, &versions));
    findings.extend(
        needless.map(|spec| Finding::new(RULES, 0, format!("skips {spec}, which is no second version"))),
    );
    findings
}

/// Whether a skipped `name@version` is one of several versions.
fn is_needed(spec: &str, versions: &BTreeMap<String, Vec<String>>) -> bool {
    let Some((name, version)) = spec.split_once('@') else { return false };
    versions.get(name).is_some_and(|found| found.len() > 1 && found.iter().any(|own| own == version))
}

pub(super) fn banned(house: &House) -> Vec<Finding> {
    let packages = packages(house.tree.text(LOCK).unwrap_or_default());
    let found = specs(house, "deny").into_iter().filter(|name| packages.iter().any(|(own, _)| own == name));
    found.map(|name| Finding::new(LOCK, 0, format!("{name} is banned by {RULES}"))).collect()
}

/// The packages of one list of `[bans]`.
fn specs(house: &House, list: &str) -> Vec<String> {
    let rules = house.tree.text(RULES).unwrap_or_default().parse::<Table>().unwrap_or_default();
    let entries = rules.get("bans").and_then(|bans| bans.get(list)).and_then(Value::as_array).cloned();
    let spec = |entry: &Value| entry.get("crate").and_then(Value::as_str).map(str::to_owned);
    entries.unwrap_or_default().iter().filter_map(spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: &str =
        "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n";

    fn faults(check: fn(&House) -> Vec<Finding>, lock: &str, rules: &str) -> usize {
        check(&House::of(&[(LOCK, lock), (RULES, rules)])).len()
    }

    #[test]
    fn sec22_second_versions_need_a_reason() {
        let skip = |spec: &str| format!("[bans]\nskip = [{{ crate = \"{spec}\", reason = \"b holds it\" }}]");
        assert_eq!(faults(duplicates, TWICE, ""), 1);
        assert_eq!(faults(duplicates, TWICE, &skip("a@1.0.0")), 0);
        assert_eq!(faults(duplicates, TWICE, &skip("a@3.0.0")), 2, "unexcused, and skipped for nothing");
        let once = &TWICE[..TWICE.len() / 2];
        assert_eq!((faults(duplicates, once, ""), faults(duplicates, once, &skip("a@1.0.0"))), (0, 1));
    }

    #[test]
    fn sec22_banned_packages_are_found() {
        let ban = |name: &str| format!("[bans]\ndeny = [{{ crate = \"{name}\", reason = \"c does it\" }}]");
        assert_eq!((faults(banned, TWICE, &ban("a")), faults(banned, TWICE, &ban("b"))), (1, 0));
    }
}
