//! Tools in our own language: `cargo xtask` says which.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks to a terminal")]

mod explain;
mod gen_contracts;
mod rust_text;
mod steps;
mod tally;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "cargo xtask …
  tidy             check the laws of the house; print its figures
  gen              write contracts/ from the wire types
  gen --check      fail when contracts/ is not what gen would write
  explain          list the laws; explain LAW or an error CODE gives its reason
  check            format, lints, tidy and contracts, without tests
  test [FILTER…]   everything that `make test` runs; a filter goes to the test runner
  soak [FILTER…]   servers, clients and a database in bad luck, for long (an hour)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    match words {
        ["tidy"] => tidy::run(),
        ["gen"] => gen_contracts::write(),
        ["gen", "--check"] => gen_contracts::check(),
        ["explain", rest @ ..] => explain::run(rest),
        ["check"] => steps::run(steps::Extent::Check, &[]),
        ["test", filter @ ..] => steps::run(steps::Extent::Test, filter),
        ["soak", filter @ ..] => steps::run(steps::Extent::Soak, filter),
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}
