//! `tiltyard why`

use crate::argument::task_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::table::{Cell, Table};
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;

/// Say why a task is not running
#[derive(Debug, Args)]
pub struct Why {
    /// The task
    #[arg(value_parser = task_id)]
    id: Id,
}

impl Why {
    /// Says it.
    ///
    /// # Errors
    /// Those of the call.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let why = context
            .block_on(async { Ok(client.call(Request::<call::TaskWhy>::new().place(self.id)).await?) })?;
        if context.output.is_json() {
            return context.output.json(&why);
        }
        context.output.line(&format!("{}: {}", why.state.as_str(), visible::line(&why.summary)))?;
        if why.reasons.len() < 2 {
            return Ok(());
        }
        let mut table = Table::new(&["reason", "about", "in words"], "");
        for reason in &why.reasons {
            table.row([
                Cell::new(&reason.code),
                Cell::new(reason.about.as_deref().unwrap_or("-")),
                Cell::new(&reason.text),
            ]);
        }
        context.output.line("")?;
        context.output.table(&table)
    }
}
