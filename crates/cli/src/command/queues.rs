//! `tiltyard queues`

use crate::context::Context;
use crate::exit::Failure;
use crate::list::{MAX_LIST_ITEMS, Slot, collect, print as print_list};
use crate::moment::duration;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::Request;
use tiltyard_model::queue::Assignment;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::queue::{Patch, View};

/// List queues, pause, resume, drain or limit one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Queues {
    #[command(subcommand)]
    act: Option<Act>,
    /// Of this scope only
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// One queue.
#[derive(Debug, Args)]
struct Named {
    /// The queue
    name: String,
    /// Its scope
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// What can be done with a queue.
#[derive(Debug, Subcommand)]
enum Act {
    /// Start nothing more
    Pause(Named),
    /// Go on, also after a drain
    Resume(Named),
    /// Finish what runs, start nothing
    Drain(Named),
    /// Change limits and switches; a limit of 0 lifts it
    Limit {
        #[command(flatten)]
        queue: Named,
        /// At most so many run at once
        #[arg(long, value_name = "COUNT")]
        concurrency: Option<u32>,
        /// At most so many start a minute
        #[arg(long, value_name = "COUNT")]
        rate_per_minute: Option<u32>,
        /// How it chooses agents: fair, least_loaded, affinity, round_robin
        #[arg(long, value_name = "WORD", value_parser = assignment)]
        assignment: Option<Assignment>,
        /// Whether its dead tasks become dead letters
        #[arg(long, value_name = "BOOL")]
        dead_letters: Option<bool>,
    },
}

impl Queues {
    /// Lists, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match &self.act {
                None => self.list(context).await,
                Some(Act::Drain(queue)) => drain(context, queue).await,
                Some(act) => patch(context, act).await,
            }
        })
    }

    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let query = |slot: Slot| PageQuery {
            scope: self.scope.clone(),
            limit: slot.limit,
            cursor: slot.cursor,
            offset: None,
        };
        let queues = collect::<call::QueueList, _>(&context.client()?, MAX_LIST_ITEMS, query).await?;
        print_list(context, &queues, table)
    }
}

impl Act {
    fn patch(&self) -> (&Named, Patch) {
        let paused = |paused| Patch { paused: Some(paused), ..Patch::default() };
        match self {
            Self::Pause(queue) => (queue, paused(true)),
            Self::Resume(queue) | Self::Drain(queue) => (queue, paused(false)),
            Self::Limit { queue, concurrency, rate_per_minute, assignment, dead_letters } => {
                let limit = |count: &Option<u32>| count.map(|count| Some(count).filter(|count| *count > 0));
                let patch = Patch {
                    scope: None,
                    paused: None,
                    concurrency_limit: limit(concurrency),
                    rate_per_minute: limit(rate_per_minute),
                    assignment: *assignment,
                    dead_letters: *dead_letters,
                };
                (queue, patch)
            }
        }
    }
}

async fn patch(context: &Context, act: &Act) -> Result<(), Failure> {
    let (queue, patch) = act.patch();
    let query = ScopeQuery { scope: queue.scope.clone() };
    let request = Request::<call::QueuePatch>::new().place(&queue.name).query(query).body(patch).repeatable();
    let queue = context.client()?.call(request).await?;
    print(context, queue)
}

async fn drain(context: &Context, queue: &Named) -> Result<(), Failure> {
    let query = ScopeQuery { scope: queue.scope.clone() };
    let request = Request::<call::QueueDrain>::new().place(&queue.name).query(query).repeatable();
    let queue = context.client()?.call(request).await?;
    print(context, queue)
}

fn print(context: &Context, queue: View) -> Result<(), Failure> {
    if context.output.is_json() {
        context.output.json(&queue)
    } else {
        context.output.table(&table(&[queue]))
    }
}

fn table(queues: &[View]) -> Table {
    let heading =
        ["scope", "queue", "flow", "ready", "running", "waiting", "later", "dead", "next", "limits"];
    let mut table = Table::new(&heading, "No queues.");
    for queue in queues {
        let counts = &queue.counts;
        let count = |count: u64| Cell::new(count.to_string());
        table.row([
            Cell::new(&queue.scope),
            Cell::new(&queue.name),
            flow(queue),
            count(counts.ready),
            count(counts.running),
            count(counts.waiting),
            count(counts.pending + counts.scheduled),
            count(counts.dead),
            Cell::new(queue.next_ready_ms.map_or_else(|| "-".to_owned(), duration)),
            Cell::new(limits(queue)),
        ]);
    }
    table
}

fn flow(queue: &View) -> Cell {
    match (queue.paused, queue.draining) {
        (true, _) => Cell::new("paused").colour(Colour::Yellow),
        (_, true) => Cell::new("draining").colour(Colour::Yellow),
        _ => Cell::new("open").colour(Colour::Green),
    }
}

fn limits(queue: &View) -> String {
    let concurrency = queue.concurrency_limit.map(|count| format!("{count} at once"));
    let rate = queue.rate_per_minute.map(|count| format!("{count}/min"));
    let limits: Vec<String> = concurrency.into_iter().chain(rate).collect();
    if limits.is_empty() { "-".to_owned() } else { limits.join(", ") }
}

fn assignment(text: &str) -> Result<Assignment, String> {
    let word = serde_json::Value::from(text);
    serde_json::from_value(word)
        .map_err(|_| "expected fair, least_loaded, affinity or round_robin".to_owned())
}
