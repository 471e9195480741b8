//! Pipelines: published, read, looked at, taken away.

use crate::ask::Ask;
use crate::page::{Span, bad_cursor};
use crate::reply::{Answer, Reply, tag_of};
use http::StatusCode;
use http::header::HeaderValue;
use std::sync::Arc;
use tiltyard_engine::pipeline::reading::{self, Checked, Sent};
use tiltyard_engine::pipeline::{self as pipelines, Outcome, Publish, Published, Shown, Window};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::pipeline::Mistake;
use tiltyard_model::refusal::Refusal;
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::page::{Page, PageQuery, ScopeQuery};
use tiltyard_wire::pipeline as wire;
use tiltyard_wire::time::Time;

fn listed(published: Published) -> wire::View {
    wire::View {
        scope: published.scope,
        name: published.name,
        number: published.number,
        sha256: published.sha256,
        stages: published.stages,
        published_at: Time(published.published_at),
        published_by: published.published_by,
        input: None,
        definition: None,
    }
}

fn essence(published: &Published) -> String {
    format!("{} {}", published.number, published.sha256)
}

fn shown(status: StatusCode, shown: Shown) -> Reply {
    let essence = essence(&shown.published);
    let view = wire::View { input: shown.input, definition: Some(shown.source), ..listed(shown.published) };
    Reply::json(status, &view).one_as(essence.as_bytes())
}

/// `GET /pipelines`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let span = Span::of_query(&asked)?;
    let after =
        asked.cursor.as_deref().map(|cursor| cursor.split_once('/').ok_or_else(bad_cursor)).transpose()?;
    let after = after.map(|(scope, name)| (scope.to_owned(), name.to_owned()));
    let window = Window { after, offset: span.offset, limit: span.limit };
    let page =
        ask.read(move |rows, caller| pipelines::page(rows, caller, asked.scope.as_deref(), &window)).await?;
    let next = page.next.map(|(scope, name)| format!("{scope}/{name}"));
    let items = page.items.into_iter().map(listed).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

/// The scope and the name of the pipeline in the path.
fn named(ask: &Ask, scope: Option<&str>) -> Result<(String, String), Refusal> {
    Ok((ask.scope(scope)?, ask.place("name").to_owned()))
}

/// `GET /pipelines/{name}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let wire::Query { scope, number } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let found = ask.read(move |rows, caller| pipelines::get(rows, caller, (&scope, &name), number)).await?;
    Ok(shown(StatusCode::OK, found).unless_known(&ask.parts.headers))
}

/// The entity tag of the pipeline now; `None` where it is not there.
fn now(act: &Act<'_>, scope: &str, name: &str) -> Option<HeaderValue> {
    let found = pipelines::published(act.tx, (scope, name), None).ok().flatten();
    found.map(|published| tag_of(essence(&published).as_bytes()))
}

/// What is wrong with a definition in a scope, beside its language.
async fn strangers(
    ask: &Ask,
    scope: &str,
    own: Option<&str>,
    checked: &Arc<Checked>,
) -> Result<Vec<Mistake>, Refusal> {
    let (scope, own, checked) = (scope.to_owned(), own.map(str::to_owned), Arc::clone(checked));
    ask.read(move |rows, _| reading::strangers(rows, &scope, &checked, own.as_deref())).await
}

/// `PUT /pipelines/{name}`.
pub(crate) async fn put(mut ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let text = ask.text_body(&wire::MEDIA_TYPES).await?;
    let checked = reading::valid(Sent::Text(text), "").await?;
    let strangers = strangers(&ask, &scope, Some(&name), &checked).await?;
    if !strangers.is_empty() {
        return Err(reading::refused(strangers, ""));
    }
    let (demanded, publish) = (ask.precondition(), Publish { scope, name, checked });
    let deed = move |act: &mut Act<'_>| {
        demanded.check_tag(|| now(act, &publish.scope, &publish.name))?;
        pipelines::publish(act, &publish)
    };
    ask.act(Urgency::Normal, deed, |(outcome, found)| answered(outcome, found)).await
}

fn answered(outcome: Outcome, found: Shown) -> Reply {
    let at = format!("{BASE_PATH}/pipelines/{}", found.published.name);
    match outcome {
        Outcome::Made => shown(StatusCode::CREATED, found).at(at),
        Outcome::Changed | Outcome::Same => shown(StatusCode::OK, found),
    }
}

/// `DELETE /pipelines/{name}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let (scope, name) = named(&ask, scope.as_deref())?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check_tag(|| now(act, &scope, &name))?;
        pipelines::delete(act, &scope, &name)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}

/// `POST /pipelines/validate`.
pub(crate) async fn validate(mut ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let scope = ask.scope(scope.as_deref())?;
    let text = ask.text_body(&wire::MEDIA_TYPES).await?;
    let found = match reading::of(Sent::Text(text)).await? {
        Err(mistakes) => wire::Validation { ok: false, sha256: None, stages: None, mistakes },
        Ok(checked) => {
            let mistakes = strangers(&ask, &scope, None, &checked).await?;
            let (sha256, stages) = (checked.sha256.clone(), i64::from(checked.graph.len()));
            wire::Validation { ok: mistakes.is_empty(), sha256: Some(sha256), stages: Some(stages), mistakes }
        }
    };
    Ok(Reply::ok(&found).into_response())
}
