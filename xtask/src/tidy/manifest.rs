//! Manifests: every crate obeys the workspace's lints.

use super::{Finding, House, Law};
use toml::{Table, Value};

pub(super) const LAW: Law = Law {
    name: "manifest",
    why: "a crate that forgets `[lints] workspace = true` silently has no lints at all, and one version in one place cannot drift",
    mend: "copy the head of crates/model/Cargo.toml: version, edition, licence and lints come from the workspace",
    check,
};

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

fn check(house: &House) -> Vec<Finding> {
    let manifests = house.tree.under("", "Cargo.toml").filter(|file| file.path != "Cargo.toml");
    manifests
        .flat_map(|file| faults(&file.text).into_iter().map(|what| Finding::new(&file.path, 0, what)))
        .collect()
}

fn faults(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<Table>() else { return vec!["is not TOML".to_owned()] };
    let inherits = |section: &str, key: Option<&str>| {
        let section = table.get(section).and_then(Value::as_table)?;
        let place = key.map_or(Some(section), |key| section.get(key)?.as_table())?;
        place.get("workspace")?.as_bool()
    };
    let mut faults: Vec<String> = INHERITED
        .iter()
        .filter(|key| inherits("package", Some(key)) != Some(true))
        .map(|key| format!("`{key}` is not the workspace's"))
        .collect();
    if inherits("lints", None) != Some(true) {
        faults.push("`[lints] workspace = true` is missing".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_inherited_is_told() {
        assert_eq!(faults("[package]\nversion = \"1\"").len(), 6);
        let keys: String = INHERITED.iter().map(|key| format!("{key}.workspace = true\n")).collect();
        assert!(faults(&format!("[package]\n{keys}[lints]\nworkspace = true")).is_empty());
    }
}
