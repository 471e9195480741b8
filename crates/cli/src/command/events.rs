//! `tiltyard events`

use crate::context::Context;
use crate::exit::Failure;
use crate::moment::short;
use crate::output::style::Colour;
use clap::Args;
use std::io::Write;
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Request};
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, MAX_PAGE_EVENTS, Query};

/// What every type begins with, and people know.
const TYPE_PREFIX: &str = "tiltyard.";

/// Show what happened, or what happens
#[derive(Debug, Args)]
pub struct Events {
    /// Go on as things happen
    #[arg(short, long)]
    follow: bool,
    /// After this event: an id, or 0 for the oldest kept
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Of these types or nouns, by comma, such as task.succeeded,gate
    #[arg(long, value_name = "LIST")]
    types: Option<String>,
    /// About this thing; a task's also shows what belongs to it
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Of this scope only
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: u32,
}

impl Events {
    /// Prints them, one a line.
    ///
    /// # Errors
    /// Those of the calls; a stream that breaks resumes by itself.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        context.block_on(async {
            if self.follow { self.follow(context, &client).await } else { self.list(context, &client).await }
        })
    }

    fn query(&self) -> Query {
        Query {
            after: self.after.clone(),
            types: self.types.clone(),
            scope: self.scope.clone(),
            subject: self.subject.clone(),
            ..Query::default()
        }
    }

    async fn list(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        let (mut left, mut after) = (self.limit, self.after.clone());
        while left > 0 {
            let limit = left.min(MAX_PAGE_EVENTS);
            let query = Query { after, limit: Some(limit), ..self.query() };
            let page = client.call(Request::<call::EventList>::new().query(query)).await?;
            for event in &page.items {
                print(context, event)?;
            }
            let got = u32::try_from(page.items.len()).unwrap_or(limit);
            left -= got.min(left);
            if got < limit {
                break;
            }
            after = Some(page.next_cursor);
        }
        Ok(())
    }

    async fn follow(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut stream = client.follow(Request::<call::EventStream>::new().query(self.query()));
        while let Some(item) = stream.next().await? {
            match item {
                Item::Next(event) => print(context, &event)?,
                Item::Broken(error) => note(&error.to_string())?,
            }
        }
        Ok(())
    }
}

/// A break is told on standard error, so that standard output is events only.
fn note(text: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stderr(), "{}; resuming", visible::line(text))?)
}

fn print(context: &Context, event: &Event) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.json_line(event);
    }
    let paint = context.output.paint;
    let kind = event.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&event.kind);
    let head = paint.colour(Colour::Dim, &format!("{}  {:>8}", short(event.time), event.id));
    let text = format!("{:<24} {}  {}  {}", kind, event.subject, event.actor, event.data.get());
    context.output.line(&format!("{head}  {}", visible::line(&text)))
}
