//! `tiltyard tasks`

use crate::argument::task_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, collect, collect_some, of_one, print};
use crate::moment::{short, short_or_dash};
use crate::output::card::Card;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_model::task::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::{Attempt, Filter, View};

/// List tasks, or show one in full
#[derive(Debug, Args)]
pub struct Tasks {
    /// The task to show in full
    #[arg(value_parser = task_id)]
    id: Option<Id>,
    /// In these states, by comma: pending,scheduled,ready,running,waiting,succeeded,dead,cancelled
    #[arg(long, value_name = "LIST")]
    state: Option<String>,
    /// Of this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Of this kind
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    /// Of this category
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// With this label
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// With or last with this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// With these words in the title
    #[arg(short, long = "query", value_name = "WORDS")]
    q: Option<String>,
    /// Those too that the server gives its agents for changes (queue `git`); programs always get them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    list: ListFlags,
}

/// The queue of tasks that nobody submitted: they look at repositories, check, merge and clean up.
const INTERNAL_QUEUE: &str = "git";

impl Tasks {
    /// Lists or shows.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match self.id {
                Some(id) => show(context, id).await,
                None => self.list(context).await,
            }
        })
    }

    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let filter = Filter {
            scope: self.list.scope.clone(),
            state: self.state.clone(),
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            category: self.category.clone(),
            label: self.label.clone(),
            agent: self.agent.clone(),
            q: self.q.clone(),
            ..Filter::default()
        };
        let query =
            |slot: crate::list::Slot| Filter { limit: slot.limit, cursor: slot.cursor, ..filter.clone() };
        if self.shows_all(context) {
            let page = collect::<call::TaskList, View>(&client, self.list.limit, query).await?;
            return print(context, &page, table);
        }
        let keep = |task: &View| task.queue != INTERNAL_QUEUE;
        let page = collect_some::<call::TaskList, View>(&client, self.list.limit, keep, query).await?;
        print(context, &page, table)
    }

    /// Who names a queue or a kind has said what they want.
    fn shows_all(&self, context: &Context) -> bool {
        self.all || self.queue.is_some() || self.kind.is_some() || context.output.is_json()
    }
}

fn table(tasks: &[View]) -> Table {
    let mut table = Table::new(&["id", "state", "queue", "kind", "agent", "submitted", "title"], "No tasks.");
    for task in tasks {
        table.row([
            Cell::new(task.id.to_string()),
            state(task),
            Cell::new(&task.queue),
            Cell::new(&task.kind),
            Cell::new(task.agent.as_deref().unwrap_or("-")),
            Cell::new(short(task.created_at)),
            Cell::new(&task.title),
        ]);
    }
    table
}

fn state(task: &View) -> Cell {
    // A cancelled task whose program has not ended yet is *stopping* (D4).
    if task.stop.is_some_and(tiltyard_model::task::attempt::Stop::is_open) {
        return Cell::new("stopping").colour(Colour::Yellow);
    }
    Cell::new(task.state.as_str()).colour(colour(task.state))
}

/// One colour a state, in every list.
pub fn colour(state: State) -> Colour {
    match state {
        State::Succeeded => Colour::Green,
        State::Running => Colour::Cyan,
        State::Waiting => Colour::Yellow,
        State::Dead => Colour::Red,
        State::Pending | State::Scheduled | State::Ready | State::Cancelled => Colour::Dim,
    }
}

async fn show(context: &Context, id: Id) -> Result<(), Failure> {
    let client = context.client()?;
    let task = client.call(Request::<call::TaskGet>::new().place(id)).await?;
    let attempts = of_one::<call::TaskAttempts, _>(&client, id).await?.items;
    if context.output.is_json() {
        let mut value = serde_json::to_value(&task).map_err(|error| Failure::failed(error.to_string()))?;
        value["attempt_list"] =
            serde_json::to_value(&attempts).map_err(|error| Failure::failed(error.to_string()))?;
        return context.output.json(&value);
    }
    context.output.card(&card(&task))?;
    if attempts.is_empty() {
        return Ok(());
    }
    context.output.line("")?;
    context.output.table(&attempt_table(&attempts))
}

fn card(task: &View) -> Card {
    let ids = |ids: &[Id]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let progress = task.progress.map(|part| format!("{:.0} %", part * 100.0));
    Card::new()
        .line("id", task.id.to_string())
        .line("title", &task.title)
        .line("state", task.state.as_str())
        .maybe("reason", task.reason.as_ref())
        .line("place", format!("{} / {} / {}", task.scope, task.queue, task.kind))
        .line("priority", task.priority.to_string())
        .maybe("category", task.category.as_ref())
        .maybe("labels", Some(task.labels.join(", ")))
        .maybe("capabilities", Some(task.capabilities.join(", ")))
        .maybe("after", Some(ids(&task.depends_on)))
        .maybe("assigned to", task.assign_to.as_ref())
        .maybe("agent", task.agent.as_ref())
        .maybe("progress", progress)
        .maybe("doing", task.message.as_ref())
        .line("attempts", format!("{} of {}", task.attempts, task.max_attempts))
        .maybe("change", task.change.map(|id| id.to_string()))
        .line("submitted", short(task.created_at))
        .maybe("not before", task.run_at.map(short))
        .maybe("deadline", task.deadline.map(short))
        .maybe("started", task.started_at.map(short))
        .maybe("ended", task.ended_at.map(short))
        .block("Payload", task.payload.get())
        .block("Result", task.result.as_ref().map_or("", |result| result.get()))
        .block("Error", task.error.as_deref().unwrap_or(""))
}

fn attempt_table(attempts: &[Attempt]) -> Table {
    let mut table = Table::new(&["attempt", "agent", "started", "ended", "outcome", "error"], "");
    for attempt in attempts {
        let outcome = attempt.outcome.and_then(|outcome| serde_json::to_value(outcome).ok());
        table.row([
            Cell::new(attempt.generation.to_string()),
            Cell::new(&attempt.agent),
            Cell::new(short(attempt.started_at)),
            Cell::new(short_or_dash(attempt.ended_at)),
            Cell::new(outcome.as_ref().and_then(|word| word.as_str()).unwrap_or("-")),
            Cell::new(attempt.error.as_deref().unwrap_or("").lines().next().unwrap_or("")),
        ]);
    }
    table
}
