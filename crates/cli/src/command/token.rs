//! `tiltyard token`

use crate::argument::token_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::list::{ListFlags, MAX_LIST_ITEMS, Slot, collect, print};
use crate::moment::{self, short, short_or_dash};
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use clap::{Args, Subcommand};
use tiltyard_client::{Client, Request};
use tiltyard_model::id::Id;
use tiltyard_model::role::Role;
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::PageQuery;
use tiltyard_wire::time::Time;
use tiltyard_wire::token::{Mint, Minted, View};

/// List tokens, mint, revoke or rotate one
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Token {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    list: ListFlags,
}

/// What can be done with a token.
#[derive(Debug, Subcommand)]
enum Act {
    Mint(Terms),
    /// End a token; its streams and sockets close at once
    Revoke {
        /// The token
        #[arg(value_parser = token_id)]
        id: Id,
        /// Also when it is the last admin's, after which nobody can mint another
        #[arg(long)]
        last: bool,
    },
    /// End a token and mint its like
    Rotate {
        /// The token
        #[arg(value_parser = token_id)]
        id: Id,
    },
}

/// Mint a token; it is shown this once
#[derive(Debug, Args)]
struct Terms {
    /// A line for people
    label: String,
    /// What it may do: viewer, operator, admin, agent or worker
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,
    /// Where, by comma; * is everywhere
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "default")]
    scopes: Vec<String>,
    /// The queues of a worker, by comma [default: default]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    queues: Option<Vec<String>>,
    /// The identity [default: the label]
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Labels on the identity, by comma
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    groups: Vec<String>,
    /// When it ends [default: never]
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    expires: Option<Time>,
}

impl Token {
    /// Lists, or does what is asked.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            match &self.act {
                None => self.list(context).await,
                Some(Act::Mint(terms)) => mint(context, terms).await,
                Some(Act::Revoke { id, last }) => revoke(context, *id, *last).await,
                Some(Act::Rotate { id }) => rotate(context, *id).await,
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
        let page = collect::<call::TokenList, View>(&client, self.list.limit, query).await?;
        print(context, &page, table)
    }
}

fn table(tokens: &[View]) -> Table {
    let mut table =
        Table::new(&["id", "state", "role", "owner", "scopes", "used", "expires", "label"], "No tokens.");
    for token in tokens {
        let (state, colour) =
            if token.revoked.is_some() { ("revoked", Colour::Red) } else { ("live", Colour::Green) };
        table.row([
            Cell::new(token.id.to_string()),
            Cell::new(state).colour(colour),
            Cell::new(token.role.as_str()),
            Cell::new(&token.owner),
            Cell::new(token.scopes.join(",")),
            Cell::new(short_or_dash(token.last_used)),
            Cell::new(token.expires.map_or_else(|| "never".to_owned(), short)),
            Cell::new(&token.label),
        ]);
    }
    table
}

async fn mint(context: &Context, terms: &Terms) -> Result<(), Failure> {
    let body = Mint {
        label: terms.label.clone(),
        role: terms.role,
        scopes: terms.scopes.clone(),
        queues: terms.queues.clone(),
        owner: terms.owner.clone(),
        groups: terms.groups.clone(),
        expires: terms.expires,
    };
    let minted = context.client()?.call(Request::<call::TokenMint>::new().body(body)).await?;
    shown_once(context, &minted)
}

async fn rotate(context: &Context, id: Id) -> Result<(), Failure> {
    let minted = context.client()?.call(Request::<call::TokenRotate>::new().place(id)).await?;
    shown_once(context, &minted)
}

/// The token itself is the last line, alone, so that a script can take it.
fn shown_once(context: &Context, minted: &Minted) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.json(minted);
    }
    let view = &minted.view;
    context.output.line(&format!("{}  {}  {}", view.id, view.role.as_str(), visible::line(&view.owner)))?;
    context.output.line(&minted.token)
}

async fn revoke(context: &Context, id: Id, last: bool) -> Result<(), Failure> {
    let client = context.client()?;
    if !last && is_last_admin(&client, id).await {
        let said = format!("{id} is the last admin's token that is live: nobody could mint another one");
        let hint = "first `tiltyard token mint NAME --role admin --scopes '*'`, or say --last";
        return Err(Failure::new(crate::exit::Exit::Refused, said).hint(hint));
    }
    client.call(Request::<call::TokenRevoke>::new().place(id)).await?;
    if context.output.is_json() {
        return context.output.json(&serde_json::json!({"revoked": id}));
    }
    context.output.line(&format!("{id}  revoked"))
}

/// One that ends by itself some day counts as none. Where the list cannot be read, the server decides alone.
async fn is_last_admin(client: &Client, id: Id) -> bool {
    let query = |slot: Slot| PageQuery { scope: None, limit: slot.limit, cursor: slot.cursor, offset: None };
    let Ok(page) = collect::<call::TokenList, View>(client, MAX_LIST_ITEMS, query).await else {
        return false;
    };
    let admin = |token: &&View| token.role == Role::Admin && token.revoked.is_none();
    let mut admins = page.items.iter().filter(admin);
    let is_one = admins.clone().any(|token| token.id == id);
    is_one && !admins.any(|token| token.id != id && token.expires.is_none())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "expected viewer, operator, admin, agent or worker".to_owned())
}
