//! `tiltyard runs`

pub mod artifacts;
pub mod show;

use crate::argument::run_id;
use crate::context::Context;
use crate::each::each;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::short;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use std::io::Write;
use tiltyard_client::{Client, Request};
use tiltyard_model::id::Id;
use tiltyard_model::run::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::run::{Cancel, Filter, Progress, Rerun, View};

/// List runs, show one in full, cancel one or run it again
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runs {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    which: Which,
}

/// Which runs.
#[derive(Debug, Args)]
struct Which {
    /// In these states, by comma: queued running waiting succeeded failed cancelled
    #[arg(long, value_name = "LIST")]
    state: Option<String>,
    /// Of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// Started by this schedule
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// With this in the title or the pipeline's name
    #[arg(short, value_name = "TEXT")]
    q: Option<String>,
    #[command(flatten)]
    list: ListFlags,
}

/// What can be done with runs.
#[derive(Debug, Subcommand)]
enum Act {
    /// List them, newest first
    List(Which),
    /// Show one with its stages
    Show {
        /// The run
        #[arg(value_parser = run_id)]
        id: Id,
        /// Go on telling what happens, until it is over
        #[arg(short, long)]
        follow: bool,
    },
    /// Show the items of a stage's list
    Items(show::Items),
    /// Call runs off, with all that they have started
    Cancel {
        /// The runs
        #[arg(required = true, value_parser = run_id)]
        ids: Vec<Id>,
        /// Why, for people
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Run one again: what was not done, or all from a stage on
    Rerun {
        /// The run
        #[arg(value_parser = run_id)]
        id: Id,
        /// From this stage on, with all that need it
        #[arg(long, value_name = "STAGE")]
        from: Option<String>,
        /// Go on telling what happens, until it is over
        #[arg(short, long)]
        follow: bool,
    },
    Artifacts(artifacts::Artifacts),
    /// Print what happened to one, an event a line (JSON)
    Events {
        /// The run
        #[arg(value_parser = run_id)]
        id: Id,
    },
}

impl Runs {
    /// Lists, shows, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        if let Some(Act::Cancel { ids, reason }) = &self.act {
            let client = context.client()?;
            return each(context, ids, async |id| cancel(&client, *id, reason.clone()).await);
        }
        context.block_on(async {
            match &self.act {
                None => self.which.list(context).await,
                Some(Act::List(which)) => which.list(context).await,
                Some(Act::Show { id, follow }) => show(context, *id, *follow).await,
                Some(Act::Items(items)) => items.run(context).await,
                Some(Act::Rerun { id, from, follow }) => rerun(context, *id, from.clone(), *follow).await,
                Some(Act::Artifacts(artifacts)) => artifacts.run(context).await,
                Some(Act::Events { id }) => events(context, *id).await,
                Some(Act::Cancel { .. }) => Ok(()),
            }
        })
    }
}

impl Which {
    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let query = |slot: Slot| Filter {
            scope: self.list.scope.clone(),
            state: self.state.clone(),
            pipeline: self.pipeline.clone(),
            schedule: self.schedule.clone(),
            q: self.q.clone(),
            limit: slot.limit,
            cursor: slot.cursor,
            offset: None,
        };
        let page = collect::<call::RunList, View>(&client, self.list.limit, query).await?;
        print(context, &page, table)
    }
}

/// The runs, one a row.
pub fn table(runs: &[View]) -> Table {
    let empty = "No runs. `tiltyard run FILE` starts one.";
    let mut table = Table::new(&["id", "state", "pipeline", "stages", "begun", "by", "about"], empty);
    for run in runs {
        let about = run.error.as_deref().or(run.title.as_deref()).unwrap_or("-");
        table.row([
            Cell::new(run.id.to_string()),
            Cell::new(run.state.as_str()).colour(colour(run.state)),
            Cell::new(pipeline(run)),
            Cell::new(progress(run.progress)),
            Cell::new(short(run.begun_at.unwrap_or(run.created_at))),
            Cell::new(&run.started_by),
            Cell::new(about),
        ]);
    }
    table
}

/// The colour of a state.
pub fn colour(state: State) -> Colour {
    match state {
        State::Succeeded => Colour::Green,
        State::Failed | State::Cancelled => Colour::Red,
        State::Waiting => Colour::Yellow,
        State::Queued => Colour::Dim,
        State::Running => Colour::Cyan,
    }
}

/// The pipeline of a run and its number; `-` for a definition of its own.
pub fn pipeline(run: &View) -> String {
    match (&run.pipeline, run.number) {
        (Some(name), Some(number)) => format!("{name}#{number}"),
        (Some(name), None) => name.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// `2/5`, and the items of lists where there are some.
pub fn progress(progress: Progress) -> String {
    let Progress { stages, ended, items, items_ended, items_failed } = progress;
    let mut text = format!("{ended}/{stages}");
    if items > 0 {
        text.push_str(&format!(", items {items_ended}/{items}"));
    }
    if items_failed > 0 {
        text.push_str(&format!(" ({items_failed} failed)"));
    }
    text
}

async fn show(context: &Context, id: Id, follow: bool) -> Result<(), Failure> {
    let client = context.client()?;
    let run = client.call(Request::<call::RunGet>::new().place(id)).await?;
    if follow {
        return super::run::follow::until_final(context, &client, run).await;
    }
    if context.output.is_json() { context.output.json(&run) } else { show::print(context, &run) }
}

async fn cancel(client: &Client, id: Id, reason: Option<String>) -> Result<(View, String), Failure> {
    let request = Request::<call::RunCancel>::new().place(id).body(Cancel { reason });
    let run = client.call(request).await?;
    let left = run.stopping.map_or(0, |stops| stops.asked - stops.stopped - stops.unconfirmed);
    let still = if left > 0 { format!("  ({left} still stopping)") } else { String::new() };
    let line = format!("{}  {}{still}", run.id, run.state.as_str());
    Ok((run, line))
}

async fn rerun(context: &Context, id: Id, from: Option<String>, follow: bool) -> Result<(), Failure> {
    let client = context.client()?;
    let request = Request::<call::RunRerun>::new().place(id).body(Rerun { from_stage: from });
    let run = client.call(request).await?;
    if follow {
        return super::run::follow::until_final(context, &client, run).await;
    }
    if context.output.is_json() {
        return context.output.json(&run);
    }
    context.output.line(&format!("{}  {}", run.id, run.state.as_str()))
}

async fn events(context: &Context, id: Id) -> Result<(), Failure> {
    let mut download = context.client()?.download(Request::<call::RunEvents>::new().place(id)).await?;
    let mut stdout = std::io::stdout().lock();
    while let Some(piece) = download.next().await? {
        stdout.write_all(&piece).map_err(|error| Failure::closed(&error))?;
    }
    stdout.flush().map_err(|error| Failure::closed(&error))
}
