//! A run in full, and the items of its lists.

use super::{pipeline, progress};
use crate::argument::run_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::list;
use crate::moment::{short, short_or_dash};
use crate::output::card::Card;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_model::run::stage::State;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{MAX_PAGE_ITEMS, Page};
use tiltyard_wire::run::{Item, ItemQuery, Stage, View};

/// Show the items of a stage's list
#[derive(Debug, Args)]
pub struct Items {
    /// The run
    #[arg(value_parser = run_id)]
    id: Id,
    /// The stage
    stage: String,
    /// In these states, by comma: pending ready running waiting succeeded failed skipped cancelled
    #[arg(long, value_name = "LIST")]
    state: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(list::MAX_LIST_ITEMS)))]
    limit: u32,
}

impl Items {
    /// Lists them.
    ///
    /// # Errors
    /// Those of the calls.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let mut all: Page<Item> = Page::new(Vec::new(), None, 0);
        loop {
            let missing = self.limit - u32::try_from(all.items.len()).unwrap_or(self.limit);
            let query = ItemQuery {
                state: self.state.clone(),
                limit: Some(missing.min(MAX_PAGE_ITEMS)),
                cursor: all.next_cursor.take(),
                offset: None,
            };
            let request = Request::<call::RunItems>::new().place(self.id).place(&self.stage).query(query);
            let page = client.call(request).await?;
            let got = page.items.len();
            all.items.extend(page.items);
            (all.next_cursor, all.total, all.total_is) = (page.next_cursor, page.total, page.total_is);
            if all.next_cursor.is_none() || got == 0 || all.items.len() >= self.limit as usize {
                return list::print(context, &all, items);
            }
        }
    }
}

fn items(items: &[Item]) -> Table {
    let mut table = Table::new(&["item", "state", "attempts", "thing", "value", "about"], "No items.");
    for item in items {
        let thing = thing(item.task, item.gate, item.run);
        let about = item.error.as_deref().or(item.result.as_ref().map(|result| result.get())).unwrap_or("-");
        table.row([
            Cell::new(item.index.to_string()),
            Cell::new(item.state.as_str()).colour(of_stage(item.state)),
            Cell::new(item.attempts.to_string()),
            Cell::new(thing),
            Cell::new(item.value.get()),
            Cell::new(about),
        ]);
    }
    table
}

fn thing(task: Option<Id>, gate: Option<Id>, run: Option<Id>) -> String {
    task.or(gate).or(run).map_or_else(|| "-".to_owned(), |id| id.to_string())
}

fn of_stage(state: State) -> Colour {
    match state {
        State::Succeeded => Colour::Green,
        State::Failed | State::Cancelled => Colour::Red,
        State::Waiting => Colour::Yellow,
        State::Running | State::Ready => Colour::Cyan,
        State::Pending | State::Skipped => Colour::Dim,
    }
}

/// Prints a run: what it is, then its stages, then what to do next.
///
/// # Errors
/// When standard output is closed.
pub fn print(context: &Context, run: &View) -> Result<(), Failure> {
    context.output.card(&card(run))?;
    context.output.line("")?;
    context.output.table(&stages(run.stages.as_deref().unwrap_or_default()))?;
    match &run.next {
        Some(next) => context.output.line(&format!("\nnext: {}", tiltyard_model::visible::line(next))),
        None => Ok(()),
    }
}

fn card(run: &View) -> Card {
    let stopping = run.stopping.map(|stops| {
        format!("{} asked, {} stopped, {} unconfirmed", stops.asked, stops.stopped, stops.unconfirmed)
    });
    let parent = run.parent.as_ref().map(|parent| {
        let item = parent.item.map(|item| format!("#{item}")).unwrap_or_default();
        format!("{} stage {}{item}", parent.run, parent.stage)
    });
    let input = run.input.as_ref().map(|input| input.get()).filter(|text| *text != "{}");
    Card::new()
        .line("id", run.id.to_string())
        .maybe("title", run.title.as_deref())
        .line("state", run.state.as_str())
        .line("scope", &run.scope)
        .line("pipeline", pipeline(run))
        .maybe("part of", parent)
        .maybe("schedule", run.schedule.as_deref())
        .line("stages", progress(run.progress))
        .line("started", format!("{} by {}", short(run.created_at), run.started_by))
        .line("ended", short_or_dash(run.ended_at))
        .maybe("reruns", (run.reruns > 0).then(|| run.reruns.to_string()))
        .maybe("stopping", stopping)
        .maybe("error", run.error.as_deref())
        .maybe("input", input)
}

fn stages(stages: &[Stage]) -> Table {
    let mut table =
        Table::new(&["stage", "state", "uses", "attempt", "thing", "outputs", "why"], "No stages.");
    for stage in stages {
        let why = stage.error.as_deref().or(stage.why.as_deref()).unwrap_or("-");
        let outputs: Vec<&str> = stage.outputs.iter().map(|output| output.name.as_str()).collect();
        let thing = match stage.items {
            Some(items) => format!("{} of {} items", items.succeeded + items.failed, items.total),
            None => thing(stage.task, stage.gate, stage.run),
        };
        table.row([
            Cell::new(&stage.id),
            Cell::new(stage.state.as_str()).colour(of_stage(stage.state)),
            Cell::new(&stage.uses),
            Cell::new(stage.attempt.to_string()),
            Cell::new(thing),
            Cell::new(if outputs.is_empty() { "-".to_owned() } else { outputs.join(" ") }),
            Cell::new(why),
        ]);
    }
    table
}
