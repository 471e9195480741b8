//! Scopes.

use crate::ask::Ask;
use crate::page::by_name;
use crate::reply::{Answer, Reply};
use tiltyard_engine::scope as scopes;
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::scope::Scope;
use tiltyard_wire::page::PageQuery;
use tiltyard_wire::scope as wire;
use tiltyard_wire::time::Time;

fn view(scope: Scope) -> wire::View {
    wire::View { name: scope.name, description: scope.description, created_at: Time(scope.created_at) }
}

fn shown(scope: Scope) -> Reply {
    Reply::ok(&view(scope)).one()
}

/// How the scope is shown now; `None` where it is not there.
fn now(act: &Act<'_>, name: &str) -> Option<Vec<u8>> {
    let key = act.memory.names.scope_key(name)?;
    act.memory.names.scope(key).cloned().map(|scope| shown(scope).body)
}

/// `GET /scopes`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let found = ask.read(scopes::list).await?;
    let found = found.into_iter().filter(|scope| asked.scope.as_ref().is_none_or(|name| *name == scope.name));
    let page = by_name(found.collect(), &asked, |scope| (String::new(), scope.name.clone()))?;
    Ok(Reply::ok(&page.map(view)).into_response())
}

/// `GET /scopes/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let name = ask.place("name").to_owned();
    let found = ask.read(move |rows, caller| scopes::get(rows, caller, &name)).await?;
    Ok(shown(found).unless_known(&ask.parts.headers))
}

/// `PUT /scopes/{name}`.
pub(crate) async fn put(mut ask: Ask) -> Answer {
    let name = ask.place("name").to_owned();
    let wire::Put { description } = ask.body().await?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &name))?;
        scopes::put(act, &name, &description)
    };
    ask.act(Urgency::Normal, deed, shown).await
}

/// `DELETE /scopes/{name}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let name = ask.place("name").to_owned();
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &name))?;
        scopes::delete(act, &name)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}
