//! Repositories: registered after their agent has looked at them, and their rules.

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::parameter::one_scope;
use crate::reply::{Answer, Reply};
use crate::view::repository as view;
use std::time::Duration;
use tiltyard_engine::repository::read::{self as repositories, Window};
use tiltyard_engine::repository::{self as registered, Put, probe};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::repository::Repository;
use tiltyard_wire::page::{Page, PageQuery, ScopeQuery};
use tiltyard_wire::repository as wire;

/// How long a registration waits for its agent to look, in milliseconds. It goes on after that.
const PROBE_WAIT_MS: u64 = 30_000;

fn shown(known: Repository) -> Reply {
    Reply::ok(&view::view(known)).one()
}

/// The scope and the name of the repository in the path.
fn named(ask: &Ask, scope: Option<&str>) -> Result<(String, String), Refusal> {
    Ok((ask.scope(scope)?, ask.place("name").to_owned()))
}

async fn known(ask: &Ask, named_in_body: Option<String>) -> Result<Repository, Refusal> {
    let ScopeQuery { scope } = ask.query()?;
    let scope = one_scope(named_in_body, scope)?;
    let (scope, name) = named(ask, scope.as_deref())?;
    ask.read(move |rows, caller| repositories::get(rows, caller, &scope, &name)).await
}

/// `GET /repositories`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let span = Span::of_query(&asked)?;
    let (scope, cursor) = (asked.scope.clone(), asked.cursor.clone());
    let page = ask.read(move |rows, caller| {
        let after =
            cursor.as_deref().map_or(Ok(("", "")), |cursor| cursor.split_once('/').ok_or_else(bad_cursor))?;
        let mut caller = caller.clone();
        if let Some(scope) = scope {
            caller.reach = tiltyard_model::role::Reach::Only(vec![scope]);
        }
        repositories::page(rows, &caller, &Window { after, offset: span.offset, limit: span.limit })
    });
    let page = page.await?;
    let next = page.next.map(|(scope, name)| format!("{scope}/{name}"));
    let items = page.items.into_iter().map(view::view).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

/// `GET /repositories/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    Ok(shown(known(&ask, None).await?).unless_known(&ask.parts.headers))
}

/// `PUT /repositories/{name}`: answered when its agent has looked, or after half a minute, as it is then.
pub(crate) async fn put(mut ask: Ask) -> Answer {
    let query: ScopeQuery = ask.query()?;
    let asked: wire::Put = ask.body().await?;
    let (scope, name) = named(&ask, one_scope(asked.scope.clone(), query.scope)?.as_deref())?;
    let put = Put {
        scope,
        name,
        settings: view::asked(&asked)?,
        source: view::source(asked.path, asked.url)?,
        branch: asked.branch,
        agent: asked.agent,
    };
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &put.scope, &put.name))?;
        registered::put(act, &put)
    };
    let pending = ask.app.engine.enter(ask.pass(), Urgency::Normal, deed).await?;
    let looked = probe::wait(&ask.app.engine, pending, Duration::from_millis(PROBE_WAIT_MS)).await?;
    Ok(shown(looked).into_response())
}

/// How the repository is shown now; `None` where it is not there.
fn now(act: &Act<'_>, scope: &str, name: &str) -> Option<Vec<u8>> {
    repositories::get(act.tx, &act.pass.caller, scope, name).ok().map(|known| shown(known).body)
}

/// `DELETE /repositories/{name}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &scope, &name))?;
        registered::delete(act, &scope, &name)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}

/// `GET /repositories/{name}/rules`.
pub(crate) async fn rules(ask: Ask) -> Answer {
    let known = known(&ask, None).await?;
    let rules = repositories::rules(&known);
    Ok(Reply::ok(&view::rules(known.registration.name, &rules)).one().unless_known(&ask.parts.headers))
}

/// `POST /repositories/{name}/weigh`.
pub(crate) async fn weigh(mut ask: Ask) -> Answer {
    let wire::Weigh { scope, diff } = ask.body().await?;
    let known = known(&ask, scope).await?;
    let weight = repositories::weigh(&known, diff.as_bytes())?;
    Ok(Reply::ok(&view::weight(&weight)).into_response())
}
