//! Licences: what the packages ask of whoever passes them on.

use super::RULES;
use crate::tidy::{Finding, House};
use serde_json::Value;
use std::process::Command;
use toml::Table;

pub(super) fn licences(house: &House) -> Vec<Finding> {
    let Some(rules) = house.tree.text(RULES) else { return Vec::new() };
    let allowed = allowed(rules);
    let packages = match metadata() {
        Ok(packages) => packages,
        Err(reason) => return vec![Finding::new("Cargo.lock", 0, format!("cargo metadata: {reason}"))],
    };
    let wrong = packages.iter().filter(|(_, licence)| !is_fine(licence, &allowed));
    wrong
        .map(|(name, licence)| Finding::new("Cargo.lock", 0, format!("{name} is under `{licence}`")))
        .collect()
}

/// `licenses.allow` of deny.toml.
fn allowed(rules: &str) -> Vec<String> {
    let table = rules.parse::<Table>().unwrap_or_default();
    let list =
        table.get("licenses").and_then(|own| own.get("allow")).and_then(toml::Value::as_array).cloned();
    list.unwrap_or_default().iter().filter_map(|own| own.as_str().map(str::to_owned)).collect()
}

/// Every package that cargo resolves for this machine, with its licence expression.
fn metadata() -> Result<Vec<(String, String)>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["metadata", "--format-version=1", "--locked"];
    let output = Command::new(cargo)
        .args(args)
        .current_dir(crate::tree::root())
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let value: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let text =
        |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or("none").to_owned();
    let packages = value.get("packages").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(packages.iter().map(|own| (text(own, "name"), text(own, "license"))).collect())
}

/// Whether an SPDX expression can be met by allowed licences: one side of each OR, both of each AND.
fn is_fine(licence: &str, allowed: &[String]) -> bool {
    let spaced = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut fine = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        fine |= all(words, at, allowed);
    }
    fine
}

fn all(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut fine = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        fine &= one(words, at, allowed);
    }
    fine
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let fine = any(words, at, allowed);
        *at += 1;
        return fine;
    }
    if words.get(*at) == Some(&"WITH") {
        let whole = words[*at - 1..words.len().min(*at + 2)].join(" ");
        *at += 2;
        return allowed.contains(&whole);
    }
    allowed.iter().any(|own| own == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec22_licence_expressions_are_weighed() {
        let allowed =
            allowed("[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Apache-2.0 WITH LLVM-exception\"]");
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(MIT OR X) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_fine(good, &allowed), "{good}");
        }
        for bad in
            ["none", "", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR X) AND GPL-3.0", "MIT MIT", "MIT WITH X"]
        {
            assert!(!is_fine(bad, &allowed), "{bad}");
        }
    }
}
