//! Many letters at once: by id, by filter, by cause.

use super::filter;
use crate::ask::Ask;
use crate::parameter::{check_named, one_scope};
use crate::reply::{Answer, Reply};
use tiltyard_engine::dead_letter::bulk::{self as bulks, Thing, Which};
use tiltyard_engine::dead_letter::list::filter_for;
use tiltyard_model::dead_letter::GroupRetry;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_wire::dead_letter::{Bulk, BulkAction, Filter as Wanted, RetryGroup, RetryGroupAnswer};
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::task::BulkAnswer;

/// `POST /dead-letters/bulk`.
pub(crate) async fn bulk(mut ask: Ask) -> Answer {
    let asked: Bulk = ask.body().await?;
    let thing = thing(asked.action, asked.reason.as_deref())?;
    check_named(&ask, asked.filter.as_ref().and_then(|filter| filter.scope.as_deref())).await?;
    let which = which(&ask.caller, asked)?;
    let work = async {
        let done = bulks::bulk(&ask.app.engine, ask.pass(), which, thing).await?;
        Ok(Reply::ok(&BulkAnswer { matched: done.matched, changed: done.changed }))
    };
    ask.act_many(work).await
}

fn thing(action: BulkAction, reason: Option<&str>) -> Result<Thing, Refusal> {
    match (action, reason) {
        (BulkAction::Dismiss, Some(reason)) if !reason.trim().is_empty() => {
            Ok(Thing::Dismiss(reason.to_owned()))
        }
        (BulkAction::Dismiss, _) => Err(Refusal::field("/reason", "must say why the letters are dismissed")),
        (_, Some(_)) => Err(Refusal::field("/reason", "goes with dismiss only")),
        (BulkAction::Retry, None) => Ok(Thing::Retry),
        (BulkAction::Reopen, None) => Ok(Thing::Reopen),
        (BulkAction::Delete, None) => Ok(Thing::Delete),
    }
}

fn which(caller: &Caller, asked: Bulk) -> Result<Which, Refusal> {
    match asked.filter {
        Some(_) if !asked.ids.is_empty() => Err(Refusal::field("/ids", "send `ids` or `filter`, not both")),
        Some(wanted) if wanted.limit.is_some() || wanted.cursor.is_some() || wanted.offset.is_some() => {
            let said = "takes no limit, cursor or offset: it means all that it finds";
            Err(Refusal::field("/filter", said))
        }
        Some(wanted) if !asked.all && wanted == Wanted::default() => {
            let said = "names no criterion: say `all: true` beside it if all letters are meant";
            Err(Refusal::field("/filter", said))
        }
        Some(wanted) => Ok(Which::Filter(filter(caller, &wanted)?)),
        None if asked.ids.is_empty() => {
            Err(Refusal::field("/ids", "say which letters by `ids` or by `filter`"))
        }
        None => Ok(Which::Ids(asked.ids)),
    }
}

/// `POST /dead-letters/groups/{fingerprint}/retry`.
pub(crate) async fn retry_group(mut ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let RetryGroup { scope: named, first, rate_per_minute } = ask.optional_body().await?;
    let scope = one_scope(named, scope)?;
    let filter = filter_for(&ask.caller, scope.as_deref())?;
    let (fingerprint, plan) = (ask.place("fingerprint").to_owned(), GroupRetry { first, rate_per_minute });
    let work = async {
        let done = bulks::retry_group(&ask.app.engine, ask.pass(), filter, &fingerprint, plan).await?;
        let (matched, started, scheduled) = (done.matched, done.started, done.scheduled);
        Ok(Reply::ok(&RetryGroupAnswer { matched, started, scheduled }))
    };
    ask.act_many(work).await
}
