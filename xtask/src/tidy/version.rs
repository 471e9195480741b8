//! The version: the change log knows it.

use super::{Finding, House, Law};
use toml::{Table, Value};

pub(super) const LAW: Law = Law {
    name: "version",
    why: "a version that the change log does not know is one that nobody can tell from the last",
    mend: "add `## <version>` to CHANGELOG.md with a line for each change that a user can see",
    check,
};

fn check(house: &House) -> Vec<Finding> {
    let Some(manifest) = house.tree.text("Cargo.toml") else { return Vec::new() };
    let Some(version) = version(manifest) else {
        return vec![Finding::new("Cargo.toml", 0, "has no [workspace.package] version")];
    };
    let log = house.tree.text("CHANGELOG.md").unwrap_or_default();
    let known = log.lines().any(|line| {
        line.strip_prefix("## ").and_then(|rest| rest.split_whitespace().next()) == Some(&version)
    });
    if known {
        Vec::new()
    } else {
        vec![Finding::new("CHANGELOG.md", 0, format!("does not tell of {version}"))]
    }
}

fn version(manifest: &str) -> Option<String> {
    let table = manifest.parse::<Table>().ok()?;
    let package = table.get("workspace")?.get("package")?;
    package.get("version").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_log_knows_the_version() {
        let manifest = ("Cargo.toml", "[workspace.package]\nversion = \"0.2.0\"");
        assert_eq!(check(&House::of(&[manifest, ("CHANGELOG.md", "## 0.1.0\n")])).len(), 1);
        assert_eq!(check(&House::of(&[manifest, ("CHANGELOG.md", "## 0.2.0 (soon)\n")])).len(), 0);
        assert_eq!(check(&House::of(&[("Cargo.toml", "")])).len(), 1);
    }
}
