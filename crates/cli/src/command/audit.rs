//! `tiltyard audit`

pub mod export;
pub mod verify;

use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::{self, short};
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::{Client, Request};
use tiltyard_model::id::{Id, Noun};
use tiltyard_wire::audit::{Entry, Filter};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::time::Time;

/// Show who did what; export and verify the record
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    #[command(subcommand)]
    act: Option<Act>,
    /// This action only, such as gate.approved
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// By this identity
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// To this thing; a change has the acts at its gates too
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// From this moment on
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    since: Option<Time>,
    /// Before this moment
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    until: Option<Time>,
    #[command(flatten)]
    list: ListFlags,
}

/// What can be done with the record.
#[derive(Debug, Subcommand)]
enum Act {
    Export(export::Export),
    Verify(verify::Verify),
}

impl Audit {
    /// Lists, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls; a record that is not whole.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        match &self.act {
            Some(Act::Verify(act)) => act.run(context),
            Some(Act::Export(act)) => context.block_on(act.run(context)),
            None => context.block_on(self.list(context)),
        }
    }

    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let filter = Filter {
            scope: self.list.scope.clone(),
            action: self.action.clone(),
            actor: self.actor.clone(),
            target: self.target.clone(),
            since: self.since.map(|time| time.to_string()),
            until: self.until.map(|time| time.to_string()),
            ..Filter::default()
        };
        let of = async |filter: &Filter| {
            let query = |slot: Slot| Filter { limit: slot.limit, cursor: slot.cursor, ..filter.clone() };
            collect::<call::AuditList, Entry>(&client, self.list.limit, query).await
        };
        let mut page = of(&filter).await?;
        for gate in self.gates(&client).await {
            let more = of(&Filter { target: Some(gate.to_string()), ..filter.clone() }).await?;
            page.total += more.total;
            page.items.extend(more.items);
            page.next_cursor = page.next_cursor.or(more.next_cursor);
        }
        page.items.sort_by(|one, other| {
            (other.time, &other.scope, other.seq).cmp(&(one.time, &one.scope, one.seq))
        });
        page.items.truncate(self.list.limit as usize);
        print(context, &page, table)
    }

    /// Who decided on a change did so at a gate: those acts are found by the change too. A token that may not read the
    /// change finds what names the change itself.
    async fn gates(&self, client: &Client) -> Vec<Id> {
        let target = self.target.as_deref().and_then(|target| target.parse::<Id>().ok());
        let Some(change) = target.filter(|id| id.noun() == Noun::Change) else { return Vec::new() };
        let read = client.call(Request::<call::ChangeGet>::new().place(change)).await.ok();
        let history = read.and_then(|change| change.history);
        history.map(|history| history.gates.iter().map(|gate| gate.id).collect()).unwrap_or_default()
    }
}

fn table(entries: &[Entry]) -> Table {
    let mut table =
        Table::new(&["time", "chain", "seq", "actor", "action", "result", "target"], "No entries.");
    for entry in entries {
        let colour = match entry.severity.as_str() {
            "critical" | "error" => Colour::Red,
            "warn" => Colour::Yellow,
            _ => Colour::Dim,
        };
        table.row([
            Cell::new(short(entry.time)),
            Cell::new(&entry.scope),
            Cell::new(entry.seq.to_string()),
            Cell::new(&entry.actor),
            Cell::new(&entry.action).colour(colour),
            Cell::new(&entry.result),
            Cell::new(&entry.target),
        ]);
    }
    table
}
