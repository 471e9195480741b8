//! Runs: started, listed, shown, cancelled, run again; their items, artifacts and events.

pub(crate) mod events;

use crate::ask::Ask;
use crate::page::{Span, bad_cursor, below};
use crate::parameter::one_scope;
use crate::reply::{Answer, Reply};
use crate::view::run as view;
use http::StatusCode;
use tiltyard_engine::pipeline::reading::Sent;
use tiltyard_engine::run::read::{self as runs, Filter, Part, Place, Shown, Window};
use tiltyard_engine::run::start::{self, Asked, Which};
use tiltyard_engine::run::{cancel, rerun};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::State;
use tiltyard_model::run::stage::State as StageState;
use tiltyard_wire::endpoint::BASE_PATH;
use tiltyard_wire::page::{Page, PartQuery, ScopeQuery};
use tiltyard_wire::run as wire;

fn shown(status: StatusCode, run: Shown) -> Reply {
    Reply::json(status, &view::view(run)).one()
}

/// `POST /runs`.
pub(crate) async fn start(mut ask: Ask) -> Answer {
    let query: ScopeQuery = ask.query()?;
    let asked: wire::Start = ask.body().await?;
    let scope = ask.scope(one_scope(asked.scope.clone(), query.scope)?.as_deref())?;
    let asked = Asked { scope, which: which(&asked)?, input: input(&asked)?, title: asked.title };
    let ready = ask.app.engine.ready_run(&ask.caller, asked).await?;
    let deed = move |act: &mut Act<'_>| {
        let found = start::started(act, &ready)?;
        runs::shown(act.tx, found)
    };
    let show = |run: Shown| {
        let at = format!("{BASE_PATH}/runs/{}", run.listed.found.id);
        shown(StatusCode::CREATED, run).at(at)
    };
    ask.act(Urgency::Normal, deed, show).await
}

/// Which definition is meant: a published one, or one that comes along.
fn which(asked: &wire::Start) -> Result<Which, Refusal> {
    match (&asked.pipeline, &asked.definition) {
        (Some(name), None) => Ok(Which::Named { name: name.clone(), number: asked.number }),
        (None, Some(_)) if asked.number.is_some() => Err(Refusal::field(
            "/number",
            "is the number of a published pipeline: leave it out beside a definition",
        )),
        (None, Some(wire::Definition::Text(text))) => Ok(Which::Sent(Sent::Text(text.clone()))),
        (None, Some(wire::Definition::Object(object))) => Ok(Which::Sent(Sent::Value(object.clone().into()))),
        (Some(_), Some(_)) => {
            Err(Refusal::field("/definition", "the request names a pipeline too: send one of them"))
        }
        (None, None) => Err(Refusal::field("/pipeline", "say which pipeline is run, or send a `definition`")),
    }
}

fn input(asked: &wire::Start) -> Result<Option<serde_json::Value>, Refusal> {
    let read = |raw: &serde_json::value::RawValue| serde_json::from_str(raw.get());
    let input = asked.input.as_deref().map(read).transpose();
    input.map_err(|error| Refusal::field("/input", format!("cannot be read: {error}")))
}

/// `GET /runs`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let window =
        Window { below: below(Noun::Run, asked.cursor.as_deref())?, offset: span.offset, limit: span.limit };
    let filter = Filter {
        scopes: None,
        states: states(asked.state.as_deref(), &State::ALL.map(State::as_str).join(" "), State::parse)?,
        pipeline: asked.pipeline,
        schedule: asked.schedule,
        words: asked.q,
    };
    let page = ask.read(move |rows, caller| {
        let page = runs::page(rows, caller, asked.scope.as_deref(), (&filter, window))?;
        let next = page.next.map(|key| rows.id(Noun::Run, key).to_string());
        let items = page.items.into_iter().map(view::listed).collect();
        Ok(Page::new(items, next, page.total))
    });
    Ok(Reply::ok(&page.await?).into_response())
}

/// States by comma.
fn states<T>(text: Option<&str>, all: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Refusal> {
    let words = text.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    let read = |word: &str| {
        let shown: String = word.chars().take(64).collect();
        let said = format!("`state`: `{shown}` is no state; there are: {all}");
        parse(word).ok_or_else(|| Refusal::new(Code::BadParameter, said))
    };
    words.filter(|word| !word.is_empty()).map(read).collect()
}

/// `GET /runs/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::Run)?;
    let run = ask.read(move |rows, caller| runs::get(rows, caller, id)).await?;
    Ok(shown(StatusCode::OK, run).unless_known(&ask.parts.headers))
}

/// `POST /runs/{id}/cancel`.
pub(crate) async fn cancel(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Run)?;
    let wire::Cancel { reason } = ask.optional_body().await?;
    let deed = move |act: &mut Act<'_>| {
        let found = cancel::cancel(act, id, reason.as_deref())?;
        runs::shown(act.tx, found)
    };
    ask.act(Urgency::Normal, deed, |run| shown(StatusCode::OK, run)).await
}

/// `POST /runs/{id}/rerun`.
pub(crate) async fn rerun(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Run)?;
    let wire::Rerun { from_stage } = ask.optional_body().await?;
    let deed = move |act: &mut Act<'_>| {
        let found = rerun::rerun(act, id, from_stage.as_deref())?;
        runs::shown(act.tx, found)
    };
    ask.act(Urgency::Normal, deed, |run| shown(StatusCode::OK, run)).await
}

/// `GET /runs/{id}/stages/{stage}/items`.
pub(crate) async fn items(ask: Ask) -> Answer {
    let (id, stage) = (ask.id(Noun::Run)?, ask.place("stage").to_owned());
    let asked: wire::ItemQuery = ask.query()?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let all = StageState::ALL.map(StageState::as_str).join(" ");
    let after =
        asked.cursor.as_deref().map(|text| text.parse::<u32>().map(i64::from).map_err(|_| bad_cursor()));
    let part = Part {
        states: states(asked.state.as_deref(), &all, StageState::parse)?,
        after: after.transpose()?.unwrap_or(-1),
        offset: span.offset,
        limit: span.limit,
    };
    let page = ask.read(move |rows, caller| {
        let found = runs::items(rows, caller, (id, &stage), &part)?;
        let next = found.next.map(|index| index.to_string());
        let items = found.items.into_iter().map(|item| view::item(rows, found.each, item));
        Ok(Page::new(items.collect::<Result<_, _>>()?, next, found.total))
    });
    Ok(Reply::ok(&page.await?).into_response())
}

/// `GET /runs/{id}/artifacts`.
pub(crate) async fn artifacts(ask: Ask) -> Answer {
    let id = ask.id(Noun::Run)?;
    let asked: PartQuery = ask.query()?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let after = asked.cursor.as_deref().map(place).transpose()?;
    let read = move |rows: &_, caller: &_| {
        runs::artifacts(rows, caller, id, (after.as_ref(), span.offset, span.limit))
    };
    let page = ask.read(read).await?;
    let next = page.next.as_ref().map(cursor);
    let items = page.items.into_iter().map(|(stage, made)| view::artifact(stage, made)).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

/// A place among a run's outputs as a cursor: `stage.attempt.item.name`.
fn cursor(place: &Place) -> String {
    let item = place.item.map_or(-1, i64::from);
    format!("{}.{}.{item}.{}", place.stage, place.attempt, place.name)
}

fn place(text: &str) -> Result<Place, Refusal> {
    let mut parts = text.splitn(4, '.');
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
    let (stage, attempt, item) = (number(), number(), number());
    let name = parts.next().map(str::to_owned);
    let found = stage.zip(attempt).zip(item).zip(name).and_then(|(((stage, attempt), item), name)| {
        let whole = |number: i64| u32::try_from(number).ok();
        let item = if item == -1 { None } else { Some(whole(item)?) };
        Some(Place { stage: whole(stage)?, attempt: whole(attempt)?, item, name })
    });
    found.ok_or_else(bad_cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    // API3: a cursor leads back to where it came from.
    #[test]
    fn api3_a_place_reads_back() {
        for item in [None, Some(0), Some(17)] {
            let there = Place { stage: 3, attempt: 2, item, name: "a.b".to_owned() };
            assert_eq!(place(&cursor(&there)).unwrap(), there);
        }
        for bad in ["", "1.2.3", "x.1.-1.a", "1.1.-2.a", "task_1"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
