//! `tiltyard retry`

use crate::argument::{json, task_id};
use crate::context::Context;
use crate::each::each;
use crate::exit::Failure;
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task;

/// Run dead or cancelled tasks again, attempts fresh
#[derive(Debug, Args)]
pub struct Retry {
    /// The tasks
    #[arg(required = true, value_parser = task_id)]
    ids: Vec<Id>,
    #[command(flatten)]
    terms: RetryFlags,
}

/// How they are to run this time.
#[derive(Debug, Args)]
pub struct RetryFlags {
    /// Another priority, 1 to 10
    #[arg(long, value_name = "NUMBER")]
    priority: Option<u8>,
    /// Only this agent may take it
    #[arg(long, value_name = "AGENT")]
    assign_to: Option<String>,
    /// Another payload; @FILE reads a file, - standard input
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
}

impl RetryFlags {
    /// The body of the call.
    ///
    /// # Errors
    /// When the payload is no JSON.
    pub fn body(&self) -> Result<task::Retry, Failure> {
        let payload = self.payload.as_deref().map(json).transpose()?;
        Ok(task::Retry { priority: self.priority, assign_to: self.assign_to.clone(), payload })
    }
}

impl Retry {
    /// Runs them again, one after the other.
    ///
    /// # Errors
    /// The worst of the refusals, after all have been tried.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let body = self.terms.body()?;
        each(context, &self.ids, async |id| {
            let task = client.call(Request::<call::TaskRetry>::new().place(id).body(body.clone())).await?;
            let line = format!("{}  {}", task.id, task.state.as_str());
            Ok((task, line))
        })
    }
}
