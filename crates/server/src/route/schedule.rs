//! Schedules.

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::parameter::one_scope;
use crate::reply::{Answer, Reply};
use crate::route::task::submit::spec;
use crate::route::task::template::fill;
use crate::view::schedule::view;
use serde_json::{Map, Value};
use tiltyard_engine::schedule::{self as schedules, Put, When, Window};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::refusal::{Fault, Refusal};
use tiltyard_model::schedule::kept::{Schedule, What};
use tiltyard_wire::page::{Page, PageQuery, ScopeQuery};
use tiltyard_wire::schedule as wire;
use tiltyard_wire::task::Submit;

/// The zone of a cron expression that names none.
const DEFAULT_TIMEZONE: &str = "UTC";

/// What time does to a schedule is no change of it: the entity tag is that of what somebody said. Reading it is never answered with
/// "not modified", because time does something to it.
fn shown(schedule: Schedule) -> Reply {
    let said = said(&schedule);
    Reply::ok(&view(schedule)).one_as(&said)
}

/// What the entity tag is made of.
fn said(schedule: &Schedule) -> Vec<u8> {
    let Schedule { scope, name, revision, updated_at, .. } = schedule;
    serde_json::json!([scope, name, revision, updated_at]).to_string().into_bytes()
}

/// `GET /schedules`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let span = Span::of_query(&asked)?;
    let after = |cursor: &str| {
        let (scope, name) = cursor.split_once('/').ok_or_else(bad_cursor)?;
        Ok::<_, Refusal>((scope.to_owned(), name.to_owned()))
    };
    let window = Window {
        after: asked.cursor.as_deref().map(after).transpose()?,
        offset: span.offset,
        limit: span.limit,
    };
    let page =
        ask.read(move |rows, caller| schedules::page(rows, caller, asked.scope.as_deref(), &window)).await?;
    let next = page.next.map(|(scope, name)| format!("{scope}/{name}"));
    let items = page.items.into_iter().map(view).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

/// The scope and the name of the schedule in the path.
fn named(ask: &Ask, scope: Option<&str>) -> Result<(String, String), Refusal> {
    Ok((ask.scope(scope)?, ask.place("name").to_owned()))
}

/// `GET /schedules/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let schedule = ask.read(move |rows, caller| schedules::get(rows, caller, &scope, &name)).await?;
    Ok(shown(schedule).into_response())
}

/// The same of the schedule as it is now; `None` where it is not there.
fn now(act: &Act<'_>, scope: &str, name: &str) -> Option<Vec<u8>> {
    schedules::get(act.tx, &act.pass.caller, scope, name).ok().as_ref().map(said)
}

/// `PUT /schedules/{name}`.
pub(crate) async fn put(mut ask: Ask) -> Answer {
    let asked: ScopeQuery = ask.query()?;
    let mut body: wire::Put = ask.body().await?;
    let (scope, name) = named(&ask, one_scope(body.scope.take(), asked.scope)?.as_deref())?;
    Refusal::from_faults(loose_parts(&body)).map_or(Ok(()), Err)?;
    let when = match (body.cron, body.every_ms) {
        (Some(expression), _) => {
            let timezone = body.timezone.unwrap_or_else(|| DEFAULT_TIMEZONE.to_owned());
            When::Cron { expression, timezone }
        }
        (None, every_ms) => {
            When::Every { every_ms: every_ms.unwrap_or_default(), from: body.from.map(|from| from.0) }
        }
    };
    let what = match (body.pipeline, body.task) {
        (None, Some(task)) => task_of(&ask, &scope, *task).await.map_err(of_task)?,
        (name, _) => {
            let input = body.input.unwrap_or_else(|| Value::Object(Map::new()));
            What::Pipeline { name: name.unwrap_or_default(), input }
        }
    };
    let (missed, overlap, paused) = (body.missed, body.overlap, body.paused);
    let put = Put { scope, name, when, what, missed, overlap, paused };
    ask.app.engine.may_schedule(&ask.caller, &put).await?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &put.scope, &put.name))?;
        schedules::put(act, put)
    };
    ask.act(Urgency::Normal, deed, shown).await
}

/// The task of a schedule, with what its template says now.
async fn task_of(ask: &Ask, scope: &str, mut task: Submit) -> Result<What, Refusal> {
    // Another scope is told by the deed, with all else.
    fill(ask, Some(scope), std::slice::from_mut(&mut task)).await.map_err(|(_, refusal)| refusal)?;
    spec(&ask.caller, Some(scope), task).map(Box::new).map(What::Task)
}

/// The faults of a task, with their places in the body.
fn of_task(mut refusal: Refusal) -> Refusal {
    for Fault { field, .. } in &mut refusal.faults {
        field.insert_str(0, "/task");
    }
    refusal
}

/// What is missing, and what does not belong together.
fn loose_parts(body: &wire::Put) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |ok: bool, field: &str, error: &str| {
        if !ok {
            faults.push(Fault { field: field.to_owned(), error: error.to_owned() });
        }
    };
    let (cron, every) = (body.cron.is_some(), body.every_ms.is_some());
    check(cron || every, "/cron", "is needed, or every_ms: when is it to start something?");
    check(!(cron && every), "/every_ms", "says when, and so does cron: leave one of them out");
    check(cron || body.timezone.is_none(), "/timezone", "belongs to cron; an interval has none");
    check(!cron || body.from.is_none(), "/from", "belongs to every_ms; cron has no beginning");
    let (pipeline, task) = (body.pipeline.is_some(), body.task.is_some());
    check(pipeline || task, "/pipeline", "is needed, or task: what is it to start?");
    check(!(pipeline && task), "/task", "is started, and so is the pipeline: leave one of them out");
    check(pipeline || body.input.is_none(), "/input", "belongs to a pipeline; a task has its payload");
    faults
}

/// `DELETE /schedules/{name}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &scope, &name))?;
        schedules::delete(act, &scope, &name)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}
