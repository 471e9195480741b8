//! Packages: how many others we depend on, which of them, and under which licences.

mod duplicate;
mod licence;

use super::{Finding, House, Law};
use toml::{Table, Value};

pub(super) const COUNT: Law = Law {
    name: "package-count",
    why: "each package is code that nobody here reads and everybody here compiles, updates and trusts",
    mend: "drop a feature or a dependency; a few lines of our own are cheaper than a package for a few lines",
    check: count,
};

pub(super) const LICENCE: Law = Law {
    name: "package-licence",
    why: "SEC22: one package under a licence that asks for more than a notice changes what everybody may do with the whole",
    mend: "use another package, or argue for the licence in deny.toml",
    check: licence::licences,
};

pub(super) const DUPLICATE: Law = Law {
    name: "package-duplicate",
    why: "SEC22: two versions of one package are compiled, audited and carried twice, and their types do not meet",
    mend: "raise what asks for the older one; if others hold it there, name it with the reason under `bans.skip` of deny.toml",
    check: duplicate::duplicates,
};

pub(super) const BANNED: Law = Law {
    name: "package-banned",
    why: "SEC22: some packages are replaced by others here, and come back through a careless feature of a third",
    mend: "switch the feature off that brings it in (`cargo tree --invert NAME`); the reason stands in deny.toml",
    check: duplicate::banned,
};

pub(super) const SOURCE: Law = Law {
    name: "package-source",
    why: "SEC22: what comes from elsewhere than the registry has no checksum that others have seen, and may change under its version",
    mend: "take a release from crates.io; what `[patch]` or `git =` brings in is somebody's copy",
    check: sources,
};

/// Where packages come from, as `sources` of deny.toml has it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Most packages in the lock file, ours included.
const MAX_PACKAGES: usize = 600;
const LOCK: &str = "Cargo.lock";
const RULES: &str = "deny.toml";

fn count(house: &House) -> Vec<Finding> {
    let packages = packages(house.tree.text(LOCK).unwrap_or_default()).len();
    if packages < MAX_PACKAGES {
        return Vec::new();
    }
    vec![Finding::new(LOCK, 0, format!("{packages} packages; below {MAX_PACKAGES} is the limit"))]
}

fn sources(house: &House) -> Vec<Finding> {
    let table = house.tree.text(LOCK).unwrap_or_default().parse::<Table>().unwrap_or_default();
    let list = table.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    let odd = |package: &Value| {
        let text = |key: &str| package.get(key).and_then(Value::as_str);
        // Ours have no source.
        let source = text("source")?;
        let sound = source == REGISTRY && text("checksum").is_some();
        let name = text("name").unwrap_or_default();
        (!sound).then(|| Finding::new(LOCK, 0, format!("{name} comes from {source}, or without a checksum")))
    };
    list.iter().filter_map(odd).collect()
}

/// Name and version of every package in a lock file.
pub(super) fn packages(lock: &str) -> Vec<(String, String)> {
    let table = lock.parse::<Table>().unwrap_or_default();
    let list = table.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    list.iter().filter_map(|own| Some((text(own, "name")?, text(own, "version")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // SEC22: from the registry, with a checksum, or ours.
    #[test]
    fn sec22_packages_come_from_the_registry() {
        let found = |lines: &str| {
            let lock = format!("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n{lines}");
            sources(&House::of(&[(LOCK, &lock)])).len()
        };
        assert_eq!(found(""), 0);
        assert_eq!(found(&format!("source = \"{REGISTRY}\"\nchecksum = \"00\"\n")), 0);
        assert_eq!(found(&format!("source = \"{REGISTRY}\"\n")), 1);
        assert_eq!(found("source = \"git+https://example.org/a#0\"\n"), 1);
    }

    #[test]
    fn packages_are_counted() {
        let lock = |packages| "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n".repeat(packages);
        assert_eq!(count(&House::of(&[(LOCK, &lock(MAX_PACKAGES))])).len(), 1);
        assert_eq!(count(&House::of(&[(LOCK, &lock(MAX_PACKAGES - 1))])).len(), 0);
    }
}
