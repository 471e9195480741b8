//! `tiltyard gates`

use crate::argument::gate_id;
use crate::context::Context;
use crate::decide::{card, document};
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::short;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::{Filter, View};

/// List gates, show one with what it asks about
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Gates {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    list: List,
}

/// What can be done with gates.
#[derive(Debug, Subcommand)]
enum Act {
    /// List them, newest first
    List(List),
    /// Show one in full
    Show {
        /// The gate
        #[arg(value_parser = gate_id)]
        id: Id,
        /// Print the document or question that it asks about, and nothing else
        #[arg(long)]
        subject: bool,
    },
}

/// Which gates.
#[derive(Debug, Args)]
struct List {
    /// In this state: open, approved, rejected, auto_approved, expired, cancelled, superseded
    #[arg(long, value_name = "NAME")]
    state: Option<String>,
    /// Of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    list: ListFlags,
}

impl Gates {
    /// Lists or shows.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match &self.act {
                Some(Act::Show { id, subject: false }) => show(context, *id).await,
                Some(Act::Show { id, subject: true }) => subject(context, *id).await,
                Some(Act::List(list)) => list.print(context).await,
                None => self.list.print(context).await,
            }
        })
    }
}

impl List {
    async fn print(&self, context: &Context) -> Result<(), Failure> {
        let filter = Filter {
            scope: self.list.scope.clone(),
            state: self.state.clone(),
            run: self.run.clone(),
            ..Filter::default()
        };
        let query = |slot: Slot| Filter { limit: slot.limit, cursor: slot.cursor, ..filter.clone() };
        let page = collect::<call::GateList, View>(&context.client()?, self.list.limit, query).await?;
        print(context, &page, table)
    }
}

fn table(gates: &[View]) -> Table {
    let heading = ["id", "state", "about", "stage", "opened", "title", "missing"];
    let mut table = Table::new(&heading, "No gates.");
    for gate in gates {
        let about = gate.run.map_or_else(|| gate.subject.id.clone(), |run| run.to_string());
        table.row([
            Cell::new(gate.id.to_string()),
            Cell::new(&gate.state).colour(colour(&gate.state)),
            Cell::new(about),
            Cell::new(gate.stage.as_deref().unwrap_or("-")),
            Cell::new(short(gate.opened_at)),
            Cell::new(&gate.subject.title),
            Cell::new(gate.missing.first().map_or("-", String::as_str)),
        ]);
    }
    table
}

fn colour(state: &str) -> Colour {
    match state {
        "approved" | "auto_approved" => Colour::Green,
        "open" => Colour::Yellow,
        "rejected" | "expired" => Colour::Red,
        _ => Colour::Dim,
    }
}

async fn fetch(context: &Context, id: Id) -> Result<View, Failure> {
    Ok(context.client()?.call(Request::<call::GateGet>::new().place(id)).await?)
}

async fn show(context: &Context, id: Id) -> Result<(), Failure> {
    let gate = fetch(context, id).await?;
    if context.output.is_json() {
        return context.output.json(&gate);
    }
    context.output.card(&card(&gate))
}

async fn subject(context: &Context, id: Id) -> Result<(), Failure> {
    let gate = fetch(context, id).await?;
    let text = match &gate.text {
        Some(text) => Some(format!("{text}\n")),
        None => document::text(&context.client()?, &gate).await?,
    };
    let none = || {
        let none = Failure::failed("it asks about no text or JSON document of at most 1 MiB");
        none.hint(match gate.subject.kind.as_str() {
            "change" => format!("`tiltyard changes diff {}` shows it", gate.subject.id),
            _ => format!("GET /api/v1/artifacts/{} has its bytes", gate.subject.id),
        })
    };
    let text = text.ok_or_else(none)?;
    // A terminal obeys what it is sent; a pipe gets the bytes.
    let safe = if context.output.is_terminal() { visible::block(&text) } else { text.as_str().into() };
    context.output.raw(&safe)
}
