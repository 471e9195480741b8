//! Gen: `contracts/` is written from the wire types and compared with what is committed.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

const FOLDER: &str = "contracts";
/// Written by hand: what each version of the schemas changed.
const BY_HAND: &[&str] = &["VERSIONS.md"];

/// One generated file: its path below `contracts/` and its text.
type Made = (String, String);

fn made() -> Vec<Made> {
    tiltyard_wire::contract::files()
}

/// Writes every file, and removes what is generated no more.
pub(crate) fn write() -> Result<ExitCode> {
    let (folder, made) = (crate::tree::root().join(FOLDER), made());
    let drift = drift(&folder, &made)?;
    for (path, text) in &made {
        let place = folder.join(path);
        std::fs::create_dir_all(place.parent().unwrap_or(&folder))?;
        std::fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
    }
    for orphan in drift.orphans {
        std::fs::remove_file(folder.join(&orphan)).with_context(|| format!("removing {orphan}"))?;
    }
    println!("gen: {} files in {FOLDER}/, {} of them changed", made.len(), drift.differing.len());
    Ok(ExitCode::SUCCESS)
}

/// Fails when a committed file is not what [`write()`] would write.
pub(crate) fn check() -> Result<ExitCode> {
    let made = made();
    let drift = drift(&crate::tree::root().join(FOLDER), &made)?;
    if drift.differing.is_empty() && drift.orphans.is_empty() {
        println!("gen: {} files in {FOLDER}/ are up to date", made.len());
        return Ok(ExitCode::SUCCESS);
    }
    for path in drift.differing.iter().chain(&drift.orphans) {
        eprintln!("{FOLDER}/{path} is not what the wire types say");
    }
    eprintln!("gen: run `make gen`, read the difference, and tell of it in {FOLDER}/VERSIONS.md");
    Ok(ExitCode::FAILURE)
}

/// How the folder differs from what is made.
#[derive(Debug, Default, PartialEq, Eq)]
struct Drift {
    /// Made, and missing or different in the folder.
    differing: Vec<String>,
    /// In the folder, and not made.
    orphans: Vec<String>,
}

fn drift(folder: &Path, made: &[Made]) -> Result<Drift> {
    let present = present(folder, folder)?;
    let names: BTreeSet<&str> = made.iter().map(|(path, _)| path.as_str()).collect();
    let differs =
        |(path, text): &&Made| std::fs::read_to_string(folder.join(path)).ok().as_ref() != Some(text);
    let orphan = |path: &String| !names.contains(path.as_str()) && !BY_HAND.contains(&path.as_str());
    Ok(Drift {
        differing: made.iter().filter(differs).map(|(path, _)| path.clone()).collect(),
        orphans: present.into_iter().filter(orphan).collect(),
    })
}

/// Paths of all files below `folder`, as seen from `root`; none when it does not exist.
fn present(root: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    if !folder.is_dir() {
        return Ok(paths);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            paths.extend(present(root, &path)?);
        } else if let Ok(below) = path.strip_prefix(root) {
            paths.push(below.to_string_lossy().replace('\\', "/"));
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_of(files: &[(&str, &str)]) -> Vec<Made> {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    /// API: a checked-in copy under `contracts/` that drifts fails.
    #[test]
    fn drift_is_what_is_missing_different_or_left_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let put =
            |path: &str, text: &str| std::fs::write(folder.path().join(path), text).expect("is written");
        put("a.json", "1");
        put("b.json", "old");
        put("left.json", "");
        put("VERSIONS.md", "by hand");
        let made = made_of(&[("a.json", "1"), ("b.json", "new"), ("schema/c.json", "2")]);
        let drift = drift(folder.path(), &made).expect("the folder is read");
        assert_eq!(drift.differing, ["b.json", "schema/c.json"]);
        assert_eq!(drift.orphans, ["left.json"]);
    }

    #[test]
    fn contracts_are_what_the_wire_types_say() {
        let drift = drift(&crate::tree::root().join(FOLDER), &made()).expect("the folder is read");
        assert_eq!(drift, Drift::default(), "run `make gen`");
    }
}
