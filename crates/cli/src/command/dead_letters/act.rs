//! What can be done with dead letters.

use crate::argument::dead_letter_id;
use crate::command::retry::RetryFlags;
use crate::context::Context;
use crate::each::each;
use crate::exit::Failure;
use crate::list::{MAX_LIST_ITEMS, Slot, collect};
use crate::moment::short;
use crate::output::table::{Cell, Table};
use clap::Subcommand;
use serde_json::json;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_wire::dead_letter::{Dismiss, Group, RetryGroup};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::{Page, PageQuery, ScopeQuery};

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Run the tasks of letters again
    Retry {
        /// The letters
        #[arg(required = true, value_parser = dead_letter_id)]
        ids: Vec<Id>,
        /// How they are to run this time.
        #[command(flatten)]
        terms: RetryFlags,
    },
    /// Set letters aside
    Dismiss {
        /// The letters
        #[arg(required = true, value_parser = dead_letter_id)]
        ids: Vec<Id>,
        /// Why
        #[arg(long, value_name = "TEXT", required = true)]
        reason: String,
    },
    /// Bring dismissed letters back
    Reopen {
        /// The letters
        #[arg(required = true, value_parser = dead_letter_id)]
        ids: Vec<Id>,
    },
    /// Remove letters and their payloads for good
    Delete {
        /// The letters
        #[arg(required = true, value_parser = dead_letter_id)]
        ids: Vec<Id>,
    },
    /// List letters by cause
    Groups {
        /// Of this scope only
        #[arg(long, value_name = "NAME")]
        scope: Option<String>,
    },
    /// Run all letters of one cause again: some at once, the rest at a rate
    RetryGroup {
        /// The group's name, as `groups` shows it
        fingerprint: String,
        /// So many at once, to see whether it helps [default: all]
        #[arg(long, value_name = "COUNT")]
        first: Option<u32>,
        /// The rest at this rate; without it they wait for another call
        #[arg(long, value_name = "COUNT")]
        rate_per_minute: Option<u32>,
        /// The scope of the group
        #[arg(long, value_name = "NAME")]
        scope: Option<String>,
    },
}

impl Act {
    /// Does it.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Retry { ids, terms } => retry(context, ids, terms),
            Self::Dismiss { ids, reason } => dismiss(context, ids, reason),
            Self::Reopen { ids } => reopen(context, ids),
            Self::Delete { ids } => delete(context, ids),
            Self::Groups { scope } => groups(context, scope.as_deref()),
            Self::RetryGroup { fingerprint, first, rate_per_minute, scope } => {
                let body = RetryGroup { scope: None, first: *first, rate_per_minute: *rate_per_minute };
                retry_group(context, fingerprint, body, scope.clone())
            }
        }
    }
}

fn retry(context: &Context, ids: &[Id], terms: &RetryFlags) -> Result<(), Failure> {
    let (client, body) = (context.client()?, terms.body()?);
    each(context, ids, async |id| {
        let letter =
            client.call(Request::<call::DeadLetterRetry>::new().place(id).body(body.clone())).await?;
        let line = format!("{}  {}  {}", letter.id, letter.status, letter.task);
        Ok((letter, line))
    })
}

fn dismiss(context: &Context, ids: &[Id], reason: &str) -> Result<(), Failure> {
    let client = context.client()?;
    each(context, ids, async |id| {
        let body = Dismiss { reason: reason.to_owned() };
        let letter = client.call(Request::<call::DeadLetterDismiss>::new().place(id).body(body)).await?;
        let line = format!("{}  {}", letter.id, letter.status);
        Ok((letter, line))
    })
}

fn reopen(context: &Context, ids: &[Id]) -> Result<(), Failure> {
    let client = context.client()?;
    each(context, ids, async |id| {
        let letter = client.call(Request::<call::DeadLetterReopen>::new().place(id)).await?;
        let line = format!("{}  {}", letter.id, letter.status);
        Ok((letter, line))
    })
}

fn delete(context: &Context, ids: &[Id]) -> Result<(), Failure> {
    let client = context.client()?;
    each(context, ids, async |id| {
        client.call(Request::<call::DeadLetterDelete>::new().place(id)).await?;
        Ok((json!({"deleted": id}), format!("{id}  deleted")))
    })
}

fn groups(context: &Context, scope: Option<&str>) -> Result<(), Failure> {
    let client = context.client()?;
    let query = |slot: Slot| PageQuery {
        scope: scope.map(str::to_owned),
        limit: slot.limit,
        cursor: slot.cursor,
        offset: None,
    };
    let groups = context
        .block_on(async { collect::<call::DeadLetterGroups, _>(&client, MAX_LIST_ITEMS, query).await })?;
    if context.output.is_json() {
        context.output.json(&groups)
    } else {
        context.output.table(&group_table(&groups))
    }
}

fn group_table(groups: &Page<Group>) -> Table {
    let mut table = Table::new(&["group", "kind", "pending", "all", "last", "error"], "No dead letters.");
    for group in &groups.items {
        table.row([
            Cell::new(&group.fingerprint),
            Cell::new(&group.kind),
            Cell::new(group.pending.to_string()),
            Cell::new(group.total.to_string()),
            Cell::new(short(group.last_at)),
            Cell::new(group.error.lines().next().unwrap_or("")),
        ]);
    }
    table
}

fn retry_group(
    context: &Context,
    name: &str,
    body: RetryGroup,
    scope: Option<String>,
) -> Result<(), Failure> {
    let client = context.client()?;
    let request =
        Request::<call::DeadLetterGroupRetry>::new().place(name).query(ScopeQuery { scope }).body(body);
    let answer = context.block_on(async { Ok(client.call(request).await?) })?;
    if context.output.is_json() {
        return context.output.json(&answer);
    }
    let waits = answer.matched.saturating_sub(answer.started + answer.scheduled);
    context.output.line(&format!(
        "{} run again, {} follow at the rate, {waits} wait for another call",
        answer.started, answer.scheduled
    ))
}
