//! `tiltyard changes`

pub mod rules;
pub mod send_back;

use crate::argument::change_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, Slot, collect, of_one, print};
use crate::moment::short;
use crate::output::card::Card;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_model::visible;
use tiltyard_wire::change::{CheckRun, Filter, View};
use tiltyard_wire::endpoint::call;

/// List changes, show one in full, send one back
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Changes {
    #[command(subcommand)]
    act: Option<Act>,
    /// The change to show in full
    #[arg(value_parser = change_id)]
    id: Option<Id>,
    /// In this state: open, checking, review, queued, merging, merged, rejected, conflicted, closed
    #[arg(long, value_name = "NAME")]
    state: Option<String>,
    /// Of this repository
    #[arg(long, value_name = "NAME")]
    repo: Option<String>,
    /// Of this task
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    #[command(flatten)]
    list: ListFlags,
}

/// What can be done with a change.
#[derive(Debug, Subcommand)]
enum Act {
    /// Print the diff of a change
    Diff {
        /// The change
        #[arg(value_parser = change_id)]
        id: Id,
    },
    /// Show the runs of the checks of a change, newest first
    Checks {
        /// The change
        #[arg(value_parser = change_id)]
        id: Id,
    },
    SendBack(send_back::SendBack),
    Rules(rules::Rules),
}

impl Changes {
    /// Lists, shows, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match (&self.act, self.id) {
                (Some(Act::Diff { id }), _) => diff(context, *id).await,
                (Some(Act::Checks { id }), _) => checks(context, *id).await,
                (Some(Act::SendBack(act)), _) => act.run(context).await,
                (Some(Act::Rules(act)), _) => act.run(context).await,
                (None, Some(id)) => show(context, id).await,
                (None, None) => self.list(context).await,
            }
        })
    }

    async fn list(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let filter = Filter {
            scope: self.list.scope.clone(),
            state: self.state.clone(),
            repository: self.repo.clone(),
            task: self.task.clone(),
            ..Filter::default()
        };
        let query = |slot: Slot| Filter { limit: slot.limit, cursor: slot.cursor, ..filter.clone() };
        let page = collect::<call::ChangeList, View>(&client, self.list.limit, query).await?;
        print(context, &page, table)
    }
}

fn table(changes: &[View]) -> Table {
    let mut table =
        Table::new(&["id", "state", "tier", "repository", "agent", "updated", "title", "why"], "No changes.");
    for change in changes {
        table.row([
            Cell::new(change.id.to_string()),
            Cell::new(&change.state).colour(colour(&change.state)),
            Cell::new(tier(change.tier)),
            Cell::new(&change.repository),
            Cell::new(change.agent.as_deref().unwrap_or("-")),
            Cell::new(short(change.updated_at)),
            Cell::new(&change.title),
            Cell::new(waits_for(change)),
        ]);
    }
    table
}

/// What a change that waits for people waits for them about.
fn waits_for(change: &View) -> &str {
    let waits = matches!(change.state.as_str(), "review" | "conflicted");
    change.reason.as_deref().filter(|_| waits).unwrap_or("-")
}

fn colour(state: &str) -> Colour {
    match state {
        "merged" => Colour::Green,
        "review" | "conflicted" => Colour::Yellow,
        "rejected" | "closed" => Colour::Red,
        _ => Colour::Cyan,
    }
}

/// A tier with its name.
pub fn tier(tier: Option<u8>) -> &'static str {
    match tier {
        Some(1) => "1 safe",
        Some(2) => "2 review",
        Some(3) => "3 sensitive",
        _ => "-",
    }
}

/// A change in full.
pub fn card(change: &View) -> Card {
    let lines = |lines: Vec<String>| lines.join("\n");
    let reasons = change.reasons.iter().map(|reason| {
        let file = reason.file.as_deref().map(|file| format!("{file}: ")).unwrap_or_default();
        format!("tier {}  {file}{} ({})", reason.tier, reason.text, reason.rule)
    });
    let files = change
        .files
        .iter()
        .map(|file| format!("{} +{} -{}  {}", file.status, file.added, file.deleted, file.path));
    let checks = change
        .checks
        .iter()
        .map(|check| format!("{}  {} ({} ms)", check.status, check.name, check.duration_ms));
    let comments = change.comments.iter().map(|comment| {
        let line = comment.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}  {}", comment.path.as_deref().unwrap_or("whole change"), comment.text)
    });
    Card::new()
        .line("id", change.id.to_string())
        .line("title", &change.title)
        .line("state", &change.state)
        .maybe("reason", change.reason.as_ref())
        .line("tier", tier(change.tier))
        .line("repository", format!("{} → {}", change.repository, change.branch))
        .line("task", change.task.to_string())
        .line("submitted by", &change.submitted_by)
        .maybe("agent", change.agent.as_ref())
        .maybe("base", change.base.as_ref())
        .maybe("head", change.head.as_ref())
        .maybe("digest", change.subject_sha256.as_ref())
        .maybe("gate", change.gate.map(|gate| gate.to_string()))
        .maybe("merged as", change.merge.as_ref().map(|merge| merge.commit.as_str()))
        .line("updated", short(change.updated_at))
        .block("Reasons for the tier", lines(reasons.collect()))
        .block("Files", lines(files.collect()))
        .block("Checks", lines(checks.collect()))
        .block("Conflicts", change.conflicts.join("\n"))
        .block("Sent back with", lines(comments.collect()))
        .block("Gate", gate(change))
}

/// Who decided what at the gate that is open or was last, and what is missing there.
fn gate(change: &View) -> String {
    let gates = change.history.as_ref().map(|history| history.gates.as_slice()).unwrap_or_default();
    let Some(gate) = gates.iter().find(|gate| Some(gate.id) == change.gate) else { return String::new() };
    let mut said = vec![format!("{}: {}", gate.state, gate.who)];
    said.extend(Some(crate::decide::votes(gate)).filter(|votes| !votes.is_empty()));
    said.extend(gate.missing.iter().map(|missing| format!("still missing: {missing}")));
    said.join("\n")
}

async fn show(context: &Context, id: Id) -> Result<(), Failure> {
    let change = context.client()?.call(Request::<call::ChangeGet>::new().place(id)).await?;
    if context.output.is_json() { context.output.json(&change) } else { context.output.card(&card(&change)) }
}

/// A diff for a pipe is what it is, byte for byte; on a terminal its hostile characters are escaped.
async fn diff(context: &Context, id: Id) -> Result<(), Failure> {
    let diff = context.client()?.text(Request::<call::ChangeDiff>::new().place(id)).await?;
    match context.output {
        output if output.is_json() => output.json(&serde_json::json!({"id": id, "diff": diff})),
        output if output.is_terminal() => output.raw(&visible::block(&diff)),
        output => output.raw(&diff),
    }
}

async fn checks(context: &Context, id: Id) -> Result<(), Failure> {
    let checks = of_one::<call::ChangeChecks, _>(&context.client()?, id).await?;
    if context.output.is_json() {
        return context.output.json(&checks);
    }
    context.output.table(&check_table(&checks.items))?;
    for check in checks.items.iter().filter(|check| check.status != "passed") {
        context.output.raw(
            &Card::new().block(&format!("{} said", check.name), &check.log_tail).render(context.output.paint),
        )?;
    }
    Ok(())
}

fn check_table(checks: &[CheckRun]) -> Table {
    let mut table = Table::new(&["check", "status", "exit", "took", "tree"], "No checks have run.");
    for check in checks {
        let colour = if check.status == "passed" { Colour::Green } else { Colour::Red };
        table.row([
            Cell::new(&check.name),
            Cell::new(&check.status).colour(colour),
            Cell::new(check.exit.map_or_else(|| "-".to_owned(), |exit| exit.to_string())),
            Cell::new(crate::moment::duration(check.duration_ms)),
            Cell::new(check.tree.get(..12).unwrap_or(&check.tree)),
        ]);
    }
    table
}
