//! Gates: read and decided (D23, D24, D26).

use crate::ask::Ask;
use crate::page::{Span, below};
use crate::reply::{Answer, Reply};
use crate::view;
use serde_json::Value;
use tiltyard_engine::gate::amend::{Prepared, look, prepare};
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
    let run = asked.run.as_deref().map(run).transpose()?;
    let filter = Filter { scopes: ask.scopes(asked.scope.as_deref())?, state, run };
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let below = below(Noun::Gate, asked.cursor.as_deref())?;
    let window = Window { below, offset: span.offset, limit: span.limit };
    let page = ask.read(move |rows, caller| gates::page(rows, caller, &filter, window)).await?;
    let last = page.items.last().filter(|_| page.next.is_some());
    let next = last.map(|found| found.gate.id.to_string());
    let items = page.items.iter().map(|found| view::gate::brief(seen(&ask, found))).collect();
    Ok(Reply::ok(&Page::new(items, next, page.total)).into_response())
}

fn state(text: &str) -> Result<State, Refusal> {
    let shown: String = text.chars().take(64).collect();
    let said = format!("`state`: `{shown}` is no state of a gate; `open` is one");
    State::parse(text).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

fn run(text: &str) -> Result<Id, Refusal> {
    let shown: String = text.chars().take(64).collect();
    let said = format!("`run`: `{shown}` is no id of a run");
    Id::parse_as(Noun::Run, text).map_err(|_| Refusal::new(Code::BadParameter, said))
}

/// `GET /gates/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::Gate)?;
    let (found, void) = ask.read(move |rows, caller| gates::whole(rows, caller, id)).await?;
    let void_votes = void.iter().map(view::gate::vote).collect();
    let view = wire::View { void_votes, ..seen(&ask, &found) };
    Ok(Reply::ok(&view).one().unless_known(&ask.parts.headers))
}

/// `POST /gates/{id}/approve`.
pub(crate) async fn approve(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Gate)?;
    let query: wire::ApproveQuery = ask.query()?;
    let asked: wire::Approve = ask.optional_body().await?;
    if query.dry_run == Some(true) {
        return preview(ask, id, asked).await;
    }
    let decide = approval(&ask, id, asked).await?;
    decided(ask, decide).await
}

/// `POST /gates/{id}/reject`.
pub(crate) async fn reject(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Gate)?;
    let asked = ask.optional_body().await?;
    let decide = rejection(&ask, id, asked).await?;
    decided(ask, decide).await
}

/// A yes to a gate, or to the change whose gate it is.
pub(crate) async fn approval(ask: &Ask, on: Id, asked: wire::Approve) -> Result<Decide, Refusal> {
    let wire::Approve { subject_sha256, comment, confirm, patch } = asked;
    let patch = prepared(ask, on, subject_sha256.as_deref(), patch).await?;
    Ok(Decide { subject_sha256, comment, confirm, patch, ..Decide::on(on, Side::Approve) })
}

/// A no to a gate, or to the change whose gate it is.
pub(crate) async fn rejection(ask: &Ask, on: Id, asked: wire::Reject) -> Result<Decide, Refusal> {
    let wire::Reject { subject_sha256, reason, patch, to_stage } = asked;
    let patch = prepared(ask, on, subject_sha256.as_deref(), patch).await?;
    Ok(Decide { subject_sha256, comment: reason, patch, to_stage, ..Decide::on(on, Side::Reject) })
}

/// A patch is applied before the door is entered.
async fn prepared(
    ask: &Ask,
    on: Id,
    seen: Option<&str>,
    patch: Option<Value>,
) -> Result<Option<Prepared>, Refusal> {
    match patch {
        Some(patch) => prepare(&ask.app.engine, &ask.caller, on, (seen, patch)).await.map(Some),
        None => Ok(None),
    }
}

/// What a patch would make; nothing is decided.
async fn preview(ask: Ask, id: Id, asked: wire::Approve) -> Answer {
    let none = || Refusal::field("/patch", "a dry run shows what a patch makes of the subject: send one");
    let patch = asked.patch.ok_or_else(none)?;
    let subject = asked.subject_sha256.as_deref();
    let (found, made) = look(&ask.app.engine, &ask.caller, id, (subject, patch)).await?;
    let preview = wire::Preview { subject: made.document, subject_sha256: made.sha256 };
    let gate = seen(&ask, &found);
    Ok(Reply::ok(&wire::Decision { gate, replayed: false, preview: Some(preview) }).into_response())
}

async fn decided(ask: Ask, decide: Decide) -> Answer {
    // What a patch has made is held until the row that names it is on disk.
    let held = decide.patch.clone();
    let deed = move |act: &mut Act<'_>| {
        let decided = decides(act, &decide)?;
        let gate = left(act, &decided.gate);
        Ok(wire::Decision { gate, replayed: decided.replayed, preview: None })
    };
    let answer = ask.act(Urgency::Urgent, deed, |decision| Reply::ok(&decision)).await;
    drop(held);
    answer
}
