//! The command line: one file a command, its help as its doc comment.

pub mod completions;
pub mod config;
pub mod group;
pub mod man;
pub mod version;

use crate::context::Context;
use crate::exit::Failure;
use crate::flag::Global;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// What is printed when nothing is asked: what to do next, in five lines.
pub const WELCOME: &str = "\
Tiltyard: ideas go in, reviewed and merged work comes out.
  tiltyard up         start a server and an agent on this machine
  tiltyard demo       watch three ideas become changes in a repository of its own
  tiltyard submit     hand in work; `tiltyard tasks` shows what becomes of it
  tiltyard --help     every command";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "tiltyard", version, about = "An operator's control plane for autonomous work")]
#[command(propagate_version = false, disable_help_subcommand = true, max_term_width = 100)]
struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// A command line that has been read.
#[derive(Debug)]
pub struct Cli {
    /// Flags that every command takes.
    pub global: Global,
    /// The command; `None` prints the welcome.
    pub command: Option<Command>,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[allow(missing_docs, reason = "the help of a command is the doc comment of its struct")]
    Config(config::Config),
    #[allow(missing_docs, reason = "as above")]
    Version(version::Version),
    #[allow(missing_docs, reason = "as above")]
    Completions(completions::Completions),
    #[allow(missing_docs, reason = "as above")]
    #[command(hide = true)]
    Man(man::Man),
}

impl CommandFactory for Cli {
    fn command() -> clap::Command {
        group::arrange(Line::command())
    }

    fn command_for_update() -> clap::Command {
        Self::command()
    }
}

impl FromArgMatches for Cli {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let Line { global, command } = Line::from_arg_matches(matches)?;
        Ok(Self { global, command })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Runs a command.
///
/// # Errors
/// Why it did not end as done.
pub fn run(command: Option<Command>, context: &Context) -> Result<(), Failure> {
    match command {
        None => context.output.line(WELCOME),
        Some(Command::Config(command)) => command.run(context),
        Some(Command::Version(command)) => command.run(context),
        Some(Command::Completions(command)) => command.run(context),
        Some(Command::Man(command)) => command.run(context),
    }
}
