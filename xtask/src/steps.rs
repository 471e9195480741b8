//! The steps of `make check` and `make test`: each one named, timed, and run even when an earlier one failed.

mod debian;
mod npm;
mod postgres;
mod runner;
mod s3;
mod versions;

use crate::tally::Tally;
use crate::{gen_contracts, tidy};
use anyhow::Result;
use runner::Runner;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What needs no test.
    Check,
    /// Everything.
    Test,
    /// Stories of bad luck, for long.
    Soak,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Ok,
    Failed,
    /// Not run, and why.
    Skipped(&'static str),
}

/// A step that was run.
struct Done {
    name: &'static str,
    end: End,
    took: Duration,
}

/// Runs the steps and tells how each went; the exit code is that of the worst.
pub(crate) fn run(extent: Extent, filter: &[&str]) -> Result<ExitCode> {
    let mut runner = Runner::new()?;
    let mut done = Vec::new();
    let mut step = |name: &'static str, work: &mut dyn FnMut() -> Result<End>| -> Result<()> {
        println!("\n── {name}");
        let start = Instant::now();
        let end = work()?;
        done.push(Done { name, end, took: start.elapsed() });
        Ok(())
    };
    if filter.is_empty() && extent != Extent::Soak {
        step("format", &mut || runner.cargo(&["fmt", "--all", "--check"]))?;
        step("tidy", &mut || ended(tidy::run()?))?;
        step("contracts", &mut || ended(gen_contracts::check()?))?;
        step("lints", &mut || {
            runner.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        })?;
        step("links", &mut || runner.documentation())?;
        step("supply", &mut || runner.deny())?;
    }
    if extent == Extent::Test {
        step("postgres", &mut || postgres::there())?;
        step("s3", &mut || s3::there())?;
        step("packages", &mut || debian::there())?;
        step("tests", &mut || runner.tests(filter))?;
        if filter.is_empty() {
            step("shared", &mut || runner.shared_suites())?;
            step("versions", &mut || runner.versions())?;
            step("doc tests", &mut || runner.doc_tests())?;
        }
    }
    if extent == Extent::Soak {
        step("postgres", &mut || postgres::there())?;
        step("packages", &mut || debian::there())?;
        step("soak", &mut || runner.soak(filter))?;
    }
    Ok(tell(&done, (extent != Extent::Check).then_some(runner.tally)))
}

fn ended(code: ExitCode) -> Result<End> {
    Ok(if code == ExitCode::SUCCESS { End::Ok } else { End::Failed })
}

fn tell(done: &[Done], tally: Option<Tally>) -> ExitCode {
    println!();
    for step in done {
        println!("{:<12}{:>8.1} s  {}", step.name, step.took.as_secs_f64(), word(&step.end));
    }
    if let Some(tally) = tally {
        println!("{tally}");
    }
    if done.iter().any(|step| step.end == End::Failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn word(end: &End) -> String {
    match end {
        End::Ok => "ok".to_owned(),
        End::Failed => "FAILED".to_owned(),
        End::Skipped(why) => format!("skipped: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(end: End) -> Done {
        Done { name: "x", end, took: Duration::ZERO }
    }

    #[test]
    fn one_failed_step_fails_the_whole() {
        assert_eq!(tell(&[done(End::Ok), done(End::Skipped("not there"))], None), ExitCode::SUCCESS);
        assert_eq!(tell(&[done(End::Failed), done(End::Ok)], None), ExitCode::FAILURE);
    }
}
