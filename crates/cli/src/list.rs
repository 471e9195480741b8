//! Lists of any length out of pages of a hundred.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::table::Table;
use clap::Args;
use std::fmt::Display;
use tiltyard_client::{Client, Request};
use tiltyard_wire::endpoint::Call;
use tiltyard_wire::page::{DEFAULT_PAGE_ITEMS, MAX_PAGE_ITEMS, Page, PartQuery, TotalIs};

/// Most items of one list; for more, filter.
pub const MAX_LIST_ITEMS: u32 = 10_000;

/// Flags of every list.
#[derive(Debug, Clone, Args)]
pub struct ListFlags {
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_PAGE_ITEMS,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIST_ITEMS)))]
    pub limit: u32,
    /// Of this scope only
    #[arg(long, value_name = "NAME")]
    pub scope: Option<String>,
}

/// Where the next page lies: what a list's filter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// `limit`.
    pub limit: Option<u32>,
    /// `cursor`.
    pub cursor: Option<String>,
}

/// Fetches page after page until `limit` items are there or the list ends. `next_cursor` is where it goes on.
///
/// # Errors
/// Those of the calls.
pub async fn collect<C, T>(
    client: &Client,
    limit: u32,
    query: impl Fn(Slot) -> C::Query,
) -> Result<Page<T>, Failure>
where
    C: Call<Answer = Page<T>>,
{
    collect_some::<C, T>(client, limit, |_| true, query).await
}

/// The same, of those items alone that are wanted, among at most [`MAX_LIST_ITEMS`]. The total is that of all.
///
/// # Errors
/// Those of the calls.
pub async fn collect_some<C, T>(
    client: &Client,
    limit: u32,
    wanted: impl Fn(&T) -> bool,
    query: impl Fn(Slot) -> C::Query,
) -> Result<Page<T>, Failure>
where
    C: Call<Answer = Page<T>>,
{
    let (mut all, mut seen): (Page<T>, usize) = (Page::new(Vec::new(), None, 0), 0);
    loop {
        let missing = limit - u32::try_from(all.items.len()).unwrap_or(limit);
        let slot = Slot { limit: Some(missing.min(MAX_PAGE_ITEMS)), cursor: all.next_cursor.take() };
        let page = client.call(Request::<C>::new().query(query(slot))).await?;
        let got = page.items.len();
        seen += got;
        all.items.extend(page.items.into_iter().filter(&wanted));
        (all.next_cursor, all.total, all.total_is) = (page.next_cursor, page.total, page.total_is);
        let over = got == 0 || seen >= MAX_LIST_ITEMS as usize;
        if all.next_cursor.is_none() || over || all.items.len() >= limit as usize {
            return Ok(all);
        }
    }
}

/// The whole of a list that belongs to one thing, page after page.
///
/// # Errors
/// Those of the calls.
pub async fn of_one<C, T>(client: &Client, thing: impl Display) -> Result<Page<T>, Failure>
where
    C: Call<Answer = Page<T>, Query = PartQuery>,
{
    let mut all: Page<T> = Page::new(Vec::new(), None, 0);
    loop {
        let query = PartQuery { limit: Some(MAX_PAGE_ITEMS), cursor: all.next_cursor.take(), offset: None };
        let page = client.call(Request::<C>::new().place(&thing).query(query)).await?;
        let got = page.items.len();
        all.items.extend(page.items);
        (all.next_cursor, all.total, all.total_is) = (page.next_cursor, page.total, page.total_is);
        if all.next_cursor.is_none() || got == 0 || all.items.len() >= MAX_LIST_ITEMS as usize {
            return Ok(all);
        }
    }
}

/// Prints a list: as the page for machines, as a table with its size below for people.
///
/// # Errors
/// When standard output is closed.
pub fn print<T: serde::Serialize>(
    context: &Context,
    page: &Page<T>,
    table: impl FnOnce(&[T]) -> Table,
) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.json(page);
    }
    context.output.table(&table(&page.items))?;
    if page.next_cursor.is_none() {
        return Ok(());
    }
    let more = if page.total_is == Some(TotalIs::AtLeast) { "more than " } else { "" };
    context.output.line(&format!("{} of {more}{}; --limit shows more", page.items.len(), page.total))
}
