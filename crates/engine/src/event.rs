//! Events: read by cursor, page by page (API20), or followed as they happen (API21).

pub mod follower;
mod sieve;
pub mod tail;

pub use follower::{Follower, Slow, Start, Step};
pub use tail::Tail;
pub use tiltyard_store::event::{Event, Filter};

use crate::act::refusal_of;
use crate::scope::of_read;
use tiltyard_model::event::cursor::{Cursor, id};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_store::{Rows, event};

/// Most events of one page.
pub const MAX_PAGE_EVENTS: usize = 1_000;
/// How many events one page looks at: a filter that finds nothing in them ends its page there, with the cursor moved on.
pub const MAX_LOOKED_EVENTS: i64 = 10_000;
/// How many times so many a page looks at before it comes back with nothing: a rare event is found by its first page
/// in a log of a million.
const MAX_EMPTY_LOOKS: usize = 100;

/// A page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Oldest first.
    pub items: Vec<Event>,
    /// Up to where the log was looked through: the last item's seq, or further.
    pub seq: i64,
    /// The same as a cursor: `epoch-seq`.
    pub next: String,
    /// The cursor of the log's last event: equal to `next` when the page is the last one.
    pub latest: String,
}

/// A filter for what the caller may see, of one scope when it is named (SEC4).
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn filter_for(caller: &Caller, scope: Option<&str>) -> Result<Filter, Refusal> {
    Ok(Filter { scopes: of_read(caller, scope)?, ..Filter::default() })
}

/// A page of events after a cursor; from the oldest kept on without one.
///
/// # Errors
/// 410 `cursor_compacted` or `epoch_changed`.
pub fn page(
    rows: &Rows,
    epoch: i64,
    after: Option<Cursor>,
    filter: &Filter,
    limit: usize,
) -> Result<Page, Refusal> {
    let seq = seq_of(rows, epoch, after.unwrap_or(Cursor::Oldest))?;
    let mut page = page_after(rows, epoch, seq, filter, limit)?;
    let last = event::bounds(rows).map_err(refusal_of)?.1;
    for _ in 1..MAX_EMPTY_LOOKS {
        if !page.items.is_empty() || page.seq >= last {
            break;
        }
        page = page_after(rows, epoch, page.seq, filter, limit)?;
    }
    Ok(page)
}

/// A page of events after a seq.
///
/// # Errors
/// 410 `cursor_compacted` when what follows the seq is no longer kept.
pub(crate) fn page_after(
    rows: &Rows,
    epoch: i64,
    seq: i64,
    filter: &Filter,
    limit: usize,
) -> Result<Page, Refusal> {
    let limit = limit.clamp(1, MAX_PAGE_EVENTS);
    let (first, last) = event::bounds(rows).map_err(refusal_of)?;
    if seq < first - 1 {
        return Err(compacted(epoch, first));
    }
    // The events of a run have an index of their own.
    let looked = if filter.run.is_some() { i64::MAX } else { MAX_LOOKED_EVENTS };
    let upto = last.min(seq.saturating_add(looked)).max(seq);
    let items = event::between(rows, (seq, upto), filter, limit).map_err(refusal_of)?;
    let full = items.len() >= limit;
    let seq = items.last().map(|event| event.seq).filter(|_| full).unwrap_or(upto);
    let cursor = |seq| -> Result<String, Refusal> {
        let written = event::epoch_of(rows, seq).map_err(refusal_of)?;
        Ok(id(written.unwrap_or(epoch), seq))
    };
    let (next, latest) = (cursor(seq)?, cursor(last.max(seq))?);
    Ok(Page { items, seq, next, latest })
}

/// The seq of the log's last event; 0 for an empty one.
///
/// # Errors
/// When the store is broken.
pub fn last(rows: &Rows) -> Result<i64, Refusal> {
    Ok(event::bounds(rows).map_err(refusal_of)?.1)
}

/// What belongs to a run after the first seq and up to the second, oldest first, at most `limit`.
///
/// # Errors
/// When the store is broken.
pub fn of_run(rows: &Rows, run: Id, between: (i64, i64), limit: usize) -> Result<Vec<Event>, Refusal> {
    let filter = Filter { run: Some(run), ..Filter::default() };
    event::between(rows, between, &filter, limit.clamp(1, MAX_PAGE_EVENTS)).map_err(refusal_of)
}

/// The seq that a cursor stands for, when what follows it can still be read.
///
/// # Errors
/// 410 `cursor_compacted` for one that is older than what is kept; 410 `epoch_changed` for one of a lost time line.
pub fn seq_of(rows: &Rows, epoch: i64, cursor: Cursor) -> Result<i64, Refusal> {
    let (first, last) = event::bounds(rows).map_err(refusal_of)?;
    let (written, seq) = match cursor {
        Cursor::Oldest => return Ok((first - 1).max(0)),
        Cursor::Bare(seq) => (epoch, seq),
        Cursor::At { epoch, seq } => (epoch, seq),
    };
    if written > epoch {
        return Err(lost(epoch, last));
    }
    if seq > last {
        return Err(ahead(epoch, last));
    }
    if seq < first - 1 {
        return Err(compacted(epoch, first));
    }
    // A cursor of an older epoch is good up to the restore: what lies beyond is of this epoch, and was never that (E9).
    let kept = event::epoch_of(rows, seq).map_err(refusal_of)?;
    if kept.is_some_and(|kept| kept > written) {
        return Err(lost(epoch, last));
    }
    Ok(seq)
}

fn compacted(epoch: i64, first: i64) -> Refusal {
    let text = format!(
        "events that old are no longer kept, the oldest is {}: read the present state again, then follow with after=0",
        id(epoch, first)
    );
    Refusal::new(Code::CursorCompacted, text).with("oldest", id(epoch, first)).with("resync", "after=0")
}

/// A cursor of this epoch that the log never came to, as far as it knows.
fn ahead(epoch: i64, last: i64) -> Refusal {
    let text = format!(
        "the cursor is ahead of the log, which ends with {}: it is of another server, or what it followed is lost here; \
         read the present state again, then follow from there",
        id(epoch, last)
    );
    Refusal { message: text, ..lost(epoch, last) }
}

fn lost(epoch: i64, last: i64) -> Refusal {
    let text = format!(
        "the cursor is of a time line that a restore has ended, the log ends with {}: read the present state again, \
         then follow from there",
        id(epoch, last)
    );
    let refusal = Refusal::new(Code::EpochChanged, text);
    refusal.with("epoch", epoch).with("latest", id(epoch, last)).with("resync", "after=0")
}
