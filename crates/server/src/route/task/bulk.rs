//! One thing done to many tasks: each by a deed of its own, many of which share a commit.

use super::filter;
use crate::ask::Ask;
use crate::parameter::check_named;
use crate::reply::{Answer, Reply};
use futures_util::future::try_join_all;
use tiltyard_engine::task::list::{self as lists, Window};
use tiltyard_engine::task::{cancel, edit, retry};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Kind, Refusal};
use tiltyard_model::task::State;
use tiltyard_wire::task::{Bulk, BulkAction, BulkAnswer, Filter};

/// Most tasks of one call; a filter that finds more is asked again.
const MAX_BULK_TASKS: usize = 100_000;
/// Most ids that a body may name.
const MAX_BULK_IDS: usize = 10_000;
/// Deeds of one call that stand in line together.
const DEEDS_AT_ONCE: usize = 256;
/// Tasks of a filter that are read together.
const READ_AT_ONCE: u32 = 1_000;

/// `POST /tasks/bulk`.
pub(crate) async fn bulk(mut ask: Ask) -> Answer {
    let asked: Bulk = ask.body().await?;
    let thing = thing(&asked)?;
    ask.act_many(all(&ask, asked, thing)).await
}

async fn all(ask: &Ask, asked: Bulk, thing: Thing) -> Result<Reply, Refusal> {
    let ids = ids(ask, asked).await?;
    let mut answer = BulkAnswer { matched: 0, changed: 0 };
    for some in ids.chunks(DEEDS_AT_ONCE) {
        for became in try_join_all(some.iter().map(|id| one(ask, *id, thing))).await? {
            answer.matched += u64::from(became != Became::Absent);
            answer.changed += u64::from(became == Became::Changed);
        }
    }
    Ok(Reply::ok(&answer))
}

/// What is done.
#[derive(Debug, Clone, Copy)]
enum Thing {
    Cancel,
    Retry,
    Priority(u8),
}

/// What became of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Absent,
    Same,
    Changed,
}

fn thing(asked: &Bulk) -> Result<Thing, Refusal> {
    match (asked.action, asked.priority) {
        (BulkAction::Cancel, None) => Ok(Thing::Cancel),
        (BulkAction::Retry, None) => Ok(Thing::Retry),
        (BulkAction::SetPriority, Some(priority @ 1..=10)) => Ok(Thing::Priority(priority)),
        (BulkAction::SetPriority, _) => Err(Refusal::field("/priority", "must be 1 to 10 for set_priority")),
        _ => Err(Refusal::field("/priority", "goes with set_priority only")),
    }
}

async fn ids(ask: &Ask, asked: Bulk) -> Result<Vec<Id>, Refusal> {
    match asked.filter {
        Some(_) if !asked.ids.is_empty() => Err(Refusal::field("/ids", "send `ids` or `filter`, not both")),
        Some(wanted) if names_nothing(&wanted) && !asked.all => Err(Refusal::field(
            "/filter",
            "names no criterion: say `all: true` beside it if all tasks are meant",
        )),
        Some(wanted) => found(ask, &wanted).await,
        None if asked.ids.is_empty() => {
            Err(Refusal::field("/ids", "say which tasks by `ids` or by `filter`"))
        }
        None if asked.ids.len() > MAX_BULK_IDS => Err(Refusal::field("/ids", "at most 10,000 ids at once")),
        None => Ok(asked.ids),
    }
}

/// Whether a filter finds everything that the caller may see, as one does that a script failed to fill in.
fn names_nothing(wanted: &Filter) -> bool {
    Filter { why: None, ..wanted.clone() } == Filter::default()
}

/// The tasks that a filter finds now, newest first.
async fn found(ask: &Ask, wanted: &Filter) -> Result<Vec<Id>, Refusal> {
    if wanted.cursor.is_some() || wanted.offset.is_some() || wanted.limit.is_some() {
        return Err(Refusal::field(
            "/filter",
            "takes no limit, cursor or offset: it means all that it finds",
        ));
    }
    check_named(ask, wanted.scope.as_deref()).await?;
    let filter = filter::filter(ask, wanted)?;
    let filter = lists::with_running(&ask.app.engine, ask.pass(), filter).await;
    let (mut ids, mut below) = (Vec::new(), i64::MAX);
    while ids.len() < MAX_BULK_TASKS {
        let (filter, window) = (filter.clone(), Window { below, offset: 0, limit: READ_AT_ONCE });
        let page = ask.read(move |rows, _| lists::page(rows, &filter, window)).await?;
        ids.extend(page.items.iter().map(|found| found.task.id));
        let Some(next) = page.next else { break };
        below = next;
    }
    ids.truncate(MAX_BULK_TASKS);
    Ok(ids)
}

async fn one(ask: &Ask, id: Id, thing: Thing) -> Result<Became, Refusal> {
    let done = ask.app.engine.enter(ask.pass(), Urgency::Normal, move |act| act_on(act, id, thing)).await;
    match done {
        Ok(true) => Ok(Became::Changed),
        Ok(false) => Ok(Became::Same),
        Err(refusal) => match refusal.kind() {
            Kind::Missing => Ok(Became::Absent),
            // It is in a state that this does not fit: left as it is, and counted so.
            Kind::Conflict | Kind::Invalid => Ok(Became::Same),
            _ => Err(refusal),
        },
    }
}

/// Whether it changed anything.
fn act_on(act: &mut Act<'_>, id: Id, thing: Thing) -> Result<bool, Refusal> {
    let before = act.task(id)?.task;
    match thing {
        Thing::Cancel => cancel::cancel(act, id, "requested").map(|_| before.state != State::Cancelled),
        Thing::Retry => retry::retry(act, id, &retry::Edit::default()).map(|_| true),
        Thing::Priority(priority) => {
            let change = edit::Patch { priority: Some(priority), ..edit::Patch::default() };
            edit::edit(act, id, &change).map(|_| before.spec.priority != priority)
        }
    }
}
