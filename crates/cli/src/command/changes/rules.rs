//! `tiltyard changes rules`

use super::tier;
use crate::argument;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::card::Card;
use crate::output::table::{Cell, Table};
use clap::Args;
use tiltyard_client::{Client, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::repository::{Rules as View, Weigh, Weight};

/// Show the rules by which changes are weighed, or weigh a diff by them
#[derive(Debug, Args)]
pub struct Rules {
    /// The repository
    repository: String,
    /// Weigh this diff and propose nothing; - is standard input
    #[arg(long, value_name = "FILE")]
    dry_run: Option<String>,
    /// The scope of the repository
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

impl Rules {
    /// Shows or weighs.
    ///
    /// # Errors
    /// Those of the calls.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        match &self.dry_run {
            Some(file) => self.weigh(context, &client, argument::file(file)?).await,
            None => self.show(context, &client).await,
        }
    }

    fn query(&self) -> ScopeQuery {
        ScopeQuery { scope: self.scope.clone() }
    }

    async fn show(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        let request = Request::<call::RepositoryRules>::new().place(&self.repository).query(self.query());
        let rules = client.call(request).await?;
        if context.output.is_json() {
            return context.output.json(&rules);
        }
        context.output.card(&card(&rules))?;
        context.output.line("")?;
        context.output.table(&table(&rules))
    }

    async fn weigh(&self, context: &Context, client: &Client, diff: String) -> Result<(), Failure> {
        let request = Request::<call::RepositoryWeigh>::new().place(&self.repository).query(self.query());
        let weight = client.call(request.body(Weigh { scope: None, diff }).repeatable()).await?;
        if context.output.is_json() {
            context.output.json(&weight)
        } else {
            context.output.raw(&weighed(&weight))
        }
    }
}

fn card(rules: &View) -> Card {
    let checks = rules.checks.iter().map(|check| format!("{}: {}", check.name, check.argv.join(" ")));
    Card::new()
        .line("repository", &rules.repository)
        .line("merge", &rules.merge)
        .line("auto merge", &rules.auto_merge)
        .line("approvers", format!("{}; tier 3: at least two people", rules.approvers))
        .line("fix attempts", rules.fix_attempts.to_string())
        .block("What is wrong with them", crate::command::repo::fault(rules.fault.as_deref()))
        .block("Checks", checks.collect::<Vec<_>>().join("\n"))
}

fn table(rules: &View) -> Table {
    let mut table = Table::new(&["rule", "tier", "from", "paths", "why"], "No rules.");
    for rule in &rules.rules {
        table.row([
            Cell::new(&rule.id),
            Cell::new(tier(Some(rule.tier))),
            Cell::new(&rule.origin),
            Cell::new(rule.paths.join(" ")),
            Cell::new(&rule.reason),
        ]);
    }
    table
}

fn weighed(weight: &Weight) -> String {
    let reasons = weight.reasons.iter().map(|reason| {
        let file = reason.file.as_deref().map(|file| format!("{file}: ")).unwrap_or_default();
        format!("tier {}  {file}{} ({})", reason.tier, reason.text, reason.rule)
    });
    let card = Card::new()
        .line("tier", tier(Some(weight.tier)))
        .block("Because", reasons.collect::<Vec<_>>().join("\n"));
    card.render(crate::output::style::Paint::Plain)
}
