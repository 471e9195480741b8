//! Dead letters (D10 to D12): read, run again, set aside, removed.

mod bulk;

pub(crate) use bulk::{bulk, retry_group};

use crate::ask::Ask;
use crate::page::{End, Span, below, by_place};
use crate::pen;
use crate::reply::{Answer, Reply};
use crate::route::task::edit_of;
use crate::view;
use http::StatusCode;
use tiltyard_engine::dead_letter::list::{self as lists, Filter, Window};
use tiltyard_engine::dead_letter::{self as letters};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::dead_letter::{Letter, State};
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_wire::dead_letter as wire;
use tiltyard_wire::page::{Page, PageQuery, PartQuery, ScopeQuery};

/// A letter as it is shown alone.
fn shown(letter: &Letter) -> Reply {
    Reply::text(StatusCode::OK, view::dead_letter::text(letter)).one()
}

/// Which letters are meant, as far as the caller may see them.
fn filter(caller: &Caller, asked: &wire::Filter) -> Result<Filter, Refusal> {
    Ok(Filter {
        state: asked.status.as_deref().map(state).transpose()?,
        category: asked.category.clone(),
        fingerprint: asked.fingerprint.clone(),
        ..lists::filter_for(caller, asked.scope.as_deref())?
    })
}

fn state(text: &str) -> Result<State, Refusal> {
    let shown: String = text.chars().take(64).collect();
    let all = State::ALL.map(State::as_str).join(" ");
    let said = format!("`status`: `{shown}` is no status of a dead letter; there are: {all}");
    State::parse(text).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

/// `GET /dead-letters`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let filter = filter(&ask.caller, &asked)?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let below = below(Noun::DeadLetter, asked.cursor.as_deref())?;
    let window = Window { below, offset: span.offset, limit: span.limit };
    let page = ask.read(move |rows, _| lists::page(rows, &filter, window)).await?;
    Ok(Reply::text(StatusCode::OK, page_text(&page)).into_response())
}

fn page_text(page: &lists::Page) -> Vec<u8> {
    let mut out = Vec::new();
    pen::object(&mut out, |pen| {
        pen.member("items", |out| pen::list(out, &page.items, view::dead_letter::write));
        let last = page.items.last().filter(|_| page.next.is_some());
        pen.any("next_cursor", &last.map(|letter| letter.id));
        let total = Page::<()>::new(Vec::new(), None, page.total);
        pen.any("total", &total.total);
        pen.some("total_is", total.total_is.as_ref());
    });
    out
}

/// `GET /dead-letters/stats`.
pub(crate) async fn stats(ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let counts = ask.read(move |rows, caller| lists::stats(rows, caller, scope.as_deref())).await?;
    let of = |state: State| counts[state as usize];
    let stats = wire::Stats {
        pending: of(State::Pending),
        retrying: of(State::Retrying),
        resolved: of(State::Resolved),
        dismissed: of(State::Dismissed),
        limit: ask.app.engine.letters().get() as u64,
    };
    Ok(Reply::ok(&stats).into_response())
}

/// `GET /dead-letters/groups`.
pub(crate) async fn groups(ask: Ask) -> Answer {
    let PageQuery { scope, limit, cursor, offset } = ask.query()?;
    let asked = PartQuery { limit, cursor, offset };
    let groups = ask.read(move |rows, caller| lists::groups(rows, caller, scope.as_deref())).await?;
    let page = by_place(groups, &asked, End::First)?;
    Ok(Reply::ok(&page.map(view::dead_letter::group)).into_response())
}

/// `GET /dead-letters/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::DeadLetter)?;
    let letter = ask.read(move |rows, caller| lists::get(rows, caller, id)).await?;
    Ok(shown(&letter).unless_known(&ask.parts.headers))
}

/// `POST /dead-letters/{id}/retry`.
pub(crate) async fn retry(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::DeadLetter)?;
    let edit = edit_of(ask.optional_body().await?);
    ask.act(Urgency::Normal, move |act| letters::retry(act, id, &edit), |letter| shown(&letter)).await
}

/// `POST /dead-letters/{id}/dismiss`.
pub(crate) async fn dismiss(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::DeadLetter)?;
    let wire::Dismiss { reason } = ask.body().await?;
    ask.act(Urgency::Normal, move |act| letters::dismiss(act, id, &reason), |letter| shown(&letter)).await
}

/// `POST /dead-letters/{id}/reopen`.
pub(crate) async fn reopen(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::DeadLetter)?;
    ask.no_body()?;
    ask.act(Urgency::Normal, move |act| letters::reopen(act, id), |letter| shown(&letter)).await
}

/// `DELETE /dead-letters/{id}`.
pub(crate) async fn delete(ask: Ask) -> Answer {
    let id = ask.id(Noun::DeadLetter)?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        let now = lists::get(act.tx, &act.pass.caller, id)?;
        demanded.check(|| Some(view::dead_letter::text(&now)))?;
        letters::delete(act, id)
    };
    ask.act(Urgency::Normal, deed, |()| Reply::empty()).await
}
