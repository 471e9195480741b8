//! The command line: one file a command, its help as its doc comment.

pub mod agent;
pub mod approve;
pub mod audit;
pub mod batch;
pub mod cancel;
pub mod changes;
pub mod completions;
pub mod config;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod gates;
pub mod group;
pub mod inbox;
pub mod logs;
pub mod man;
pub mod migrate;
#[cfg(test)]
mod page;
pub mod pipelines;
pub mod queues;
pub mod reject;
pub mod repo;
pub mod retry;
pub mod run;
pub mod runs;
pub mod schedule;
pub mod server;
pub mod store;
pub mod submit;
pub mod tasks;
pub mod token;
pub mod ui;
pub mod up;
pub mod version;
pub mod why;

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

/// Every command; its help is the doc comment of its struct.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a doc comment here would take the place of the command's own")]
pub enum Command {
    Up(up::Up),
    Server(server::Server),
    Agent(Box<agent::Agent>),
    Demo(demo::Demo),
    Submit(Box<submit::Submit>),
    Batch(batch::Batch),
    Tasks(tasks::Tasks),
    Why(why::Why),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Approve(approve::Approve),
    Reject(reject::Reject),
    Inbox(inbox::Inbox),
    Gates(gates::Gates),
    Changes(changes::Changes),
    Run(run::Run),
    Runs(runs::Runs),
    Pipelines(pipelines::Pipelines),
    Repo(repo::Repo),
    DeadLetters(dead_letters::DeadLetters),
    Queues(queues::Queues),
    Schedule(schedule::Schedule),
    Events(events::Events),
    Logs(logs::Logs),
    Ui(ui::Ui),
    Token(token::Token),
    Migrate(migrate::Migrate),
    Store(store::Store),
    Audit(audit::Audit),
    Doctor(doctor::Doctor),
    Config(config::Config),
    Version(version::Version),
    Completions(completions::Completions),
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
        Some(Command::Up(command)) => command.run(context),
        Some(Command::Server(command)) => command.run(context),
        Some(Command::Agent(command)) => command.run(context),
        Some(Command::Demo(command)) => command.run(context),
        Some(Command::Submit(command)) => command.run(context),
        Some(Command::Batch(command)) => command.run(context),
        Some(Command::Tasks(command)) => command.run(context),
        Some(Command::Why(command)) => command.run(context),
        Some(Command::Cancel(command)) => command.run(context),
        Some(Command::Retry(command)) => command.run(context),
        Some(Command::Approve(command)) => command.run(context),
        Some(Command::Reject(command)) => command.run(context),
        Some(Command::Inbox(command)) => command.run(context),
        Some(Command::Gates(command)) => command.run(context),
        Some(Command::Changes(command)) => command.run(context),
        Some(Command::Run(command)) => command.run(context),
        Some(Command::Runs(command)) => command.run(context),
        Some(Command::Pipelines(command)) => command.run(context),
        Some(Command::Repo(command)) => command.run(context),
        Some(Command::DeadLetters(command)) => command.run(context),
        Some(Command::Queues(command)) => command.run(context),
        Some(Command::Schedule(command)) => command.run(context),
        Some(Command::Events(command)) => command.run(context),
        Some(Command::Logs(command)) => command.run(context),
        Some(Command::Ui(command)) => command.run(context),
        Some(Command::Token(command)) => command.run(context),
        Some(Command::Migrate(command)) => command.run(context),
        Some(Command::Store(command)) => command.run(context),
        Some(Command::Audit(command)) => command.run(context),
        Some(Command::Doctor(command)) => command.run(context),
        Some(Command::Config(command)) => command.run(context),
        Some(Command::Version(command)) => command.run(context),
        Some(Command::Completions(command)) => command.run(context),
        Some(Command::Man(command)) => command.run(context),
    }
}
