//! Changes: read, decided, sent back (C18 to C23, C33).

use crate::ask::Ask;
use crate::page::{End, Span, below, by_place};
use crate::reply::{Answer, Reply};
use crate::route::artifact;
use crate::route::gate::{approval, left, rejection};
use crate::view;
use tiltyard_engine::artifact as artifacts;
use tiltyard_engine::change::read::{self as changes, Filter};
use tiltyard_engine::change::send_back::{SendBack, send_back as sends_back};
use tiltyard_engine::gate::decide::{Decide, decide as decides};
use tiltyard_engine::task::list::Window;
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::change::State;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::change as wire;
use tiltyard_wire::page::{Page, PartQuery, TotalIs};

/// `GET /changes`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: wire::Filter = ask.query()?;
    let filter = filter(&ask, &asked)?;
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let below = below(Noun::Change, asked.cursor.as_deref())?;
    let window = Window { below, offset: span.offset, limit: span.limit };
    let page = ask.read(move |rows, caller| {
        let page = changes::page(rows, caller, &filter, window)?;
        let next = page.items.last().filter(|_| page.next.is_some()).map(|found| found.change.id.to_string());
        let with_checks =
            |found| changes::last_round(rows, &found).map(|round| view::change::view(found, round));
        let items = page.items.into_iter().map(with_checks).collect::<Result<Vec<_>, Refusal>>()?;
        Ok(Page::new(items, next, page.total))
    });
    Ok(Reply::ok(&page.await?).into_response())
}

fn filter(ask: &Ask, asked: &wire::Filter) -> Result<Filter, Refusal> {
    Ok(Filter {
        scopes: ask.scopes(asked.scope.as_deref())?,
        state: asked.state.as_deref().map(state).transpose()?,
        repository: asked.repository.clone(),
        task: asked.task.as_deref().map(task).transpose()?,
    })
}

fn state(text: &str) -> Result<State, Refusal> {
    let shown: String = text.chars().take(64).collect();
    let all = State::ALL.map(State::as_str).join(" ");
    let said = format!("`state`: `{shown}` is no state of a change; there are: {all}");
    State::parse(text).ok_or_else(|| Refusal::new(Code::BadParameter, said))
}

fn task(text: &str) -> Result<i64, Refusal> {
    let said = "`task`: must be the id of a task";
    Id::parse_as(Noun::Task, text).map(Id::key).map_err(|_| Refusal::new(Code::BadParameter, said))
}

/// `GET /changes/{id}`.
pub(crate) async fn get(ask: Ask) -> Answer {
    let id = ask.id(Noun::Change)?;
    let engine = std::sync::Arc::clone(&ask.app.engine);
    let change = ask.read(move |rows, caller| {
        let whole = changes::whole(rows, caller, id)?;
        let round = changes::last_round(rows, &whole.found)?;
        let now = engine.clock().now().wall;
        let mut change = view::change::view(whole.found.clone(), round);
        change.history = Some(Box::new(view::change::history(whole, engine.tokens(), now)));
        Ok(change)
    });
    Ok(Reply::ok(&change.await?).one().unless_known(&ask.parts.headers))
}

/// `GET /changes/{id}/diff`: of the last attempt, as a decision names it.
pub(crate) async fn diff(ask: Ask) -> Answer {
    let id = ask.id(Noun::Change)?;
    let stored = ask.read(move |rows, caller| {
        let found = changes::get(rows, caller, id)?;
        let diff = found.change.record.proposal.and_then(|heads| heads.diff.id);
        artifacts::get(rows, caller, diff.ok_or_else(|| Refusal::missing("diff of the change", id))?)
    });
    artifact::send(&ask, &stored.await?).await
}

/// `GET /changes/{id}/checks`.
pub(crate) async fn checks(ask: Ask) -> Answer {
    let (id, asked): (Id, PartQuery) = (ask.id(Noun::Change)?, ask.query()?);
    let rounds = ask.read(move |rows, caller| changes::checks(rows, caller, id)).await?;
    let is_cut = rounds.len() == changes::MAX_SHOWN as usize;
    let runs = rounds.into_iter().flat_map(view::change::runs).collect();
    let page = by_place(runs, &asked, End::Last)?;
    Ok(Reply::ok(&Page { total_is: is_cut.then_some(TotalIs::AtLeast).or(page.total_is), ..page })
        .into_response())
}

/// `POST /changes/{id}/approve`.
pub(crate) async fn approve(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Change)?;
    let asked = ask.optional_body().await?;
    let decide = approval(&ask, id, asked).await?;
    decided(ask, decide).await
}

/// `POST /changes/{id}/reject`.
pub(crate) async fn reject(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Change)?;
    let asked = ask.optional_body().await?;
    let decide = rejection(&ask, id, asked).await?;
    decided(ask, decide).await
}

async fn decided(ask: Ask, decide: Decide) -> Answer {
    let deed = move |act: &mut Act<'_>| {
        let decided = decides(act, &decide)?;
        let none = || Refusal::new(Code::Internal, "the gate of a change has no change: nothing was done");
        let found = decided.change.ok_or_else(none)?;
        let round = changes::last_round(act.tx, &found)?;
        let gate = left(act, &decided.gate);
        Ok(wire::Decided { change: view::change::view(found, round), gate, replayed: decided.replayed })
    };
    ask.act(Urgency::Urgent, deed, |decided| Reply::ok(&decided)).await
}

/// `POST /changes/{id}/send-back`.
pub(crate) async fn send_back(mut ask: Ask) -> Answer {
    let change = ask.id(Noun::Change)?;
    let wire::SendBack { subject_sha256, comments } = ask.optional_body().await?;
    let comments = comments.into_iter().map(view::change::said).collect();
    let back = SendBack { change, subject_sha256, comments };
    let deed = move |act: &mut Act<'_>| {
        let (found, gate) = sends_back(act, &back)?;
        let round = changes::last_round(act.tx, &found)?;
        let gate = left(act, &gate);
        Ok(wire::Decided { change: view::change::view(found, round), gate, replayed: false })
    };
    ask.act(Urgency::Urgent, deed, |decided| Reply::ok(&decided)).await
}
