//! The small git project of the demo, made from files that are built into the program.

use crate::exit::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The branch that changes land on.
pub(super) const BRANCH: &str = "main";

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/", $folder, "/", $name)))),+]
    };
}

const SHOP: &[(&str, &str)] = files!("shop":
    ".tiltyard.toml", "README.md", "pricing/discount", "pricing/loaf", "tests/run.sh", "till/total.sh");
const IDEAS: &[(&str, &str)] = files!("idea": "discount.sh", "hours.sh", "import.sh");

/// A git repository with the work tree checked out.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) folder: PathBuf,
    /// The commit that it begins with.
    pub(super) first: String,
}

/// A commit of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Landed {
    pub(super) commit: String,
    pub(super) tree: String,
    pub(super) subject: String,
}

impl Project {
    /// Makes it in `folder`, and beside it the programs of the ideas.
    pub(super) fn make(folder: &Path) -> Result<Self, Failure> {
        write(&folder.join("idea"), IDEAS)?;
        let folder = folder.join("shop");
        write(&folder, SHOP)?;
        git(&folder, &["init", "--quiet", &format!("--initial-branch={BRANCH}")])?;
        git(&folder, &["config", "user.name", "Corner shop"])?;
        git(&folder, &["config", "user.email", "shop@example.org"])?;
        git(&folder, &["add", "--all"])?;
        git(&folder, &["commit", "--quiet", "--message", "The till, its prices and its tests"])?;
        let first = git(&folder, &["rev-parse", "HEAD"])?;
        Ok(Self { folder, first })
    }

    /// How many files it has.
    pub(super) const fn files() -> usize {
        SHOP.len()
    }

    /// What landed on the target since the beginning, oldest first.
    pub(super) fn landed(&self) -> Result<Vec<Landed>, Failure> {
        let range = format!("{}..refs/heads/{BRANCH}", self.first);
        let text = git(&self.folder, &["log", "--reverse", "--format=%H%x09%T%x09%s", &range])?;
        let landed = text.lines().map(|line| {
            let mut fields = line.splitn(3, '\t').map(str::to_owned);
            let mut next = || fields.next().unwrap_or_default();
            Landed { commit: next(), tree: next(), subject: next() }
        });
        Ok(landed.collect())
    }

    /// Runs the project's tests on a commit, in a clone of its own: nobody's word is taken for it.
    pub(super) fn passes(&self, commit: &str, clone: &Path) -> Result<bool, Failure> {
        let from = self.folder.display().to_string();
        let to = clone.display().to_string();
        git(&self.folder, &["clone", "--quiet", "--no-hardlinks", "--no-checkout", &from, &to])?;
        git(clone, &["checkout", "--quiet", "--detach", commit])?;
        let tests = Command::new("sh").arg("tests/run.sh").current_dir(clone).output()?;
        Ok(tests.status.success())
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) -> Result<(), Failure> {
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)?;
    }
    Ok(())
}

/// Runs git without the settings of whoever watches: no hook, no signature, no other identity.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| {
        Failure::failed(format!("git cannot be started: {error}"))
            .hint("install git from https://git-scm.com/downloads")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::failed(format!("git {} failed: {}", arguments.join(" "), said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::repository::file::parse;

    // O40: a small git project with its own tests, which pass before anything is changed.
    #[test]
    fn o40_the_project_stands_on_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::make(folder.path()).expect("is made");
        assert_eq!(project.landed().expect("reads"), []);
        assert!(project.passes(&project.first, &folder.path().join("proof")).expect("runs"));
        for (name, _) in IDEAS {
            assert!(folder.path().join("idea").join(name).exists());
        }
    }

    // O40: a change that breaks a test is noticed.
    #[test]
    fn o40_its_tests_can_fail() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::make(folder.path()).expect("is made");
        std::fs::write(project.folder.join("pricing/discount"), "70\n").expect("writes");
        git(&project.folder, &["commit", "--quiet", "--all", "--message", "Too kind"]).expect("commits");
        let landed = project.landed().expect("reads");
        assert_eq!(landed[0].subject, "Too kind");
        assert!(!project.passes(&landed[0].commit, &folder.path().join("proof")).expect("runs"));
    }

    // O40: its rules protect the path that the second idea edits, and let safe changes through.
    #[test]
    fn o40_its_rules_are_rules() {
        let (_, text) = SHOP.iter().find(|(name, _)| *name == ".tiltyard.toml").expect("is there");
        let settings = parse(text).expect("is right");
        assert!(settings.auto_merge.is_some() && settings.protected.is_some() && settings.checks.is_some());
    }
}
