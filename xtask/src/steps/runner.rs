//! The runner: starts cargo for a step and passes on what it prints.

use super::{End, versions};
use crate::tally::{Tally, of_line};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a developer's environment would change about a test's result.
const PERSONAL: &[&str] = &[
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_CONFIG_GLOBAL",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "ADMIN_TOKEN",
    "NO_COLOR",
];

/// Runs the commands of the steps, and counts the tests.
pub(super) struct Runner {
    cargo: OsString,
    /// An empty HOME for the tests: they must pass on a stranger's machine.
    home: PathBuf,
    pub(super) tally: Tally,
}

impl Runner {
    pub(super) fn new() -> Result<Self> {
        let home = std::env::temp_dir().join(format!("tiltyard-test-home-{}", std::process::id()));
        std::fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Ok(Self { cargo, home, tally: Tally::default() })
    }

    /// One cargo command whose exit status is the step's end.
    pub(super) fn cargo(&self, args: &[&str]) -> Result<End> {
        end_of(&mut self.command(args))
    }

    /// The documentation of every item, private ones too: a link in a comment leads somewhere.
    pub(super) fn documentation(&self) -> Result<End> {
        let mut command = self.command(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
        // What a public page says of a private item is read here with the private items in it.
        command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links");
        end_of(&mut command)
    }

    /// SEC22: advisories, bans, licences and sources, where cargo-deny is installed.
    pub(super) fn deny(&self) -> Result<End> {
        if !self.has("deny") {
            return Ok(End::Skipped(
                "cargo-deny is not installed (tidy checks licences and counts all the same)",
            ));
        }
        self.cargo(&["deny", "--workspace", "check"])
    }

    /// All tests but those in documentation; nextest runs them when it is there.
    pub(super) fn tests(&mut self, filter: &[&str]) -> Result<End> {
        let head: &[&str] = if self.has("nextest") {
            &["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"]
        } else {
            &["test", "--workspace", "--no-fail-fast", "--all-targets"]
        };
        self.counted(&[head, filter].concat())
    }

    /// The suites of deeds and of the API once more, on a shared store (E11). What is about the embedded store's file says so
    /// by the end of its name.
    pub(super) fn shared_suites(&mut self) -> Result<End> {
        // The whole workspace, as before: a part of it would be built anew, with fewer features.
        let args: &[&str] = if self.has("nextest") {
            let which = "(package(tiltyard-engine) or package(tiltyard-server)) and kind(test) \
                         and not binary(simulation) and not binary(parity) and not test(/_embedded$/)";
            &["nextest", "run", "--workspace", "--no-fail-fast", "-E", which]
        } else {
            let suites =
                ["--test", "task", "--test", "noun", "--test", "change", "--test", "api", "--test", "edge"];
            let rest =
                ["--test", "live", "--test", "completeness", "--no-fail-fast", "--", "--skip", "_embedded"];
            &[&["test", "--workspace"], &suites[..], &rest[..]].concat()
        };
        self.counted_with(args, &[("TILTYARD_TEST_STORE", "postgres")])
    }

    /// What the store promises, on the oldest and the newest PostgreSQL that it is promised of (E11).
    pub(super) fn versions(&mut self) -> Result<End> {
        if !versions::IS_FOR_THIS {
            return Ok(End::Skipped("there are no packages of other PostgreSQLs for this machine"));
        }
        let args: &[&str] = if self.has("nextest") {
            let which = "package(tiltyard-store) and (binary(conformance) or binary(postgres))";
            &["nextest", "run", "--workspace", "--no-fail-fast", "-E", which]
        } else {
            &["test", "--workspace", "--no-fail-fast", "--test", "conformance", "--test", "postgres"]
        };
        let mut end = End::Ok;
        for programs in versions::there()? {
            let programs = programs.to_string_lossy();
            if self.counted_with(args, &[("TILTYARD_TEST_POSTGRES_BIN", &*programs)])? == End::Failed {
                end = End::Failed;
            }
        }
        Ok(end)
    }

    /// The stories of a shared store's bad luck, one after the other, each for minutes.
    pub(super) fn soak(&mut self, filter: &[&str]) -> Result<End> {
        let stories: &[&str] = if filter.is_empty() { &["fleet::"] } else { filter };
        let (head, tail): (&[&str], &[&str]) = if self.has("nextest") {
            (&["nextest", "run", "--profile", "soak"], &["--no-capture"])
        } else {
            (&["test"], &["--", "--nocapture", "--test-threads=1"])
        };
        let program = ["--package", "tiltyard", "--test", "chaos"];
        self.counted_with(&[head, &program, stories, tail].concat(), &[("SOAK", "1")])
    }

    /// Examples in documentation.
    pub(super) fn doc_tests(&mut self) -> Result<End> {
        self.counted(&["test", "--workspace", "--doc", "--no-fail-fast"])
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(args).current_dir(crate::tree::root());
        if std::io::stderr().is_terminal() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        command
    }

    fn has(&self, subcommand: &str) -> bool {
        let quiet =
            self.command(&[subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    /// Runs tests as on a stranger's machine, passes their output on and counts them.
    fn counted(&mut self, args: &[&str]) -> Result<End> {
        self.counted_with(args, &[])
    }

    fn counted_with(&mut self, args: &[&str], variables: &[(&str, &str)]) -> Result<End> {
        let mut command = self.command(args);
        stranger(&mut command, &self.home);
        command.envs(variables.iter().copied());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting the tests")?;
        let (out, err) =
            (child.stdout.take().context("no stdout")?, child.stderr.take().context("no stderr")?);
        let errors = std::thread::spawn(move || pass_on(err, &mut std::io::stderr()));
        self.tally += pass_on(out, &mut std::io::stdout());
        self.tally += errors.join().unwrap_or_default();
        Ok(if child.wait()?.success() { End::Ok } else { End::Failed })
    }
}

fn end_of(command: &mut Command) -> Result<End> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    Ok(if status.success() { End::Ok } else { End::Failed })
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.home) {
            eprintln!("xtask: {} stays behind: {error}", self.home.display());
        }
    }
}

/// An empty HOME and nobody's settings; cargo and rustup keep the homes they have.
fn stranger(command: &mut Command, home: &Path) {
    let real = std::env::home_dir().unwrap_or_default();
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        command.env(name, std::env::var_os(name).unwrap_or_else(|| real.join(folder).into()));
    }
    let own = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("TILTYARD_"));
    for name in PERSONAL.iter().map(OsString::from).chain(own) {
        command.env_remove(name);
    }
    command.env("HOME", home);
}

/// Copies a stream line by line and adds up the summaries in it.
fn pass_on(from: impl Read, to: &mut impl Write) -> Tally {
    let mut sum = Tally::default();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        sum += of_line(&line).unwrap_or_default();
        // A closed terminal must not end the tests.
        let _closed = writeln!(to, "{line}");
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_passed_on_and_summed() {
        let text =
            "test result: ok. 2 passed; 0 failed; 1 ignored\nmore\ntest result: ok. 3 passed; 1 failed;\n";
        let mut out = Vec::new();
        let tally = pass_on(text.as_bytes(), &mut out);
        assert_eq!((tally.passed, tally.failed, tally.skipped), (5, 1, 1));
        assert_eq!(String::from_utf8_lossy(&out), text);
    }

    /// O40: the tests need nobody's home.
    #[test]
    fn tests_run_in_an_empty_home() {
        let runner = Runner::new().expect("a temporary folder");
        let mut command = runner.command(&["--version"]);
        stranger(&mut command, &runner.home);
        let set = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(set("HOME"), Some(runner.home.as_os_str()));
        assert!(set("CARGO_HOME").is_some() && set("RUSTUP_HOME").is_some());
        assert!(command.get_envs().any(|(key, value)| key == "GIT_DIR" && value.is_none()));
    }
}
