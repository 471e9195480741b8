//! `tiltyard events`

use crate::context::Context;
use crate::exit::Failure;
use crate::moment::short;
use crate::output::style::Colour;
use clap::Args;
use std::collections::VecDeque;
use std::io::Write;
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, MAX_PAGE_EVENTS, Page, Query};

/// What every type begins with, and people know.
const TYPE_PREFIX: &str = "tiltyard.";
/// The cursor before the oldest event that is kept.
const OLDEST: &str = "0";
/// How far back the newest are looked for at first, in events, and how much further each time.
const MIN_SPAN_EVENTS: u32 = 1_000;
const SPAN_GROWTH: u64 = 8;

/// Show what happened, or what happens
#[derive(Debug, Args)]
pub struct Events {
    /// Go on as things happen
    #[arg(short, long)]
    follow: bool,
    /// After this event: an id, or 0 for the oldest kept [default: the newest]
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
        match &self.after {
            Some(after) => self.onward(context, client, after.clone()).await,
            None => {
                let newest = self.newest(client).await?;
                newest.iter().try_for_each(|event| print(context, event))
            }
        }
    }

    /// Prints what follows a cursor, to the limit or to the log's end. A page without events is not the end: a filter
    /// is tried on a stretch of the log at a time.
    async fn onward(&self, context: &Context, client: &Client, mut after: String) -> Result<(), Failure> {
        let mut left = self.limit;
        while left > 0 {
            let page = self.page(client, &after, left.min(MAX_PAGE_EVENTS)).await?;
            for event in &page.items {
                print(context, event)?;
            }
            left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(left));
            if page.next_cursor == page.latest {
                break;
            }
            after = page.next_cursor;
        }
        Ok(())
    }

    /// The last events of the log, oldest first: from ever further back, until there are enough or it began there.
    async fn newest(&self, client: &Client) -> Result<VecDeque<Event>, Failure> {
        let latest = self.page(client, OLDEST, 1).await?.latest;
        let end = latest.rsplit('-').next().and_then(|seq| seq.parse::<u64>().ok()).unwrap_or_default();
        let mut span = u64::from(self.limit.max(MIN_SPAN_EVENTS));
        loop {
            let start = end.saturating_sub(span);
            let found = self.last_after(client, start).await?;
            if found.len() >= self.limit as usize || start == 0 {
                return Ok(found);
            }
            span = span.saturating_mul(SPAN_GROWTH);
        }
    }

    async fn last_after(&self, client: &Client, start: u64) -> Result<VecDeque<Event>, Failure> {
        let (mut found, mut after) = (VecDeque::new(), start.to_string());
        loop {
            let page = match self.page(client, &after, MAX_PAGE_EVENTS).await {
                // So far back nothing is kept any more.
                Err(Error::Refused(refused)) if refused.code == "cursor_compacted" => {
                    self.page(client, OLDEST, MAX_PAGE_EVENTS).await?
                }
                answer => answer?,
            };
            found.extend(page.items);
            found.drain(..found.len().saturating_sub(self.limit as usize));
            if page.next_cursor == page.latest {
                return Ok(found);
            }
            after = page.next_cursor;
        }
    }

    async fn page(&self, client: &Client, after: &str, limit: u32) -> Result<Page, Error> {
        let query = Query { after: Some(after.to_owned()), limit: Some(limit), ..self.query() };
        client.call(Request::<call::EventList>::new().query(query)).await
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
