//! `tiltyard schedule`

pub mod put;

use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print as print_list};
use crate::moment::{duration, short, short_or_dash};
use crate::output::card::Card;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::{Client, Request};
use tiltyard_model::schedule::kept::Became;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::schedule::{Last, Put, View};

/// List schedules, show, save, pause, resume or remove one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Schedule {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    list: ListFlags,
}

/// One schedule.
#[derive(Debug, Args)]
struct Named {
    /// The schedule
    name: String,
    /// Its scope
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// What can be done with a schedule.
#[derive(Debug, Subcommand)]
enum Act {
    /// List schedules
    List(ListFlags),
    /// Show one in full, with its next slots
    Show(Named),
    Put(Box<put::Save>),
    /// Start nothing until it is resumed
    Pause(Named),
    /// Go on from now; what came meanwhile is not made up for
    Resume(Named),
    /// Remove one; what it started stays
    Delete(Named),
}

impl Schedule {
    /// Lists, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match &self.act {
                None => list(context, &self.list).await,
                Some(Act::List(flags)) => list(context, flags).await,
                Some(Act::Show(named)) => print(context, &get(&context.client()?, named).await?),
                Some(Act::Put(save)) => save.run(context).await,
                Some(Act::Pause(named)) => rest(context, named, true).await,
                Some(Act::Resume(named)) => rest(context, named, false).await,
                Some(Act::Delete(named)) => delete(context, named).await,
            }
        })
    }
}

async fn list(context: &Context, flags: &ListFlags) -> Result<(), Failure> {
    let query = |slot: Slot| PageQuery {
        scope: flags.scope.clone(),
        limit: slot.limit,
        cursor: slot.cursor,
        offset: None,
    };
    let page = collect::<call::ScheduleList, View>(&context.client()?, flags.limit, query).await?;
    print_list(context, &page, table)
}

async fn get(client: &Client, named: &Named) -> Result<View, Failure> {
    let query = ScopeQuery { scope: named.scope.clone() };
    Ok(client.call(Request::<call::ScheduleGet>::new().place(&named.name).query(query)).await?)
}

/// Saves the same with the switch as it is asked for.
async fn rest(context: &Context, named: &Named, paused: bool) -> Result<(), Failure> {
    let client = context.client()?;
    let body = Put { paused, ..get(&client, named).await?.into() };
    save(context, &client, &named.name, body).await
}

/// Saves a schedule and shows it.
async fn save(context: &Context, client: &Client, name: &str, body: Put) -> Result<(), Failure> {
    let request = Request::<call::SchedulePut>::new().place(name).body(body).repeatable();
    print(context, &client.call(request).await?)
}

async fn delete(context: &Context, named: &Named) -> Result<(), Failure> {
    let query = ScopeQuery { scope: named.scope.clone() };
    let request = Request::<call::ScheduleDelete>::new().place(&named.name).query(query);
    context.client()?.call(request).await?;
    if context.output.is_json() {
        return context.output.json(&serde_json::json!({"removed": named.name}));
    }
    context.output.line(&format!("{} is removed; what it started stays", named.name))
}

fn print(context: &Context, schedule: &View) -> Result<(), Failure> {
    if context.output.is_json() {
        context.output.json(schedule)
    } else {
        context.output.card(&card(schedule))
    }
}

fn table(schedules: &[View]) -> Table {
    let empty =
        "No schedules. `tiltyard schedule put NAME --cron \"0 6 * * *\" --pipeline PIPELINE` makes one.";
    let mut table = Table::new(&["scope", "name", "when", "starts", "next", "last", "became"], empty);
    for schedule in schedules {
        let next = schedule.next.first().copied();
        let last = schedule.last.as_ref();
        table.row([
            Cell::new(&schedule.scope),
            Cell::new(&schedule.name),
            Cell::new(when(schedule)),
            Cell::new(what(schedule)),
            if schedule.paused {
                Cell::new("paused").colour(Colour::Yellow)
            } else {
                Cell::new(short_or_dash(next))
            },
            Cell::new(short_or_dash(last.map(|last| last.slot))),
            last.map_or_else(|| Cell::new("-"), |last| became(last.became)),
        ]);
    }
    table
}

fn when(schedule: &View) -> String {
    match (&schedule.cron, schedule.every_ms) {
        (Some(cron), _) => format!("{cron} {}", schedule.timezone.as_deref().unwrap_or("UTC")),
        (None, every_ms) => format!("every {}", duration(every_ms.unwrap_or_default())),
    }
}

fn what(schedule: &View) -> String {
    match (&schedule.pipeline, &schedule.task) {
        (Some(pipeline), _) => pipeline.clone(),
        (None, task) => task.as_ref().map_or_else(|| "-".to_owned(), |task| format!("task: {}", task.title)),
    }
}

fn became(became: Became) -> Cell {
    let colour = match became {
        Became::Started => Colour::Green,
        Became::Refused => Colour::Red,
        _ => Colour::Yellow,
    };
    Cell::new(became.as_str()).colour(colour)
}

/// A schedule in full.
fn card(schedule: &View) -> Card {
    let pretty = |value: &dyn Fn() -> serde_json::Result<String>| value().unwrap_or_default();
    let task = schedule.task.as_ref().map(|task| pretty(&|| serde_json::to_string_pretty(task)));
    let input = schedule.input.as_ref().map(|input| pretty(&|| serde_json::to_string_pretty(input)));
    let next: Vec<String> = schedule.next.iter().copied().map(short).collect();
    Card::new()
        .line("name", &schedule.name)
        .line("scope", &schedule.scope)
        .line("when", when(schedule))
        .line("starts", what(schedule))
        .line("missed", schedule.missed.as_str())
        .line("overlap", schedule.overlap.as_str())
        .line("paused", if schedule.paused { "yes" } else { "no" })
        .line("revision", schedule.revision.to_string())
        .line("saved", format!("{} by {}", short(schedule.updated_at), schedule.saved_by))
        .maybe("last", schedule.last.as_ref().map(last))
        .block("Next slots (UTC)", next.join("\n"))
        .block("Input", input.unwrap_or_default())
        .block("Task", task.unwrap_or_default())
}

fn last(last: &Last) -> String {
    let thing = last.task.or(last.run).map(|id| format!(" {id}")).unwrap_or_default();
    let error = last.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{} {}{thing}{error}", short(last.slot), last.became.as_str())
}
