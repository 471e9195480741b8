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

    #[test]
    fn packages_are_counted() {
        let lock = |packages| "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n".repeat(packages);
        assert_eq!(count(&House::of(&[(LOCK, &lock(MAX_PACKAGES))])).len(), 1);
        assert_eq!(count(&House::of(&[(LOCK, &lock(MAX_PACKAGES - 1))])).len(), 0);
    }
}
