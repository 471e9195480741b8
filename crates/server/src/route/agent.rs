//! Agents: who is there, and what they are told.

use crate::ask::Ask;
use crate::page::{End, by_name, by_place};
use crate::reply::{Answer, Reply};
use crate::view;
use http::StatusCode;
use std::sync::Arc;
use tiltyard_engine::agent::{self as agents, Seen};
use tiltyard_engine::task::heartbeat;
use tiltyard_engine::{Act, Urgency, token};
use tiltyard_model::agent::Profile;
use tiltyard_model::agent::record::Record;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::agent as wire;
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::page::{PageQuery, PartQuery};
use tiltyard_wire::task::work::AgentHeartbeat;

/// Most leases that one heartbeat may name.
const MAX_LEASES: usize = 10_000;

/// `GET /agents`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let all = ask.app.engine.enter(ask.pass(), Urgency::Normal, agents::list).await?;
    let page = by_name(all, &asked, |seen| (String::new(), seen.agent.name.clone()))?;
    Ok(Reply::ok(&page.map(view::agent::view)).into_response())
}

/// How an agent is shown alone.
fn shown(seen: Seen) -> Reply {
    Reply::ok(&view::agent::view(seen)).one()
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

async fn order(mut ask: Ask, draining: bool) -> Answer {
    ask.no_body()?;
    let name = ask.place("name").to_owned();
    let deed = move |act: &mut Act<'_>| agents::drain(act, &name, draining);
    ask.act(Urgency::Normal, deed, shown).await
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
    let AgentHeartbeat { instance, lease_ms, leases } = ask.body().await?;
    if leases.len() > MAX_LEASES {
        return Err(Refusal::fault(Code::Invalid, "/leases", "at most 10,000 leases"));
    }
    let held: Vec<_> = leases.iter().map(view::agent::held).collect();
    let deed =
        move |act: &mut Act<'_>| heartbeat::renew_all(act, &name, instance.as_deref(), lease_ms, &held);
    ask.act(Urgency::Urgent, deed, |standing| Reply::ok(&view::agent::standing(standing))).await
}

/// `POST /agents`.
pub(crate) async fn register(mut ask: Ask) -> Answer {
    let wire::Register { name, capabilities, scopes } = ask.body().await?;
    let scopes = scopes.unwrap_or_else(|| ask.caller.reach.to_list());
    let profile = Profile { capabilities, ..Profile::default() };
    let random = token::random()?;
    let deed = move |act: &mut Act<'_>| {
        let seen = agents::register(act, &name, profile)?;
        Ok((seen, token::mint_for_agent(act, &name, &scopes, &random)?))
    };
    let show = |(seen, minted): (Seen, token::Minted)| {
        let at = format!("{BASE_PATH}/agents/{}", seen.agent.name);
        let agent = view::agent::view(seen);
        Reply::json(StatusCode::CREATED, &wire::Registered { agent, token: minted.text })
            .at(at)
            .shown_once(minted.token.id.to_string())
    };
    ask.act(Urgency::Normal, deed, show).await
}

/// `GET /agents/{name}/violations`.
pub(crate) async fn violations(ask: Ask) -> Answer {
    let asked: PartQuery = ask.query()?;
    let items: Vec<_> = remembered(&ask).await?.violations().map(view::agent::violation).collect();
    Ok(Reply::ok(&by_place(items, &asked, End::Last)?).into_response())
}

/// `GET /agents/{name}/disconnects`.
pub(crate) async fn disconnects(ask: Ask) -> Answer {
    let asked: PartQuery = ask.query()?;
    let items: Vec<_> = remembered(&ask).await?.disconnects().map(view::agent::disconnect).collect();
    Ok(Reply::ok(&by_place(items, &asked, End::Last)?).into_response())
}

/// What is remembered of an agent that is there.
async fn remembered(ask: &Ask) -> Result<Arc<Record>, Refusal> {
    let name = ask.place("name").to_owned();
    ask.app.engine.enter(ask.pass(), Urgency::Normal, move |act| agents::record(act, &name)).await
}
