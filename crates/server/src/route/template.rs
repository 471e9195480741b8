//! Templates.

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::parameter::one_scope;
use crate::reply::{Answer, Reply};
use tiltyard_engine::template::{self as templates, Kept, Window};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::refusal::{Fault, Refusal};
use tiltyard_model::template::{self, Template};
use tiltyard_wire::contract::fault::faults_of_part;
use tiltyard_wire::endpoint::Endpoint;
use tiltyard_wire::page::{Page, PageQuery, ScopeQuery};
use tiltyard_wire::template as wire;
use tiltyard_wire::time::Time;

fn view(kept: Kept) -> wire::View {
    let Template { scope, name, description, task } = kept.template;
    wire::View { scope, name, description, task, updated_at: Time(kept.updated_at) }
}

fn shown(kept: Kept) -> Reply {
    Reply::ok(&view(kept)).one()
}

/// `GET /templates`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let span = Span::of_query(&asked)?;
    let window = Window {
        after: asked.cursor.as_deref().map(after).transpose()?,
        offset: span.offset,
        limit: span.limit,
    };
    let page =
        ask.read(move |rows, caller| templates::page(rows, caller, asked.scope.as_deref(), &window)).await?;
    let next = page.next.map(|(scope, name)| format!("{scope}/{name}"));
    let items = page.items.into_iter().map(view).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

fn after(cursor: &str) -> Result<(String, String), Refusal> {
    let (scope, name) = cursor.split_once('/').ok_or_else(bad_cursor)?;
    Ok((scope.to_owned(), name.to_owned()))
}

/// The scope and the name of the template in the path.
fn named(ask: &Ask, scope: Option<&str>) -> Result<(String, String), Refusal> {
    Ok((ask.scope(scope)?, ask.place("name").to_owned()))
}

/// `GET /templates/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let kept = ask.read(move |rows, caller| templates::get(rows, caller, &scope, &name)).await?;
    Ok(shown(kept).unless_known(&ask.parts.headers))
}

/// How the template is shown now; `None` where it is not there.
fn now(act: &Act<'_>, scope: &str, name: &str) -> Option<Vec<u8>> {
    templates::get(act.tx, &act.pass.caller, scope, name).ok().map(|kept| shown(kept).body)
}

/// `PUT /templates/{name}`.
pub(crate) async fn put(mut ask: Ask) -> Answer {
    let asked: ScopeQuery = ask.query()?;
    let wire::Put { scope, description, task } = ask.body().await?;
    let (scope, name) = named(&ask, one_scope(scope, asked.scope)?.as_deref())?;
    let template = Template { scope, name, description, task };
    Refusal::from_faults(faults(&template)).map_or(Ok(()), Err)?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &template.scope, &template.name))?;
        templates::put(act, template)
    };
    ask.act(Urgency::Normal, deed, shown).await
}

/// What is wrong with a template, and with the values that it gives: the fields of a task are judged as in a submission,
/// so that nobody hears of it first when a task is submitted.
fn faults(template: &Template) -> Vec<Fault> {
    let mut found = template::faults(template);
    for Fault { field, error } in faults_of_part(Endpoint::TaskSubmit, &template.task) {
        let field = format!("/task{field}");
        if !found.iter().any(|known| known.field == field) {
            found.push(Fault { field, error });
        }
    }
    found
}

/// `DELETE /templates/{name}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &scope, &name))?;
        templates::delete(act, &scope, &name)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}
