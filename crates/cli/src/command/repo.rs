//! `tiltyard repo`

pub mod add;

use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, print};
use crate::moment::short_or_dash;
use crate::output::card::Card;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::repository::View;

/// List repositories, show one, add or remove one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Repo {
    #[command(subcommand)]
    act: Option<Act>,
    /// The repository to show in full
    name: Option<String>,
    #[command(flatten)]
    list: ListFlags,
}

/// What can be done with a repository.
#[derive(Debug, Subcommand)]
enum Act {
    Add(add::Add),
    /// Forget a repository; its changes stay
    Remove {
        /// The repository
        name: String,
        /// Its scope
        #[arg(long, value_name = "NAME")]
        scope: Option<String>,
    },
}

impl Repo {
    /// Lists, shows, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match (&self.act, &self.name) {
                (Some(Act::Add(add)), _) => add.run(context).await,
                (Some(Act::Remove { name, scope }), _) => remove(context, name, scope.clone()).await,
                (None, Some(name)) => show(context, name, self.list.scope.clone()).await,
                (None, None) => self.list(context).await,
            }
        })
    }

    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let scope = &self.list.scope;
        let query = |slot: Slot| PageQuery {
            scope: scope.clone(),
            limit: slot.limit,
            cursor: slot.cursor,
            offset: None,
        };
        let page = collect::<call::RepositoryList, View>(&client, self.list.limit, query).await?;
        print(context, &page, table)
    }
}

fn table(repositories: &[View]) -> Table {
    let empty = "No repositories. `tiltyard repo add NAME PATH` registers one.";
    let mut table = Table::new(&["name", "state", "branch", "agent", "head", "place"], empty);
    for repository in repositories {
        let head = repository.head.as_deref().unwrap_or("-");
        table.row([
            Cell::new(&repository.name),
            Cell::new(&repository.state).colour(colour(&repository.state)),
            Cell::new(&repository.branch),
            Cell::new(&repository.agent),
            Cell::new(head.get(..12).unwrap_or(head)),
            Cell::new(place(repository)),
        ]);
    }
    table
}

fn colour(state: &str) -> Colour {
    match state {
        "ready" => Colour::Green,
        "unusable" => Colour::Red,
        _ => Colour::Yellow,
    }
}

fn place(repository: &View) -> &str {
    repository.path.as_deref().or(repository.url.as_deref()).unwrap_or("-")
}

/// A repository in full.
pub fn card(repository: &View) -> Card {
    let settings = serde_json::to_string_pretty(&repository.settings).unwrap_or_default();
    Card::new()
        .line("name", &repository.name)
        .line("scope", &repository.scope)
        .line("state", &repository.state)
        .line("place", place(repository))
        .line("branch", &repository.branch)
        .line("agent", &repository.agent)
        .maybe("head", repository.head.as_ref())
        .line("probed", short_or_dash(repository.probed_at))
        .block("Why it cannot be used", repository.error.as_deref().unwrap_or(""))
        .block("What is wrong with its rules", fault(repository.rules_fault.as_deref()))
        .block("Settings kept here", if settings == "{}" { "" } else { &settings })
}

/// A rules file that cannot be read, and what follows from that.
pub fn fault(fault: Option<&str>) -> String {
    let Some(fault) = fault else { return String::new() };
    let fault = fault.replace("; .tiltyard.toml:", "\n.tiltyard.toml:");
    format!(
        "{fault}\nNo change can be approved until that is mended on the target branch; then `tiltyard repo add` once more."
    )
}

async fn show(context: &Context, name: &str, scope: Option<String>) -> Result<(), Failure> {
    let request = Request::<call::RepositoryGet>::new().place(name).query(ScopeQuery { scope });
    let repository = context.client()?.call(request).await?;
    if context.output.is_json() {
        context.output.json(&repository)
    } else {
        context.output.card(&card(&repository))
    }
}

async fn remove(context: &Context, name: &str, scope: Option<String>) -> Result<(), Failure> {
    let request = Request::<call::RepositoryDelete>::new().place(name).query(ScopeQuery { scope });
    context.client()?.call(request).await?;
    if context.output.is_json() {
        return context.output.json(&serde_json::json!({"removed": name}));
    }
    context.output.line(&format!("{name} is forgotten"))
}
