//! `tiltyard dead-letters`

pub mod act;

use crate::argument::dead_letter_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::short;
use crate::output::card::Card;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_wire::dead_letter::{Filter, View};
use tiltyard_wire::endpoint::call;

/// List tasks that died, show one, retry or dismiss them
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DeadLetters {
    #[command(subcommand)]
    act: Option<act::Act>,
    /// The letter to show in full
    #[arg(value_parser = dead_letter_id)]
    id: Option<Id>,
    /// With this status: pending, retrying, resolved, dismissed
    #[arg(long, value_name = "NAME")]
    status: Option<String>,
    /// Of this category
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Of this group
    #[arg(long, value_name = "FINGERPRINT")]
    group: Option<String>,
    #[command(flatten)]
    list: ListFlags,
}

impl DeadLetters {
    /// Lists, shows, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        match (&self.act, self.id) {
            (Some(act), _) => act.run(context),
            (None, Some(id)) => context.block_on(show(context, id)),
            (None, None) => context.block_on(self.list(context)),
        }
    }

    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let filter = Filter {
            scope: self.list.scope.clone(),
            status: self.status.clone(),
            category: self.category.clone(),
            fingerprint: self.group.clone(),
            ..Filter::default()
        };
        let query = |slot: Slot| Filter { limit: slot.limit, cursor: slot.cursor, ..filter.clone() };
        let page = collect::<call::DeadLetterList, View>(&client, self.list.limit, query).await?;
        print(context, &page, table)
    }
}

fn table(letters: &[View]) -> Table {
    let mut table =
        Table::new(&["id", "status", "kind", "failed", "tries", "title", "error"], "No dead letters.");
    for letter in letters {
        table.row([
            Cell::new(letter.id.to_string()),
            Cell::new(&letter.status).colour(colour(&letter.status)),
            Cell::new(&letter.kind),
            Cell::new(short(letter.failed_at)),
            Cell::new(letter.attempts.to_string()),
            Cell::new(&letter.title),
            Cell::new(letter.error.lines().next().unwrap_or("")),
        ]);
    }
    table
}

fn colour(status: &str) -> Colour {
    match status {
        "pending" => Colour::Red,
        "retrying" => Colour::Cyan,
        "resolved" => Colour::Green,
        _ => Colour::Dim,
    }
}

async fn show(context: &Context, id: Id) -> Result<(), Failure> {
    let letter = context.client()?.call(Request::<call::DeadLetterGet>::new().place(id)).await?;
    if context.output.is_json() { context.output.json(&letter) } else { context.output.card(&card(&letter)) }
}

fn card(letter: &View) -> Card {
    Card::new()
        .line("id", letter.id.to_string())
        .line("title", &letter.title)
        .line("status", &letter.status)
        .maybe("reason", letter.reason.as_ref())
        .line("task", letter.task.to_string())
        .line("place", format!("{} / {} / {}", letter.scope, letter.queue, letter.kind))
        .maybe("category", letter.category.as_ref())
        .maybe("agent", letter.agent.as_ref())
        .line("failed", short(letter.failed_at))
        .line("attempts", letter.attempts.to_string())
        .line("retries", letter.retries.to_string())
        .line("group", &letter.fingerprint)
        .block("Error", &letter.error)
        .block("Payload", letter.payload.get())
        .block(
            "Payload before it was edited",
            letter.original_payload.as_ref().map_or("", |payload| payload.get()),
        )
}
