//! `tiltyard cancel`

use crate::argument::task_id;
use crate::context::Context;
use crate::each::each;
use crate::exit::Failure;
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task;

/// Call tasks off
#[derive(Debug, Args)]
pub struct Cancel {
    /// The tasks
    #[arg(required = true, value_parser = task_id)]
    ids: Vec<Id>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Cancel {
    /// Calls them off, one after the other.
    ///
    /// # Errors
    /// The worst of the refusals, after all have been tried.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        each(context, &self.ids, async |id| {
            let body = task::Cancel { reason: self.reason.clone() };
            let task =
                client.call(Request::<call::TaskCancel>::new().place(id).body(body).repeatable()).await?;
            let stopping = task.stop.is_some_and(tiltyard_model::task::attempt::Stop::is_open);
            let line =
                format!("{}  {}{}", task.id, task.state.as_str(), if stopping { ", stopping" } else { "" });
            Ok((task, line))
        })
    }
}
