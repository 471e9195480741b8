//! Gates: read and decided (D23, D24, D26).

use crate::ask::Ask;
use crate::page::{Span, below};
use crate::reply::{Answer, Reply};
use crate::view;
use tiltyard_engine::gate::decide::{Decide, decide as decides};
use tiltyard_engine::gate::read::{self as gates, Filter, Found};
use tiltyard_engine::task::list::Window;
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::gate::{Side, State};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::gate as wire;
use tiltyard_wire::page::Page;

/// A gate as a request sees it.
fn seen(ask: &Ask, found: &Found) -> wire::View {
    let engine = &ask.app.engine;
    view::gate::view(found, engine.tokens(), engine.clock().now().wall)
}

/// A gate as a deed leaves it.
pub(crate) fn left(act: &Act<'_>, found: &Found) -> wire::View {
    view::gate::view(found, &act.memory.tokens, act.now.wall)
}

/// `GET /gates`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let state = asked.state.as_deref().map(state).transpose()?;
    let filter = Filter { scopes: ask.scopes(asked.scope.as_deref())?, state };
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let below = below(Noun::Gate, asked.cursor.as_deref())?;
    let window = Window { below, offset: span.offset, limit: span.limit };
    let page = ask.read(move |rows, caller| gates::page(rows, caller, &filter, window)).await?;
    let last = page.items.last().filter(|_| page.next.is_some());
    let next = last.map(|found| found.gate.id.to_string());
    let items = page.items.iter().map(|found| seen(&ask, found)).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

fn state(text: &str) -> Result<State, Refusal> {
    let shown: String = text.chars().take(64).collect();
    let said = format!("`state`: `{shown}` is no state of a gate; `open` is one");
    State::parse(text).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

/// `GET /gates/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::Gate)?;
    let found = ask.read(move |rows, caller| gates::get(rows, caller, id)).await?;
    Ok(Reply::ok(&seen(&ask, &found)).one().unless_known(&ask.parts.headers))
}

/// `POST /gates/{id}/approve`.
pub(crate) async fn approve(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Gate)?;
    let asked = ask.optional_body().await?;
    decide(ask, approval(id, asked)).await
}

/// `POST /gates/{id}/reject`.
pub(crate) async fn reject(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Gate)?;
    let asked = ask.optional_body().await?;
    decide(ask, rejection(id, asked)).await
}

/// A yes to a gate, or to the change whose gate it is.
pub(crate) fn approval(on: Id, asked: wire::Approve) -> Decide {
    let wire::Approve { subject_sha256, comment, confirm } = asked;
    Decide { on, side: Side::Approve, subject_sha256, comment, confirm }
}

/// A no to a gate, or to the change whose gate it is.
pub(crate) fn rejection(on: Id, asked: wire::Reject) -> Decide {
    let wire::Reject { subject_sha256, reason } = asked;
    Decide { on, side: Side::Reject, subject_sha256, comment: reason, confirm: None }
}

async fn decide(ask: Ask, decide: Decide) -> Answer {
    let deed = move |act: &mut Act<'_>| {
        let decided = decides(act, &decide)?;
        Ok(wire::Decision { gate: left(act, &decided.gate), replayed: decided.replayed })
    };
    ask.act(Urgency::Urgent, deed, |decision| Reply::ok(&decision)).await
}
