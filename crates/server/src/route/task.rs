//! Tasks: read, change, call off, run again.

pub(crate) mod bulk;
pub(crate) mod filter;
pub(crate) mod log;
pub(crate) mod submit;
pub(crate) mod template;
pub(crate) mod work;

use crate::ask::Ask;
use crate::page::{End, by_place};
use crate::pen;
use crate::reply::{Answer, Reply};
use crate::view;
use crate::view::task::Beside;
use http::StatusCode;
use tiltyard_engine::task::list::Page;
use tiltyard_engine::task::why::Why;
use tiltyard_engine::task::{
    Found, cancel as called_off, claim, edit, list as lists, retry as again, why as whys,
};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Kind, Refusal};
use tiltyard_model::task::State;
use tiltyard_wire::page::{self, PartQuery};
use tiltyard_wire::task as wire;

/// A task as it is shown alone.
fn shown(found: &Found) -> Reply {
    Reply::text(StatusCode::OK, view::task::text(&found.task)).one()
}

/// `GET /tasks/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let found = ask.read(move |rows, caller| lists::get(rows, caller, id)).await?;
    let lease_expires_in_ms = match found.task.state {
        State::Running => lease_left(&ask, &found).await?,
        _ => None,
    };
    // What is left of a lease is no change of the task: the entity tag is that of the rest.
    let essence = view::task::text(&found.task);
    let beside = Beside { lease_expires_in_ms, why: None };
    let mut shown = Vec::with_capacity(essence.len());
    view::task::write(&mut shown, &found.task, beside);
    Ok(Reply::text(StatusCode::OK, shown).one_as(&essence).unless_known(&ask.parts.headers))
}

/// What is left of the lease of a task, as the door knows it; `None` where it has ended meanwhile.
async fn lease_left(ask: &Ask, found: &Found) -> Result<Option<i64>, Refusal> {
    let (task, generation) = (found.task.id.key(), found.task.generation);
    let deed = move |act: &mut Act<'_>| Ok(claim::lease_left(act, task, generation));
    ask.app.engine.enter(ask.pass(), Urgency::Normal, deed).await
}

/// `GET /tasks`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let with_why = asked.why.unwrap_or(false);
    let (filter, window) = (filter::filter(&ask, &asked)?, filter::window(&asked)?);
    let filter = lists::with_running(&ask.app.engine, ask.pass(), filter).await;
    let page = ask.read(move |rows, _| lists::page(rows, &filter, window)).await?;
    let whys = if with_why { reasons(&ask, &page).await? } else { Vec::new() };
    Ok(Reply::text(StatusCode::OK, page_text(&page, &whys)).into_response())
}

/// Why each task of a page does not run; `None` for one that has gone meanwhile.
async fn reasons(ask: &Ask, page: &Page) -> Result<Vec<Option<Why>>, Refusal> {
    let ids: Vec<Id> = page.items.iter().map(|found| found.task.id).collect();
    let deed = move |act: &mut Act<'_>| {
        let reason = |id| match whys::why(act, id) {
            Err(refusal) if refusal.kind() == Kind::Missing => Ok(None),
            other => other.map(Some),
        };
        ids.into_iter().map(reason).collect()
    };
    ask.app.engine.enter(ask.pass(), Urgency::Normal, deed).await
}

fn page_text(page: &Page, whys: &[Option<Why>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(page.items.len() * view::task::ROOM_BYTES);
    pen::object(&mut out, |pen| {
        pen.member("items", |out| {
            pen::list(out, page.items.iter().enumerate(), |out, (place, found)| {
                let why = whys.get(place).and_then(Option::as_ref);
                view::task::write(out, &found.task, Beside { why, ..Beside::default() });
            });
        });
        let last = page.items.last().filter(|_| page.next.is_some());
        pen.any("next_cursor", &last.map(|found| found.task.id));
        let total = page::Page::<()>::new(Vec::new(), None, page.total);
        pen.any("total", &total.total);
        pen.some("total_is", total.total_is.as_ref());
    });
    out
}

/// `GET /tasks/graph`.
pub(crate) async fn graph(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let filter = filter::filter(&ask, &asked)?;
    let filter = lists::with_running(&ask.app.engine, ask.pass(), filter).await;
    let graph = ask.read(move |rows, _| lists::graph(rows, &filter)).await?;
    let mut out = Vec::new();
    pen::object(&mut out, |pen| {
        pen.member("nodes", |out| {
            pen::list(out, &graph.tasks, |out, found| view::task::write_brief(out, &found.task));
        });
        let edge = |(task, depends_on): &(Id, Id)| wire::Edge { task: *task, depends_on: *depends_on };
        let edges: Vec<_> = graph.edges.iter().map(edge).collect();
        pen.any("edges", &edges);
    });
    Ok(Reply::text(StatusCode::OK, out).into_response())
}

/// `GET /tasks/{id}/attempts`.
pub(crate) async fn attempts(ask: Ask) -> Answer {
    let (id, asked): (Id, PartQuery) = (ask.id(Noun::Task)?, ask.query()?);
    let attempts = ask.read(move |rows, caller| lists::attempts(rows, caller, id)).await?;
    let page = by_place(attempts, &asked, End::First)?;
    let mut out = Vec::new();
    pen::object(&mut out, |pen| {
        pen.member("items", |out| {
            pen::list(out, &page.items, |out, attempt| view::task::write_attempt(out, id, attempt));
        });
        pen.any("next_cursor", &page.next_cursor);
        pen.any("total", &page.total);
        pen.some("total_is", page.total_is.as_ref());
    });
    Ok(Reply::text(StatusCode::OK, out).into_response())
}

/// `GET /tasks/{id}/why`.
pub(crate) async fn why(ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    ask.act(Urgency::Normal, move |act| whys::why(act, id), |why| Reply::ok(&view::task::why(&why))).await
}

/// `PATCH /tasks/{id}`.
pub(crate) async fn patch(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let asked: wire::Patch = ask.body().await?;
    let change = edit::Patch {
        title: asked.title,
        priority: asked.priority,
        labels: asked.labels,
        category: asked.category,
        run_at: asked.run_at.map(|time| time.map(|time| time.0)),
        deadline: asked.deadline.map(|time| time.map(|time| time.0)),
        assign_to: asked.assign_to,
    };
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let now = act.task(id)?;
        demanded.check(|| Some(view::task::text(&now.task)))?;
        edit::edit(act, id, &change)
    };
    ask.act(Urgency::Normal, deed, |found| shown(&found)).await
}

/// `POST /tasks/{id}/cancel`.
pub(crate) async fn cancel(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let wire::Cancel { reason } = ask.optional_body().await?;
    let reason = reason.unwrap_or_else(|| "requested".to_owned());
    ask.act(Urgency::Urgent, move |act| called_off::cancel(act, id, &reason), |found| shown(&found)).await
}

/// `POST /tasks/{id}/retry`.
pub(crate) async fn retry(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let edit = edit_of(ask.optional_body().await?);
    ask.act(Urgency::Normal, move |act| again::retry(act, id, &edit), |found| shown(&found)).await
}

/// What a retry changes.
pub(crate) fn edit_of(asked: wire::Retry) -> again::Edit {
    let payload = asked.payload.map(|payload| String::from(Box::<str>::from(payload)));
    again::Edit { priority: asked.priority, assign_to: asked.assign_to, payload }
}

/// `PUT /tasks/{id}/dependencies/{task}`.
pub(crate) async fn add_dependency(ask: Ask) -> Answer {
    let (id, on) = (ask.id(Noun::Task)?, ask.id_at("task", Noun::Task)?);
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let now = act.task(id)?;
        demanded.check(|| Some(view::task::text(&now.task)))?;
        edit::add_dependency(act, id, on)
    };
    ask.act(Urgency::Normal, deed, |found| shown(&found)).await
}

/// `DELETE /tasks/{id}/dependencies/{task}`.
pub(crate) async fn remove_dependency(ask: Ask) -> Answer {
    let (id, on) = (ask.id(Noun::Task)?, ask.id_at("task", Noun::Task)?);
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let now = act.task(id)?;
        demanded.check(|| Some(view::task::text(&now.task)))?;
        edit::remove_dependency(act, id, on)
    };
    ask.act(Urgency::Normal, deed, |found| shown(&found)).await
}
