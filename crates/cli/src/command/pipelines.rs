//! `tiltyard pipelines`

use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::short;
use crate::output::card::Card;
use crate::output::table::{Cell, Table};
use crate::{argument, mistake};
use clap::{Args, Subcommand};
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::pipeline::{Query, View};

/// Digits of a digest that are shown.
const DIGEST_CHARS: usize = 12;

/// List pipelines, show one, publish or delete one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Pipelines {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    list: ListFlags,
}

/// What can be done with a pipeline.
#[derive(Debug, Subcommand)]
enum Act {
    /// List them, by scope and name
    List {
        #[command(flatten)]
        list: ListFlags,
    },
    /// Show one with its definition
    Show {
        /// The pipeline
        name: String,
        /// As it was with this number
        #[arg(long, value_name = "NUMBER")]
        number: Option<i64>,
        /// Its scope
        #[arg(long, value_name = "NAME")]
        scope: Option<String>,
    },
    /// Publish a definition under a name; runs that are under way keep theirs
    Publish {
        /// The name, a slug
        name: String,
        /// The file with its definition, YAML or JSON; - reads standard input
        file: String,
        /// Its scope
        #[arg(long, value_name = "NAME")]
        scope: Option<String>,
    },
    /// Take a pipeline's name away; its runs go on
    Delete {
        /// The pipeline
        name: String,
        /// Its scope
        #[arg(long, value_name = "NAME")]
        scope: Option<String>,
    },
}

impl Pipelines {
    /// Lists, shows, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls; mistakes of a definition with their places in its file.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match &self.act {
                None => list(context, &self.list).await,
                Some(Act::List { list: flags }) => list(context, flags).await,
                Some(Act::Show { name, number, scope }) => show(context, name, *number, scope.clone()).await,
                Some(Act::Publish { name, file, scope }) => publish(context, name, file, scope.clone()).await,
                Some(Act::Delete { name, scope }) => delete(context, name, scope.clone()).await,
            }
        })
    }
}

async fn list(context: &Context, flags: &ListFlags) -> Result<(), Failure> {
    let client = context.client()?;
    let query = |slot: Slot| PageQuery {
        scope: flags.scope.clone(),
        limit: slot.limit,
        cursor: slot.cursor,
        offset: None,
    };
    let page = collect::<call::PipelineList, View>(&client, flags.limit, query).await?;
    print(context, &page, table)
}

/// The pipelines, one a row.
pub fn table(pipelines: &[View]) -> Table {
    let empty = "No pipelines. `tiltyard pipelines publish NAME FILE` publishes one.";
    let mut table = Table::new(&["name", "number", "stages", "published", "by", "sha256"], empty);
    for pipeline in pipelines {
        table.row([
            Cell::new(&pipeline.name),
            Cell::new(pipeline.number.to_string()),
            Cell::new(pipeline.stages.to_string()),
            Cell::new(short(pipeline.published_at)),
            Cell::new(&pipeline.published_by),
            Cell::new(pipeline.sha256.get(..DIGEST_CHARS).unwrap_or(&pipeline.sha256)),
        ]);
    }
    table
}

/// A pipeline in full.
pub fn card(pipeline: &View) -> Card {
    Card::new()
        .line("name", &pipeline.name)
        .line("scope", &pipeline.scope)
        .line("number", pipeline.number.to_string())
        .line("sha256", &pipeline.sha256)
        .line("stages", pipeline.stages.to_string())
        .line("published", format!("{} by {}", short(pipeline.published_at), pipeline.published_by))
        .block("Definition", pipeline.definition.as_deref().unwrap_or_default())
}

async fn show(
    context: &Context,
    name: &str,
    number: Option<i64>,
    scope: Option<String>,
) -> Result<(), Failure> {
    let request = Request::<call::PipelineGet>::new().place(name).query(Query { scope, number });
    let pipeline = context.client()?.call(request).await?;
    if context.output.is_json() {
        context.output.json(&pipeline)
    } else {
        context.output.card(&card(&pipeline))
    }
}

async fn publish(context: &Context, name: &str, file: &str, scope: Option<String>) -> Result<(), Failure> {
    let text = argument::file(file)?;
    let request = Request::<call::PipelinePut>::new().place(name).query(ScopeQuery { scope });
    let answered = context.client()?.exchange(request.bytes(text, "application/yaml")).await;
    let pipeline = answered.map_err(|error| mistake::of_call(file, error))?.value;
    if context.output.is_json() {
        return context.output.json(&pipeline);
    }
    let digest = pipeline.sha256.get(..DIGEST_CHARS).unwrap_or_default();
    context.output.line(&format!("{name}  number {}  {digest}", pipeline.number))
}

async fn delete(context: &Context, name: &str, scope: Option<String>) -> Result<(), Failure> {
    let request = Request::<call::PipelineDelete>::new().place(name).query(ScopeQuery { scope });
    context.client()?.call(request).await?;
    if context.output.is_json() {
        return context.output.json(&serde_json::json!({"deleted": name}));
    }
    context.output.line(&format!("{name} is deleted; its runs go on"))
}
