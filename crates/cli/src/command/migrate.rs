//! `tiltyard migrate`

use crate::context::Context;
use crate::exit::Failure;
use crate::flag::SettingsFlags;
use crate::moment::short;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use crate::place::make_private_folder;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;
use tiltyard_engine::migrate::{self, Step};
use tiltyard_wire::page::Page;
use tiltyard_wire::system::Migration;
use tiltyard_wire::time::Time;

/// Show or change the schema of a store, with its server stopped
///
/// A server brings its store up to date by itself when it starts. Before a store that holds anything is changed,
/// a copy of it is put into the folder `backups` in its data folder.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    flags: SettingsFlags,
    /// Say what `up` would do; nothing is written
    #[arg(long)]
    dry_run: bool,
}

/// What can be done with a schema.
#[derive(Debug, Subcommand)]
enum Act {
    /// Show every step and when it was made; nothing is written
    Status {
        #[command(flatten)]
        flags: SettingsFlags,
    },
    /// Make every step that the store lacks
    Up {
        #[command(flatten)]
        flags: SettingsFlags,
        /// Say what would be done; nothing is written
        #[arg(long)]
        dry_run: bool,
    },
    /// Take steps back; what they held is gone from the store, and stays in the copy
    Down {
        #[command(flatten)]
        flags: SettingsFlags,
        /// Until the schema has this version; 0 leaves an empty store [default: one step back]
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(0..))]
        to: Option<i64>,
        /// Say what would be done; nothing is written
        #[arg(long)]
        dry_run: bool,
    },
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Yes,
    DryRun,
}

impl From<bool> for Writing {
    fn from(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Yes }
    }
}

/// What is done to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Up,
    Down,
}

impl Migrate {
    /// Does what is asked; shows the steps when nothing is.
    ///
    /// # Errors
    /// When a server has the store, when a newer program wrote it, or when a step fails.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let all = |flags: &SettingsFlags| self.flags.clone().over(flags);
        let writing = |dry_run: bool| Writing::from(dry_run || self.dry_run);
        match &self.act {
            None if self.dry_run => up(context, &self.flags, Writing::DryRun),
            None => status(context, &self.flags),
            Some(Act::Status { flags }) => status(context, &all(flags)),
            Some(Act::Up { flags, dry_run }) => up(context, &all(flags), writing(*dry_run)),
            Some(Act::Down { flags, to, dry_run }) => down(context, &all(flags), *to, writing(*dry_run)),
        }
    }
}

fn status(context: &Context, flags: &SettingsFlags) -> Result<(), Failure> {
    let steps = migrate::status(&context.settings(&flags.given())?.settings.data)?;
    if context.output.is_json() {
        let total = steps.len() as u64;
        return context.output.json(&Page::new(steps.into_iter().map(view).collect(), None, total));
    }
    context.output.table(&table(&steps))
}

fn view(step: Step) -> Migration {
    Migration { version: step.version, name: step.name, applied_at: step.applied_at.map(Time) }
}

fn table(steps: &[Step]) -> Table {
    let mut table = Table::new(&["version", "name", "made"], "This program knows no steps.");
    for step in steps {
        let (made, colour) = match step.applied_at {
            Some(at) => (short(Time(at)), Colour::Green),
            None => ("not yet".to_owned(), Colour::Yellow),
        };
        let version = Cell::new(step.version.to_string());
        table.row([version, Cell::new(&step.name), Cell::new(made).colour(colour)]);
    }
    table
}

fn up(context: &Context, flags: &SettingsFlags, writing: Writing) -> Result<(), Failure> {
    let data = context.settings(&flags.given())?.settings.data;
    let steps: Vec<Step> =
        migrate::status(&data)?.into_iter().filter(|step| step.applied_at.is_none()).collect();
    if writing == Writing::Yes {
        make_private_folder(&data)?;
        migrate::up(&data)?;
    }
    tell(context, Move::Up, writing, &steps)
}

fn down(context: &Context, flags: &SettingsFlags, to: Option<i64>, writing: Writing) -> Result<(), Failure> {
    let data = context.settings(&flags.given())?.settings.data;
    let made = migrate::status(&data)?.into_iter().filter(|step| step.applied_at.is_some());
    let made: Vec<Step> = made.rev().collect();
    let target = to.unwrap_or_else(|| made.get(1).map_or(0, |step| step.version));
    let steps: Vec<Step> = made.into_iter().filter(|step| step.version > target).collect();
    if writing == Writing::Yes {
        migrate::down(&data, target)?;
        say_where_the_copy_is(context, &data, &steps)?;
    }
    tell(context, Move::Down, writing, &steps)
}

fn say_where_the_copy_is(context: &Context, data: &Path, steps: &[Step]) -> Result<(), Failure> {
    if steps.is_empty() || context.output.is_json() {
        return Ok(());
    }
    context.output.line(&format!("the store as it was is kept in {}", data.join("backups").display()))
}

fn tell(context: &Context, direction: Move, writing: Writing, steps: &[Step]) -> Result<(), Failure> {
    let word = match (direction, writing) {
        (Move::Up, Writing::Yes) => "made",
        (Move::Up, Writing::DryRun) => "would be made",
        (Move::Down, Writing::Yes) => "taken back",
        (Move::Down, Writing::DryRun) => "would be taken back",
    };
    if context.output.is_json() {
        let names: Vec<_> =
            steps.iter().map(|step| json!({"version": step.version, "name": step.name})).collect();
        let direction = if direction == Move::Up { "up" } else { "down" };
        return context
            .output
            .json(&json!({"direction": direction, "dry_run": writing == Writing::DryRun, "steps": names}));
    }
    if steps.is_empty() {
        return context.output.line("nothing to do");
    }
    steps.iter().try_for_each(|step| context.output.line(&format!("{}  {}  {word}", step.version, step.name)))
}
