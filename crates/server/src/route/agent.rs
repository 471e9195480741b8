//! Agents: who is there, and what they are told.

use crate::ask::Ask;
use crate::reply::{Answer, Reply};
use crate::route::task::filter::Span;
use crate::view;
use crate::view::agent::Live;
use tiltyard_engine::agent::{self as agents, Seen};
use tiltyard_engine::task::heartbeat;
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::page::{Page, PageQuery};
use tiltyard_wire::task::work as wire;

/// Most leases that one heartbeat may name.
const MAX_LEASES: usize = 10_000;

/// `GET /agents`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let all = ask.app.engine.enter(ask.pass(), Urgency::Normal, agents::list).await?;
    let after = asked.cursor.as_deref().unwrap_or_default();
    let total = all.len() as u64;
    let rest = all.into_iter().filter(|seen| seen.agent.name.as_str() > after).skip(span.offset as usize);
    let mut items: Vec<Seen> = rest.take(span.limit as usize + 1).collect();
    let more = items.len() > span.limit as usize;
    items.truncate(span.limit as usize);
    let next_cursor = items.last().filter(|_| more).map(|seen| seen.agent.name.clone());
    let items = items.into_iter().map(|seen| view::agent::view(seen, Live::default())).collect();
    Ok(Reply::ok(&Page::new(items, next_cursor, total)).into_response())
}

fn shown(seen: Seen) -> Reply {
    Reply::ok(&view::agent::view(seen, Live::default())).one()
}

/// `GET /agents/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let name = ask.place("name").to_owned();
    let seen = ask.app.engine.enter(ask.pass(), Urgency::Normal, move |act| agents::get(act, &name)).await?;
    Ok(shown(seen).unless_known(&ask.parts.headers))
}

/// `POST /agents/{name}/drain`.
pub(crate) async fn drain(ask: Ask) -> Answer {
    order(ask, true).await
}

/// `POST /agents/{name}/resume`.
pub(crate) async fn resume(ask: Ask) -> Answer {
    order(ask, false).await
}

async fn order(ask: Ask, draining: bool) -> Answer {
    let name = ask.place("name").to_owned();
    ask.act(Urgency::Normal, move |act| agents::drain(act, &name, draining), shown).await
}

/// `DELETE /agents/{name}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let name = ask.place("name").to_owned();
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let now = agents::get(act, &name)?;
        demanded.check(|| Some(shown(now).body))?;
        agents::delete(act, &name)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}

/// `POST /agents/{name}/heartbeat`.
pub(crate) async fn heartbeat(mut ask: Ask) -> Answer {
    let name = ask.place("name").to_owned();
    let wire::AgentHeartbeat { instance, lease_ms, leases } = ask.body().await?;
    if leases.len() > MAX_LEASES {
        return Err(Refusal::fault(Code::Invalid, "/leases", "at most 10,000 leases"));
    }
    let held: Vec<_> = leases.iter().map(view::agent::held).collect();
    let deed =
        move |act: &mut Act<'_>| heartbeat::renew_all(act, &name, instance.as_deref(), lease_ms, &held);
    ask.act(Urgency::Urgent, deed, |standing| Reply::ok(&view::agent::standing(standing))).await
}
