//! `tiltyard inbox`

use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::short;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::Args;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::inbox::{Filter, View};

/// Show what waits for a person, what most waits behind first
#[derive(Debug, Args)]
pub struct Inbox {
    /// Only these: gate, question, change, dead_letter
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    #[command(flatten)]
    list: ListFlags,
}

impl Inbox {
    /// Lists.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            let filter =
                Filter { scope: self.list.scope.clone(), kind: self.kind.clone(), ..Filter::default() };
            let query = |slot: Slot| Filter { limit: slot.limit, cursor: slot.cursor, ..filter.clone() };
            let page = collect::<call::InboxGet, View>(&context.client()?, self.list.limit, query).await?;
            print(context, &page, table)
        })
    }
}

fn table(items: &[View]) -> Table {
    let heading = ["what", "behind", "since", "title", "missing", "next"];
    let mut table = Table::new(&heading, "Nothing waits for you.");
    for item in items {
        let kind = Cell::new(&item.kind);
        let next = if item.may_decide { item.next.as_str() } else { "-" };
        table.row([
            if item.may_decide { kind.colour(Colour::Yellow) } else { kind },
            Cell::new(item.blocked.to_string()),
            Cell::new(short(item.since)),
            Cell::new(&item.title),
            Cell::new(item.missing.first().map_or("-", String::as_str)),
            Cell::new(next),
        ]);
    }
    table
}
