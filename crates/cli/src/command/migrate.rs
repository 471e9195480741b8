//! `tiltyard migrate`

use crate::context::Context;
use crate::exit::Failure;
use crate::flag::StoreFlags;
use crate::moment::short;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use crate::place::make_private_folder;
use crate::settings::store::Store;
use clap::{Args, Subcommand};
use serde_json::json;
use tiltyard_engine::migrate::{self, Step};
use tiltyard_engine::place::Place;
use tiltyard_wire::page::Page;
use tiltyard_wire::system::Migration;
use tiltyard_wire::time::Time;

/// Show or change the schema of a store
///
/// A server brings its store up to date by itself when it starts. An embedded store is looked at and changed with its server
/// stopped; before one that holds anything is changed, a copy of it is put into the folder `backups` in its data folder.
/// A shared store (`--store postgres://…`) is looked at and brought up to date while its servers run; steps are taken back
/// only when none is up, and a copy is yours to make before (pg_dump).
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    flags: StoreFlags,
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
        flags: StoreFlags,
    },
    /// Make every step that the store lacks
    Up {
        #[command(flatten)]
        flags: StoreFlags,
        /// Say what would be done; nothing is written
        #[arg(long)]
        dry_run: bool,
    },
    /// Take steps back; what they held is gone from the store, and stays in the copy
    Down {
        #[command(flatten)]
        flags: StoreFlags,
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
        let all = |flags: &StoreFlags| self.flags.clone().over(flags);
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

fn status(context: &Context, flags: &StoreFlags) -> Result<(), Failure> {
    let steps = migrate::status(&place(context, flags)?)?;
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

/// The store that the settings name.
fn place(context: &Context, flags: &StoreFlags) -> Result<Place, Failure> {
    let settings = context.settings(&flags.given())?.settings;
    Ok(match settings.store {
        Store::Embedded => Place::Folder(settings.data),
        Store::Shared(url) => Place::Database(url.expose().clone()),
    })
}

fn up(context: &Context, flags: &StoreFlags, writing: Writing) -> Result<(), Failure> {
    let place = place(context, flags)?;
    let steps: Vec<Step> =
        migrate::status(&place)?.into_iter().filter(|step| step.applied_at.is_none()).collect();
    if writing == Writing::Yes {
        if let Place::Folder(data) = &place {
            make_private_folder(data)?;
        }
        migrate::up(&place)?;
    }
    tell(context, Move::Up, writing, &steps)
}

fn down(context: &Context, flags: &StoreFlags, to: Option<i64>, writing: Writing) -> Result<(), Failure> {
    let place = place(context, flags)?;
    let made = migrate::status(&place)?.into_iter().filter(|step| step.applied_at.is_some());
    let made: Vec<Step> = made.rev().collect();
    let target = to.unwrap_or_else(|| made.get(1).map_or(0, |step| step.version));
    let steps: Vec<Step> = made.into_iter().filter(|step| step.version > target).collect();
    if writing == Writing::Yes {
        migrate::down(&place, target)?;
        say_where_the_copy_is(context, &place, &steps)?;
    }
    tell(context, Move::Down, writing, &steps)
}

fn say_where_the_copy_is(context: &Context, place: &Place, steps: &[Step]) -> Result<(), Failure> {
    let Place::Folder(data) = place else { return Ok(()) };
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
